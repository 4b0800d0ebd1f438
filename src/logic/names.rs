//! What people may call themselves and their rooms, and what they may write.

mod directions;
mod invisible;

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
    /// Too many characters.
    #[error("A name has at most 64 characters.")]
    TooLong,
    /// Characters of too many parts.
    #[error("A name has at most 256 bytes; some characters, as many emoji, take a dozen and more.")]
    TooHeavy,
    /// It holds a line break or another control character.
    #[error("A name must not hold control characters.")]
    Control,
    /// It holds a character that changes the direction of the text around it.
    #[error("A name must not hold characters that change the direction of writing.")]
    Bidi,
    /// As the name of a room it could not stand in an address.
    #[error(
        "A room's name must not hold a slash or a backslash, nor be a single or a double dot: no address leads there."
    )]
    NoAddress,
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

/// Checks the name of a member or of a room, and returns it trimmed, in NFC, and without characters that
/// nobody sees and that mean nothing where they stand.
pub fn check_name(text: &str) -> Result<String, NameError> {
    if text.len() > 4 * NAME_BYTES_MAX {
        return Err(NameError::TooHeavy);
    }
    let name: String = invisible::without(text).trim().nfc().collect();
    if name.chars().any(is_control) {
        return Err(NameError::Control);
    }
    if name.chars().any(directions::is_control) {
        return Err(NameError::Bidi);
    }
    if !name.chars().any(is_visible) {
        return Err(NameError::Empty);
    }
    if name.graphemes(true).count() > NAME_GRAPHEMES_MAX {
        return Err(NameError::TooLong);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooHeavy);
    }
    Ok(name)
}

/// Checks the name of a room: [`check_name`], and an address leads back to it. Dots alone mean another place
/// (RFC 3986 §5.2.4), percent-encoded too, and many proxies decode slashes.
pub fn check_room_name(text: &str) -> Result<String, NameError> {
    let name = check_name(text)?;
    let is_place = name == "." || name == ".." || name.contains(['/', '\\']);
    (!is_place).then_some(name).ok_or(NameError::NoAddress)
}

/// Checks a line of chat: 1 to `characters_max` characters; line breaks and tabs are allowed. Returns it with
/// what changes the direction of writing ended where its line ends, and no order forced on it.
pub fn check_chat(text: &str, characters_max: u32) -> Result<String, ChatError> {
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
    let text = directions::balanced(text);
    match text.is_empty() {
        true => Err(ChatError::Empty),
        false => Ok(text),
    }
}

/// Control characters and the line and paragraph separators.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Leaves ink: neither space nor one of the characters that have no width of their own.
fn is_visible(c: char) -> bool {
    let no_width = matches!(c, '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}');
    !c.is_whitespace() && !no_width
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_names_are_trimmed_and_composed() {
        let family = "👨\u{200D}👩\u{200D}👧";
        let long = "x".repeat(64);
        let emoji = "🎵".repeat(64);
        let cases = [
            ("Ada", "Ada"),
            ("  Ada\tLovelace ".trim_matches('\t'), ""),
            (" Ada ", "Ada"),
            ("e\u{301}", "é"),
            ("日本語の部屋", "日本語の部屋"),
            ("שלום", "שלום"),
            ("می\u{200C}خواهم", "می\u{200C}خواهم"),
            (family, family),
            (&long, &long),
            (&emoji, &emoji),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
        ];
        for (text, name) in cases {
            let checked = check_name(text);
            match name {
                "" => assert_eq!(checked, Err(NameError::Control), "{text:?}"),
                _ => assert_eq!(checked.as_deref(), Ok(name), "{text:?}"),
            }
        }
    }

    #[test]
    fn bad_names_are_refused_with_a_reason() {
        let (many, heavy) = ("x".repeat(65), "👨\u{200D}👩\u{200D}👧".repeat(15));
        let (zalgo, huge) = (format!("a{}", "\u{0300}".repeat(200)), "x".repeat(1 << 20));
        let cases = [
            ("", NameError::Empty),
            (" \t\n ", NameError::Empty),
            ("\u{200B}\u{2060}\u{FEFF}", NameError::Empty),
            ("\u{3164}\u{00AD}", NameError::Empty),
            ("\u{200B}", NameError::Empty),
            (" \u{200D} ", NameError::Empty),
            ("a\nb", NameError::Control),
            ("a\u{0}b", NameError::Control),
            ("a\u{7f}", NameError::Control),
            ("a\u{85}b", NameError::Control),
            ("a\u{2028}b", NameError::Control),
            ("\u{202E}evil", NameError::Bidi),
            ("a\u{2066}b\u{2069}", NameError::Bidi),
            ("a\u{200F}", NameError::Bidi),
            (&many, NameError::TooLong),
            (&heavy, NameError::TooHeavy),
            (&zalgo, NameError::TooHeavy),
            (&huge, NameError::TooHeavy),
        ];
        for (text, error) in cases {
            assert_eq!(check_name(text), Err(error), "{text:.20?}");
        }
    }

    #[test]
    fn a_checked_name_stays_as_it_is() {
        for text in [
            "Ada",
            "e\u{301}",
            " ﬁ ",
            "\u{1100}\u{1161}",
            "\u{200B} e\u{200D}\u{301}",
        ] {
            let once = check_name(text);
            let twice = once.as_deref().map(check_name);
            assert_eq!(twice, Ok(once.clone()), "{text:?}");
        }
    }

    #[test]
    fn who_looks_the_same_is_called_the_same() {
        for text in [
            "A\u{200B}da",
            "A\u{200D}da",
            "A\u{200C}da",
            "\u{FEFF}Ada",
            "Ada\u{2060}",
            "A\u{AD}da",
            "A\u{34F}da",
            "Ada\u{FE0F}",
            "Ada\u{3164}",
            "Ad\u{2063}a",
            "Ada\u{E0041}",
            "\u{200B} Ada \u{200B}",
        ] {
            assert_eq!(check_name(text).as_deref(), Ok("Ada"), "{text:?}");
        }
    }

    #[test]
    fn a_room_has_a_name_that_an_address_can_hold() {
        for name in [
            ".",
            "..",
            "/",
            "a/b",
            "a\\b",
            "\u{200B}..",
            " . ",
            ".\u{200D}.",
        ] {
            assert_eq!(check_room_name(name), Err(NameError::NoAddress), "{name:?}");
        }
        for name in ["...", ".a", "a..b", "%2e", "?", "#a", "100%", "a b", "é"] {
            assert_eq!(check_room_name(name).as_deref(), Ok(name));
        }
    }

    proptest! {
        #[test]
        fn every_room_has_an_address_that_leads_back(
            text in "[a.%/?#+&;=:@ é\u{200D}\u{200B}👨日\\\\-]{0,12}|\\PC{0,70}",
        ) {
            if let Ok(name) = check_room_name(&text) {
                for before in ["/r/", "/whip/", "/api/rooms/"] {
                    let address = format!("http://node.example{before}{}", encoded(&name));
                    let path = reqwest::Url::parse(&address).unwrap().path().to_owned();
                    let last = path.strip_prefix(before).unwrap();
                    prop_assert!(!last.is_empty() && !last.contains('/'));
                    prop_assert_eq!(decoded(last), name.clone());
                }
                prop_assert_eq!(check_room_name(&name), Ok(name));
            }
        }
    }

    /// As `encodeURIComponent` does it.
    fn encoded(name: &str) -> String {
        let byte = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        name.bytes().map(byte).collect()
    }

    fn decoded(segment: &str) -> String {
        let mut bytes = segment.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            let hex = |bytes: &mut std::str::Bytes<'_>| {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            };
            let byte = if byte == b'%' { hex(&mut bytes) } else { byte };
            decoded.push(byte);
        }
        String::from_utf8(decoded).unwrap()
    }

    #[test]
    fn chat_may_have_lines_but_no_other_controls() {
        assert_eq!(check_chat("a\n\tb", 4).as_deref(), Ok("a\n\tb"));
        assert_eq!(check_chat("🎵🎵🎵🎵", 4).as_deref(), Ok("🎵🎵🎵🎵"));
        assert_eq!(check_chat("abcde", 4), Err(ChatError::TooLong));
        for text in ["", "\u{202E}", "\u{2069}\u{202C}"] {
            assert_eq!(check_chat(text, 4), Err(ChatError::Empty), "{text:?}");
        }
        for text in ["\r\n", "\u{0}", "\u{1b}[1m", "\u{7f}", "\u{9b}"] {
            assert_eq!(check_chat(text, 4), Err(ChatError::Control), "{text:?}");
        }
    }
}
