//! Names and passwords that hold for a time: the convention of the TURN REST API, which coturn,
//! Jitsi and Matrix share. The name is `expiry:member`, the password
//! `base64(HMAC-SHA1(secret, name))`; a server that knows the secret needs no list of users.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rtc_crypto::{HashAlgorithm, HmacAlgorithm};

/// Bytes of the longest name that is looked at.
pub const USERNAME_BYTES_MAX: usize = 160;

/// A name with its password, for one member.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `expiry:member`.
    pub username: String,
    /// What belongs to it.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let username = &self.username;
        f.debug_struct("Credential")
            .field("username", username)
            .finish_non_exhaustive()
    }
}

/// A credential for `member`, accepted until `expires_unix` (seconds since 1970). An allocation
/// outlives it by 10 minutes at most.
pub fn mint(secret: &[u8], member: &str, expires_unix: u64) -> Credential {
    let username = format!("{expires_unix}:{member}");
    let password = password_of(secret, username.as_bytes());
    Credential { username, password }
}

/// Whose name this is, if it is one and still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User<'a> {
    /// What was given to [`mint`].
    pub member: &'a str,
    /// Until when the name holds, in seconds since 1970.
    pub expires_unix: u64,
}

/// Reads a name. `None` if it is no `expiry:member`, is too long, is over at `now_unix`, or holds for
/// more than `life_max_s` seconds from then, which no name does that was minted properly.
pub fn check(username: &[u8], now_unix: u64, life_max_s: u64) -> Option<User<'_>> {
    if username.len() > USERNAME_BYTES_MAX {
        return None;
    }
    let (expiry, member) = std::str::from_utf8(username).ok()?.split_once(':')?;
    let digits = !expiry.is_empty() && expiry.bytes().all(|byte| byte.is_ascii_digit());
    let expires_unix: u64 = expiry.parse().ok().filter(|_| digits)?;
    let holds = (now_unix..=now_unix.saturating_add(life_max_s)).contains(&expires_unix);
    (holds && !member.is_empty()).then_some(User {
        member,
        expires_unix,
    })
}

/// The password that belongs to a name.
pub fn password_of(secret: &[u8], username: &[u8]) -> String {
    let mut tag = [0; 20];
    let signed = rtc_crypto::default_provider().and_then(|provider| {
        let mut mac = provider.crypto().new_hmac(HmacAlgorithm::Sha1, secret)?;
        mac.sign(&[username], &mut tag)
    });
    // Without HMAC-SHA1 no answer could be signed either: a password that nobody is told.
    match signed {
        Ok(()) => STANDARD.encode(tag),
        Err(_) => String::new(),
    }
}

/// How a key is made from a password (RFC 8489 §18.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The one that every client knows.
    Md5,
    /// The one to prefer.
    Sha256,
}

impl Algorithm {
    /// Both, as the value of PASSWORD-ALGORITHMS: the better one first, none with parameters.
    pub const OFFERED: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];

    /// Reads the value of PASSWORD-ALGORITHM; `None` if it names none of ours.
    pub fn read(value: &[u8]) -> Option<Self> {
        match value {
            [0, 1, 0, 0] => Some(Algorithm::Md5),
            [0, 2, 0, 0] => Some(Algorithm::Sha256),
            _ => None,
        }
    }
}

/// The key for the integrity attributes (RFC 8489 §9.2.2). Name and password are taken as they are:
/// those of [`mint`] are unchanged by the preparation that the RFC asks for. Empty, which fits
/// nothing, if the cryptography lacks the hash.
pub fn long_term_key(
    algorithm: Algorithm,
    username: &[u8],
    realm: &str,
    password: &[u8],
) -> Vec<u8> {
    let text = [username, b":", realm.as_bytes(), b":", password].concat();
    let hash = match algorithm {
        Algorithm::Md5 => HashAlgorithm::Md5,
        Algorithm::Sha256 => HashAlgorithm::Sha256,
    };
    rtc_crypto::default_provider()
        .and_then(|provider| provider.crypto().hash(hash, &text))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn what_is_minted_is_what_coturn_mints() {
        // echo -n 1700000600:ann | openssl dgst -sha1 -hmac north -binary | base64
        let credential = mint(b"north", "ann", NOW + 600);
        assert_eq!(credential.username, "1700000600:ann");
        assert_eq!(credential.password, "7frJsC9X1ENSUqDpiZimUxlaSY8=");
        assert!(!format!("{credential:?}").contains(&credential.password));
    }

    #[test]
    fn which_names_hold() {
        for (username, member) in [
            ("1700000600:ann", Some("ann")),
            ("1700000000:ann", Some("ann")),
            ("1700000600:a:b", Some("a:b")),
            ("1699999999:ann", None),
            ("1700086401:ann", None),
            ("99999999999999999999:ann", None),
            ("+1700000600:ann", None),
            ("1700000600:", None),
            (":ann", None),
            ("ann", None),
            ("", None),
        ] {
            let user = check(username.as_bytes(), NOW, 86_400);
            assert_eq!(user.map(|user| user.member), member, "{username}");
        }
        let long = format!("1700000600:{}", "a".repeat(USERNAME_BYTES_MAX));
        assert_eq!(check(long.as_bytes(), NOW, 86_400), None);
        assert_eq!(check(b"1700000600:\xFF", NOW, 86_400), None);
    }

    #[test]
    fn which_algorithms_are_known() {
        for value in Algorithm::OFFERED.chunks(4) {
            assert!(Algorithm::read(value).is_some());
        }
        for value in [&[][..], &[0, 3, 0, 0], &[0, 1, 0, 4], &[0, 1]] {
            assert_eq!(Algorithm::read(value), None);
        }
    }
}
