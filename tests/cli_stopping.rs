//! How a node stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::time::{Duration, Instant};

use common::{Client, Node};

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
