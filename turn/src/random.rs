//! Numbers from a seed that the embedder gives.

use rtc_crypto::{CryptoError, HmacAlgorithm, Mac};

/// Two sources: one that nobody can foresee, and a quick one where uniqueness is enough.
pub(crate) struct Random {
    mac: Box<dyn Mac>,
    count: u64,
    quick: u64,
}

impl Random {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, CryptoError> {
        let provider = rtc_crypto::default_provider()?;
        let mac = provider.crypto().new_hmac(HmacAlgorithm::Sha256, key)?;
        let mut random = Random {
            mac,
            count: 0,
            quick: 0,
        };
        random.quick = u64::from_be_bytes(random.bytes());
        Ok(random)
    }

    /// Eight bytes that cannot be foreseen: ports and tokens.
    pub(crate) fn bytes(&mut self) -> [u8; 8] {
        self.count += 1;
        let mut tag = [0; 32];
        let _ = self
            .mac
            .sign(&[b"random", &self.count.to_be_bytes()], &mut tag);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&tag[..8]);
        bytes
    }

    /// A transaction id for an indication, which nobody answers (splitmix64, Steele et al. 2014).
    pub(crate) fn transaction(&mut self) -> [u8; 12] {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.next().to_be_bytes());
        id[8..].copy_from_slice(&(self.next() as u32).to_be_bytes());
        id
    }

    fn next(&mut self) -> u64 {
        self.quick = self.quick.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.quick ^ (self.quick >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
