//! A certificate of the node's own, made at the first start and kept.

use std::time::{Duration, SystemTime};

use rustls::sign::CertifiedKey;

use super::TlsError;
use super::certificate::{self, Facts};
use super::store::Store;
use crate::config::TlsSettings;
use crate::io::listen::interface_addresses;

const DAY: Duration = Duration::from_secs(86_400);
/// Apple's systems refuse more than 825 days, however a certificate came to be trusted.
const VALID: Duration = Duration::from_secs(800 * 86_400);
/// A kept certificate that ends sooner than this is made anew at a start.
const LEFT_MIN: Duration = Duration::from_secs(30 * 86_400);

/// The kept certificate, or a new one if there is none, if it ends soon, or if it lacks a
/// `--domain`. A changed address alone makes no new one: people have accepted its fingerprint.
///
/// # Errors
/// If it cannot be made or kept.
pub fn load_or_make(settings: &TlsSettings) -> Result<CertifiedKey, TlsError> {
    let store = Store::open(&settings.data_dir, "self-signed")?;
    let now = SystemTime::now();
    let kept = store.pem().and_then(|pem| pem.certified_key().ok());
    if let Some(kept) = kept
        && certificate::facts(&kept).is_some_and(|facts| is_good(&facts, &settings.domains, now))
    {
        return Ok(kept);
    }
    let wrong = |why: String| TlsError::new("cannot make a certificate", why);
    let pem = certificate::make(&names(&settings.domains), VALID, now)
        .map_err(|error| wrong(error.to_string()))?;
    store.keep(&pem)?;
    pem.certified_key().map_err(wrong)
}

/// One for a short time, which is not kept.
pub(super) fn stopgap(settings: &TlsSettings) -> Result<CertifiedKey, TlsError> {
    let wrong = |why: String| TlsError::new("cannot make a certificate", why);
    certificate::make(&names(&settings.domains), 30 * DAY, SystemTime::now())
        .map_err(|error| wrong(error.to_string()))?
        .certified_key()
        .map_err(wrong)
}

fn is_good(facts: &Facts, domains: &[String], now: SystemTime) -> bool {
    facts.not_after > now + LEFT_MIN && domains.iter().all(|name| facts.names.contains(name))
}

fn names(domains: &[String]) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    names.extend(interface_addresses().iter().map(ToString::to_string));
    names.extend(domains.iter().cloned());
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_kept_certificate_is_used_while_it_serves() {
        let now = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let facts = |days: u32| Facts {
            names: vec!["a.example".to_owned(), "localhost".to_owned()],
            not_before: now,
            not_after: now + days * DAY,
        };
        for (days, domains, expected) in [
            (800, vec![], true),
            (800, vec!["a.example".to_owned()], true),
            (800, vec!["b.example".to_owned()], false),
            (29, vec![], false),
        ] {
            assert_eq!(
                is_good(&facts(days), &domains, now),
                expected,
                "{days} {domains:?}"
            );
        }
    }
}
