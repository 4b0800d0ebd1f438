//! Publishers over WHIP and viewers over WHEP against the real node on loopback: real sockets, real
//! time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use webrtc::media_stream::track_remote::TrackRemote;

mod common;
#[path = "sim/media.rs"]
#[allow(dead_code, unreachable_pub)]
mod media;
#[path = "common/numbered.rs"]
mod numbered;
#[path = "../examples/support/mod.rs"]
mod support;
#[path = "common/whip.rs"]
mod whip;

use numbered::{Received, show, speak, watch};
use support::{Client, Part};
use whip::HttpClient;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// In a room that begins as a mesh: it is one again after the last of them is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_over_http_is_seen_over_the_websocket_and_over_http() {
    let node = common::Node::start(&[]);
    let (mut ada, joined) = common::Client::join(&node, "room", "Ada").await;
    assert_eq!(joined["topology"]["mode"], "mesh");

    let mut publisher = publish(&node, "/whip/room?name=Studio", 1).await;
    let switch = ada.hear_type("switch").await;
    assert_eq!(
        (&switch["mode"], &switch["why"]["cause"]),
        (&json!("sfu"), &json!("sfuOnly"))
    );
    let member = ada.hear_type("member").await["member"].clone();
    assert_eq!(
        (&member["kind"], &member["name"]),
        (&json!("whip"), &json!("Studio"))
    );

    let url = format!("ws://{}/ws", node.http);
    let part = Part {
        room: "room".to_owned(),
        name: "Ben".to_owned(),
        publish: false,
        seats: 2,
        media_ip: LOOPBACK,
        number: 9,
    };
    let mut ben = Client::join(&url, &part).await.unwrap();
    let mut eve = HttpClient::view(&node.url("/whep/room"), LOOPBACK, 1)
        .await
        .unwrap();
    let by_socket = Sink::default();
    let by_http = Sink::default();
    by_socket.plays(&mut ben.tracks, &[1]).await;
    by_http.plays(&mut eve.tracks, &[1]).await;

    let described = describe(&node, "room").await;
    let kinds: Vec<&Value> = described["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| &member["kind"])
        .collect();
    assert_eq!(
        kinds,
        [&Value::Null, &json!("whip"), &Value::Null, &json!("whep")]
    );
    assert_eq!(described["members"][1]["node"], "up");

    publisher.client.leave().await.unwrap();
    let left = ada.hear_type("left").await;
    assert_eq!(
        (&left["member"], &left["reason"]),
        (&member["id"], &json!("left"))
    );
    assert!(!publisher.client.is_there().await.unwrap());
    eve.leave().await.unwrap();
    ben.leave().await.unwrap();
    publisher.stop();
}

/// With one pair of m-lines it is whom the viewer names, with two it is everyone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_whom_they_name_or_everyone_they_have_a_seat_for() {
    let node = common::Node::start(&[]);
    let mut one = publish(&node, "/whip/room?name=One", 1).await;
    let mut two = publish(&node, "/whip/room?name=Two", 2).await;
    for (member, number) in [("Two", 2), ("One", 1)] {
        let url = node.url(&format!("/whep/room?member={member}"));
        let mut viewer = HttpClient::view(&url, LOOPBACK, 1).await.unwrap();
        let sink = Sink::default();
        sink.plays(&mut viewer.tracks, &[number]).await;
        assert!(
            sink.received.lock().unwrap().keys().eq([&number]),
            "only {member}"
        );
        viewer.leave().await.unwrap();
    }
    let mut viewer = HttpClient::view(&node.url("/whep/room"), LOOPBACK, 2)
        .await
        .unwrap();
    Sink::default().plays(&mut viewer.tracks, &[1, 2]).await;
    viewer.leave().await.unwrap();
    one.stop();
    two.stop();
}

/// The client says nothing over HTTP: it closes its connection, and DTLS tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_closes_their_connection_has_left() {
    let node = common::Node::start(&[]);
    let (mut ada, _) = common::Client::join(&node, "room", "Ada").await;
    let mut publisher = publish(&node, "/whip/room", 1).await;
    let member = ada.hear_type("member").await["member"]["id"].clone();
    publisher.client.connected(PATIENCE).await.unwrap();
    publisher.client.connection.close().await.unwrap();
    let left = ada.hear_type("left").await;
    assert_eq!(
        (&left["member"], &left["reason"]),
        (&member, &json!("lost"))
    );
    assert!(!publisher.client.is_there().await.unwrap());
    publisher.stop();
}

struct Publisher {
    client: HttpClient,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Publisher {
    fn stop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn publish(node: &common::Node, path: &str, number: u32) -> Publisher {
    let client = HttpClient::publish(&node.url(path), LOOPBACK, number).await;
    let client = client.unwrap();
    let tasks = vec![
        tokio::spawn(speak(number, client.microphone.clone().unwrap())),
        tokio::spawn(show(number, client.camera.clone().unwrap())),
    ];
    Publisher { client, tasks }
}

async fn describe(node: &common::Node, room: &str) -> Value {
    let url = node.url(&format!("/api/rooms/{room}"));
    common::admin()
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[derive(Default)]
struct Sink {
    received: Received,
}

impl Sink {
    /// Waits until sound and picture of all of them come.
    async fn plays(
        &self,
        tracks: &mut tokio::sync::mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
        publishers: &[u32],
    ) {
        let deadline = Instant::now() + PATIENCE;
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let plays = |publisher| {
            let received = self.received.lock().unwrap();
            received
                .get(publisher)
                .is_some_and(|kinds| kinds.iter().all(Option::is_some))
        };
        while !publishers.iter().all(plays) {
            assert!(Instant::now() < deadline, "waits for {publishers:?}");
            tokio::select! {
                Some(track) = tracks.recv() => {
                    tokio::spawn(watch(track, self.received.clone()));
                }
                _ = beat.tick() => {}
            }
        }
    }
}
