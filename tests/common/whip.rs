//! A client without a WebSocket: publishes over WHIP or views over WHEP.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use motet::Codec;
use motet::protocol::client::Source;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use rtc::rtp_transceiver::RTCRtpTransceiverDirection;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, RTCSessionDescription};

use crate::support::{Failure, Handler, add_track, direction, peer_connection};

/// A session over HTTP.
pub(crate) struct HttpClient {
    pub(crate) connection: Arc<dyn PeerConnection>,
    /// Where it publishes.
    pub(crate) microphone: Option<Arc<dyn TrackLocal>>,
    pub(crate) camera: Option<Arc<dyn TrackLocal>>,
    /// What comes in, as soon as its first packet does.
    pub(crate) tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    /// Whether ICE and DTLS are up.
    pub(crate) connected: watch::Receiver<bool>,
    /// The session's own URL.
    pub(crate) location: String,
    http: reqwest::Client,
}

impl HttpClient {
    /// Publishes a microphone and a camera at `http://host:port/whip/room`; `number` tells its SSRCs
    /// from those of other clients of the same process.
    pub(crate) async fn publish(url: &str, media_ip: IpAddr, number: u32) -> Result<Self, Failure> {
        Self::begin(url, media_ip, Some(number), 0).await
    }

    /// Views at `http://host:port/whep/room`, with that many pairs of m-lines.
    pub(crate) async fn view(url: &str, media_ip: IpAddr, pairs: usize) -> Result<Self, Failure> {
        Self::begin(url, media_ip, None, pairs).await
    }

    async fn begin(
        url: &str,
        media_ip: IpAddr,
        publisher: Option<u32>,
        pairs: usize,
    ) -> Result<Self, Failure> {
        let (tracks_in, tracks) = mpsc::unbounded_channel();
        let (connected_in, connected) = watch::channel(false);
        let handler = Handler {
            tracks: tracks_in,
            connected: connected_in,
        };
        let connection = peer_connection(media_ip, handler, &[Codec::Opus, Codec::Vp8]).await?;
        let (mut microphone, mut camera) = (None, None);
        if let Some(number) = publisher {
            let add = |source, codec, ssrc| add_track(&*connection, source, codec, ssrc);
            microphone = Some(add(Source::Microphone, Codec::Opus, number * 2).await?);
            camera = Some(add(Source::Camera, Codec::Vp8, number * 2 + 1).await?);
        }
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video].repeat(pairs) {
            let init = direction(RTCRtpTransceiverDirection::Recvonly);
            connection
                .add_transceiver_from_kind(kind, Some(init))
                .await?;
        }
        let offer = connection.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        connection.set_local_description(offer).await?;

        let http = reqwest::Client::new();
        let request = http.post(url).header(CONTENT_TYPE, "application/sdp");
        let response = request.body(sdp).send().await?;
        if response.status() != 201 {
            return Err(format!("{}: {}", response.status(), response.text().await?).into());
        }
        let header = |name| {
            let value = response.headers().get(name);
            let value = value.and_then(|value| value.to_str().ok());
            value.map(str::to_owned).ok_or("a header is missing")
        };
        let location = response.url().join(&header(LOCATION)?)?.to_string();
        let answer = RTCSessionDescription::answer(response.text().await?)?;
        connection.set_remote_description(answer).await?;
        Ok(Self {
            connection,
            microphone,
            camera,
            tracks,
            connected,
            location,
            http,
        })
    }

    /// Waits until ICE and DTLS are up.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub(crate) async fn connected(&mut self, patience: Duration) -> Result<(), Failure> {
        let up = self.connected.wait_for(|up| *up);
        tokio::time::timeout(patience, up)
            .await
            .map_err(|_| "no connection for media: is the node's UDP port reachable?")??;
        Ok(())
    }

    /// Whether the session is still there.
    pub(crate) async fn is_there(&self) -> Result<bool, Failure> {
        let response = self.http.get(&self.location).send().await?;
        Ok(response.status().is_success())
    }

    /// Ends the session and closes the connection.
    pub(crate) async fn leave(&self) -> Result<(), Failure> {
        let response = self.http.delete(&self.location).send().await?;
        response.error_for_status()?;
        self.connection.close().await?;
        Ok(())
    }
}
