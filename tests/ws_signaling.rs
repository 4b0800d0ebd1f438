//! The WebSocket: who is let in, what is limited, what is passed on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::time::{Duration, Instant};

use common::{Client, Node, handshake};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "motet.v1");

#[tokio::test]
async fn members_hear_of_each_other() {
    let node = Node::start(&[]);
    let (mut ada, joined) = Client::join(&node, "room", "Ada").await;
    assert_eq!(joined["id"], 1);
    assert_eq!(joined["members"].as_array().unwrap().len(), 1);
    let (mut bob, joined) = Client::join(&node, " room ", "Bob").await;
    assert_eq!(joined["members"][0]["name"], "Ada");
    assert_eq!(ada.hear_type("member").await["member"]["name"], "Bob");
    bob.say(json!({"type": "chat", "id": 2, "text": "hello"}))
        .await;
    assert_eq!(ada.hear_type("chat").await["text"], "hello");
    assert_eq!(bob.hear_type("ok").await["id"], 2);
    bob.close(1000).await;
    let left = ada.hear_type("left").await;
    assert_eq!(
        (&left["member"], left["reason"].as_str()),
        (&joined["you"], Some("left"))
    );
}

#[tokio::test]
async fn a_broken_connection_is_told_as_lost() {
    let node = Node::start(&["--resume-grace", "0"]);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    let (bob, _) = Client::join(&node, "room", "Bob").await;
    drop(bob);
    assert_eq!(ada.hear_type("left").await["reason"], "lost");
}

#[tokio::test]
async fn stun_is_offered_under_the_name_that_the_client_used() {
    let node = Node::start(&["--stun", "stun:stun.example:3478", "--turn", "off"]);
    let port = node.media[0].port();
    for (host, own) in [
        ("node.example:8080", format!("stun:node.example:{port}")),
        ("[2001:db8::7]", format!("stun:[2001:db8::7]:{port}")),
    ] {
        let mut client = Client::open(handshake(&node, &[PROTOCOL, ("host", host)]))
            .await
            .unwrap();
        client
            .say(json!({"type": "join", "room": "room", "name": "Ada"}))
            .await;
        let servers = client.hear().await["iceServers"].clone();
        let expected = json!([{"urls": [own]}, {"urls": ["stun:stun.example:3478"]}]);
        assert_eq!(servers, expected, "{host}");
    }
    let nowhere = handshake(&node, &[PROTOCOL, ("host", "no/name")]);
    let refused = Client::open(nowhere).await.err().unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_handshake_that_does_not_fit_is_refused_with_the_reason() {
    let node = Node::start(&["--allow-origin", "https://friend.example"]);
    let own = format!("http://{}", node.http);
    for (headers, status) in [
        (vec![], 400),
        (vec![("sec-websocket-protocol", "motet.v2")], 400),
        (vec![PROTOCOL, ("origin", "https://evil.example")], 403),
        (vec![PROTOCOL, ("origin", "null")], 403),
        (vec![PROTOCOL, ("origin", own.as_str())], 101),
        (vec![PROTOCOL, ("origin", "https://friend.example")], 101),
        (vec![("sec-websocket-protocol", "other, motet.v1")], 101),
    ] {
        let outcome = Client::open(handshake(&node, &headers)).await;
        let got = outcome
            .err()
            .map_or(101, |response| response.status().as_u16());
        assert_eq!(got, status, "{headers:?}");
    }
}

#[tokio::test]
async fn an_address_has_a_limited_number_of_connections() {
    let node = Node::start(&["--max-connections-per-address", "2"]);
    let first = Client::connect(&node).await;
    let _second = Client::connect(&node).await;
    let refused = Client::open(handshake(&node, &[PROTOCOL]))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.status(), 429);
    drop(first);
    let deadline = Instant::now() + common::PATIENCE;
    while Client::open(handshake(&node, &[PROTOCOL])).await.is_err() {
        assert!(Instant::now() < deadline, "the place is not given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_everyone_counts_for_themselves() {
    let flags = [
        "--max-connections-per-address",
        "1",
        "--trusted-proxy",
        "127.0.0.0/8",
    ];
    let node = Node::start(&flags);
    let from = |address: &str| handshake(&node, &[PROTOCOL, ("x-forwarded-for", address)]);
    let _one = Client::open(from("192.0.2.1:1234")).await.unwrap();
    let _two = Client::open(from("192.0.2.2, 127.0.0.9")).await.unwrap();
    assert!(Client::open(from("192.0.2.2:5")).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_with_its_id() {
    let node = Node::start(&[]);
    let mut client = Client::connect(&node).await;
    for (text, code, id) in [
        ("nonsense", "malformed", json!(null)),
        ("[]", "malformed", json!(null)),
        ("{\"type\": \"dance\", \"id\": 7}", "malformed", json!(7)),
        (
            "{\"type\": \"ping\", \"id\": 8, \"more\": 1}",
            "malformed",
            json!(8),
        ),
        ("{\"type\": \"ping\", \"id\": 9}", "notJoined", json!(9)),
        (
            "{\"type\": \"join\", \"id\": 10, \"room\": \"\", \"name\": \"Ada\"}",
            "badName",
            json!(10),
        ),
        (
            "{\"type\": \"join\", \"id\": 11, \"room\": \"room\", \"name\": \"\\u202e\"}",
            "badName",
            json!(11),
        ),
    ] {
        client.say_text(text).await;
        let error = client.hear().await;
        assert_eq!(
            (&error["type"], &error["code"], &error["id"]),
            (&json!("error"), &json!(code), &id),
            "{text}"
        );
    }
    client
        .socket
        .send(Message::binary(vec![1, 2, 3]))
        .await
        .unwrap();
    assert_eq!(client.hear().await["code"], "malformed");
    client
        .say(json!({"type": "join", "id": 12, "room": "room", "name": "Ada"}))
        .await;
    assert_eq!(client.hear().await["type"], "joined");
    client
        .say(json!({"type": "join", "id": 13, "room": "other", "name": "Ada"}))
        .await;
    assert_eq!(client.hear_type("error").await["code"], "alreadyJoined");
}

#[tokio::test]
async fn who_breaks_the_rules_again_and_again_is_sent_away() {
    let node = Node::start(&[]);
    let (mut client, _) = Client::join(&node, "room", "Ada").await;
    for _ in 0..30 {
        client.say_text("nonsense").await;
    }
    let (last, close) = client.hear_end().await;
    assert_eq!(
        last.unwrap(),
        json!({"type": "bye", "reason": "misbehaved"})
    );
    assert_eq!(u16::from(close.unwrap().code), 1008);
}

#[tokio::test]
async fn a_flood_of_good_messages_is_too_fast() {
    let node = Node::start(&[]);
    let (mut client, _) = Client::join(&node, "room", "Ada").await;
    for id in 0..400 {
        let ping = Message::text(json!({"type": "ping", "id": id}).to_string());
        // The node may have closed by now.
        if client.socket.feed(ping).await.is_err() {
            break;
        }
    }
    let _ = client.socket.flush().await;
    assert_eq!(client.hear_type("error").await["code"], "tooFast");
    let (last, _) = client.hear_end().await;
    assert_eq!(last.unwrap()["reason"], "misbehaved");
}

#[tokio::test]
async fn a_long_message_is_refused_and_a_longer_one_ends_the_connection() {
    let node = Node::start(&[]);
    let (mut client, _) = Client::join(&node, "room", "Ada").await;
    let text = "x".repeat(70 * 1024);
    client
        .say(json!({"type": "chat", "id": 2, "text": text}))
        .await;
    let error = client.hear_type("error").await;
    assert_eq!(
        (error["code"].as_str(), &error["id"]),
        (Some("tooLarge"), &json!(2))
    );
    let sdp = "x".repeat(200 * 1024);
    client
        .say(json!({"type": "offer", "id": 3, "sdp": sdp, "epoch": 0}))
        .await;
    let error = client.hear_type("error").await;
    assert_ne!(error["code"], "tooLarge", "an offer may be that long");
    // The node may close before it has read it all.
    let _ = client
        .socket
        .send(Message::text("x".repeat(300 * 1024)))
        .await;
    let (last, close) = client.hear_end().await;
    assert_eq!(last.unwrap()["reason"], "misbehaved");
    assert_eq!(u16::from(close.unwrap().code), 1009);
}

#[tokio::test]
async fn who_does_not_join_is_closed_after_ten_seconds() {
    let node = Node::start(&[]);
    let begun = Instant::now();
    let mut client = Client::connect(&node).await;
    let (last, close) = client.hear_end().await;
    assert_eq!(last.unwrap()["reason"], "silent");
    assert_eq!(u16::from(close.unwrap().code), 4000);
    let waited = begun.elapsed();
    assert!((9..15).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_the_room_goes_on() {
    let node = Node::start(&["--resume-grace", "0"]);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    let mut sleepy = Client::narrow(&node).await;
    let join = json!({"type": "join", "id": 1, "room": "room", "name": "Sleepy"});
    sleepy.say(join).await;
    ada.hear_type("member").await;
    let mut others = Vec::new();
    for name in ["Bob", "Cleo", "Dan"] {
        others.push(Client::join(&node, "room", name).await.0);
    }
    // As much as four may say: what they are refused goes nowhere.
    let line = "\u{2603}".repeat(3_900);
    let left = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            for talker in &mut others {
                talker.say(json!({"type": "chat", "text": line})).await;
                while talker.socket.next().now_or_never().is_some() {}
            }
            ada.say(json!({"type": "chat", "text": line})).await;
            ada.say(json!({"type": "ping"})).await;
            loop {
                let message = ada.hear().await;
                match message["type"].as_str() {
                    Some("left") => return message,
                    Some("pong") => break,
                    _ => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    assert_eq!(left.await.unwrap()["reason"], "slow");
    drop(sleepy);
}
