//! Secrets: taken from outside, compared, never shown.

use std::fmt;

/// Shorter secrets can be guessed over the network.
const BYTES_MIN: usize = 16;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of at least 16 visible ASCII characters.
    ///
    /// # Errors
    /// What is expected, without the text.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() < BYTES_MIN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "expected at least {BYTES_MIN} visible ASCII characters without spaces"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// These bits, in hexadecimal digits.
    pub fn of_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
