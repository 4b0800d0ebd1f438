//! What changes the direction of writing (UAX #9), and must not reach beyond the text that it stands in.

/// More of it in one another is taken for play; UAX #9 allows 125.
const DEPTH_MAX: usize = 16;

/// The explicit directional formatting characters of UAX #9 §2, marks included.
pub(super) fn is_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Something that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Embedding,
    /// An embedding that was left out: so is its end.
    Forgotten,
    Isolate,
}

/// The text with every embedding and isolate ended where its line ends, without ends of nothing, and without
/// overrides: these force an order on letters that have one, and are good for deceiving alone. Marks stay.
pub(super) fn balanced(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '\u{202A}' | '\u{202B}' if open.len() < DEPTH_MAX => {
                open.push(Open::Embedding);
                written.push(c);
            }
            '\u{202A}' | '\u{202B}' | '\u{202D}' | '\u{202E}' => open.push(Open::Forgotten),
            '\u{2066}'..='\u{2068}' if open.len() < DEPTH_MAX => {
                open.push(Open::Isolate);
                written.push(c);
            }
            '\u{2066}'..='\u{2068}' => {}
            // The end of an embedding does not end an isolate around it.
            '\u{202C}' => match open.last() {
                Some(Open::Embedding) => {
                    open.pop();
                    written.push(c);
                }
                Some(Open::Forgotten) => {
                    open.pop();
                }
                Some(Open::Isolate) | None => {}
            },
            // The end of an isolate ends what was begun in it.
            '\u{2069}' => {
                if let Some(begin) = open.iter().rposition(|open| *open == Open::Isolate) {
                    end(&mut written, open.split_off(begin));
                }
            }
            '\n' => {
                end(&mut written, std::mem::take(&mut open));
                written.push(c);
            }
            _ => written.push(c),
        }
    }
    end(&mut written, open);
    written
}

fn end(written: &mut String, open: Vec<Open>) {
    for open in open.into_iter().rev() {
        match open {
            Open::Embedding => written.push('\u{202C}'),
            Open::Isolate => written.push('\u{2069}'),
            Open::Forgotten => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_ended_and_no_order_is_forced() {
        for (text, expected) in [
            ("plain", "plain"),
            ("שלום\u{200F}!", "שלום\u{200F}!"),
            ("\u{202E}live", "live"),
            ("\u{202E}live\u{202C} on", "live on"),
            ("\u{202D}a\u{202B}b\u{202C}c\u{202C}", "a\u{202B}b\u{202C}c"),
            ("\u{202B}a", "\u{202B}a\u{202C}"),
            ("\u{2067}a", "\u{2067}a\u{2069}"),
            ("a\u{2069}b\u{202C}", "ab"),
            ("\u{2067}a\nb\u{2069}", "\u{2067}a\u{2069}\nb"),
            (
                "\u{2067}a\u{202B}b\u{2069}c",
                "\u{2067}a\u{202B}b\u{202C}\u{2069}c",
            ),
            ("\u{2068}a\u{202C}b\u{2069}", "\u{2068}ab\u{2069}"),
            ("\u{202B}\u{2066}a", "\u{202B}\u{2066}a\u{2069}\u{202C}"),
        ] {
            assert_eq!(balanced(text), expected, "{text:?}");
            assert_eq!(balanced(expected), expected, "{text:?} again");
        }
    }

    #[test]
    fn a_line_of_nothing_else_does_not_grow_much() {
        for c in ['\u{2067}', '\u{202B}', '\u{202E}'] {
            let text = c.to_string().repeat(4_000);
            assert!(balanced(&text).chars().count() <= 2 * DEPTH_MAX);
        }
    }
}
