//! TLS on the TCP port: whose certificate it shows, and how that is kept fresh.

pub mod acme;
mod acme_client;
pub mod certificate;
pub mod files;
pub mod https;
pub mod resolver;
pub mod self_signed;
mod store;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio_rustls::TlsAcceptor;

use self::resolver::Resolver;
use crate::config::{Settings, TlsMode};

/// HTTP/1.1 (RFC 7301 §6). HTTP/2 is not offered: a WebSocket over it needs RFC 8441.
pub const ALPN_HTTP: &[u8] = b"http/1.1";
/// TURN inside TLS (RFC 7443 §3).
pub const ALPN_TURN: &[u8] = b"stun.turn";
/// A certificate authority that checks a name (RFC 8737 §6.2).
pub const ALPN_ACME: &[u8] = b"acme-tls/1";

/// TLS, as the TCP port needs it.
#[derive(Clone)]
pub struct Tls {
    /// Makes a TLS stream of a TCP stream.
    pub acceptor: TlsAcceptor,
    /// The SHA-256 fingerprint of the node's own certificate, if it has made one for itself.
    pub fingerprint: Option<String>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Why there is no TLS, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct TlsError {
    what: String,
    why: String,
}

impl TlsError {
    fn new(what: impl ToString, why: impl ToString) -> Self {
        Self {
            what: what.to_string(),
            why: why.to_string(),
        }
    }
}

/// What the settings ask for; none with `--tls off`. Starts what keeps the certificate fresh, which
/// needs a tokio runtime and ends when the last [`Tls`] is dropped.
///
/// # Errors
/// [`TlsError`], if a certificate cannot be read, made or kept. An ACME certificate authority that
/// does not answer is no error: until it does, a self-signed certificate is shown.
pub fn start(settings: &Settings) -> Result<Option<Tls>, TlsError> {
    let tls = &settings.tls;
    let (resolver, fingerprint) = match tls.mode {
        TlsMode::Off => return Ok(None),
        TlsMode::Files => (files::start(tls)?, None),
        TlsMode::SelfSigned => {
            let key = self_signed::load_or_make(tls)?;
            let fingerprint = certificate::fingerprint(&key);
            (Resolver::new(key), fingerprint)
        }
        TlsMode::Acme => (acme::start(tls)?, None),
    };
    let acceptor = TlsAcceptor::from(Arc::new(server_config(resolver, tls.mode)?));
    Ok(Some(Tls {
        acceptor,
        fingerprint,
    }))
}

fn server_config(resolver: Arc<Resolver>, mode: TlsMode) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::new("TLS", error))?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // The first that the client offers too is taken: coturn's offer http/1.1 as well.
    config.alpn_protocols = vec![ALPN_TURN.to_vec(), ALPN_HTTP.to_vec()];
    if mode == TlsMode::Acme {
        config.alpn_protocols.push(ALPN_ACME.to_vec());
    }
    Ok(config)
}

/// The cryptography of every TLS connection, named here because none is the process's default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
