//! Nonces that need no memory: each carries its time and a MAC over time and source, so that one
//! seen on one path is of no use on another, and it goes stale by itself.

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

const TICK_SECONDS: u64 = 8;
const TIME_LEN: usize = 2;
const MAC_LEN: usize = 7;

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

    /// Whether this nonce was issued to this source at most [`LIFE`] ago.
    pub(crate) fn is_fresh(&mut self, age: Duration, source: &[u8], nonce: &[u8]) -> bool {
        let Some(issued) = tick_of(nonce) else {
            return false;
        };
        let is_ours = constant_time_eq(&self.written(issued, source), nonce);
        let ticks = tick(age).wrapping_sub(issued);
        is_ours && u64::from(ticks) * TICK_SECONDS <= LIFE.as_secs()
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
