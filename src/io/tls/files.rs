//! A certificate from two files, read again when they change.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::TlsError;
use super::certificate::Pem;
use super::resolver::Resolver;
use crate::config::TlsSettings;

/// How often the files are looked at. They are read whole: times can stay the same, and what a
/// symbolic link points at can change.
const POLL: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
struct Paths {
    cert: PathBuf,
    key: PathBuf,
}

/// Reads the files and watches them for as long as the resolver is in use.
///
/// # Errors
/// If they cannot be read or are no certificate and its key.
pub fn start(settings: &TlsSettings) -> Result<Arc<Resolver>, TlsError> {
    let paths = Paths {
        cert: settings.cert.clone().unwrap_or_default(),
        key: settings.key.clone().unwrap_or_default(),
    };
    let pem = read(&paths)?;
    let key = pem
        .certified_key()
        .map_err(|why| TlsError::new(paths.cert.display(), why))?;
    let resolver = Resolver::new(key);
    tokio::spawn(watch(paths, pem, Arc::downgrade(&resolver)));
    Ok(resolver)
}

async fn watch(paths: Paths, first: Pem, resolver: Weak<Resolver>) {
    let mut seen = Ok((first.chain, first.key));
    loop {
        tokio::time::sleep(POLL).await;
        let Some(resolver) = resolver.upgrade() else {
            return;
        };
        let again = paths.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || read(&again)).await else {
            return;
        };
        let now = read
            .map(|pem| (pem.chain, pem.key))
            .map_err(|error| error.to_string());
        if now != seen {
            take(&resolver, &now, &paths);
            seen = now;
        }
    }
}

/// Shows the new certificate; one that is not right leaves the old in place.
fn take(resolver: &Resolver, now: &Result<(Vec<u8>, Vec<u8>), String>, paths: &Paths) {
    let key = now
        .clone()
        .and_then(|(chain, key)| Pem { chain, key }.certified_key());
    match key {
        Ok(key) => {
            resolver.replace(key);
            tracing::info!(path = %paths.cert.display(), "a new certificate is in use");
        }
        Err(error) => tracing::error!(
            path = %paths.cert.display(),
            error,
            "the certificate has changed and is not right; the old one stays in use"
        ),
    }
}

fn read(paths: &Paths) -> Result<Pem, TlsError> {
    let read =
        |path: &PathBuf| std::fs::read(path).map_err(|error| TlsError::new(path.display(), error));
    Ok(Pem {
        chain: read(&paths.cert)?,
        key: read(&paths.key)?,
    })
}
