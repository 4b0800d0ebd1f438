//! A small client of a node, shared by the examples: signaling over the WebSocket, media by the
//! `webrtc` crate.

#![allow(dead_code, unreachable_pub)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use motet::Codec;
use motet::logic::forward::codec::MediaKind;
use motet::protocol::client::{ClientMessage, Source};
use motet::protocol::server::ServerMessage;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
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

pub mod codecs;
pub mod signaling;
pub use signaling::{Failure, Signaling};

pub const OPUS: u8 = 111;
pub const VP8: u8 = 96;

/// How a client takes part in a room.
#[derive(Debug, Clone)]
pub struct Part {
    pub room: String,
    pub name: String,
    /// Sends a microphone and a camera, in Opus and VP8.
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
    /// Everything that it publishes, in the order in which that was asked for.
    pub sent: Vec<Arc<dyn TrackLocal>>,
    /// What comes in, as soon as its first packet does.
    pub tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    /// Whether ICE and DTLS are up.
    pub connected: watch::Receiver<bool>,
}

impl Client {
    /// Joins, offers, and announces what it publishes. Returns before media flows: see
    /// [`Client::connected`].
    pub async fn join(url: &str, part: &Part) -> Result<Self, Failure> {
        let own = [
            (Source::Microphone, Codec::Opus),
            (Source::Camera, Codec::Vp8),
        ];
        let own = if part.publish { &own[..] } else { &[] };
        Self::join_with(url, part, own, &[Codec::Opus, Codec::Vp8]).await
    }

    /// The same with these sources of its own, whatever the part says, and with these codecs offered.
    pub async fn join_with(
        url: &str,
        part: &Part,
        own: &[(Source, Codec)],
        codecs: &[Codec],
    ) -> Result<Self, Failure> {
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
        let connection = peer_connection(part.media_ip, handler, codecs).await?;
        let mut sent = vec![];
        for (ssrc, &(source, codec)) in (part.number * 4..).zip(own) {
            sent.push(add_track(&*connection, source, codec, ssrc).await?);
        }
        let of = |source| {
            let at = own.iter().position(|&(own, _)| own == source);
            at.and_then(|at| sent.get(at)).cloned()
        };
        let (microphone, camera) = (of(Source::Microphone), of(Source::Camera));
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
            sent,
            tracks,
            connected,
        };
        client.publish(own).await?;
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

    /// The own m-lines are the offer's first ones, and `webrtc` numbers them from 0.
    async fn publish(&mut self, own: &[(Source, Codec)]) -> Result<(), Failure> {
        for (mid, &(source, _)) in own.iter().enumerate() {
            let publish = ClientMessage::Publish {
                source,
                mid: Some(mid.to_string()),
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

/// Hands on what a connection tells of.
pub struct Handler {
    pub tracks: mpsc::UnboundedSender<Arc<dyn TrackRemote>>,
    pub connected: watch::Sender<bool>,
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

/// A connection that offers these codecs.
pub async fn peer_connection(
    media_ip: IpAddr,
    handler: Handler,
    codecs: &[Codec],
) -> Result<Arc<dyn PeerConnection>, Failure> {
    let mut engine = MediaEngine::default();
    for &codec in codecs {
        let kind = kind(codec);
        engine.register_codec(codecs::parameters(codec), kind)?;
        if kind == RtpCodecKind::Video {
            engine.register_codec(codecs::retransmission(codec), kind)?;
        }
    }
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(handler))
        .with_udp_addrs(vec![(media_ip, 0)])
        .build()
        .await?;
    Ok(Arc::new(connection))
}

/// What a codec carries.
pub fn kind(codec: Codec) -> RtpCodecKind {
    match codec.kind() {
        MediaKind::Audio => RtpCodecKind::Audio,
        MediaKind::Video => RtpCodecKind::Video,
    }
}

/// Adds a track of its own.
pub async fn add_track(
    connection: &dyn PeerConnection,
    source: Source,
    codec: Codec,
    ssrc: u32,
) -> Result<Arc<dyn TrackLocal>, Failure> {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec: codecs::parameters(codec).rtp_codec,
        ..RTCRtpEncodingParameters::default()
    };
    let name = format!("{source:?}");
    let encodings = vec![encoding];
    let track = MediaStreamTrack::new("own".into(), name.clone(), name, kind(codec), encodings);
    let track: Arc<dyn TrackLocal> = Arc::new(TrackLocalStaticRTP::new(track));
    let init = direction(RTCRtpTransceiverDirection::Sendonly);
    connection
        .add_transceiver_from_track(Arc::clone(&track), Some(init))
        .await?;
    Ok(track)
}

/// A transceiver of that direction.
pub fn direction(direction: RTCRtpTransceiverDirection) -> RTCRtpTransceiverInit {
    RTCRtpTransceiverInit {
        direction,
        streams: vec![],
        send_encodings: vec![],
    }
}
