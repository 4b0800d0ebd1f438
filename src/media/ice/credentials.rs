//! Username fragments and passwords.

use std::fmt;

use rand::Rng;
use rand::rngs::StdRng;

/// One side's username fragment and password (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Tells whose check it is.
    pub ufrag: String,
    /// Keys the message integrity.
    pub password: String,
}

impl Credentials {
    /// New ones: 48 and 144 random bits.
    pub fn random(rng: &mut StdRng) -> Self {
        Credentials {
            ufrag: ice_chars(rng, 8),
            password: ice_chars(rng, 24),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.ufrag)
    }
}

/// Characters that need no escaping in SDP: `ice-char` of RFC 8839 §5.4.
fn ice_chars(rng: &mut StdRng, len: usize) -> String {
    const ICE_CHARS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..len)
        .map(|_| char::from(ICE_CHARS[rng.random_range(0..ICE_CHARS.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn credentials_are_random_ice_chars() {
        let mut rng = StdRng::seed_from_u64(1);
        let (one, two) = (Credentials::random(&mut rng), Credentials::random(&mut rng));
        assert_ne!(one, two);
        assert_eq!((one.ufrag.len(), one.password.len()), (8, 24));
        let chars = one.ufrag.chars().chain(one.password.chars());
        assert!(
            chars
                .into_iter()
                .all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
        );
        assert!(!format!("{one:?}").contains(&one.password));
    }
}
