//! DTLS 1.2, passive, for the keys of SRTP (RFC 5764).

use std::time::Instant;

use crate::media::srtp::SrtpKeys;

/// The node's certificate: self-signed, ECDSA P-256, one per process.
#[derive(Clone)]
pub struct Identity {}

impl Identity {
    /// Makes a new one.
    pub fn generate() -> Result<Self, DtlsError> {
        todo!()
    }

    /// Its SHA-256 fingerprint as in `a=fingerprint:sha-256 `: `AA:BB:…`.
    pub fn fingerprint(&self) -> &str {
        todo!()
    }
}

/// What the other side's certificate must hash to; parsed from the value of `a=fingerprint`
/// (RFC 8122 §5), e.g. `sha-256 AA:BB:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {}

/// Not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint")]
pub struct FingerprintError;

impl std::str::FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(_text: &str) -> Result<Self, Self::Err> {
        todo!()
    }
}

/// What happened.
#[derive(Debug)]
pub enum DtlsEvent {
    /// The handshake is done and the certificate is the right one.
    Connected(SrtpKeys),
    /// Application data (SCTP).
    Data(Vec<u8>),
    /// The other side said goodbye.
    Closed,
}

/// Why there is no association. Each is final.
#[derive(Debug, thiserror::Error)]
pub enum DtlsError {
    /// The handshake took too long.
    #[error("the handshake took too long")]
    TimedOut,
}

/// The passive side of one association.
pub struct DtlsServer {}

impl DtlsServer {
    /// Waits for a ClientHello of someone whose certificate is `expected`.
    pub fn new(_identity: &Identity, _expected: Fingerprint) -> Self {
        todo!()
    }

    /// Takes a datagram from a validated source; what is to be sent is appended to `out`.
    pub fn handle(
        &mut self,
        _now: Instant,
        _datagram: &[u8],
        _out: &mut Vec<Vec<u8>>,
        _events: &mut Vec<DtlsEvent>,
    ) -> Result<(), DtlsError> {
        todo!()
    }

    /// Sends a flight again if it is time.
    pub fn handle_timeout(
        &mut self,
        _now: Instant,
        _out: &mut Vec<Vec<u8>>,
    ) -> Result<(), DtlsError> {
        todo!()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        todo!()
    }

    /// Sends application data.
    pub fn send(&mut self, _now: Instant, _data: &[u8], _out: &mut Vec<Vec<u8>>) {
        todo!()
    }

    /// Says goodbye.
    pub fn close(&mut self, _now: Instant, _out: &mut Vec<Vec<u8>>) {
        todo!()
    }
}
