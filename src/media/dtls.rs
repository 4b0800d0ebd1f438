//! DTLS 1.2 (RFC 6347), passive, for the keys of SRTP (RFC 5764).

mod records;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

use crate::media::fingerprint::Fingerprint;
use crate::media::srtp::{Profile, SrtpKeys};
use records::{Gate, HelloBuffer, offered_srtp_profiles};

/// From a whole ClientHello to the end of the handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(30);
/// A flight without an answer goes out again after this, and then after twice as long each time
/// (RFC 6347 §4.2.4.1, sooner because ICE has shown the path to be short).
const RETRANSMIT_FIRST: Duration = Duration::from_millis(150);
/// Handshake messages are split to fit this, in bytes.
const MTU: usize = 1200;
/// The label of the exported keys (RFC 5764 §4.2).
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";
/// The stack knows associations by address; here ICE moves them freely, so they all have this one.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));

/// The node's certificate: self-signed, ECDSA P-256, one per process.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ConfigBuilder>,
    fingerprint: Arc<str>,
}

impl Identity {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// [`DtlsError::Setup`] if the cryptography cannot.
    pub fn generate() -> Result<Self, DtlsError> {
        let provider = rtc_crypto::default_provider().map_err(setup)?;
        let names = vec!["motet".to_owned()];
        let certificate =
            Certificate::generate_self_signed(names, provider.crypto()).map_err(setup)?;
        let der = certificate.certificate.first();
        let der = der.ok_or_else(|| setup("the certificate is empty"))?;
        let fingerprint = Fingerprint::sha256(der).hex();
        Ok(Identity {
            fingerprint: fingerprint.into(),
            config: Arc::new(configuration(provider, certificate)),
        })
    }

    /// Its SHA-256 fingerprint as behind `a=fingerprint:sha-256 `: `AA:BB:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// What all associations have in common.
fn configuration(provider: Arc<dyn RTCCryptoProvider>, certificate: Certificate) -> ConfigBuilder {
    ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        .with_cipher_suites(vec![
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
        ])
        // Any certificate, whose fingerprint is then compared (RFC 8827 §6.5) instead of a chain.
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        // Binds the exported keys to this very handshake (RFC 7627 §1); all browsers have it.
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .with_mtu(MTU)
}

/// What happened.
#[derive(Debug)]
pub enum DtlsEvent {
    /// The handshake is done, with the certificate that was expected.
    Connected(SrtpKeys),
    /// Application data (SCTP).
    Data(BytesMut),
    /// The other side said goodbye; nothing follows.
    Closed,
}

/// Why there is no association. Each is final: later input is ignored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DtlsError {
    /// The node's own certificate or configuration cannot be made.
    #[error("DTLS cannot be set up: {0}")]
    Setup(String),
    /// The certificate is another than the SDP said.
    #[error("the certificate does not fit the fingerprint")]
    Fingerprint,
    /// No SRTP profile in common.
    #[error("no SRTP profile in common")]
    NoSrtpProfile,
    /// The handshake took longer than 30 s.
    #[error("the handshake took too long")]
    TimedOut,
    /// The handshake failed, or the other side ended the association with an error.
    #[error("DTLS failed: {0}")]
    Failed(String),
}

/// The passive side of one association.
///
/// Before the first datagram it holds nothing but what it was given.
pub struct DtlsServer {
    identity: Identity,
    expected: Fingerprint,
    gate: Gate,
    state: State,
}

enum State {
    /// For a whole ClientHello, which says what SRTP profiles there are.
    Waiting(HelloBuffer),
    Handshaking(Box<Handshake>),
    Connected(Box<Endpoint>),
    Over,
}

struct Handshake {
    endpoint: Endpoint,
    deadline: Instant,
    /// The flight that was sent last, to be sent again as it is: what arrived is dropped as
    /// repeated there, what was lost is not. The stack's own timer stops for good when any
    /// handshake record arrives, even one that does not complete a flight.
    flight: Vec<Vec<u8>>,
    retransmit_at: Instant,
    retransmit_after: Duration,
}

impl DtlsServer {
    /// Waits for a ClientHello of someone who has the `expected` certificate.
    pub fn new(identity: &Identity, expected: Fingerprint) -> Self {
        DtlsServer {
            identity: identity.clone(),
            expected,
            gate: Gate::default(),
            state: State::Waiting(HelloBuffer::default()),
        }
    }

    /// Takes a datagram from a validated source. What is to be sent, in order, is appended to
    /// `out`; also in case of an error, when it is an alert.
    ///
    /// # Errors
    ///
    /// [`DtlsError`], once. Datagrams that are not DTLS, repeated or forged are not errors.
    pub fn handle(
        &mut self,
        now: Instant,
        datagram: &[u8],
        out: &mut Vec<Vec<u8>>,
        events: &mut Vec<DtlsEvent>,
    ) -> Result<(), DtlsError> {
        let admitted = self.gate.admit(datagram);
        if admitted.is_empty() {
            return Ok(());
        }
        let events_before = events.len();
        let result = match &mut self.state {
            State::Waiting(hello) => match hello.push(admitted) {
                Some((hello, datagrams)) => self.begin(now, &hello, &datagrams, out, events),
                None => Ok(()),
            },
            State::Handshaking(_) => self.advance(now, &admitted, out, events),
            State::Connected(endpoint) => read(endpoint, now, &admitted, out, events).map(drop),
            State::Over => Ok(()),
        };
        let mut happened = events[events_before..].iter();
        if result.is_err() || happened.any(|event| matches!(event, DtlsEvent::Closed)) {
            self.state = State::Over;
        }
        result
    }

    /// Sends the last flight again if it is time.
    ///
    /// # Errors
    ///
    /// [`DtlsError::TimedOut`], once, if the handshake took too long.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), DtlsError> {
        let State::Handshaking(handshake) = &mut self.state else {
            return Ok(());
        };
        if now >= handshake.deadline {
            self.state = State::Over;
            return Err(DtlsError::TimedOut);
        }
        if now >= handshake.retransmit_at {
            out.extend_from_slice(&handshake.flight);
            handshake.retransmit_after *= 2;
            handshake.retransmit_at = now + handshake.retransmit_after;
        }
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Handshaking(handshake) if handshake.retransmit_at < handshake.deadline => {
                Some((handshake.retransmit_at, "DTLS retransmission"))
            }
            State::Handshaking(handshake) => Some((handshake.deadline, "DTLS handshake deadline")),
            _ => None,
        }
    }

    /// The handshake is done, and nobody has said goodbye.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// Sends application data; dropped unless connected.
    pub fn send(&mut self, now: Instant, data: &[u8], out: &mut Vec<Vec<u8>>) {
        if let State::Connected(endpoint) = &mut self.state {
            // Fails only without an association.
            let _ = endpoint.write(now, PEER, data);
            drain(endpoint, out);
        }
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let state = std::mem::replace(&mut self.state, State::Over);
        let mut endpoint = match state {
            State::Handshaking(handshake) => handshake.endpoint,
            State::Connected(endpoint) => *endpoint,
            State::Waiting(_) | State::Over => return,
        };
        endpoint.stop(now, PEER);
        drain(&mut endpoint, out);
    }

    /// Starts the handshake once it is known which SRTP profile to choose.
    fn begin(
        &mut self,
        now: Instant,
        client_hello: &[u8],
        datagrams: &[Vec<u8>],
        out: &mut Vec<Vec<u8>>,
        events: &mut Vec<DtlsEvent>,
    ) -> Result<(), DtlsError> {
        let config = self.config(client_hello)?;
        let protocol = TransportProtocol::UDP;
        self.state = State::Handshaking(Box::new(Handshake {
            endpoint: Endpoint::new(PEER, protocol, Some(Arc::new(config))),
            deadline: now + HANDSHAKE_TIME_MAX,
            flight: vec![],
            retransmit_at: now + RETRANSMIT_FIRST,
            retransmit_after: RETRANSMIT_FIRST,
        }));
        for datagram in datagrams {
            self.advance(now, datagram, out, events)?;
        }
        Ok(())
    }

    /// The stack takes the client's first profile that is configured, so that only the node's
    /// choice is: GCM seals four times as fast.
    fn config(&self, client_hello: &[u8]) -> Result<HandshakeConfig, DtlsError> {
        let gcm = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
        let sha1 = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
        let offers_gcm = offered_srtp_profiles(client_hello).contains(&(gcm as u16));
        let expected = self.expected.clone();
        let mut config = (*self.identity.config).clone();
        config = config
            .with_srtp_protection_profiles(vec![if offers_gcm { gcm } else { sha1 }])
            .with_verify_peer_certificate(Some(Arc::new(move |chain, _| match chain.first() {
                Some(certificate) if expected.fits(certificate) => Ok(()),
                _ => Err(rtc_shared::error::Error::ErrInvalidCertificate),
            })));
        config.build(false, None).map_err(setup)
    }

    /// One step of the handshake.
    fn advance(
        &mut self,
        now: Instant,
        admitted: &[u8],
        out: &mut Vec<Vec<u8>>,
        events: &mut Vec<DtlsEvent>,
    ) -> Result<(), DtlsError> {
        let State::Handshaking(handshake) = &mut self.state else {
            return Ok(());
        };
        let (sent_before, events_before) = (out.len(), events.len());
        let completed = read(&mut handshake.endpoint, now, admitted, out, events)
            .map_err(|error| blame(&handshake.endpoint, &self.expected, error))?;
        if out.len() > sent_before {
            handshake.flight = out[sent_before..].to_vec();
            handshake.retransmit_after = RETRANSMIT_FIRST;
            handshake.retransmit_at = now + RETRANSMIT_FIRST;
        }
        if completed {
            let keys = srtp_keys(&handshake.endpoint, &self.expected)?;
            // Data may have come with the last flight; it is behind the keys then.
            events.insert(events_before, DtlsEvent::Connected(keys));
            self.gate.connected = true;
            if let State::Handshaking(handshake) = std::mem::replace(&mut self.state, State::Over) {
                self.state = State::Connected(Box::new(handshake.endpoint));
            }
        }
        Ok(())
    }
}

/// The exported keys, if the association is with the one who was expected.
fn srtp_keys(endpoint: &Endpoint, expected: &Fingerprint) -> Result<SrtpKeys, DtlsError> {
    let state = endpoint.get_connection_state(PEER);
    let state = state.ok_or_else(|| failed("the association is gone"))?;
    let certificate = state.peer_certificates.first();
    if !certificate.is_some_and(|certificate| expected.fits(certificate)) {
        return Err(DtlsError::Fingerprint);
    }
    let profile = match state.srtp_protection_profile() {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmSha1_80,
        _ => return Err(DtlsError::NoSrtpProfile),
    };
    let len = profile.keying_material_len();
    let material = state.export_keying_material(EXPORTER, &[], len);
    let material = material.map_err(failed)?;
    SrtpKeys::of_server(profile, material.as_ref()).ok_or_else(|| failed("too few keys"))
}

/// The stack has one error for every certificate it is told to refuse.
fn blame(endpoint: &Endpoint, expected: &Fingerprint, error: DtlsError) -> DtlsError {
    let state = endpoint.get_connection_state(PEER);
    let certificate = state.and_then(|state| state.peer_certificates.first());
    match certificate {
        Some(certificate) if !expected.fits(certificate) => DtlsError::Fingerprint,
        _ => error,
    }
}

/// Feeds the stack. Returns whether this completed the handshake.
fn read(
    endpoint: &mut Endpoint,
    now: Instant,
    admitted: &[u8],
    out: &mut Vec<Vec<u8>>,
    events: &mut Vec<DtlsEvent>,
) -> Result<bool, DtlsError> {
    let result = endpoint.read(now, PEER, None, BytesMut::from(admitted));
    drain(endpoint, out);
    let mut completed = false;
    for event in result.map_err(explain)? {
        match event {
            EndpointEvent::HandshakeComplete => completed = true,
            EndpointEvent::ApplicationData(data) => events.push(DtlsEvent::Data(data)),
            EndpointEvent::PeerClosed => events.push(DtlsEvent::Closed),
            _ => {}
        }
    }
    Ok(completed)
}

fn drain(endpoint: &mut Endpoint, out: &mut Vec<Vec<u8>>) {
    while let Some(transmit) = endpoint.poll_transmit() {
        out.push(transmit.message.to_vec());
    }
}

fn explain(error: rtc_shared::error::Error) -> DtlsError {
    match error {
        rtc_shared::error::Error::ErrServerNoMatchingSrtpProfile => DtlsError::NoSrtpProfile,
        error => failed(error),
    }
}

fn setup(error: impl std::fmt::Display) -> DtlsError {
    DtlsError::Setup(error.to_string())
}

fn failed(error: impl std::fmt::Display) -> DtlsError {
    DtlsError::Failed(error.to_string())
}
