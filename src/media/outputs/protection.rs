//! SRTP of an output: one key for both directions, told by SDP (RFC 4568).

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use rand::Rng;
use rand::rngs::StdRng;

use crate::media::srtp::{MasterKey, Opener, Profile, Sealer, SrtpError, SrtpKeys};

/// How packets are protected, by the names of SDP (RFC 4568 §6.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite(Profile);

/// What of SRTP a caller wants.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    suite: Suite,
    /// The caller's; otherwise the node makes one.
    key: Option<MasterKey>,
}

/// The text is no key of the suite: base 64 of key and salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of {} is {} bytes in base 64: 16 of key, the rest of salt", .0.name(), .0.key_len())]
pub struct BadKey(pub Suite);

impl Suite {
    /// Every suite, the one that most programs know first.
    pub const ALL: [Suite; 2] = [
        Suite(Profile::Aes128CmSha1_80),
        Suite(Profile::AeadAes128Gcm),
    ];

    /// As SDP calls it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Profile::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Profile::AeadAes128Gcm => "AEAD_AES_128_GCM",
        }
    }

    /// The suite of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    fn key_len(self) -> usize {
        MasterKey::KEY_LEN + self.0.salt_len()
    }

    fn read_key(self, text: &str) -> Option<MasterKey> {
        let bytes = BASE64.decode(text).ok()?;
        let (key, salt) = bytes.split_first_chunk()?;
        let mut padded = [0; 14];
        padded
            .get_mut(..self.0.salt_len())
            .filter(|place| place.len() == salt.len())?
            .copy_from_slice(salt);
        Some(MasterKey {
            key: *key,
            salt: padded,
        })
    }
}

impl Wanted {
    /// A key of the node's making, or the given one in base 64.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn new(suite: Suite, key: Option<&str>) -> Result<Self, BadKey> {
        let read = |text| suite.read_key(text).ok_or(BadKey(suite));
        let key = key.map(read).transpose()?;
        Ok(Self { suite, key })
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wanted({})", self.suite.name())
    }
}

/// What an output seals with, and opens what comes back with.
pub(super) struct Protection {
    suite: Suite,
    key: MasterKey,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

impl Protection {
    /// # Errors
    /// If the cryptography lacks the cipher.
    pub(super) fn new(wanted: &Wanted, rng: &mut StdRng) -> Result<Self, SrtpError> {
        let suite = wanted.suite;
        let key = wanted.key.clone().unwrap_or_else(|| random_key(suite, rng));
        let keys = SrtpKeys {
            profile: suite.0,
            local: key.clone(),
            // Without an answer there is one key (RFC 4568 §5.2 is about declared sessions).
            remote: key.clone(),
        };
        Ok(Self {
            sealer: Sealer::new(&keys)?,
            opener: Opener::new(&keys)?,
            suite,
            key,
        })
    }

    /// What stands behind `a=crypto:` (RFC 4568 §9.1).
    pub(super) fn to_sdp(&self) -> String {
        let salt = &self.key.salt[..self.suite.0.salt_len()];
        let key = BASE64.encode([&self.key.key[..], salt].concat());
        format!("1 {} inline:{key}", self.suite.name())
    }
}

fn random_key(suite: Suite, rng: &mut StdRng) -> MasterKey {
    let mut salt: [u8; 14] = rng.random();
    salt[suite.0.salt_len()..].fill(0);
    MasterKey {
        key: rng.random(),
        salt,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_key_is_as_long_as_its_suite_says() {
        for (suite, bytes, fits) in [
            ("AES_CM_128_HMAC_SHA1_80", 30, true),
            ("AES_CM_128_HMAC_SHA1_80", 28, false),
            ("AES_CM_128_HMAC_SHA1_80", 31, false),
            ("AEAD_AES_128_GCM", 28, true),
            ("AEAD_AES_128_GCM", 30, false),
            ("AEAD_AES_128_GCM", 15, false),
            ("AEAD_AES_128_GCM", 0, false),
        ] {
            let suite = Suite::named(suite).unwrap();
            let key = BASE64.encode(vec![7; bytes]);
            assert_eq!(Wanted::new(suite, Some(&key)).is_ok(), fits, "{bytes}");
        }
        assert_eq!(Suite::named("AES_CM_128_HMAC_SHA1_32"), None);
        assert_eq!(Suite::named(""), None);
    }

    #[test]
    fn sdp_tells_the_key_that_is_used() {
        let mut rng = StdRng::from_seed([1; 32]);
        for suite in Suite::ALL {
            let made = Protection::new(&Wanted::new(suite, None).unwrap(), &mut rng).unwrap();
            let line = made.to_sdp();
            let (head, key) = line.split_once(" inline:").unwrap();
            assert_eq!(head, format!("1 {}", suite.name()));
            let told = Wanted::new(suite, Some(key)).unwrap();
            let again = Protection::new(&told, &mut rng).unwrap();
            assert_eq!(again.to_sdp(), line);
            assert!(!format!("{told:?}").contains(key), "a log shows no key");
        }
    }
}
