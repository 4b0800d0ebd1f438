//! A client with a whole WebRTC stack of another make: `rtc::RTCPeerConnection`.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use motet::logic::forward::extension::ExtensionIds;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::{
    Registry, Slot, configure_twcc_sender_only, register_default_interceptors,
};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::{SettingEngine, SettingEngineBuilder};
use rtc::peer_connection::event::{RTCPeerConnectionEvent, RTCTrackEvent};
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{
    CandidateConfig, CandidateHostConfig, RTCDtlsRole, RTCIceCandidate,
};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{
    RTCRtpReceiverId, RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rtp::packet::Packet;

use crate::connection::{Connection, ConnectionEvent, Layout, NAMED_PACKETS, RIDS, name_packet};
use crate::description::sections;
use crate::key_frame_requests::KeyFrameRequests;

/// Behind everything that works on packets.
const NEXT_TO_APPLICATION: usize = 20_000;

/// See the module.
pub struct RtcPeer {
    inner: RTCPeerConnection,
    address: SocketAddr,
    layout: Layout,
    senders: BTreeMap<u32, Sender>,
    receivers: BTreeMap<String, RTCRtpReceiverId>,
    tracks: BTreeMap<u32, String>,
    datagrams: VecDeque<(SocketAddr, Bytes)>,
    events: VecDeque<ConnectionEvent>,
    refused: u64,
}

/// One sent SSRC.
struct Sender {
    id: RTCRtpSenderId,
    rid: Option<&'static str>,
    mid: String,
    extensions: ExtensionIds,
    sent: u32,
}

impl RtcPeer {
    /// A peer at `address` that will carry `layout`.
    pub fn new(now: Instant, address: SocketAddr, layout: Layout) -> Self {
        Self::with(now, address, layout, SettingEngineBuilder::new().build())
    }

    /// A peer that will [`answer`](Self::answer) with DTLS passive, as a node does.
    pub fn answering(now: Instant, address: SocketAddr) -> Self {
        let settings = SettingEngineBuilder::new()
            .with_answering_dtls_role(RTCDtlsRole::Server)
            .build();
        Self::with(now, address, Layout::default(), settings)
    }

    fn with(now: Instant, address: SocketAddr, layout: Layout, settings: SettingEngine) -> Self {
        let mut engine = media_engine();
        let registry = register_default_interceptors(Registry::new(), &mut engine).unwrap();
        let registry = configure_twcc_sender_only(registry, &mut engine).unwrap();
        let registry = registry.with(
            Slot::Custom(NEXT_TO_APPLICATION),
            KeyFrameRequests::default(),
        );
        let configuration = RTCConfigurationBuilder::new()
            .with_certificates(vec![certificate().clone()])
            .build();
        let inner = RTCPeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_configuration(configuration)
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .build(now)
            .unwrap();
        let mut peer = Self {
            inner,
            address,
            layout,
            senders: BTreeMap::new(),
            receivers: BTreeMap::new(),
            tracks: BTreeMap::new(),
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
            refused: 0,
        };
        peer.add_tracks();
        peer.add_candidate();
        peer
    }

    /// Answers another client's offer: two of these can be connected without a node between them.
    pub fn answer(&mut self, now: Instant, offer: &str) -> String {
        let offer = RTCSessionDescription::offer(offer.to_owned()).unwrap();
        self.inner.set_remote_description(now, offer).unwrap();
        let answer = self.inner.create_answer(None).unwrap();
        self.inner
            .set_local_description(now, answer.clone())
            .unwrap();
        self.drain();
        answer.sdp
    }

    fn add_tracks(&mut self) {
        if let Some(ssrc) = self.layout.microphone {
            let encodings = vec![encoding(ssrc, None, opus().rtp_codec)];
            self.add_track(RtpCodecKind::Audio, encodings);
        }
        let simulcast = self.layout.camera.len() > 1;
        let encodings: Vec<_> = (self.layout.camera.iter().zip(RIDS))
            .map(|(&ssrc, rid)| encoding(ssrc, simulcast.then_some(rid), vp8().rtp_codec))
            .collect();
        if !encodings.is_empty() {
            self.add_track(RtpCodecKind::Video, encodings);
        }
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video].repeat(self.layout.seats) {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: vec![],
                send_encodings: vec![],
            };
            self.inner
                .add_transceiver_from_kind(kind, Some(init))
                .unwrap();
        }
    }

    fn add_track(&mut self, kind: RtpCodecKind, encodings: Vec<RTCRtpEncodingParameters>) {
        let ssrcs: Vec<_> = encodings
            .iter()
            .filter_map(|e| e.rtp_coding_parameters.ssrc)
            .collect();
        let name = format!("{kind:?}");
        let track = MediaStreamTrack::new("own".into(), name.clone(), name, kind, encodings);
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec![],
            send_encodings: vec![],
        };
        let id = self
            .inner
            .add_transceiver_from_track(track, Some(init))
            .unwrap();
        let id = self.inner.rtp_transceiver(id).unwrap().sender().unwrap();
        for (ssrc, rid) in ssrcs.iter().zip(RIDS) {
            let sender = Sender {
                id,
                rid: (ssrcs.len() > 1).then_some(rid),
                mid: String::new(),
                extensions: ExtensionIds::default(),
                sent: 0,
            };
            self.senders.insert(*ssrc, sender);
        }
    }

    fn add_candidate(&mut self) {
        let candidate = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".to_owned(),
                address: self.address.ip().to_string(),
                port: self.address.port(),
                component: 1,
                ..CandidateConfig::default()
            },
            ..CandidateHostConfig::default()
        };
        let candidate = candidate.new_candidate_host().unwrap();
        let candidate = RTCIceCandidate::from(&candidate).to_json().unwrap();
        self.inner.add_local_candidate(candidate).unwrap();
    }

    fn drain(&mut self) {
        while let Some(event) = self.inner.poll_event() {
            self.on_event(event);
        }
        while let Some(TaggedRTCMessage { message, .. }) = self.inner.poll_read() {
            self.on_message(message);
        }
        while let Some(datagram) = self.inner.poll_write() {
            let to = datagram.transport.peer_addr;
            self.datagrams.push_back((to, datagram.message.freeze()));
        }
    }

    fn on_event(&mut self, event: RTCPeerConnectionEvent) {
        match event {
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => match state {
                RTCPeerConnectionState::Connected => {
                    self.events.push_back(ConnectionEvent::Connected);
                }
                RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                    self.events.push_back(ConnectionEvent::Closed);
                }
                _ => {}
            },
            RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) => {
                self.receivers.insert(track.track_id, track.receiver_id);
            }
            _ => {}
        }
    }

    fn on_message(&mut self, message: RTCMessage) {
        match message {
            RTCMessage::RtpPacket(track, packet) => {
                self.tracks.entry(packet.header.ssrc).or_insert(track);
                self.events.push_back(ConnectionEvent::Media(packet));
            }
            RTCMessage::RtcpPacket(_, packets) => {
                for packet in packets {
                    let packet = packet.as_any();
                    let pli = packet.downcast_ref::<PictureLossIndication>();
                    let fir = packet.downcast_ref::<FullIntraRequest>();
                    let wanted = pli.map(|pli| pli.media_ssrc).into_iter();
                    let entries = fir
                        .iter()
                        .flat_map(|fir| fir.fir.iter().map(|entry| entry.ssrc));
                    let wanted = wanted.chain(entries).map(ConnectionEvent::KeyFrameWanted);
                    self.events.extend(wanted);
                }
            }
            _ => {}
        }
    }
}

impl Connection for RtcPeer {
    fn offer(&mut self, now: Instant) -> String {
        let offer = self.inner.create_offer(None).unwrap();
        self.inner
            .set_local_description(now, offer.clone())
            .unwrap();
        self.drain();
        offer.sdp
    }

    fn accept(&mut self, now: Instant, answer: &str) {
        let own = usize::from(self.layout.microphone.is_some());
        for (index, section) in sections(answer).into_iter().enumerate() {
            let ssrcs: &[u32] = match self.layout.microphone.as_slice() {
                microphone @ [_] if index == 0 => microphone,
                _ if index == own => &self.layout.camera,
                _ => &[],
            };
            for ssrc in ssrcs {
                let sender = self.senders.get_mut(ssrc).unwrap();
                sender.mid.clone_from(&section.mid);
                sender.extensions = section.extensions;
            }
        }
        let answer = RTCSessionDescription::answer(answer.to_owned()).unwrap();
        self.inner.set_remote_description(now, answer).unwrap();
        self.drain();
    }

    fn send(&mut self, now: Instant, mut packet: Packet) {
        let sender = self.senders.get_mut(&packet.header.ssrc).unwrap();
        sender.sent += 1;
        if sender.sent < NAMED_PACKETS {
            let id = |extension| sender.extensions.get(extension);
            name_packet(&mut packet, id, &sender.mid, sender.rid);
        }
        let id = sender.id;
        // Refused before the connection is up: a browser's encoder is not running then either.
        let sent = self.inner.rtp_sender(id).unwrap().write_rtp(now, packet);
        self.refused += u64::from(sent.is_err());
        self.drain();
    }

    fn request_key_frame(&mut self, now: Instant, ssrc: u32) {
        let receiver = self
            .tracks
            .get(&ssrc)
            .and_then(|track| self.receivers.get(track));
        if let Some(&receiver) = receiver {
            let pli = PictureLossIndication {
                sender_ssrc: 1,
                media_ssrc: ssrc,
            };
            let mut receiver = self.inner.rtp_receiver(receiver).unwrap();
            receiver.write_rtcp(now, vec![Box::new(pli)]).unwrap();
            self.drain();
        }
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let datagram = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: self.address,
                peer_addr: from,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            },
            message: BytesMut::from(datagram),
        };
        // Replays and leftovers of a closed connection are errors to it; they are normal here.
        let _ = self.inner.handle_read(datagram);
        self.drain();
    }

    fn handle_timeout(&mut self, now: Instant) {
        let _ = self.inner.handle_timeout(now);
        self.drain();
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn poll_datagram(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.datagrams.pop_front()
    }

    fn refused(&self) -> u64 {
        self.refused
    }

    fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.events.pop_front()
    }
}

fn media_engine() -> MediaEngine {
    let mut engine = MediaEngine::default();
    engine.register_codec(opus(), RtpCodecKind::Audio).unwrap();
    for codec in [vp8(), rtx()] {
        engine.register_codec(codec, RtpCodecKind::Video).unwrap();
    }
    engine
}

fn opus() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1", 111)
}

fn vp8() -> RTCRtpCodecParameters {
    let mut vp8 = codec(MIME_TYPE_VP8, 90_000, 0, "", 96);
    for (typ, parameter) in [("nack", ""), ("nack", "pli"), ("ccm", "fir")] {
        vp8.rtp_codec.rtcp_feedback.push(RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        });
    }
    vp8
}

fn rtx() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_RTX, 90_000, 0, "apt=96", 97)
}

fn codec(
    name: &str,
    clock_rate: u32,
    channels: u16,
    fmtp: &str,
    payload_type: u8,
) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: name.to_owned(),
            clock_rate,
            channels,
            sdp_fmtp_line: fmtp.to_owned(),
            rtcp_feedback: vec![],
        },
        payload_type,
    }
}

fn encoding(ssrc: u32, rid: Option<&str>, codec: RTCRtpCodec) -> RTCRtpEncodingParameters {
    RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            rid: rid.unwrap_or_default().to_owned(),
            ssrc: Some(ssrc),
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec,
        ..RTCRtpEncodingParameters::default()
    }
}

/// One for all: making a key costs more than the handshake.
fn certificate() -> &'static RTCCertificate {
    static CERTIFICATE: OnceLock<RTCCertificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let provider = rtc::crypto::default_provider().unwrap();
        let names = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        let scheme = rtc::crypto::SignatureScheme::EcdsaP256Sha256;
        RTCCertificate::generate(provider.crypto(), scheme, names).unwrap()
    })
}
