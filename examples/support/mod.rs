//! A small client of a node, shared by the examples: signaling over the WebSocket, media by the
//! `webrtc` crate.

#![allow(dead_code, unreachable_pub)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use motet::protocol::client::{ClientMessage, Source};
use motet::protocol::server::ServerMessage;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
    RTCPeerConnectionState, RTCSessionDescription, Registry, register_default_interceptors,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

pub mod signaling;
pub mod whip;
pub use signaling::{Failure, Signaling};

pub const OPUS: u8 = 111;
pub const VP8: u8 = 96;

/// How a client takes part in a room.
#[derive(Debug, Clone)]
pub struct Part {
    pub room: String,
    pub name: String,
    /// Sends a microphone and a camera.
    pub publish: bool,
    /// How many others it can see at once.
    pub seats: usize,
    /// This machine's address for media.
    pub media_ip: IpAddr,
    /// Tells its SSRCs from those of other clients of the same process.
    pub number: u32,
}

/// A member of a room, served over the node.
pub struct Client {
    pub signaling: Signaling,
    /// The `joined` that let it in.
    pub joined: ServerMessage,
    pub connection: Arc<dyn PeerConnection>,
    /// Opus, payload type [`OPUS`], and VP8, payload type [`VP8`], where it publishes.
    pub microphone: Option<Arc<dyn TrackLocal>>,
    pub camera: Option<Arc<dyn TrackLocal>>,
    /// What comes in, as soon as its first packet does.
    pub tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    /// Whether ICE and DTLS are up.
    pub connected: watch::Receiver<bool>,
}

impl Client {
    /// Joins, offers, and announces what it publishes. Returns before media flows: see
    /// [`Client::connected`].
    pub async fn join(url: &str, part: &Part) -> Result<Self, Failure> {
        let mut signaling = Signaling::connect(url).await?;
        let join = ClientMessage::Join {
            room: part.room.clone(),
            name: part.name.clone(),
            sfu_only: true,
            owner_key: None,
        };
        signaling.say(&join).await?;
        let (joined, epoch) = signaling
            .wait_for(|message| match message {
                ServerMessage::Joined { topology, .. } => Some((message.clone(), topology.epoch)),
                _ => None,
            })
            .await?;

        let (tracks_in, tracks) = mpsc::unbounded_channel();
        let (connected_in, connected) = watch::channel(false);
        let handler = Handler {
            tracks: tracks_in,
            connected: connected_in,
        };
        let connection = peer_connection(part, handler).await?;
        let (mut microphone, mut camera) = (None, None);
        if part.publish {
            let ssrc = part.number * 2;
            microphone = Some(add_track(&*connection, opus(), ssrc).await?);
            camera = Some(add_track(&*connection, vp8(), ssrc + 1).await?);
        }
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video].repeat(part.seats) {
            let init = direction(RTCRtpTransceiverDirection::Recvonly);
            connection
                .add_transceiver_from_kind(kind, Some(init))
                .await?;
        }

        let offer = connection.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        connection.set_local_description(offer).await?;
        let offer = ClientMessage::Offer {
            sdp,
            epoch,
            fresh: true,
        };
        signaling.say(&offer).await?;
        let answer = signaling
            .wait_for(|message| match message {
                ServerMessage::Answer { sdp, .. } => Some(sdp.clone()),
                _ => None,
            })
            .await?;
        let answer = RTCSessionDescription::answer(answer)?;
        connection.set_remote_description(answer).await?;

        let mut client = Self {
            signaling,
            joined,
            connection,
            microphone,
            camera,
            tracks,
            connected,
        };
        if part.publish {
            client.publish().await?;
        }
        Ok(client)
    }

    /// Waits until ICE and DTLS are up.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub async fn connected(&mut self, patience: Duration) -> Result<(), Failure> {
        let up = self.connected.wait_for(|up| *up);
        tokio::time::timeout(patience, up)
            .await
            .map_err(|_| "no connection for media: is the node's UDP port reachable?")??;
        Ok(())
    }

    /// Says goodbye and closes the connection.
    pub async fn leave(&mut self) -> Result<(), Failure> {
        self.signaling.say(&ClientMessage::Bye {}).await?;
        self.connection.close().await?;
        Ok(())
    }

    /// The own m-lines are the offer's first two, and `webrtc` numbers them from 0.
    async fn publish(&mut self) -> Result<(), Failure> {
        for (source, mid) in [(Source::Microphone, "0"), (Source::Camera, "1")] {
            let publish = ClientMessage::Publish {
                source,
                mid: Some(mid.to_owned()),
                stream: None,
                muted: false,
            };
            self.signaling.say(&publish).await?;
        }
        Ok(())
    }
}

/// The seat that a track belongs to: the node calls the stream of seat 3 `seat-3`.
pub async fn seat_of(track: &dyn TrackRemote) -> Option<usize> {
    track.stream_id().await.strip_prefix("seat-")?.parse().ok()
}

struct Handler {
    tracks: mpsc::UnboundedSender<Arc<dyn TrackRemote>>,
    connected: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let up = state == RTCPeerConnectionState::Connected;
        self.connected.send_replace(up);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        // Nobody listens any more once the client is dropped.
        let _ = self.tracks.send(track);
    }
}

async fn peer_connection(
    part: &Part,
    handler: Handler,
) -> Result<Arc<dyn PeerConnection>, Failure> {
    let mut engine = MediaEngine::default();
    engine.register_codec(opus(), RtpCodecKind::Audio)?;
    engine.register_codec(vp8(), RtpCodecKind::Video)?;
    engine.register_codec(rtx(), RtpCodecKind::Video)?;
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(handler))
        .with_udp_addrs(vec![(part.media_ip, 0)])
        .build()
        .await?;
    Ok(Arc::new(connection))
}

async fn add_track(
    connection: &dyn PeerConnection,
    codec: RTCRtpCodecParameters,
    ssrc: u32,
) -> Result<Arc<dyn TrackLocal>, Failure> {
    let kind = match codec.payload_type {
        OPUS => RtpCodecKind::Audio,
        _ => RtpCodecKind::Video,
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec: codec.rtp_codec,
        ..RTCRtpEncodingParameters::default()
    };
    let name = format!("{kind}");
    let track = MediaStreamTrack::new("own".into(), name.clone(), name, kind, vec![encoding]);
    let track: Arc<dyn TrackLocal> = Arc::new(TrackLocalStaticRTP::new(track));
    let init = direction(RTCRtpTransceiverDirection::Sendonly);
    connection
        .add_transceiver_from_track(Arc::clone(&track), Some(init))
        .await?;
    Ok(track)
}

fn direction(direction: RTCRtpTransceiverDirection) -> RTCRtpTransceiverInit {
    RTCRtpTransceiverInit {
        direction,
        streams: vec![],
        send_encodings: vec![],
    }
}

fn opus() -> RTCRtpCodecParameters {
    codec(
        MIME_TYPE_OPUS,
        48_000,
        2,
        "minptime=10;useinbandfec=1",
        OPUS,
    )
}

fn vp8() -> RTCRtpCodecParameters {
    let mut vp8 = codec(MIME_TYPE_VP8, 90_000, 0, "", VP8);
    for parameter in ["", "pli"] {
        vp8.rtp_codec.rtcp_feedback.push(RTCPFeedback {
            typ: "nack".to_owned(),
            parameter: parameter.to_owned(),
        });
    }
    vp8
}

fn rtx() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_RTX, 90_000, 0, "apt=96", VP8 + 1)
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
