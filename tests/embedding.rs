//! The node as a library: a client of another make joins and publishes, the program around the node sees
//! events and frames.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use motet::protocol::client::ClientMessage;
use motet::{
    Codec, Event, Events, GapCause, MemberId, Node, RecordingEnd, RoomEvent, Source, Tap, TapError,
    TapScope, Word,
};
use serde_json::{Value, json};

#[path = "studio/film.rs"]
mod film;
#[path = "../examples/support/mod.rs"]
mod support;

use film::{Loss, SILENCE, show, speak};
use support::{Client, Part};

const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: &str = "tea";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_in_a_room_is_told_in_order() {
    let data = tempfile::tempdir().unwrap();
    let (node, mut events) = start(data.path(), &[]).await;
    let mut ada = enter(&node, "Ada").await;
    let Event::Room { room, event } = next(&mut events).await else {
        panic!("nothing is missed");
    };
    assert_eq!((room.as_str(), event), (ROOM, RoomEvent::Opened));
    let RoomEvent::Joined { member, name } = next_in_room(&mut events).await else {
        panic!("she joined first");
    };
    assert_eq!(name, "Ada");
    for source in [Source::Microphone, Source::Camera] {
        let muted = false;
        let published = RoomEvent::Published {
            member,
            source,
            muted,
        };
        assert_eq!(next_in_room(&mut events).await, published);
    }
    let (source, muted) = (Source::Camera, true);
    let mute = ClientMessage::Mute { source, muted };
    ada.client.signaling.say(&mute).await.unwrap();
    let told = RoomEvent::Muted {
        member,
        source,
        muted,
    };
    assert_eq!(next_in_room(&mut events).await, told);

    let http = manager(&node);
    let recordings = format!("http://{}/api/rooms/{ROOM}/recordings", node.address());
    let begun = http.post(&recordings).json(&json!({})).send().await;
    let begun: Value = begun.unwrap().json().await.unwrap();
    let recording = begun["id"].as_str().unwrap().to_owned();
    assert_eq!(
        next_in_room(&mut events).await,
        RoomEvent::RecordingBegun {
            recording: recording.clone()
        }
    );
    http.delete(&recordings).send().await.unwrap();
    let why = RecordingEnd::Stopped;
    assert_eq!(
        next_in_room(&mut events).await,
        RoomEvent::RecordingEnded { recording, why }
    );

    let unpublish = ClientMessage::Unpublish { source };
    ada.client.signaling.say(&unpublish).await.unwrap();
    assert_eq!(
        next_in_room(&mut events).await,
        RoomEvent::Unpublished { member, source }
    );
    ada.client.leave().await.unwrap();
    assert_eq!(next_in_room(&mut events).await, RoomEvent::Left { member });
    node.stop().await;
    assert_eq!(next_in_room(&mut events).await, RoomEvent::Closed);
    assert_eq!(events.next().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_hands_out_what_was_sent() {
    let data = tempfile::tempdir().unwrap();
    let (node, _) = start(data.path(), &[]).await;
    let ada = enter(&node, "Ada").await;
    let mut tap = node.tap(ROOM, TapScope::default()).await.unwrap();
    let Word::Begin { manifest, .. } = hear(&mut tap).await else {
        panic!("it begins");
    };
    assert_eq!(manifest.room, ROOM);
    let mut tracks = [None; 2];
    let (mut pictures, mut sounds) = (Vec::new(), 0);
    while pictures.len() < 40 || sounds < 50 {
        match hear(&mut tap).await {
            Word::Track {
                track,
                name,
                source,
                ..
            } => {
                assert_eq!(name, "Ada");
                tracks[usize::from(source == Source::Camera)] = Some(track);
            }
            Word::Frame { track, frame } if Some(track) == tracks[1] => {
                assert_eq!(frame.codec, Codec::Vp8);
                if let Some(format) = &frame.format {
                    assert_eq!((format.width, format.height), (320, 180));
                }
                pictures.push(frame);
            }
            Word::Frame { track, frame } => {
                assert_eq!((Some(track), frame.codec), (tracks[0], Codec::Opus));
                assert_eq!(frame.data, SILENCE);
                sounds += 1;
            }
            Word::Speakers { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let sent: Vec<_> = film::pictures().collect();
    assert!(pictures[0].key);
    let first = sent
        .iter()
        .position(|sent| *sent == pictures[0].data)
        .unwrap();
    for (frame, number) in pictures.iter().zip(first..) {
        assert!(frame.data == sent[number % sent.len()], "frame {number}");
    }
    drop(ada);
    node.stop().await;
    let mut last = None;
    while let Some(word) = tap.next().await {
        last = Some(word);
    }
    let why = RecordingEnd::RoomClosed;
    assert!(
        matches!(last, Some(Word::End { why: ended, .. }) if ended == why),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taps_are_of_what_was_asked_for_and_beside_each_other() {
    let data = tempfile::tempdir().unwrap();
    let (node, _) = start(data.path(), &[]).await;
    let tapped = node.tap(ROOM, TapScope::default()).await;
    assert_eq!(tapped.err(), Some(TapError::NoRoom));
    let ada = enter(&node, "Ada").await;
    let sound = TapScope {
        audio_only: true,
        ..TapScope::default()
    };
    let nobody = TapScope {
        members: [MemberId(1)].into(),
        ..TapScope::default()
    };
    let mut heard = Vec::new();
    for (scope, expected) in [
        (
            TapScope::default(),
            vec![Source::Microphone, Source::Camera],
        ),
        (sound, vec![Source::Microphone]),
        (nobody, vec![]),
    ] {
        let mut tap = node.tap(ROOM, scope).await.unwrap();
        let mut sources = Vec::new();
        while sources.len() < expected.len() {
            if let Word::Track { source, .. } = hear(&mut tap).await {
                sources.push(source);
            }
        }
        sources.sort();
        assert_eq!(sources, expected);
        heard.push(tap);
    }
    for _ in heard.len()..8 {
        heard.push(node.tap(ROOM, TapScope::default()).await.unwrap());
    }
    let one_more = node.tap(ROOM, TapScope::default()).await;
    assert_eq!(one_more.err(), Some(TapError::TooMany));
    // Dropped, they are taken off, and others can be put on.
    heard.truncate(1);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while node.tap(ROOM, TapScope::default()).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What is muted is a gap.
    let mute = ClientMessage::Mute {
        source: Source::Microphone,
        muted: true,
    };
    let mut ada = ada;
    ada.client.signaling.say(&mute).await.unwrap();
    let cause = loop {
        if let Word::Absent { cause, .. } = hear(&mut heard[0]).await {
            break cause;
        }
    };
    assert_eq!(cause, GapCause::Muted);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_brings_media_to_the_node_and_its_end_does_not_end_the_call() {
    let data = tempfile::tempdir().unwrap();
    let (node, _) = start(data.path(), &[]).await;
    let ada = enter(&node, "Ada").await;
    let tap = node.tap(ROOM, TapScope::default()).await.unwrap();
    assert_eq!(mode(&node).await, json!("sfu"));
    drop(tap);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(*ada.client.connected.borrow());
    node.stop().await;

    let (mesh, _) = start(data.path(), &[("topology", "mesh")]).await;
    let rooms = format!("http://{}/api/rooms", mesh.address());
    let made = manager(&mesh).post(rooms);
    made.json(&json!({ "name": ROOM })).send().await.unwrap();
    let tapped = mesh.tap(ROOM, TapScope::default()).await;
    assert_eq!(tapped.err(), Some(TapError::Mesh));
    mesh.stop().await;
}

#[tokio::test]
async fn a_wrong_setting_is_said_in_a_line() {
    let started = Node::builder().set("media-prot", "0").start().await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("the nearest is --media-port"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_dropped_ends() {
    let data = tempfile::tempdir().unwrap();
    let (node, mut events) = start(data.path(), &[]).await;
    let mut ada = enter(&node, "Ada").await;
    let mut tap = node.tap(ROOM, TapScope::default()).await.unwrap();
    let address = node.address();
    drop(node);
    while events.next().await.is_some() {}
    while tap.next().await.is_some() {}
    let heard = async { while ada.client.signaling.hear().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, heard).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "it still listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn start(data: &std::path::Path, more: &[(&str, &str)]) -> (Node, Events) {
    let mut builder = Node::builder()
        .set("http-listen", "127.0.0.1:0")
        .set("media-port", "0")
        .set("media-ip", "127.0.0.1")
        .set("data-dir", data.to_str().unwrap());
    for (name, value) in more {
        builder = builder.set(name, value);
    }
    builder.start().await.unwrap()
}

/// A client that may use the node's API.
fn manager(node: &Node) -> reqwest::Client {
    let value = format!("Bearer {}", node.admin_token()).parse().unwrap();
    let headers = [(reqwest::header::AUTHORIZATION, value)].into_iter();
    let builder = reqwest::Client::builder().default_headers(headers.collect());
    builder.build().unwrap()
}

async fn mode(node: &Node) -> Value {
    let url = format!("http://{}/api/rooms/{ROOM}", node.address());
    let room: Value = manager(node)
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    room["mode"].clone()
}

async fn next(events: &mut Events) -> Event {
    let next = tokio::time::timeout(PATIENCE, events.next()).await;
    next.unwrap().unwrap()
}

async fn next_in_room(events: &mut Events) -> RoomEvent {
    match next(events).await {
        Event::Room { room, event } if room == ROOM => event,
        other => panic!("{other:?}"),
    }
}

async fn hear(tap: &mut Tap) -> Word {
    let word = tokio::time::timeout(PATIENCE, tap.next()).await;
    word.unwrap().unwrap()
}

/// A member whose media runs.
struct Person {
    client: Client,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn enter(node: &Node, name: &str) -> Person {
    let part = Part {
        room: ROOM.to_owned(),
        name: name.to_owned(),
        publish: true,
        seats: 0,
        media_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        number: 1,
    };
    let url = format!("ws://{}/ws", node.address());
    let mut client = Client::join(&url, &part).await.unwrap();
    client.connected(PATIENCE).await.unwrap();
    let tasks = vec![
        tokio::spawn(speak(client.microphone.clone().unwrap(), Loss::None)),
        tokio::spawn(show(
            client.camera.clone().unwrap(),
            Loss::None,
            Arc::default(),
        )),
    ];
    Person { client, tasks }
}
