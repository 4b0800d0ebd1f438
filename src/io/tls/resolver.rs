//! Which certificate a client is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ALPN_ACME;

/// The certificate of the moment, and those that prove names to a certificate authority.
#[derive(Debug)]
pub struct Resolver {
    // Both are touched once per handshake, and written by the task that renews.
    current: Mutex<Arc<CertifiedKey>>,
    challenges: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl Resolver {
    /// Shows that certificate.
    pub fn new(key: CertifiedKey) -> Arc<Self> {
        Arc::new(Self {
            current: Mutex::new(Arc::new(key)),
            challenges: Mutex::default(),
        })
    }

    /// Shows another one from now on. Connections that are up are not touched.
    pub fn replace(&self, key: CertifiedKey) {
        *lock(&self.current) = Arc::new(key);
    }

    /// Shows this to a certificate authority that checks `name`.
    pub fn challenge(&self, name: &str, key: CertifiedKey) {
        lock(&self.challenges).insert(name.to_owned(), Arc::new(key));
    }

    /// Forgets what was shown to the certificate authority.
    pub fn end_challenges(&self) {
        lock(&self.challenges).clear();
    }

    fn find(&self, is_challenge: bool, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        if is_challenge {
            return lock(&self.challenges).get(name?).cloned();
        }
        Some(Arc::clone(&lock(&self.current)))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: the authority offers this protocol and no other.
        let is_challenge = hello.alpn().is_some_and(|mut offered| {
            offered.next() == Some(ALPN_ACME) && offered.next().is_none()
        });
        self.find(is_challenge, hello.server_name())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
