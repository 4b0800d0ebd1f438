//! Certificate fingerprints as SDP carries them (RFC 8122 §5).

use std::fmt::{self, Write};
use std::str::FromStr;

use ring::digest::{self, Algorithm, SHA256, SHA384, SHA512};

/// What the other side's certificate must hash to, e.g. `sha-256 AA:BB:…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    algorithm: &'static Algorithm,
    hash: Vec<u8>,
}

/// Not the value of an `a=fingerprint` with SHA-256, SHA-384 or SHA-512; MD5 and SHA-1 prove
/// nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint of a known hash")]
pub struct FingerprintError;

impl Fingerprint {
    /// The SHA-256 fingerprint of a certificate in DER.
    pub fn sha256(certificate: &[u8]) -> Self {
        Fingerprint {
            algorithm: &SHA256,
            hash: digest::digest(&SHA256, certificate).as_ref().to_vec(),
        }
    }

    /// This certificate, in DER, is the one.
    pub fn fits(&self, certificate: &[u8]) -> bool {
        digest::digest(self.algorithm, certificate).as_ref() == self.hash
    }

    /// The hash function by its name in SDP.
    pub fn algorithm(&self) -> &'static str {
        match self.hash.len() {
            32 => "sha-256",
            48 => "sha-384",
            _ => "sha-512",
        }
    }

    /// The hash as in SDP: `AA:BB:…`.
    pub fn hash(&self) -> String {
        let mut text = String::with_capacity(3 * self.hash.len());
        for byte in &self.hash {
            let colon = if text.is_empty() { "" } else { ":" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{colon}{byte:02X}");
        }
        text
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm(), self.hash())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, hash) = text.trim().split_once(' ').ok_or(FingerprintError)?;
        let algorithm = match name.to_ascii_lowercase().as_str() {
            "sha-256" => &SHA256,
            "sha-384" => &SHA384,
            "sha-512" => &SHA512,
            _ => return Err(FingerprintError),
        };
        let hash: Option<Vec<u8>> = hash.trim().split(':').map(byte).collect();
        let hash = hash.ok_or(FingerprintError)?;
        if hash.len() != algorithm.output_len() {
            return Err(FingerprintError);
        }
        Ok(Fingerprint { algorithm, hash })
    }
}

/// Two hexadecimal digits.
fn byte(text: &str) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(text, 16).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    /// SHA-256 of `abc` (FIPS 180-4).
    const ABC: &str = "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";

    #[test]
    fn a_fingerprint_fits_its_certificate_alone() {
        for text in [ABC.to_owned(), ABC.to_lowercase(), format!(" {ABC} ")] {
            let fingerprint: Fingerprint = text.parse().unwrap();
            assert!(fingerprint.fits(b"abc") && !fingerprint.fits(b"abd"));
            assert_eq!(fingerprint, Fingerprint::sha256(b"abc"));
            assert_eq!(fingerprint.to_string(), ABC);
        }
    }

    #[test]
    fn the_longer_hashes_are_known() {
        for (name, len) in [("sha-384", 48), ("SHA-512", 64)] {
            let text = format!("{name} {}", vec!["0A"; len].join(":"));
            let fingerprint: Fingerprint = text.parse().unwrap();
            assert_eq!(fingerprint.algorithm(), name.to_lowercase());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let short = ABC.strip_suffix(":AD").unwrap();
        let signed = ABC.replace("BA:", "+A:");
        let other = ABC.replace("sha-256", "sha-1");
        for text in [
            "",
            "sha-256",
            "sha-256 ",
            ABC.split_at(8).1,
            short,
            &signed,
            &other,
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }
}
