//! Nonces that need no memory: each carries its time and a MAC over time and source, so that one
//! seen on one path is of no use on another, and it goes stale by itself.
//!
//! A short one is for whoever may have forged their source: the answer to them must not be much longer
//! than what they sent. It proves nothing that the password does not prove; it only keeps a request that
//! somebody saw from being of use later, or elsewhere, but for one time in 2^18.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rtc_crypto::{CryptoError, HmacAlgorithm, Mac, constant_time_eq};

/// What RFC 8489 §9.2 puts in front of the nonce of a server with security features: "obMatJos2",
/// and 24 bits in base64 of which the first says that password algorithms are offered (§18.1). A
/// client that sees it insists on PASSWORD-ALGORITHMS, so that nobody on the way can take it out.
const COOKIE: &[u8; 13] = b"obMatJos2gAAA";

/// How long a nonce is good.
pub(crate) const LIFE: Duration = Duration::from_secs(600);

/// Bytes of a nonce as sent.
pub(crate) const LEN: usize = COOKIE.len() + 12;
/// Bytes of a short one.
pub(crate) const SHORT_LEN: usize = 4;

const TICK_SECONDS: u64 = 8;
const TIME_LEN: usize = 2;
const MAC_LEN: usize = 7;

/// A short nonce has the last bits of its time, in which they come again after [`LIFE`], and as many of the
/// MAC as there is room for.
const SHORT_TICK_SECONDS: u64 = 16;
const SHORT_TICK_BITS: u32 = 6;
const SHORT_MAC_BITS: u32 = 18;

/// Makes nonces and knows its own again.
pub(crate) struct Nonces {
    mac: Box<dyn Mac>,
}

impl Nonces {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, CryptoError> {
        let provider = rtc_crypto::default_provider()?;
        let mac = provider.crypto().new_hmac(HmacAlgorithm::Sha256, key)?;
        Ok(Nonces { mac })
    }

    /// A nonce for a source, at `age` since the server began.
    pub(crate) fn issue(&mut self, age: Duration, source: &[u8]) -> [u8; LEN] {
        self.written(tick(age), source)
    }

    /// A short one.
    pub(crate) fn issue_short(&mut self, age: Duration, source: &[u8]) -> [u8; SHORT_LEN] {
        self.written_short(age.as_secs() / SHORT_TICK_SECONDS, source)
    }

    /// Whether this nonce was issued to this source at most [`LIFE`] ago.
    pub(crate) fn is_fresh(&mut self, age: Duration, source: &[u8], nonce: &[u8]) -> bool {
        if nonce.len() == SHORT_LEN {
            return self.is_fresh_short(age, source, nonce);
        }
        let Some(issued) = tick_of(nonce) else {
            return false;
        };
        let is_ours = constant_time_eq(&self.written(issued, source), nonce);
        let ticks = tick(age).wrapping_sub(issued);
        is_ours && u64::from(ticks) * TICK_SECONDS <= LIFE.as_secs()
    }

    fn is_fresh_short(&mut self, age: Duration, source: &[u8], nonce: &[u8]) -> bool {
        let mut raw = [0; 3];
        if STANDARD.decode_slice(nonce, &mut raw) != Ok(raw.len()) {
            return false;
        }
        let last_bits = u64::from(raw[0] >> 2);
        let now = age.as_secs() / SHORT_TICK_SECONDS;
        let ticks = now.wrapping_sub(last_bits) % (1 << SHORT_TICK_BITS);
        let Some(issued) = now.checked_sub(ticks) else {
            return false;
        };
        let is_ours = constant_time_eq(&self.written_short(issued, source), nonce);
        is_ours && ticks * SHORT_TICK_SECONDS <= LIFE.as_secs()
    }

    fn written_short(&mut self, tick: u64, source: &[u8]) -> [u8; SHORT_LEN] {
        let mut tag = [0; 32];
        let signed = self.mac.sign(&[&tick.to_be_bytes(), source], &mut tag);
        let last_bits = tick as u32 % (1 << SHORT_TICK_BITS);
        let tag = u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]]) >> (32 - SHORT_MAC_BITS);
        let [_, raw @ ..] = (last_bits << SHORT_MAC_BITS | tag).to_be_bytes();
        let mut nonce = [0; SHORT_LEN];
        // A MAC that fails leaves zeros, which are never sent.
        if signed.is_ok() {
            let _ = STANDARD.encode_slice(raw, &mut nonce);
        }
        nonce
    }

    fn written(&mut self, tick: u16, source: &[u8]) -> [u8; LEN] {
        let mut tag = [0; 32];
        let time = tick.to_be_bytes();
        // A MAC that fails leaves zeros, which are never sent.
        let signed = self.mac.sign(&[&time, source], &mut tag).is_ok();
        let mut raw = [0; TIME_LEN + MAC_LEN];
        raw[..TIME_LEN].copy_from_slice(&time);
        raw[TIME_LEN..].copy_from_slice(&tag[..MAC_LEN]);
        let mut nonce = [0; LEN];
        nonce[..COOKIE.len()].copy_from_slice(COOKIE);
        if signed {
            let _ = STANDARD.encode_slice(raw, &mut nonce[COOKIE.len()..]);
        }
        nonce
    }
}

/// The time in a nonce: it wraps after six days, when all that was issued is long stale by its MAC's
/// source or comes back as good as new, which harms nobody.
fn tick(age: Duration) -> u16 {
    (age.as_secs() / TICK_SECONDS) as u16
}

fn tick_of(nonce: &[u8]) -> Option<u16> {
    let encoded = nonce.strip_prefix(COOKIE)?;
    let mut raw = [0; TIME_LEN + MAC_LEN];
    match STANDARD.decode_slice(encoded, &mut raw) {
        Ok(len) if len == raw.len() => Some(u16::from_be_bytes([raw[0], raw[1]])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SOURCE: &[u8] = b"192.0.2.1:5";

    #[test]
    fn a_nonce_is_good_for_its_source_and_its_time() {
        let mut nonces = Nonces::new(&[1; 32]).unwrap();
        let start = Duration::from_secs(7_777);
        let nonce = nonces.issue(start, SOURCE);
        assert!(nonce.starts_with(b"obMatJos2"));
        for (later, source, good) in [
            (0, SOURCE, true),
            (590, SOURCE, true),
            (616, SOURCE, false),
            (0, b"192.0.2.1:6", false),
        ] {
            let age = start + Duration::from_secs(later);
            assert_eq!(
                nonces.is_fresh(age, source, &nonce),
                good,
                "after {later} s"
            );
        }
        assert!(
            !Nonces::new(&[2; 32])
                .unwrap()
                .is_fresh(start, SOURCE, &nonce)
        );
    }

    #[test]
    fn a_short_nonce_is_good_for_its_source_and_its_time() {
        let mut nonces = Nonces::new(&[1; 32]).unwrap();
        for start in [0, 9, 7_777, 1 << 40].map(Duration::from_secs) {
            let nonce = nonces.issue_short(start, SOURCE);
            for (later, source, good) in [
                (0, SOURCE, true),
                (584, SOURCE, true),
                (624, SOURCE, false),
                (1_024, SOURCE, false),
                (0, b"192.0.2.1:6", false),
            ] {
                let age = start + Duration::from_secs(later);
                let fresh = nonces.is_fresh(age, source, &nonce);
                assert_eq!(fresh, good, "{start:?}, after {later} s");
            }
            let mut others = Nonces::new(&[2; 32]).unwrap();
            assert!(!others.is_fresh(start, SOURCE, &nonce));
            for bit in 0..8 * SHORT_LEN {
                let mut tampered = nonce;
                tampered[bit / 8] ^= 1 << (bit % 8);
                assert!(!nonces.is_fresh(start, SOURCE, &tampered), "bit {bit}");
            }
        }
        assert!(!nonces.is_fresh(Duration::ZERO, SOURCE, b"!!!!"));
    }

    #[test]
    fn no_byte_of_a_nonce_can_be_changed() {
        let mut nonces = Nonces::new(&[1; 32]).unwrap();
        let nonce = nonces.issue(Duration::ZERO, SOURCE);
        for bit in 0..8 * nonce.len() {
            let mut tampered = nonce;
            tampered[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !nonces.is_fresh(Duration::ZERO, SOURCE, &tampered),
                "bit {bit}"
            );
        }
        for other in [&b""[..], b"obMatJos2gAAA", b"obMatJos2gAAA!!!!!!!!!!!!"] {
            assert!(!nonces.is_fresh(Duration::ZERO, SOURCE, other));
        }
        assert!(!nonces.is_fresh(Duration::ZERO, SOURCE, &nonce[..LEN - 1]));
    }
}
