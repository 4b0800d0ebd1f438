//! A client without a WebSocket: publishes over WHIP or views over WHEP.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, ETAG, LOCATION};
use rtc::rtp_transceiver::RTCRtpTransceiverDirection;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, RTCSessionDescription};

use super::{Failure, Handler, Part, add_track, direction, opus, peer_connection, vp8};

/// A session over HTTP.
pub struct HttpClient {
    pub connection: Arc<dyn PeerConnection>,
    /// Where it publishes.
    pub microphone: Option<Arc<dyn TrackLocal>>,
    pub camera: Option<Arc<dyn TrackLocal>>,
    /// What comes in, as soon as its first packet does.
    pub tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    /// Whether ICE and DTLS are up.
    pub connected: watch::Receiver<bool>,
    /// The session's own URL.
    pub location: String,
    pub etag: String,
    http: reqwest::Client,
}

impl HttpClient {
    /// Publishes a microphone and a camera at `http://host:port/whip/room`; `number` tells its SSRCs
    /// from those of other clients of the same process.
    pub async fn publish(url: &str, media_ip: IpAddr, number: u32) -> Result<Self, Failure> {
        Self::begin(url, &part(media_ip, number, true, 0)).await
    }

    /// Views at `http://host:port/whep/room`, with that many pairs of m-lines.
    pub async fn view(url: &str, media_ip: IpAddr, pairs: usize) -> Result<Self, Failure> {
        Self::begin(url, &part(media_ip, 0, false, pairs)).await
    }

    async fn begin(url: &str, part: &Part) -> Result<Self, Failure> {
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
        let etag = header(ETAG)?;
        let answer = RTCSessionDescription::answer(response.text().await?)?;
        connection.set_remote_description(answer).await?;
        Ok(Self {
            connection,
            microphone,
            camera,
            tracks,
            connected,
            location,
            etag,
            http,
        })
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

    /// Whether the session is still there.
    pub async fn is_there(&self) -> Result<bool, Failure> {
        let response = self.http.get(&self.location).send().await?;
        Ok(response.status().is_success())
    }

    /// Ends the session and closes the connection.
    pub async fn leave(&self) -> Result<(), Failure> {
        let response = self.http.delete(&self.location).send().await?;
        response.error_for_status()?;
        self.connection.close().await?;
        Ok(())
    }
}

fn part(media_ip: IpAddr, number: u32, publish: bool, seats: usize) -> Part {
    Part {
        room: String::new(),
        name: String::new(),
        publish,
        seats,
        media_ip,
        number,
    }
}
