//! Owners' keys are known by their marks: the keys themselves are kept nowhere.

use ring::digest::{Context, SHA256};

use crate::logic::titles::OwnerMark;
use crate::protocol::owner_key::OwnerKey;

/// So that no mark is the hash of the same secret elsewhere.
const PREFIX: &[u8] = b"motet owner key\0";

/// The mark of a key: SHA-256 over a prefix and the key. A slow hash is for passwords; keys are drawn at random.
pub fn mark_of(key: &OwnerKey) -> OwnerMark {
    let mut context = Context::new(&SHA256);
    context.update(PREFIX);
    context.update(String::from(key.clone()).as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    OwnerMark::new(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_key_has_one_mark_and_another_key_another() {
        let key = |text: &str| OwnerKey::try_from(text.to_owned()).unwrap();
        let mark = mark_of(&key("0123456789abcdef"));
        assert_eq!(mark, mark_of(&key("0123456789abcdef")));
        assert_ne!(mark, mark_of(&key("0123456789abcdeF")));
        // What is written down must be found again by every later version.
        assert_eq!(
            String::from(mark),
            "5aa3a060311d9149a92ca51429d4068a500893e16b18096fc76de74d6fbc16e3"
        );
    }
}
