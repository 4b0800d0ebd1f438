//! No secret is in a log at info or above: the harness looks for those of every test (`common/canaries.rs`); here a
//! node meets as many kinds of them as there are, and the harness is shown to find one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use common::canaries::Canaries;
use common::{Client, Node};
use serde_json::json;

const OFFER: &str = include_str!("fixtures/offers/chromium-156-life-1-first.sdp");
const WHIP: &str = include_str!("fixtures/offers/ffmpeg-9.0.2-whip-active.sdp");

#[test]
fn a_secret_in_a_log_is_found() {
    let canaries = Canaries::default();
    canaries.said(
        &json!({"type": "join", "room": "hall", "name": "Ada", "ownerKey": "0123456789abcdef"}),
    );
    canaries.said(&json!({"answer": [{"sdp": "v=0\r\na=ice-pwd:thepasswordoftheice\r\n"}]}));
    canaries.keep_address("192.0.2.7:5004".parse().unwrap());
    let log = [
        "2026-11-28T05:00:00Z  INFO motet: room opened room=17",
        "2026-11-28T05:00:00Z DEBUG motet: its name name=\"hall\"",
        "2026-11-28T05:00:00Z  INFO motet: the hall is full of adamant people",
        "2026-11-28T05:00:00Z  INFO motet: room opened room=\"hall\"",
        "2026-11-28T05:00:00Z  WARN motet: name=Ada",
        r#"{"level":"INFO","fields":{"name":"Ada"}}"#,
        "2026-11-28T05:00:00Z ERROR motet: with 0123456789abcdef",
        "    it ends in thepasswordoftheice",
        "2026-11-28T05:00:00Z  INFO motet: from 192.0.2.7:5004",
    ];
    canaries.listen(std::io::Cursor::new(log.join("\n")));
    let found = canaries.sung();
    assert_eq!(found.len(), 6, "{found:#?}");
    let is_found = |line: &&str| found.iter().any(|found| found.ends_with(*line));
    assert!(log[3..].iter().all(is_found), "{found:#?}");
}

/// Whatever of it the node logs at info or above fails the test when the node is gone.
#[tokio::test]
async fn a_call_with_everything_leaves_no_secret_in_the_log() {
    let node = Node::start(&[
        "--whip-token",
        "canary-of-whip-0123456789",
        "--whep-token",
        "canary-of-whep-0123456789",
        "--resume-grace",
        "1",
    ]);
    for secret in [
        "canary-of-whip-0123456789",
        "canary-of-whep-0123456789",
        "canary-of-nobody-0123456789",
    ] {
        node.canaries.keep("a token", secret);
    }
    let room = "canary room of secrets";
    let mut ada = Client::connect(&node).await;
    let key = "canary-key-0123456789abcdef";
    let join = json!({"type": "join", "id": 1, "room": room, "name": "Canary Ada", "ownerKey": key, "sfuOnly": true});
    ada.say(join).await;
    let joined = ada.hear_type("joined").await;
    let epoch = joined["topology"]["epoch"].clone();
    ada.say(json!({"type": "offer", "id": 2, "sdp": OFFER, "epoch": epoch, "fresh": true}))
        .await;
    ada.hear_type("answer").await;
    ada.say(json!({"type": "chat", "text": "canary words for the chat"}))
        .await;
    ada.say(json!({"type": "lock", "id": 3, "locked": true}))
        .await;
    ada.hear_type("ok").await;
    // Refused in every way.
    for message in [
        json!({"type": "join", "id": 1, "room": room, "name": "Canary Bob"}),
        json!({"type": "join", "id": 1, "room": "canary\u{202e}room", "name": "Canary Bob"}),
        json!({"type": "resume", "id": 1, "room": room, "token": "canary-token-0123456789", "after": 0}),
        json!({"type": "join", "id": 1, "room": room, "name": "Canary Bob", "ownerKey": "canary short"}),
    ] {
        let mut bob = Client::connect(&node).await;
        bob.say(message).await;
        assert_eq!(bob.hear().await["type"], "error");
    }
    ada.say(json!({"type": "lock", "id": 4, "locked": false}))
        .await;
    let client = reqwest::Client::new();
    let url = node.url(&format!("/whip/{}", room.replace(' ', "%20")));
    for (token, is_open) in [
        ("canary-of-nobody-0123456789", false),
        ("canary-of-whip-0123456789", true),
    ] {
        let request = client.post(&url).bearer_auth(token);
        let request = request.header("content-type", "application/sdp").body(WHIP);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().is_success(), is_open, "{}", answer.status());
    }
    let admin = client
        .get(node.url("/api/rooms"))
        .bearer_auth("canary-of-nobody-0123456789");
    admin.send().await.unwrap();
    // One is lost, one misbehaves, one is slow to say anything.
    let (lost, _) = Client::join(&node, room, "Canary Lost").await;
    drop(lost);
    let (mut rude, _) = Client::join(&node, room, "Canary Rude").await;
    for _ in 0..30 {
        let _ = rude.socket_send_text("canary nonsense").await;
    }
    rude.hear_end().await;
    ada.say(json!({"type": "end", "id": 9})).await;
    ada.hear_end().await;
    drop(node);
}
