//! Base 64 with padding (RFC 4648 §4), as SDP writes keys and parameter sets.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            let is_padding = digit > group.len();
            text.push(match is_padding {
                true => '=',
                false => char::from(ALPHABET[value as usize]),
            });
        }
    }
    text
}

/// `None` for what [`encode`] cannot have written, missing padding and stray bits included.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let padding = group.iter().rev().take_while(|&&byte| byte == b'=').count();
        let mut bits = 0;
        for &byte in group.get(..4 - padding)? {
            bits = bits << 6 | ALPHABET.iter().position(|&known| known == byte)? as u32;
        }
        bits <<= 6 * padding;
        let whole = bits.to_be_bytes();
        bytes.extend_from_slice(whole.get(1..4_usize.checked_sub(padding)?)?);
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_follow_from_each_other() {
        // RFC 4648 §10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
    }

    #[test]
    fn what_is_no_base_64() {
        for text in [
            "Z", "Zg", "Zg=", "Zh==", "====", "=", "Zm9v=", "Zm 9", "Zm9v\n", "Zg==Zg==", "Zm9-",
            "é===",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
