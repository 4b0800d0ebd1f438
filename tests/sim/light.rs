//! A client that does only what the node needs to see: connectivity checks, the DTLS handshake, SRTP.
//! For measurements, where a hundred of them must cost less than the node.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use motet::logic::forward::extension::Extension;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_shared::marshal::{Marshal, Unmarshal};
use rtc_srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc_srtp::context::Context;
use rtc_srtp::option::srtp_replay_protection;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtc_stun::attributes::{
    ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME,
};
use rtc_stun::fingerprint::FingerprintAttr;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter};
use rtc_stun::xoraddr::XorMappedAddress;
use rtp::packet::Packet;

use crate::connection::{Connection, ConnectionEvent, Layout, NAMED_PACKETS, RIDS, name_packet};

/// Between two checks: until the first answer, and after.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
const CONSENT_INTERVAL: Duration = Duration::from_millis(2500);
/// Before an unanswered handshake message is sent again.
const FLIGHT_INTERVAL: Duration = Duration::from_millis(500);
/// The extensions of every m-line, by id.
const EXTENSIONS: [(u8, Extension); 5] = [
    (1, Extension::Mid),
    (2, Extension::Rid),
    (3, Extension::RepairedRid),
    (4, Extension::AbsSendTime),
    (5, Extension::AudioLevel),
];
const REPLAY_WINDOW: usize = 1024;
/// For all layers together.
const MANY_NAMED: u32 = 3 * NAMED_PACKETS;
/// The own address does not matter to DTLS.
const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// See the module.
pub struct LightPeer {
    layout: Layout,
    profile: Profile,
    ufrag: String,
    password: String,
    remote: Option<Remote>,
    next_check: Option<Instant>,
    checked: bool,
    dtls: Endpoint,
    /// What seals and what opens.
    srtp: Option<(Context, Context)>,
    datagrams: VecDeque<(SocketAddr, Bytes)>,
    events: VecDeque<ConnectionEvent>,
    /// Packets that said which layer they belong to.
    named: u32,
    /// It answers no checks.
    pub is_deaf: bool,
}

/// The SRTP profile that the client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Gcm,
    Sha1,
}

/// What the answer says about the node.
struct Remote {
    address: SocketAddr,
    ufrag: String,
    password: String,
}

impl LightPeer {
    pub fn new(seed: u64, layout: Layout, profile: Profile) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut word = |length| -> String {
            let letters = std::iter::repeat_with(|| char::from(rng.random_range(b'a'..=b'z')));
            letters.take(length).collect()
        };
        Self {
            layout,
            profile,
            ufrag: word(8),
            password: word(24),
            remote: None,
            next_check: None,
            checked: false,
            dtls: Endpoint::new(UNKNOWN, TransportProtocol::UDP, None),
            srtp: None,
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
            named: 0,
            is_deaf: false,
        }
    }

    /// A check that nominates, to be sent from anywhere.
    pub fn check_datagram(&self) -> Option<Bytes> {
        let remote = self.remote.as_ref()?;
        let username = format!("{}:{}", remote.ufrag, self.ufrag);
        Some(binding_request(&username, &remote.password))
    }

    /// Checks again as soon as it may: its address is another one.
    pub fn check_again(&mut self, now: Instant) {
        self.next_check = Some(now);
    }

    /// Seals a packet without sending it: for those who measure what a client costs itself.
    pub fn seal(&mut self, packet: &Packet) -> Option<Bytes> {
        let (seal, _) = self.srtp.as_mut()?;
        let plain = packet.marshal().ok()?;
        Some(seal.encrypt_rtp(&plain).ok()?.freeze())
    }

    /// Only simulcast layers need it: all other SSRCs are in the offer.
    fn name(&mut self, packet: &mut Packet) {
        let mut layers = self.layout.camera.iter().zip(RIDS);
        let layer = layers.find(|(ssrc, _)| **ssrc == packet.header.ssrc);
        let simulcast = self.layout.camera.len() > 1;
        if let Some((_, rid)) = layer.filter(|_| simulcast && self.named < MANY_NAMED) {
            self.named += 1;
            let ids = EXTENSIONS.into_iter();
            let id = |wanted| ids.clone().find(|(_, it)| *it == wanted).map(|(id, _)| id);
            let mid = if self.layout.microphone.is_some() {
                "1"
            } else {
                "0"
            };
            name_packet(packet, id, mid, Some(rid));
        }
    }

    fn check(&mut self, now: Instant) {
        let Some(remote) = &self.remote else {
            return;
        };
        let request = binding_request(
            &format!("{}:{}", remote.ufrag, self.ufrag),
            &remote.password,
        );
        self.datagrams.push_back((remote.address, request));
        let wait = if self.checked {
            CONSENT_INTERVAL
        } else {
            CHECK_INTERVAL
        };
        self.next_check = Some(now + wait);
    }

    fn on_stun(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let mut message = Message::new();
        if message.unmarshal_binary(datagram).is_err() {
            return;
        }
        if message.typ == BINDING_REQUEST && !self.is_deaf {
            let response = binding_response(&message, from, &self.password);
            self.datagrams.push_back((from, response));
        }
        if message.typ != BINDING_SUCCESS || self.checked {
            return;
        }
        self.checked = true;
        if let Some(remote) = &self.remote {
            let config = dtls_config(self.profile);
            self.dtls
                .connect(now, remote.address, config, None)
                .unwrap();
        }
        self.drain_dtls();
    }

    fn on_dtls(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let events = self.dtls.read(now, from, None, BytesMut::from(datagram));
        for event in events.unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.srtp = Some(self.contexts(from));
                    self.events.push_back(ConnectionEvent::Connected);
                }
                EndpointEvent::PeerClosed => self.events.push_back(ConnectionEvent::Closed),
                _ => {}
            }
        }
        self.drain_dtls();
    }

    fn contexts(&self, from: SocketAddr) -> (Context, Context) {
        let state = self.dtls.get_connection_state(from).unwrap();
        let mut config = Config {
            profile: match self.profile {
                Profile::Gcm => ProtectionProfile::AeadAes128Gcm,
                Profile::Sha1 => ProtectionProfile::Aes128CmHmacSha1_80,
            },
            ..Config::default()
        };
        let length = config.keying_material_len();
        let material = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], length);
        config
            .set_session_keys_from_keying_material(material.unwrap().as_ref(), true)
            .unwrap();
        let (keys, crypto) = (&config.keys, provider().crypto());
        let replay = Some(srtp_replay_protection(REPLAY_WINDOW));
        let local = (&keys.local_master_key, &keys.local_master_salt);
        let remote = (&keys.remote_master_key, &keys.remote_master_salt);
        (
            Context::new(local.0, local.1, config.profile, None, None, crypto).unwrap(),
            Context::new(remote.0, remote.1, config.profile, replay, None, crypto).unwrap(),
        )
    }

    fn on_rtp(&mut self, datagram: &[u8]) {
        let opened = self
            .srtp
            .as_mut()
            .and_then(|(_, open)| open.decrypt_rtp(datagram).ok());
        let packet = opened.and_then(|plain| Packet::unmarshal(&mut plain.freeze()).ok());
        self.events.extend(packet.map(ConnectionEvent::Media));
    }

    fn on_rtcp(&mut self, datagram: &[u8]) {
        let opened = self
            .srtp
            .as_mut()
            .and_then(|(_, open)| open.decrypt_rtcp(datagram).ok());
        let packets =
            opened.and_then(|plain| rtc::rtcp::packet::unmarshal(&mut plain.freeze()).ok());
        for packet in packets.unwrap_or_default() {
            let packet = packet.as_any();
            let pli = packet.downcast_ref::<PictureLossIndication>();
            let fir = packet.downcast_ref::<FullIntraRequest>();
            let wanted = pli.map(|pli| pli.media_ssrc).into_iter();
            let wanted = wanted.chain(fir.iter().flat_map(|fir| fir.fir.iter().map(|e| e.ssrc)));
            self.events
                .extend(wanted.map(ConnectionEvent::KeyFrameWanted));
        }
    }

    fn drain_dtls(&mut self) {
        while let Some(out) = self.dtls.poll_transmit() {
            let to = out.transport.peer_addr;
            self.datagrams.push_back((to, out.message.freeze()));
        }
    }

    fn dtls_timeout(&self) -> Option<Instant> {
        self.dtls.poll_timeout(&self.remote.as_ref()?.address)
    }

    fn section(&self, sdp: &mut String, mid: usize, audio: bool, ssrcs: &[u32]) {
        let (kind, formats, sending) = match audio {
            true => ("audio", "111", !ssrcs.is_empty()),
            false => ("video", "96 97", !ssrcs.is_empty()),
        };
        let direction = if sending { "sendonly" } else { "recvonly" };
        let codecs = match audio {
            true => "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n",
            false => {
                "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
                 a=rtcp-fb:96 ccm fir\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
            }
        };
        let (ufrag, password, fingerprint) = (&self.ufrag, &self.password, fingerprint());
        let _ = write!(
            sdp,
            "m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:sha-256 {fingerprint}\r\n\
             a=setup:actpass\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n{codecs}"
        );
        for (id, extension) in EXTENSIONS {
            let _ = write!(sdp, "a=extmap:{id} {}\r\n", extension.uri());
        }
        match ssrcs {
            [] => {}
            [ssrc] => {
                let _ = write!(sdp, "a=msid:own {kind}\r\na=ssrc:{ssrc} cname:own\r\n");
            }
            layers => {
                let rids = &RIDS[..layers.len()];
                rids.iter()
                    .for_each(|rid| sdp.push_str(&format!("a=rid:{rid} send\r\n")));
                let _ = write!(sdp, "a=simulcast:send {}\r\n", rids.join(";"));
            }
        }
    }
}

impl Connection for LightPeer {
    fn offer(&mut self, _now: Instant) -> String {
        let layout = self.layout.clone();
        let mut lines: Vec<(bool, Vec<u32>)> = vec![];
        lines.extend(layout.microphone.map(|ssrc| (true, vec![ssrc])));
        lines.extend((!layout.camera.is_empty()).then_some((false, layout.camera)));
        lines.extend((0..2 * layout.seats).map(|n| (n % 2 == 0, vec![])));
        let mids: Vec<String> = (0..lines.len()).map(|mid| mid.to_string()).collect();
        let mut sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
             a=extmap-allow-mixed\r\na=msid-semantic: WMS own\r\n",
            mids.join(" ")
        );
        for (mid, (audio, ssrcs)) in lines.iter().enumerate() {
            self.section(&mut sdp, mid, *audio, ssrcs);
        }
        sdp
    }

    fn accept(&mut self, now: Instant, answer: &str) {
        let value = |name: &str| {
            let mut lines = answer.lines();
            lines
                .find_map(|line| line.strip_prefix(name))
                .expect(name)
                .to_owned()
        };
        let candidate = value("a=candidate:");
        let words: Vec<&str> = candidate.split_ascii_whitespace().collect();
        self.remote = Some(Remote {
            address: SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap()),
            ufrag: value("a=ice-ufrag:"),
            password: value("a=ice-pwd:"),
        });
        self.check(now);
    }

    fn send(&mut self, _now: Instant, mut packet: Packet) {
        self.name(&mut packet);
        if let (Some(sealed), Some(remote)) = (self.seal(&packet), &self.remote) {
            self.datagrams.push_back((remote.address, sealed));
        }
    }

    fn request_key_frame(&mut self, _now: Instant, ssrc: u32) {
        let pli = PictureLossIndication {
            sender_ssrc: 1,
            media_ssrc: ssrc,
        };
        if let (Some((seal, _)), Some(remote)) = (&mut self.srtp, &self.remote) {
            let sealed = seal.encrypt_rtcp(&pli.marshal().unwrap()).unwrap();
            self.datagrams.push_back((remote.address, sealed.freeze()));
        }
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match datagram {
            [0..=3, ..] => self.on_stun(now, from, datagram),
            [20..=63, ..] => self.on_dtls(now, from, datagram),
            [128..=191, 192..=223, ..] => self.on_rtcp(datagram),
            [128..=191, ..] => self.on_rtp(datagram),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.next_check.is_some_and(|at| at <= now) {
            self.check(now);
        }
        if self.dtls_timeout().is_some_and(|at| at <= now)
            && let Some(remote) = &self.remote
        {
            let _ = self.dtls.handle_timeout(remote.address, now);
            self.drain_dtls();
        }
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.next_check.into_iter().chain(self.dtls_timeout()).min()
    }

    fn poll_datagram(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.datagrams.pop_front()
    }

    fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.events.pop_front()
    }
}

/// A check that nominates at once (RFC 8445 §7.1): against a lite agent there is nothing to compare.
fn binding_request(username: &str, password: &str) -> Bytes {
    let mut message = Message::new();
    message.set_type(BINDING_REQUEST);
    message.new_transaction_id().unwrap();
    message.write_header();
    message.add(ATTR_USERNAME, username.as_bytes());
    message.add(ATTR_PRIORITY, &0x6e00_1eff_u32.to_be_bytes());
    message.add(ATTR_USE_CANDIDATE, &[]);
    // ICE-CONTROLLING (RFC 8445 §16.1): any tie-breaker, as a lite agent never contends.
    message.add(ATTR_ICE_CONTROLLING, &7_u64.to_be_bytes());
    protect(message, password)
}

/// For a full agent, which checks too.
fn binding_response(request: &Message, from: SocketAddr, password: &str) -> Bytes {
    let mut message = Message::new();
    message.set_type(BINDING_SUCCESS);
    message.transaction_id = request.transaction_id;
    message.write_header();
    let address = XorMappedAddress {
        ip: from.ip(),
        port: from.port(),
    };
    address.add_to(&mut message).unwrap();
    protect(message, password)
}

fn protect(mut message: Message, password: &str) -> Bytes {
    let (password, crypto) = (password.to_owned(), provider().crypto());
    let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password, crypto);
    integrity.add_to(&mut message).unwrap();
    FingerprintAttr.add_to(&mut message).unwrap();
    Bytes::copy_from_slice(&message.raw)
}

fn dtls_config(profile: Profile) -> Arc<HandshakeConfig> {
    static CONFIGS: [OnceLock<Arc<HandshakeConfig>>; 2] = [OnceLock::new(), OnceLock::new()];
    let srtp = match profile {
        Profile::Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Profile::Sha1 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    };
    let config = CONFIGS[usize::from(profile == Profile::Sha1)].get_or_init(|| {
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider().clone())
            .with_certificates(vec![certificate().clone()])
            .with_srtp_protection_profiles(vec![srtp])
            // The fingerprint is the node's tests' business.
            .with_insecure_skip_verify(true)
            .with_flight_interval(FLIGHT_INTERVAL)
            .with_replay_protection_window(64)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(true, None);
        Arc::new(config.unwrap())
    });
    config.clone()
}

fn fingerprint() -> &'static str {
    static FINGERPRINT: OnceLock<String> = OnceLock::new();
    FINGERPRINT.get_or_init(|| {
        let der = certificate().certificate[0].as_ref();
        let hash = provider()
            .crypto()
            .hash(HashAlgorithm::Sha256, der)
            .unwrap();
        let bytes: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    })
}

fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let names = vec!["client".to_owned()];
        Certificate::generate_self_signed(names, provider().crypto()).unwrap()
    })
}

fn provider() -> &'static Arc<dyn RTCCryptoProvider> {
    static PROVIDER: OnceLock<Arc<dyn RTCCryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| rtc_crypto::default_provider().unwrap())
}
