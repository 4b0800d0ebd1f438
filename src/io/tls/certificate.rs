//! Certificates: read, made, looked into.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Pem {
    /// The certificate first, then those that vouch for it.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Host names and addresses it is for, sorted.
    pub names: Vec<String>,
    /// From when it holds.
    pub not_before: SystemTime,
    /// Until when it holds.
    pub not_after: SystemTime,
}

impl Pem {
    /// Makes it ready for use.
    ///
    /// # Errors
    /// What is wrong, in words: no PEM, no certificate, a key that is not the certificate's.
    pub fn certified_key(&self) -> Result<CertifiedKey, String> {
        let chain = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("the certificate is not PEM: {error}"))?;
        if chain.is_empty() {
            return Err("there is no certificate in the file".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("the key is not PEM: {error}"))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "the key is not the certificate's".to_owned(),
            error => error.to_string(),
        })
    }
}

/// A certificate that vouches for itself, for these names and addresses.
///
/// # Errors
/// What the library says, in words.
pub fn make(names: &[String], valid: Duration, now: SystemTime) -> Result<Pem, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Motet, self-signed");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Clocks of a local network differ.
    params.not_before = (now - Duration::from_secs(86_400)).into();
    params.not_after = (now + valid).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Pem {
        chain: certificate.pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
    })
}

/// Reads the first certificate of a chain; nothing if it cannot be read.
pub fn facts(key: &CertifiedKey) -> Option<Facts> {
    let (_, certificate) = X509Certificate::from_der(key.cert.first()?).ok()?;
    let extension = certificate.subject_alternative_name().ok()??;
    let mut names: Vec<String> = extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect();
    names.sort();
    let validity = certificate.validity();
    Some(Facts {
        names,
        not_before: time(validity.not_before.timestamp())?,
        not_after: time(validity.not_after.timestamp())?,
    })
}

/// Whether the first certificate of a chain names itself as its authority.
pub fn is_self_issued(key: &CertifiedKey) -> bool {
    let first = key
        .cert
        .first()
        .and_then(|der| X509Certificate::from_der(der).ok());
    first.is_some_and(|(_, certificate)| certificate.issuer() == certificate.subject())
}

/// SHA-256 of the certificate, as browsers show it.
pub fn fingerprint(key: &CertifiedKey) -> Option<String> {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.cert.first()?);
    let mut text = String::new();
    for (index, byte) in digest.as_ref().iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02X}");
    }
    Some(text)
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let ip = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            ip.ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

fn time(seconds: i64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_made_certificate_says_what_it_is_for() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let names = ["localhost", "192.0.2.7", "2001:db8::7"].map(str::to_owned);
        let key = make(&names, DAY, now).unwrap().certified_key().unwrap();
        let facts = facts(&key).unwrap();
        assert_eq!(facts.names, ["192.0.2.7", "2001:db8::7", "localhost"]);
        assert_eq!(facts.not_before, now - DAY);
        assert_eq!(facts.not_after, now + DAY);
        assert_eq!(fingerprint(&key).unwrap().len(), 32 * 3 - 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let one = make(&["a.example".to_owned()], DAY, now).unwrap();
        let other = make(&["b.example".to_owned()], DAY, now).unwrap();
        let empty = Vec::new;
        for (chain, key, expected) in [
            (&one.chain, &other.key, "the key is not the certificate's"),
            (&empty(), &one.key, "there is no certificate in the file"),
            (&one.key, &one.key, "there is no certificate in the file"),
            (&one.chain, &empty(), "the key is not PEM: "),
        ] {
            let pem = Pem {
                chain: chain.clone(),
                key: key.clone(),
            };
            let error = pem.certified_key().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
