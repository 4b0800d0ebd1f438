//! Characters that leave no ink: two names that differ in nothing else look the same.
//!
//! Some mean something where they stand: a joiner makes one emoji of several, and one letter of another in
//! Arabic, Persian and the scripts of India; a variation selector chooses between two forms (UTS #51, UAX #31
//! §2.3). There they stay. Everywhere else they are left out.

const NON_JOINER: char = '\u{200C}';
const JOINER: char = '\u{200D}';
const KEYCAP: char = '\u{20E3}';
/// Begins the flags of England, Scotland and Wales, whose letters are tags.
const BLACK_FLAG: char = '\u{1F3F4}';

/// The text without them.
pub(super) fn without(text: &str) -> String {
    if !text.chars().any(is_invisible) {
        return text.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if !is_invisible(c) || means_something(c, &kept, characters.peek().copied()) {
            kept.push(c);
        }
    }
    kept
}

fn means_something(c: char, before: &str, follows: Option<char>) -> bool {
    let Some(last) = before.chars().next_back() else {
        return false;
    };
    match c {
        JOINER => is_joining(last) || ends_emoji(last) && follows.is_some_and(is_pictograph),
        NON_JOINER => is_joining(last) && follows.is_some_and(is_joining),
        '\u{180B}'..='\u{180F}' => matches!(last, '\u{1800}'..='\u{18AF}'),
        '\u{FE0E}' | '\u{FE0F}' => has_two_forms(last) || follows == Some(KEYCAP),
        // Forms of Chinese characters, in Japanese names among others.
        '\u{FE00}'..='\u{FE0D}' | '\u{E0100}'..='\u{E01EF}' => is_ideograph(last),
        '\u{E0020}'..='\u{E007F}' => {
            let is_tag = |c: &char| matches!(c, '\u{E0020}'..='\u{E007E}');
            before.chars().rev().find(|c| !is_tag(c)) == Some(BLACK_FLAG)
        }
        _ => false,
    }
}

fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{27FF}' | '\u{2900}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FBFF}')
}

/// A pictograph, its skin or its form, or the end of a flag.
fn ends_emoji(c: char) -> bool {
    is_pictograph(c) || matches!(c, '\u{FE0F}' | '\u{E007F}')
}

/// As text and as emoji.
fn has_two_forms(c: char) -> bool {
    let is_sign = matches!(
        c,
        '©' | '®' | '\u{203C}' | '\u{2049}' | '\u{2100}'
            ..='\u{218F}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}'
    );
    is_pictograph(c) || is_sign
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Of a script whose letters change their form with their neighbours.
fn is_joining(c: char) -> bool {
    let is_of_script = matches!(c, '\u{0600}'..='\u{10FF}' | '\u{1780}'..='\u{1CFF}' | '\u{A800}'..='\u{ABFF}'
        | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{10A00}'..='\u{11FFF}' | '\u{1E900}'..='\u{1E95F}');
    is_of_script && !is_invisible(c)
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_stays() {
        for text in [
            "👨\u{200D}👩\u{200D}👧",
            "❤\u{FE0F}\u{200D}🔥",
            "🧑🏽\u{200D}🚀",
            "1\u{FE0F}\u{20E3}",
            "می\u{200C}خواهم",
            "ه\u{200D}",
            "क\u{94D}\u{200D}ष",
            "ක\u{DCA}\u{200D}ය",
            "葛\u{E0100}城",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "ᠮᠣᠩᠭᠣᠯ\u{180E}ᠠ",
        ] {
            assert_eq!(without(text), text, "{text:?}");
        }
    }

    #[test]
    fn what_means_nothing_goes() {
        for (text, expected) in [
            ("a\u{200D}b", "ab"),
            ("a\u{200D}\u{301}", "a\u{301}"),
            ("👨\u{200D}", "👨"),
            ("👨\u{200D}b", "👨b"),
            ("👨\u{200D}\u{200D}👩", "👨\u{200D}👩"),
            ("م\u{200C}", "م"),
            ("م\u{200C} م", "م م"),
            ("a\u{FE0F}b\u{E0100}", "ab"),
            ("\u{FE0F}\u{FE0F}", ""),
            ("❤\u{FE0F}\u{FE0F}", "❤\u{FE0F}"),
            ("a\u{E0067}", "a"),
            ("\u{200B}a\u{2060}\u{3164}b\u{2800}", "ab"),
        ] {
            assert_eq!(without(text), expected, "{text:?}");
            assert_eq!(without(expected), expected, "{text:?} again");
        }
    }
}
