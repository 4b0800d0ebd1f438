//! Tracks are sent to other programs as RTP: real sockets, a client of another make that publishes,
//! and a receiver that knows nothing of the node.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use motet::ids::MemberId;
use motet::protocol::client::{ClientMessage, Source};
use motet::protocol::server::ServerMessage;
use rtc::rtcp;
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::shared::marshal::{Marshal, Unmarshal};
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtp::packet::Packet;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use webrtc::media_stream::track_local::TrackLocal;

mod common;
#[path = "sim/media.rs"]
#[allow(dead_code, unreachable_pub)]
mod media;
#[path = "../examples/support/mod.rs"]
mod support;

use media::{Camera, Microphone, Vp8, read_opus};
use support::{Client, OPUS, Part, VP8};

const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: &str = "on air";
const FPS: u32 = 20;
/// Relays, whose ports are never sent to, are not there to take a port from a receiver.
const ALLOWED: [&str; 4] = ["--forward-allow", "127.0.0.0/8", "--turn", "off"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_and_picture_arrive_as_rtp_from_their_beginning_to_a_goodbye() {
    let studio = Studio::open(&ALLOWED);
    let ada = studio.enter(1).await;
    for (source, payload_type, codec, steps) in [
        ("camera", 96, "vp8", &[0, 90_000 / FPS][..]),
        ("microphone", 111, "opus", &[960]),
    ] {
        let mut receiver = Receiver::bind().await;
        let (status, begun) = studio.post(&receiver.wish(&ada, source)).await;
        assert_eq!(status, 201, "{begun}");
        assert_eq!(begun["track"]["source"], source);
        assert_eq!(begun["port"], receiver.port());
        assert_eq!(begun["rtcp"], receiver.port() + 1);
        let ssrc = begun["ssrc"].as_u64().unwrap();

        let (first, from) = receiver.packet().await;
        assert_eq!(json!(from), begun["from"]);
        let (mut last, mut time) = (first.header.sequence_number, first.header.timestamp);
        assert!(starts(&first), "it begins where a decoder can");
        let mut count = 0;
        while count < 60 {
            let (packet, _) = receiver.packet().await;
            count += 1;
            last = last.wrapping_add(1);
            let header = &packet.header;
            assert_eq!(header.sequence_number, last, "nothing is left out");
            assert_eq!(
                (header.ssrc, header.payload_type),
                (ssrc as u32, payload_type)
            );
            assert!(!header.extension, "what was for a browser stays behind");
            let step = header
                .timestamp
                .wrapping_sub(std::mem::replace(&mut time, header.timestamp));
            assert!(steps.contains(&step), "{step} ticks");
        }
        let report: SenderReport = receiver.report().await;
        assert_eq!(u64::from(report.ssrc), ssrc);
        assert!(report.packet_count > 0 && report.ntp_time > 0);

        let id = begun["id"].as_str().unwrap();
        let shown = studio.get(&format!("/{id}")).await;
        assert_eq!(
            (&shown["state"], &shown["codec"]),
            (&json!("sending"), &json!(codec))
        );
        assert_eq!(shown["payloadType"], payload_type);
        assert!(shown["packets"].as_u64().unwrap() >= 60);
        assert_eq!(studio.list().await.as_array().unwrap().len(), 1);
        assert_eq!(studio.delete(&format!("/{id}")).await, 204);
        assert_eq!(studio.delete(&format!("/{id}")).await, 404);
        let goodbye: Goodbye = receiver.report().await;
        assert_eq!(goodbye.sources, [ssrc as u32]);
        assert_eq!(studio.list().await, json!([]));
        receiver.silent().await;
    }
    let stats = studio.stats().await;
    assert_eq!(stats["forwards"], 0);
    assert!(stats["rtpOutPackets"].as_u64().unwrap() > 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_gets_a_key_frame_and_what_was_lost() {
    let studio = Studio::open(&ALLOWED);
    // Key frames come when they are asked for, and never otherwise.
    let ada = studio.enter_with(1, None).await;
    // Nor is one left that is fresh enough to be sent from the cache.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut receiver = Receiver::bind().await;
    let (_, begun) = studio.post(&receiver.wish(&ada, "camera")).await;
    let ssrc = begun["ssrc"].as_u64().unwrap() as u32;
    let (first, from) = receiver.packet().await;
    assert!(starts(&first), "one is asked for at the beginning");

    let pli = PictureLossIndication {
        sender_ssrc: 1,
        media_ssrc: ssrc,
    };
    let fir = FullIntraRequest {
        sender_ssrc: 1,
        media_ssrc: ssrc,
        fir: vec![FirEntry {
            ssrc,
            sequence_number: 1,
        }],
    };
    for request in [pli.marshal().unwrap(), fir.marshal().unwrap()] {
        // A request for the frame that the one before led to is one with it.
        tokio::time::sleep(Duration::from_millis(600)).await;
        receiver.drain();
        receiver.rtcp.send_to(&request, from).await.unwrap();
        receiver.key_frame().await;
    }
    // Somebody else's wish is not heard, nor one for another stream.
    let other = PictureLossIndication {
        sender_ssrc: 1,
        media_ssrc: ssrc + 1,
    };
    let foreign = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    receiver.drain();
    foreign
        .send_to(&pli.marshal().unwrap(), from)
        .await
        .unwrap();
    receiver
        .rtcp
        .send_to(&other.marshal().unwrap(), from)
        .await
        .unwrap();
    receiver.rtcp.send_to(b"not rtcp", from).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(1);
    let mut last = None;
    while Instant::now() < deadline {
        let (packet, _) = receiver.packet().await;
        assert!(!starts(&packet), "a key frame that nobody may ask for");
        last = Some(packet);
    }

    let lost = last.unwrap();
    let nack = TransportLayerNack {
        sender_ssrc: 1,
        media_ssrc: ssrc,
        nacks: nack_pairs_from_sequence_numbers(&[lost.header.sequence_number]),
    };
    receiver
        .rtp
        .send_to(&nack.marshal().unwrap(), from)
        .await
        .unwrap();
    let again = loop {
        let (packet, _) = receiver.packet().await;
        if packet.header.sequence_number == lost.header.sequence_number {
            break packet;
        }
    };
    assert_eq!(again, lost, "the same packet once more");
    let shown = studio
        .get(&format!("/{}", begun["id"].as_str().unwrap()))
        .await;
    assert_eq!(shown["keyFrameRequests"], 2);
    assert_eq!(shown["retransmissions"], 1);
}

/// As ffmpeg says nothing: it may begin at any time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_never_asks_gets_a_key_frame_now_and_then() {
    let studio = Studio::open(&ALLOWED);
    let ada = studio.enter_with(1, None).await;
    let mut receiver = Receiver::bind().await;
    studio.post(&receiver.wish(&ada, "camera")).await;
    receiver.key_frame().await;
    let began = Instant::now();
    // Whatever the beginning led to is over then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    receiver.drain();
    receiver.key_frame().await;
    let waited = began.elapsed();
    assert!((3..10).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srtp_is_opened_with_the_key_of_the_description_and_with_no_other() {
    let studio = Studio::open(&ALLOWED);
    let ada = studio.enter(1).await;
    let own_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==";
    for (srtp, suite) in [
        (json!(true), "AES_CM_128_HMAC_SHA1_80"),
        (json!({"suite": "AEAD_AES_128_GCM"}), "AEAD_AES_128_GCM"),
        (
            json!({"suite": "AEAD_AES_128_GCM", "key": own_key}),
            "AEAD_AES_128_GCM",
        ),
    ] {
        let receiver = Receiver::bind().await;
        let mut wish = receiver.wish(&ada, "microphone");
        wish["srtp"] = srtp.clone();
        wish["rtcp"] = json!("mux");
        let (status, begun) = studio.post(&wish).await;
        assert_eq!(status, 201, "{begun}");
        assert_eq!(begun["srtp"], json!({"suite": suite}), "no key is listed");
        let id = begun["id"].as_str().unwrap();
        let sdp = studio.sdp(id).await;
        let line = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=crypto:1 "));
        let (told, key) = line.unwrap().split_once(" inline:").unwrap();
        assert_eq!(told, suite);
        assert!(
            sdp.contains("RTP/SAVPF 111") && sdp.contains("a=rtcp-mux"),
            "{sdp}"
        );
        if let Some(own) = srtp["key"].as_str() {
            assert_eq!(key, own);
        }
        assert!(!studio.list().await.to_string().contains(key));

        let mut opener = reference(suite, key);
        let mut other = reference(suite, own_key_of_others(suite));
        let (mut media, mut reports) = (0, 0);
        while media < 20 || reports < 1 {
            let (datagram, _) = receiver.datagram().await;
            if is_rtcp(&datagram) {
                opener.decrypt_rtcp(&datagram).unwrap();
                reports += 1;
            } else {
                assert!(other.decrypt_rtp(&datagram).is_err());
                let opened = opener.decrypt_rtp(&datagram).unwrap();
                let packet = Packet::unmarshal(&mut opened.freeze()).unwrap();
                assert!(
                    read_opus(&packet.payload).is_some(),
                    "what was sent comes out"
                );
                media += 1;
            }
        }
        assert_eq!(studio.delete(&format!("/{id}")).await, 204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forward_outlives_mute_and_a_track_that_goes_and_comes_but_not_its_member() {
    let studio = Studio::open(&ALLOWED);
    let mut ada = studio.enter(1).await;
    let mut receiver = Receiver::bind().await;
    let (_, begun) = studio.post(&receiver.wish(&ada, "microphone")).await;
    let id = begun["id"].as_str().unwrap().to_owned();
    let (first, _) = receiver.packet().await;
    let source = Source::Microphone;
    let publish = ClientMessage::Publish {
        source,
        mid: Some("0".to_owned()),
        stream: None,
        muted: false,
    };
    for (quiet, loud, state) in [
        (
            ClientMessage::Mute {
                source,
                muted: true,
            },
            ClientMessage::Mute {
                source,
                muted: false,
            },
            "muted",
        ),
        (ClientMessage::Unpublish { source }, publish, "waiting"),
    ] {
        ada.client.signaling.say(&quiet).await.unwrap();
        studio.state_is(&id, state).await;
        receiver.silent().await;
        ada.client.signaling.say(&loud).await.unwrap();
        let (packet, _) = receiver.packet().await;
        assert_eq!(
            packet.header.ssrc, first.header.ssrc,
            "it is the same stream"
        );
        studio.state_is(&id, "sending").await;
    }
    ada.client.leave().await.unwrap();
    studio.state_is(&id, "ended").await;
    let _: Goodbye = receiver.report().await;
    let stats = studio.stats().await;
    assert_eq!(stats["forwards"], 0);
    assert_eq!(
        studio.delete(&format!("/{id}")).await,
        204,
        "it is forgotten"
    );
    assert_eq!(studio.list().await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_listens_harms_nobody() {
    let studio = Studio::open(&ALLOWED);
    let ada = studio.enter(1).await;
    let gone = Receiver::bind().await;
    let wish = gone.wish(&ada, "camera");
    drop(gone);
    let (status, dead) = studio.post(&wish).await;
    assert_eq!(status, 201);
    let mut receiver = Receiver::bind().await;
    let (_, _) = studio.post(&receiver.wish(&ada, "camera")).await;
    let (first, _) = receiver.packet().await;
    let mut last = first.header.sequence_number;
    for _ in 0..80 {
        let (packet, _) = receiver.packet().await;
        last = last.wrapping_add(1);
        assert_eq!(packet.header.sequence_number, last);
    }
    let shown = studio
        .get(&format!("/{}", dead["id"].as_str().unwrap()))
        .await;
    assert_eq!(shown["state"], "sending");
    assert!(*ada.client.connected.borrow(), "the call goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_listed_addresses_and_nothing_of_the_node_is_sent_to() {
    let list = "127.0.0.1,::/0,203.0.113.0/24";
    let studio = Studio::open(&["--forward-allow", list]);
    let ada = studio.enter(1).await;
    let receiver = Receiver::bind().await;
    let (http, media) = (studio.node.http.port(), studio.node.media[0].port());
    for (host, port, rtcp) in [
        ("192.0.2.7", 5004, json!(null)),
        ("127.0.0.2", 5004, json!(null)),
        ("0.0.0.0", 5004, json!(null)),
        ("224.0.0.1", 5004, json!(null)),
        ("255.255.255.255", 5004, json!(null)),
        ("::", 5004, json!(null)),
        ("ff02::1", 5004, json!(null)),
        ("::ffff:127.0.0.1", 5004, json!(null)),
        ("::127.0.0.1", 5004, json!(null)),
        ("64:ff9b::127.0.0.2", 5004, json!(null)),
        ("2002:7f00:2::1", 5004, json!(null)),
        ("2001:0:808:808::80ff:fffe", 5004, json!(null)),
        ("127.0.0.1", http, json!(null)),
        ("127.0.0.1", media, json!(null)),
        ("127.0.0.1", *common::RELAY_PORTS.start(), json!(null)),
        ("127.0.0.1", 5004, json!(media)),
    ] {
        let mut wish = receiver.wish(&ada, "camera");
        wish["host"] = json!(host);
        wish["port"] = json!(port);
        wish["rtcp"] = rtcp;
        let (status, problem) = studio.post(&wish).await;
        assert_eq!(status, 403, "{host} {port}: {problem}");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("--forward-allow")
        );
    }
    assert_eq!(studio.list().await, json!([]));

    let closed = Studio::open(&[]);
    let bob = closed.enter(1).await;
    assert_eq!(closed.post(&receiver.wish(&bob, "camera")).await.0, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_cannot_be_sent() {
    let studio = Studio::open(&ALLOWED);
    let receiver = Receiver::bind().await;
    let ghost = json!({
        "track": {"member": MemberId(7), "source": "camera"},
        "host": "127.0.0.1",
        "port": receiver.port(),
    });
    assert_eq!(studio.post(&ghost).await.0, 404, "no room");
    let ada = studio.enter(1).await;
    assert_eq!(studio.post(&ghost).await.0, 404, "no member");
    let (status, problem) = studio.post(&receiver.wish(&ada, "screen")).await;
    assert_eq!(status, 404, "no track");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("does not send")
    );
    assert_eq!(studio.get("/0").await["status"], 404);
    assert_eq!(studio.get("/0.sdp").await["status"], 404);
    assert_eq!(studio.delete("/0").await, 404);
    for _ in 0..32 {
        let (status, begun) = studio.post(&receiver.wish(&ada, "microphone")).await;
        assert_eq!(status, 201, "{begun}");
    }
    let (status, problem) = studio.post(&receiver.wish(&ada, "microphone")).await;
    assert_eq!(status, 503, "{problem}");

    let mesh = Studio::open(&["--topology", "mesh", ALLOWED[0], ALLOWED[1]]);
    let (_bob, joined) = common::Client::join(&mesh.node, ROOM, "Bob").await;
    let mut wish = ghost.clone();
    wish["track"]["member"] = joined["you"].clone();
    assert_eq!(mesh.post(&wish).await.0, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_moves_to_the_node_while_something_is_sent() {
    let studio = Studio::open(&ALLOWED);
    let (mut ada, joined) = common::Client::join(&studio.node, ROOM, "Ada").await;
    let (mut bob, _) = common::Client::join(&studio.node, ROOM, "Bob").await;
    ada.say(json!({"type": "publish", "source": "camera", "muted": false}))
        .await;
    bob.hear_type("member").await;
    let receiver = Receiver::bind().await;
    let wish = json!({
        "track": {"member": joined["you"], "source": "camera"},
        "host": "127.0.0.1",
        "port": receiver.port(),
    });
    let (status, begun) = studio.post(&wish).await;
    assert_eq!(status, 201, "{begun}");
    assert_eq!(begun["state"], "waiting");
    let switch = bob.hear_type("switch").await;
    assert_eq!(switch["mode"], "sfu");
    let sdp = format!("/{}.sdp", begun["id"].as_str().unwrap());
    assert_eq!(
        studio.get(&sdp).await["status"],
        503,
        "its codec is not known"
    );
}

/// A node and the API of its forwards.
struct Studio {
    node: common::Node,
    http: reqwest::Client,
}

impl Studio {
    fn open(flags: &[&str]) -> Self {
        let node = common::Node::start(flags);
        let http = common::admin();
        Self { node, http }
    }

    async fn enter(&self, number: u32) -> Person {
        self.enter_with(number, Some(FPS / 2)).await
    }

    /// With a key frame every so many frames besides those that are asked for.
    async fn enter_with(&self, number: u32, key_every: Option<u32>) -> Person {
        let part = Part {
            room: ROOM.to_owned(),
            name: format!("person {number}"),
            publish: true,
            seats: 0,
            media_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            number,
        };
        let url = format!("ws://{}/ws", self.node.http);
        let mut client = Client::join(&url, &part).await.unwrap();
        client.connected(PATIENCE).await.unwrap();
        let ServerMessage::Joined { you, .. } = client.joined else {
            unreachable!("a client that joined was told so");
        };
        let wishes = Arc::new(AtomicU32::new(0));
        let camera = client.camera.clone().unwrap();
        let tasks = vec![
            tokio::spawn(speak(number, client.microphone.clone().unwrap())),
            tokio::spawn(listen(self.node.url("/api/stats"), wishes.clone())),
            tokio::spawn(show(number, camera, (key_every, wishes))),
        ];
        Person {
            id: you,
            client,
            tasks,
        }
    }

    fn url(&self, rest: &str) -> String {
        self.node
            .url(&format!("/api/rooms/on%20air/forwards{rest}"))
    }

    async fn post(&self, wish: &Value) -> (u16, Value) {
        let answer = self
            .http
            .post(self.url(""))
            .json(wish)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").cloned();
        let body: Value = answer.json().await.unwrap();
        if let Some(location) = location {
            let expected = format!(
                "/api/rooms/on%20air/forwards/{}",
                body["id"].as_str().unwrap()
            );
            assert_eq!(location.to_str().unwrap(), expected);
        }
        (status, body)
    }

    async fn get(&self, rest: &str) -> Value {
        let answer = self.http.get(self.url(rest)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    async fn list(&self) -> Value {
        self.get("").await
    }

    /// By its name and by what is accepted: the same.
    async fn sdp(&self, id: &str) -> String {
        let named = self
            .http
            .get(self.url(&format!("/{id}.sdp")))
            .send()
            .await
            .unwrap();
        assert_eq!(named.headers()["content-type"], "application/sdp");
        let asked = self
            .http
            .get(self.url(&format!("/{id}")))
            .header("accept", "application/sdp");
        let asked = asked.send().await.unwrap().text().await.unwrap();
        assert_eq!(named.text().await.unwrap(), asked);
        asked
    }

    async fn delete(&self, rest: &str) -> u16 {
        let answer = self.http.delete(self.url(rest)).send().await.unwrap();
        answer.status().as_u16()
    }

    async fn stats(&self) -> Value {
        let stats = self
            .http
            .get(self.node.url("/api/stats"))
            .send()
            .await
            .unwrap();
        stats.json().await.unwrap()
    }

    async fn state_is(&self, id: &str, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.list().await;
            let mut all = list.as_array().unwrap().iter();
            let one = all.find(|one| one["id"] == id).unwrap();
            if one["state"] == state {
                return;
            }
            assert!(Instant::now() < deadline, "not {state}: {one}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A member whose media runs.
struct Person {
    id: MemberId,
    client: Client,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn speak(number: u32, track: Arc<dyn TrackLocal>) {
    let ssrc = track.ssrcs().await[0];
    let mut microphone = Microphone::new(number, ssrc, OPUS, 0);
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    loop {
        beat.tick().await;
        // Before it is bound, and while it is bound anew, there is nowhere to write to.
        let _ = track.write_rtp(microphone.packet(960)).await;
    }
}

async fn show(
    number: u32,
    track: Arc<dyn TrackLocal>,
    (key_every, wishes): (Option<u32>, Arc<AtomicU32>),
) {
    let ssrc = track.ssrcs().await[0];
    let mut camera = Camera::new(number, 0, ssrc, VP8, 0);
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    for frame in 0_u32.. {
        beat.tick().await;
        if wishes.swap(0, Ordering::SeqCst) > 0 || key_every.is_some_and(|n| frame % n == 0) {
            camera.want_key();
        }
        for packet in camera.frame(90_000 / FPS) {
            let _ = track.write_rtp(packet).await;
        }
    }
}

/// Notes when the node asks for a key frame. The client takes such requests in without a word, so the
/// node is asked how many it sent.
async fn listen(stats: String, wishes: Arc<AtomicU32>) {
    let http = common::admin();
    let mut before = 0;
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    loop {
        beat.tick().await;
        let Ok(answer) = http.get(&stats).send().await else {
            return;
        };
        let stats: Value = answer.json().await.unwrap();
        let count = stats["keyFrameRequestsOut"].as_u64().unwrap();
        let new = count - std::mem::replace(&mut before, count);
        wishes.fetch_add(new as u32, Ordering::SeqCst);
    }
}

/// A program that gets RTP on one port and RTCP on the next.
struct Receiver {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Receiver {
    async fn bind() -> Self {
        loop {
            let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let port = rtp.local_addr().unwrap().port();
            let Some(next) = port.checked_add(1) else {
                continue;
            };
            if let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", next)).await {
                return Self { rtp, rtcp };
            }
        }
    }

    fn port(&self) -> u16 {
        self.rtp.local_addr().unwrap().port()
    }

    fn wish(&self, person: &Person, source: &str) -> Value {
        json!({
            "track": {"member": person.id, "source": source},
            "host": "127.0.0.1",
            "port": self.port(),
        })
    }

    async fn datagram(&self) -> (Vec<u8>, SocketAddr) {
        receive(&self.rtp).await
    }

    async fn packet(&mut self) -> (Packet, SocketAddr) {
        let (datagram, from) = self.datagram().await;
        let packet = Packet::unmarshal(&mut &datagram[..]).unwrap();
        (packet, from)
    }

    async fn key_frame(&mut self) {
        loop {
            let (packet, _) = self.packet().await;
            if starts(&packet) {
                return;
            }
        }
    }

    /// The next report of that kind.
    async fn report<T: rtcp::Packet + Clone + 'static>(&mut self) -> T {
        loop {
            let (datagram, _) = receive(&self.rtcp).await;
            let packets = rtcp::packet::unmarshal(&mut &datagram[..]).unwrap();
            let found = packets
                .iter()
                .find_map(|packet| packet.as_any().downcast_ref::<T>());
            if let Some(found) = found {
                return found.clone();
            }
        }
    }

    fn drain(&self) {
        let mut bytes = [0; 2_000];
        while self.rtp.try_recv_from(&mut bytes).is_ok() {}
    }

    /// Nothing comes, beside what was on its way.
    async fn silent(&self) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        self.drain();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut bytes = [0; 2_000];
        assert!(self.rtp.try_recv_from(&mut bytes).is_err(), "it goes on");
    }
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 2_000];
    let received = tokio::time::timeout(PATIENCE, socket.recv_from(&mut bytes));
    let (length, from) = received.await.expect("something comes").unwrap();
    bytes.truncate(length);
    (bytes, from)
}

/// A decoder can begin here.
fn starts(packet: &Packet) -> bool {
    let sound = read_opus(&packet.payload).is_some();
    let picture = Vp8::read(&packet.payload);
    sound || picture.is_some_and(|vp8| vp8.stamp.key && vp8.stamp.part == 0)
}

fn is_rtcp(datagram: &[u8]) -> bool {
    (192..=223).contains(&datagram[1])
}

fn own_key_of_others(suite: &str) -> &'static str {
    match suite {
        "AEAD_AES_128_GCM" => "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==",
        _ => "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
    }
}

/// Opens what was sealed with a key of SDP.
fn reference(suite: &str, key: &str) -> Context {
    let bytes = unbase64(key);
    let provider = rtc_crypto::default_provider().unwrap();
    let profile = match suite {
        "AEAD_AES_128_GCM" => ProtectionProfile::AeadAes128Gcm,
        _ => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    Context::new(
        &bytes[..16],
        &bytes[16..],
        profile,
        None,
        None,
        provider.crypto(),
    )
    .unwrap()
}

fn unbase64(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.chars().map_while(|c| alphabet.find(c)) {
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
