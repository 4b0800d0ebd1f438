//! What makes its bearer the owner of a room.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a key: enough that nobody guesses one that was drawn at random.
const BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// A secret between a client and the node: 16 to 128 bytes of visible ASCII.
///
/// Two are compared in the same time wherever they differ, and none shows in a log.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OwnerKey(String);

/// The text is not a key: too short, too long, or other than visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an `ownerKey` is 16 to 128 bytes of visible ASCII")]
pub struct OwnerKeyError;

impl TryFrom<String> for OwnerKey {
    type Error = OwnerKeyError;

    fn try_from(text: String) -> Result<Self, OwnerKeyError> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = is_visible && BYTES.contains(&text.len());
        fits.then_some(OwnerKey(text)).ok_or(OwnerKeyError)
    }
}

impl From<OwnerKey> for String {
    fn from(key: OwnerKey) -> String {
        key.0
    }
}

impl PartialEq for OwnerKey {
    fn eq(&self, other: &OwnerKey) -> bool {
        let byte = |key: &OwnerKey, at: usize| key.0.as_bytes().get(at).copied().unwrap_or(0);
        // No byte of a key is zero, so a longer one differs where the shorter ends.
        let differing = (0..*BYTES.end()).fold(0, |differing, at| {
            std::hint::black_box(differing | (byte(self, at) ^ byte(other, at)))
        });
        differing == 0
    }
}

impl Eq for OwnerKey {}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerKey(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_key_is_long_enough_visible_and_ascii() {
        let cases = [
            ("x".repeat(15), false),
            ("x".repeat(16), true),
            ("~!\"'\\{}[]<>&%$#@".to_owned(), true),
            ("x".repeat(128), true),
            ("x".repeat(129), false),
            (format!("{} ", "x".repeat(16)), false),
            (format!("{}\u{7f}", "x".repeat(16)), false),
            (format!("{}\n", "x".repeat(16)), false),
            ("é".repeat(16), false),
            (String::new(), false),
        ];
        for (text, fits) in cases {
            assert_eq!(OwnerKey::try_from(text.clone()).is_ok(), fits, "{text:?}");
            let json = serde_json::to_string(&text).unwrap();
            let read = serde_json::from_str::<OwnerKey>(&json);
            assert_eq!(read.is_ok(), fits, "{text:?}");
            if let Err(error) = read {
                assert!(text.is_empty() || !error.to_string().contains(&text));
            }
        }
    }

    #[test]
    fn keys_are_the_same_byte_for_byte_and_do_not_show() {
        let key = |text: &str| OwnerKey::try_from(text.to_owned()).unwrap();
        let mine = key("0123456789abcdef");
        assert_eq!(mine, key("0123456789abcdef"));
        for other in [
            "0123456789abcdeF",
            "x123456789abcdef",
            "0123456789abcdef0",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert_ne!(mine, key(other));
            assert_ne!(key(other), mine);
        }
        assert_eq!(format!("{mine:?}"), "OwnerKey(..)");
        let message = crate::protocol::client::ClientMessage::Join {
            room: "r".into(),
            name: "n".into(),
            sfu_only: false,
            owner_key: Some(mine),
        };
        assert!(!format!("{message:?}").contains("0123456789abcdef"));
    }
}
