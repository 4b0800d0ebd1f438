//! What people may call themselves and their rooms, and what they may write.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Graphemes (what people count as characters) of a name.
pub const NAME_GRAPHEMES_MAX: usize = 64;
/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 256;

/// Why a name is refused; each is a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing that can be seen.
    #[error("A name must not be empty.")]
    Empty,
    /// Too many characters, or characters of too many parts.
    #[error("A name has at most 64 characters.")]
    TooLong,
    /// It holds a line break or another control character.
    #[error("A name must not hold control characters.")]
    Control,
    /// It holds a character that changes the direction of the text around it.
    #[error("A name must not hold characters that change the direction of writing.")]
    Bidi,
}

/// Why a line of chat is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Nothing in it.
    #[error("A line of chat must not be empty.")]
    Empty,
    /// More characters than a line may have.
    #[error("A line of chat is too long.")]
    TooLong,
    /// It holds a control character other than a line break or a tab.
    #[error("A line of chat must not hold control characters.")]
    Control,
}

/// Checks the name of a member or of a room, and returns it trimmed and in NFC.
pub fn check_name(text: &str) -> Result<String, NameError> {
    if text.len() > 4 * NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let name: String = text.trim().nfc().collect();
    if name.chars().any(is_control) {
        return Err(NameError::Control);
    }
    if name.chars().any(is_bidi_control) {
        return Err(NameError::Bidi);
    }
    if !name.chars().any(is_visible) {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX || name.graphemes(true).count() > NAME_GRAPHEMES_MAX {
        return Err(NameError::TooLong);
    }
    Ok(name)
}

/// Checks a line of chat: 1 to `characters_max` characters; line breaks and tabs are allowed.
pub fn check_chat(text: &str, characters_max: u32) -> Result<(), ChatError> {
    if text.is_empty() {
        return Err(ChatError::Empty);
    }
    if text.chars().count() > characters_max as usize {
        return Err(ChatError::TooLong);
    }
    let is_refused = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.chars().any(is_refused) {
        return Err(ChatError::Control);
    }
    Ok(())
}

/// Control characters and the line and paragraph separators.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The explicit directional formatting characters of UAX #9 §2, marks included.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Leaves ink: neither space nor one of the characters that have no width of their own.
fn is_visible(c: char) -> bool {
    let no_width = matches!(c, '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}');
    !c.is_whitespace() && !no_width
}
