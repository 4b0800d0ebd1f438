//! Certificate fingerprints: SDP carries them, DTLS holds the other side to them (RFC 8122 §5).

use std::fmt;

use ring::digest::{self, SHA256, SHA384, SHA512};

/// The hash of a certificate (RFC 8122).
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// By which function.
    pub function: HashFunction,
    /// As many bytes as the function gives.
    pub value: Vec<u8>,
}

impl Fingerprint {
    /// The SHA-256 fingerprint of a certificate in DER.
    pub fn sha256(certificate: &[u8]) -> Self {
        let function = HashFunction::Sha256;
        Self {
            function,
            value: function.hash(certificate),
        }
    }

    /// The value as in SDP: `AA:BB:…`.
    pub fn hex(&self) -> String {
        let bytes: Vec<String> = self
            .value
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        bytes.join(":")
    }

    /// Whether this certificate, in DER, is the one.
    pub fn fits(&self, certificate: &[u8]) -> bool {
        self.function.hash(certificate) == self.value
    }
}

impl fmt::Display for Fingerprint {
    /// As in SDP: `sha-256 AA:BB:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.function.name(), self.hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A hash function that a fingerprint may be made by, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl HashFunction {
    /// All of them.
    pub const ALL: [HashFunction; 3] = [
        HashFunction::Sha256,
        HashFunction::Sha384,
        HashFunction::Sha512,
    ];

    /// Its name in SDP.
    pub fn name(self) -> &'static str {
        match self {
            HashFunction::Sha256 => "sha-256",
            HashFunction::Sha384 => "sha-384",
            HashFunction::Sha512 => "sha-512",
        }
    }

    fn hash(self, certificate: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            HashFunction::Sha256 => &SHA256,
            HashFunction::Sha384 => &SHA384,
            HashFunction::Sha512 => &SHA512,
        };
        digest::digest(algorithm, certificate).as_ref().to_vec()
    }

    /// Length of its value in bytes.
    pub fn length(self) -> usize {
        match self {
            HashFunction::Sha256 => 32,
            HashFunction::Sha384 => 48,
            HashFunction::Sha512 => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_fits_its_certificate_alone() {
        // SHA-256 of `abc` (FIPS 180-4).
        let text = "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
        let fingerprint = Fingerprint::sha256(b"abc");
        assert_eq!(fingerprint.to_string(), text);
        assert!(fingerprint.fits(b"abc") && !fingerprint.fits(b"abd"));
    }

    #[test]
    fn a_value_is_as_long_as_its_function_says() {
        for function in HashFunction::ALL {
            assert_eq!(function.hash(b"abc").len(), function.length());
        }
    }
}
