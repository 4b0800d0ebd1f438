//! A WebSocket that was lost comes back: what the others see of it, and what is not missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::time::{Duration, Instant};

use common::{Client, Node};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// What a client remembers of a connection.
struct Place {
    token: Value,
    after: u64,
}

impl Place {
    fn of(joined: &Value) -> Place {
        let token = joined["resume"]["token"].clone();
        Place { token, after: 0 }
    }

    /// Connects anew and says `resume`; the client and the answer.
    async fn resume(&self, node: &Node) -> (Client, Value) {
        let mut client = Client::connect(node).await;
        client.say(self.request("room")).await;
        let answer = client.hear().await;
        (client, answer)
    }

    fn request(&self, room: &str) -> Value {
        let (token, after) = (&self.token, self.after);
        json!({"type": "resume", "id": 7, "room": room, "token": token, "after": after})
    }
}

/// Two in a room: Ada, and Bob with his place.
async fn two(node: &Node) -> (Client, Client, Place, Value) {
    let (mut ada, _) = Client::join(node, "room", "Ada").await;
    let (mut bob, joined) = Client::join(node, "room", "Bob").await;
    ada.hear_type("member").await;
    // Who never gives a sign of life is not waited for.
    bob.say(json!({"type": "ping"})).await;
    bob.hear_type("pong").await;
    (ada, bob, Place::of(&joined), joined["you"].clone())
}

async fn chat(client: &mut Client, text: &str) {
    client.say(json!({"type": "chat", "text": text})).await;
}

/// The next thing that Ada hears is her own line: nothing happened before it.
async fn nothing_happened(ada: &mut Client) {
    chat(ada, "nothing happened").await;
    let next = ada.hear().await;
    assert_eq!(next["text"], "nothing happened", "{next}");
}

async fn presence(ada: &mut Client) -> Value {
    ada.hear_type("member").await["member"]["presence"].clone()
}

async fn get(node: &Node, path: &str) -> String {
    let page = common::admin().get(node.url(path)).send().await.unwrap();
    page.text().await.unwrap()
}

#[tokio::test]
async fn what_was_said_meanwhile_is_heard_once() {
    let node = Node::start(&[]);
    let (mut ada, mut bob, mut place, _) = two(&node).await;
    chat(&mut ada, "heard").await;
    place.after = bob.hear_type("chat").await["seq"].as_u64().unwrap();
    drop(bob);
    assert_eq!(presence(&mut ada).await, "reconnecting");
    let rooms: Value = serde_json::from_str(&get(&node, "/api/rooms/room").await).unwrap();
    assert_eq!(rooms["members"][1]["presence"], "reconnecting");
    for line in ["missed", "missed too"] {
        chat(&mut ada, line).await;
    }
    let (mut bob, resumed) = place.resume(&node).await;
    assert_eq!(
        (&resumed["type"], &resumed["id"]),
        (&json!("resumed"), &json!(7))
    );
    assert_ne!(resumed["resume"]["token"], place.token);
    assert_eq!(resumed["iceServers"].as_array().unwrap().len(), 2);
    assert_eq!(presence(&mut ada).await, "here");
    chat(&mut ada, "live").await;
    for (line, seq) in [("missed", 1), ("missed too", 2), ("live", 3)] {
        let heard = bob.hear().await;
        assert_eq!(
            (heard["text"].as_str(), heard["seq"].as_u64()),
            (Some(line), Some(place.after + seq))
        );
    }
    chat(&mut bob, "I am back").await;
    ada.hear_type("chat").await;
    let metrics = get(&node, "/metrics").await;
    for line in [
        "motet_resumes_total 1",
        "motet_lost_websockets_total 1",
        "motet_members 2",
        "motet_reconnecting_members 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}");
    }
}

#[tokio::test]
async fn who_never_gave_a_sign_of_life_is_not_waited_for() {
    let node = Node::start(&[]);
    let (mut ada, _) = Client::join(&node, "room", "Ada").await;
    let (bob, joined) = Client::join(&node, "room", "Bob").await;
    ada.hear_type("member").await;
    drop(bob);
    let left = ada.hear().await;
    assert_eq!(
        (&left["member"], &left["reason"]),
        (&joined["you"], &json!("lost"))
    );
    let (_, refused) = Place::of(&joined).resume(&node).await;
    assert_eq!(refused["code"], "resumeFailed");
}

#[tokio::test]
async fn who_means_to_go_is_gone_and_who_may_not_is_waited_for() {
    let node = Node::start(&["--resume-grace", "1"]);
    // Most programs close without a code: that is somebody's will, too.
    for code in [1000, 1001, 0] {
        let (mut ada, mut bob, place, you) = two(&node).await;
        bob.close(code).await;
        let left = ada.hear().await;
        assert_eq!(
            (&left["member"], left["reason"].as_str()),
            (&you, Some("left")),
            "{code}"
        );
        let (_, refused) = place.resume(&node).await;
        assert_eq!(refused["code"], "resumeFailed");
        ada.close(1000).await;
    }
    for code in [1011, 4900] {
        let (mut ada, mut bob, _, you) = two(&node).await;
        bob.close(code).await;
        assert_eq!(presence(&mut ada).await, "reconnecting", "{code}");
        let left = ada.hear().await;
        assert_eq!(
            (&left["member"], left["reason"].as_str()),
            (&you, Some("lost")),
            "{code}"
        );
        ada.close(1000).await;
    }
}

#[tokio::test]
async fn a_second_connection_replaces_the_first_and_the_others_notice_nothing() {
    let node = Node::start(&[]);
    let (mut ada, mut bob, place, _) = two(&node).await;
    let (mut second, resumed) = place.resume(&node).await;
    assert_eq!(resumed["type"], "resumed");
    let (last, close) = bob.hear_end().await;
    assert_eq!(last.unwrap(), json!({"type": "bye", "reason": "replaced"}));
    assert_eq!(u16::from(close.unwrap().code), 4005);
    drop(bob);
    nothing_happened(&mut ada).await;
    assert_eq!(second.hear_type("chat").await["seq"], 1);
    chat(&mut second, "I am the one").await;
    assert_eq!(ada.hear().await["name"], "Bob");
}

/// The node learns by a ping of its own that the new token arrived.
#[tokio::test]
async fn a_stolen_token_is_worth_nothing_and_its_bearer_may_join() {
    let node = Node::start(&[]);
    let (mut ada, bob, stolen, _) = two(&node).await;
    drop(bob);
    assert_eq!(presence(&mut ada).await, "reconnecting");
    let (mut bob, resumed) = stolen.resume(&node).await;
    assert_eq!(presence(&mut ada).await, "here");
    assert!(matches!(bob.next().await, Some(Message::Ping(_))));
    let listening = tokio::time::timeout(Duration::from_millis(500), bob.socket.next());
    assert!(listening.await.is_err(), "there is nothing more to hear");
    let (mut thief, refused) = stolen.resume(&node).await;
    let answer = (&refused["type"], &refused["code"], &refused["id"]);
    assert_eq!(answer, (&json!("error"), &json!("resumeFailed"), &json!(7)));
    nothing_happened(&mut ada).await;
    assert_eq!(bob.hear().await["type"], "chat");
    thief
        .say(json!({"type": "join", "id": 8, "room": "room", "name": "Thief"}))
        .await;
    let joined = thief.hear().await;
    assert_eq!(
        (&joined["type"], &joined["id"]),
        (&json!("joined"), &json!(8))
    );
    assert_eq!(joined["members"].as_array().unwrap().len(), 3);
    chat(&mut bob, "still here").await;
    assert_eq!(ada.hear_type("chat").await["name"], "Bob");
    drop(bob);
    let (_, again) = Place::of(&resumed).resume(&node).await;
    assert_eq!(again["type"], "resumed", "he has the new one");
}

#[tokio::test]
async fn who_has_nothing_to_go_on_from_is_refused_and_guesses_in_vain() {
    let node = Node::start(&[]);
    let (mut ada, _bob, place, _) = two(&node).await;
    let mut client = Client::connect(&node).await;
    let unknown = Place {
        token: json!("00000000000000000000000000000000"),
        after: 0,
    };
    let ahead = Place {
        token: place.token.clone(),
        after: 1_000_000,
    };
    for request in [
        place.request("another room"),
        place.request(""),
        unknown.request("room"),
        ahead.request("room"),
    ] {
        client.say(request).await;
        let answer = client.hear().await;
        assert_eq!(
            (&answer["code"], &answer["id"]),
            (&json!("resumeFailed"), &json!(7))
        );
    }
    client.say(json!({"type": "ping", "id": 8})).await;
    assert_eq!(client.hear().await["code"], "notJoined");
    let last = loop {
        client.say(unknown.request("room")).await;
        let answer = client.hear().await;
        if answer["type"] == "bye" {
            break answer;
        }
    };
    assert_eq!(last["reason"], "misbehaved");
    ada.say(place.request("room")).await;
    assert_eq!(ada.hear_type("error").await["code"], "alreadyJoined");
    nothing_happened(&mut ada).await;
}

/// A page in the background may say nothing for long: its browser answers for it.
#[tokio::test]
async fn who_answers_the_nodes_pings_stays_and_who_does_not_is_away() {
    let node = Node::start(&[]);
    let (mut ada, bob, _, you) = two(&node).await;
    let begun = Instant::now();
    let mut pings = Vec::new();
    loop {
        match ada.next().await.expect("the node has not closed") {
            Message::Ping(_) => pings.push(begun.elapsed().as_secs()),
            Message::Text(text) => {
                let message: Value = serde_json::from_str(text.as_str()).unwrap();
                assert_eq!(message["member"]["presence"], "reconnecting");
                assert_eq!(message["member"]["id"], you);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let away = begun.elapsed().as_secs();
    assert!((28..36).contains(&away), "after {away} s");
    assert!(pings.len() >= 2 && (9..13).contains(&pings[0]), "{pings:?}");
    nothing_happened(&mut ada).await;
    drop(bob);
}
