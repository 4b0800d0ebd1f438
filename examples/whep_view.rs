//! Watches a room over WHEP (draft-ietf-wish-whep) and prints what arrives, once a second: one request
//! opens the session, one ends it, and there is no WebSocket.
//!
//! `cargo run --example whep_view -- http://127.0.0.1:8080/whep/tea`

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode, Url};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{PeerConnection, RTCSessionDescription};
use webrtc::rtp_transceiver::RTCRtpTransceiverDirection;

mod support;
use support::{Failure, Handler, codecs, direction, peer_connection};

const SDP: &str = "application/sdp";
/// What a node that does not say when to come back is left alone for, in seconds.
const RETRY_SECONDS: u64 = 2;

/// Watches a room over WHEP and prints what arrives, once a second.
#[derive(Parser)]
struct Arguments {
    /// The room's endpoint: http://127.0.0.1:8080/whep/tea
    url: Url,
    /// The bearer token, where the node wants one
    #[arg(long)]
    token: Option<String>,
    /// End after that many seconds; Ctrl-C ends it too
    #[arg(long)]
    seconds: Option<u64>,
    /// This machine's address for media
    #[arg(long, default_value = "127.0.0.1")]
    media_ip: IpAddr,
}

/// What came in since the last line was printed, by codec.
type Counts = Arc<Mutex<BTreeMap<String, (u64, u64)>>>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let (tracks_in, mut tracks) = mpsc::unbounded_channel();
    let (connected, _) = watch::channel(false);
    let handler = Handler {
        tracks: tracks_in,
        connected,
    };
    let connection = peer_connection(arguments.media_ip, handler, &codecs::ALL).await?;
    let http = reqwest::Client::new();
    let with_token = |request: RequestBuilder| match &arguments.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let offer = offer(&*connection).await?;
    let (session, answer) = loop {
        let request = with_token(http.post(arguments.url.clone()));
        match open(request, &offer).await? {
            Opened::Session { location, answer } => break (arguments.url.join(&location)?, answer),
            Opened::NotYet { seconds } => {
                println!("nobody sends anything; again in {seconds} s");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
        }
    };
    println!("session {session}");
    let answer = RTCSessionDescription::answer(answer)?;
    connection.set_remote_description(answer).await?;

    let counts = Counts::default();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut left = arguments.seconds;
    loop {
        tokio::select! {
            Some(track) = tracks.recv() => {
                tokio::spawn(count(track, counts.clone()));
            }
            _ = second.tick() => {
                print(&counts);
                left = left.map(|left| left.saturating_sub(1));
                if left == Some(0) {
                    break;
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let ended = with_token(http.delete(session)).send().await?;
    println!("session ended: {}", ended.status());
    connection.close().await?;
    Ok(())
}

/// One sound and one picture, to be received.
async fn offer(connection: &dyn PeerConnection) -> Result<String, Failure> {
    for kind in [
        support::kind(motet::Codec::Opus),
        support::kind(motet::Codec::Vp8),
    ] {
        let init = direction(RTCRtpTransceiverDirection::Recvonly);
        connection
            .add_transceiver_from_kind(kind, Some(init))
            .await?;
    }
    let offer = connection.create_offer(None).await?;
    let sdp = offer.sdp.clone();
    connection.set_local_description(offer).await?;
    Ok(sdp)
}

/// What became of a request for a session.
enum Opened {
    /// There is one.
    Session { location: String, answer: String },
    /// Not before somebody sends something: to be asked again.
    NotYet { seconds: u64 },
}

async fn open(request: RequestBuilder, offer: &str) -> Result<Opened, Failure> {
    let request = request.header(CONTENT_TYPE, SDP).header(ACCEPT, SDP);
    let response = request.body(offer.to_owned()).send().await?;
    let header = |name| {
        let value = response.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    match response.status() {
        StatusCode::CREATED => {
            let location = header(LOCATION).ok_or("the session has no address")?;
            Ok(Opened::Session {
                location: location.to_owned(),
                answer: response.text().await?,
            })
        }
        StatusCode::CONFLICT => {
            let seconds = header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
            let seconds = seconds.unwrap_or(RETRY_SECONDS);
            Ok(Opened::NotYet { seconds })
        }
        status => Err(format!("{status}: {}", response.text().await?).into()),
    }
}

async fn count(track: Arc<dyn TrackRemote>, counts: Counts) {
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        let codec = codecs::of_payload_type(packet.header.payload_type);
        let name = codec.map_or("another format".to_owned(), |codec| format!("{codec:?}"));
        if let Ok(mut counts) = counts.lock() {
            let (packets, bytes) = counts.entry(name).or_default();
            (*packets, *bytes) = (*packets + 1, *bytes + packet.payload.len() as u64);
        }
    }
}

fn print(counts: &Counts) {
    let Ok(mut counts) = counts.lock() else {
        return;
    };
    for (codec, count) in counts.iter_mut() {
        let (packets, bytes) = std::mem::take(count);
        println!(
            "{codec:6} {packets:5} packets/s {:6} kbit/s",
            bytes * 8 / 1_000
        );
    }
}
