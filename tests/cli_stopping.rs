//! How a node stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::time::{Duration, Instant};

use common::{Client, Node};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Longer than a test may take.
const FOR_LONG: [&str; 2] = ["--drain-seconds", "600"];

async fn status(node: &Node, path: &str) -> u16 {
    let answer = reqwest::get(node.url(path)).await.unwrap();
    answer.status().as_u16()
}

async fn asked_to_join(node: &Node, room: &str) -> Value {
    let mut client = Client::connect(node).await;
    let join = json!({"type": "join", "id": 1, "room": room, "name": "Bob"});
    client.say(join).await;
    client.hear().await
}

async fn ends_with(mut node: Node, code: i32) {
    let ended = tokio::task::spawn_blocking(move || node.wait().code());
    assert_eq!(ended.await.unwrap(), Some(code));
}

#[tokio::test]
async fn a_call_goes_on_after_sigterm_and_the_node_ends_with_it() {
    let node = Node::start(&FOR_LONG);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    assert_eq!(status(&node, "/ready").await, 200);
    node.terminate();
    let told = ada.hear_type("draining").await;
    let seconds = told["seconds"].as_u64().unwrap();
    assert!(
        (1..=600).contains(&seconds) && told["seq"].is_u64(),
        "{told}"
    );
    assert_eq!(status(&node, "/ready").await, 503);
    assert_eq!(status(&node, "/health").await, 200);
    let refused = asked_to_join(&node, "another").await;
    assert_eq!(
        (&refused["type"], &refused["code"]),
        (&json!("error"), &json!("draining"))
    );
    let (mut bob, _) = Client::join(&node, "room", "Bob").await;
    bob.hear_type("draining").await;
    ada.hear_type("member").await;
    bob.say(json!({"type": "chat", "text": "still here"})).await;
    ada.hear_type("chat").await;
    for mut client in [ada, bob] {
        client.say(json!({"type": "bye"})).await;
        client.hear_end().await;
    }
    ends_with(node, 0).await;
}

#[tokio::test]
async fn a_call_that_goes_on_for_too_long_is_ended() {
    let node = Node::start(&["--drain-seconds", "1"]);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    node.terminate();
    assert_eq!(ada.hear_type("draining").await["seconds"], 1);
    let (last, close) = ada.hear_end().await;
    assert_eq!(last.unwrap()["reason"], "shutdown");
    assert_eq!(u16::from(close.unwrap().code), 1001);
    ends_with(node, 0).await;
}

#[tokio::test]
async fn somebody_at_a_terminal_does_not_wait_for_calls_to_end() {
    let node = Node::start(&FOR_LONG);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    node.signal(Signal::SIGINT);
    let told = ada.hear().await;
    assert_eq!(
        (&told["type"], &told["reason"]),
        (&json!("bye"), &json!("shutdown"))
    );
    ada.hear_end().await;
    ends_with(node, 0).await;
}

#[tokio::test]
async fn a_second_signal_ends_what_the_first_let_go_on() {
    for second in [Signal::SIGTERM, Signal::SIGINT] {
        let node = Node::start(&FOR_LONG);
        let (mut ada, _) = Client::join(&node, "room", "Ada").await;
        node.terminate();
        ada.hear_type("draining").await;
        node.signal(second);
        ends_with(node, 130).await;
    }
}

#[tokio::test]
async fn everyone_is_told_before_the_node_stops() {
    let mut node = Node::start(&[]);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    let mut waiting = Client::connect(&node).await;
    node.terminate();
    let (last, close) = ada.hear_end().await;
    let last = last.unwrap();
    assert_eq!(
        (last["type"].as_str(), last["reason"].as_str()),
        (Some("bye"), Some("shutdown"))
    );
    assert_eq!(u16::from(close.unwrap().code), 1001);
    let (_, close) = waiting.hear_end().await;
    assert_eq!(u16::from(close.unwrap().code), 1001);
    assert_eq!(node.wait().code(), Some(0));
}

#[tokio::test]
async fn a_node_without_guests_stops_at_once() {
    let mut node = Node::start(&[]);
    let begun = Instant::now();
    node.terminate();
    assert_eq!(node.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn who_does_not_read_does_not_keep_the_node_from_stopping() {
    let mut node = Node::start(&[]);
    let idle = tokio::net::TcpStream::connect(node.http).await.unwrap();
    let (silent, _) = Client::join(&node, "room", "Ada").await;
    let begun = Instant::now();
    node.terminate();
    tokio::task::spawn_blocking(move || assert_eq!(node.wait().code(), Some(0)))
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6));
    drop((idle, silent));
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let mut node = Node::start(&[]);
    // It does not read, so that the node has something to wait for.
    let (silent, _) = Client::join(&node, "room", "Ada").await;
    node.terminate();
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.terminate();
    tokio::task::spawn_blocking(move || assert_eq!(node.wait().code(), Some(130)))
        .await
        .unwrap();
    drop(silent);
}
