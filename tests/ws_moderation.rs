//! The room's owner over a real WebSocket: the lobby, sending away, locking, ending.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::time::Duration;

use common::{Client, Node};
use serde_json::{Value, json};

const KEY: &str = "an-owner's-key-of-some-length";

/// Says `join` and returns the answer.
async fn knock(node: &Node, name: &str, key: Option<&str>) -> (Client, Value) {
    let mut client = Client::connect(node).await;
    let mut join = json!({"type": "join", "id": 1, "room": "room", "name": name});
    if let Some(key) = key {
        join["ownerKey"] = key.into();
    }
    client.say(join).await;
    let answer = client.hear().await;
    assert_eq!(answer["id"], 1, "{answer}");
    (client, answer)
}

fn role_of_self(joined: &Value) -> &str {
    let members = joined["members"].as_array().unwrap();
    let own = members.iter().find(|member| member["id"] == joined["you"]);
    own.unwrap()["role"].as_str().unwrap()
}

/// Asks for something and waits until it is done; other messages are passed over.
async fn ask(client: &mut Client, mut request: Value) -> Value {
    request["id"] = 77.into();
    client.say(request).await;
    loop {
        let answer = client.hear().await;
        if answer["id"] == 77 {
            return answer;
        }
    }
}

async fn done(client: &mut Client, request: Value) {
    assert_eq!(
        ask(client, request.clone()).await["type"],
        "ok",
        "{request}"
    );
}

async fn ends(client: &mut Client, reason: &str, code: u16) {
    let (last, close) = client.hear_end().await;
    assert_eq!(last.unwrap()["reason"], reason);
    assert_eq!(u16::from(close.unwrap().code), code);
}

async fn room(node: &Node) -> Value {
    let url = node.url("/api/rooms/room");
    common::admin()
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test]
async fn who_made_the_room_with_a_key_is_its_owner_again_when_they_come_back() {
    let node = Node::start(&[]);
    let (mut ada, joined) = knock(&node, "Ada", Some(KEY)).await;
    assert_eq!(role_of_self(&joined), "owner");
    let (mut bob, joined) = knock(&node, "Bob", Some("another-key-of-some-length")).await;
    assert_eq!(role_of_self(&joined), "guest");
    assert_eq!(
        ask(&mut bob, json!({"type": "end"})).await["code"],
        "forbidden"
    );
    done(&mut ada, json!({"type": "end"})).await;
    ends(&mut ada, "roomClosed", 4002).await;
    ends(&mut bob, "roomClosed", 4002).await;
    // The room is made anew by a guest, and has its owner all the same.
    let (_bob, joined) = knock(&node, "Bob", Some("another-key-of-some-length")).await;
    assert_eq!(role_of_self(&joined), "guest");
    assert_eq!(room(&node).await["ownerPresent"], false);
    let (_ada, joined) = knock(&node, "Ada", Some(KEY)).await;
    assert_eq!(role_of_self(&joined), "owner");
    let shown = room(&node).await;
    assert_eq!(shown["ownerPresent"], true);
    assert!(!shown.to_string().contains("key-of-some-length"));
}

#[tokio::test]
async fn a_room_made_without_a_key_stays_without_an_owner() {
    let node = Node::start(&[]);
    let (_bob, joined) = knock(&node, "Bob", None).await;
    assert_eq!(role_of_self(&joined), "guest");
    let (_ada, joined) = knock(&node, "Ada", Some(KEY)).await;
    assert_eq!(role_of_self(&joined), "guest");
}

#[tokio::test]
async fn a_room_made_over_rest_can_have_an_owner() {
    let node = Node::start(&[]);
    let post = |body: Value| {
        let request = common::admin().post(node.url("/api/rooms"));
        request.json(&body).send()
    };
    for key in ["short", "with a space in it, though long enough"] {
        let answer = post(json!({"name": "room", "ownerKey": key}))
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 400);
        assert!(!answer.text().await.unwrap().contains(key));
    }
    let answer = post(json!({"name": "room", "ownerKey": KEY}))
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let shown: Value = answer.json().await.unwrap();
    assert!(!shown.to_string().contains(KEY));
    let (_bob, joined) = knock(&node, "Bob", Some("another-key-of-some-length")).await;
    assert_eq!(role_of_self(&joined), "guest");
    let (_ada, joined) = knock(&node, "Ada", Some(KEY)).await;
    assert_eq!(role_of_self(&joined), "owner");
}

#[tokio::test]
async fn over_rest_a_kept_key_is_replaced_or_holds_on() {
    let node = Node::start(&[]);
    let (mut eve, joined) = knock(&node, "Eve", Some("another-key-of-some-length")).await;
    assert_eq!(role_of_self(&joined), "owner");
    for (body, owner) in [
        (json!({"name": "room"}), "another-key-of-some-length"),
        (json!({"name": "room", "ownerKey": KEY}), KEY),
        (json!({"name": "room"}), KEY),
    ] {
        done(&mut eve, json!({"type": "end"})).await;
        let request = common::admin().post(node.url("/api/rooms"));
        let made = request.json(&body).send().await.unwrap();
        assert_eq!(made.status().as_u16(), 201);
        let (other, joined) = knock(&node, "Ada", Some(owner)).await;
        assert_eq!(role_of_self(&joined), "owner", "{body}");
        eve = other;
    }
    let (_eve, joined) = knock(&node, "Eve", Some("another-key-of-some-length")).await;
    assert_eq!(role_of_self(&joined), "guest");
}

#[tokio::test]
async fn a_key_that_is_none_is_malformed() {
    let node = Node::start(&[]);
    for key in [
        "fifteen-bytes-x",
        "a space in the middle of it",
        "ä-key-of-some-length",
    ] {
        let (_client, answer) = knock(&node, "Ada", Some(key)).await;
        assert_eq!(answer["code"], "malformed", "{key}");
        assert!(!answer.to_string().contains(key));
    }
}

#[tokio::test]
async fn newcomers_wait_are_admitted_or_denied_and_hear_nothing_before() {
    let node = Node::start(&[]);
    let (mut ada, _) = knock(&node, "Ada", Some(KEY)).await;
    done(&mut ada, json!({"type": "lobby", "enabled": true})).await;
    let (mut bob, waiting) = knock(&node, "Bob", None).await;
    assert_eq!(waiting["type"], "waiting");
    let knocks = ada.hear_type("knocks").await;
    assert_eq!(
        knocks["waiting"],
        json!([{"member": waiting["you"], "name": "Bob"}])
    );
    let (mut eve, eve_waits) = knock(&node, "Eve", None).await;
    assert_eq!(
        ada.hear_type("knocks").await["waiting"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let shown = room(&node).await;
    assert_eq!(
        (&shown["waiting"], &shown["lobby"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(shown["members"].as_array().unwrap().len(), 1);
    counts(
        &node,
        ["motet_members 1", "motet_waiting 2", "motet_joins_total 1"],
    )
    .await;

    done(&mut ada, json!({"type": "chat", "text": "not for them"})).await;
    assert_eq!(
        ask(&mut bob, json!({"type": "chat", "text": "x"})).await["code"],
        "notJoined"
    );
    assert_eq!(ask(&mut bob, json!({"type": "ping"})).await["type"], "pong");

    done(&mut ada, json!({"type": "admit", "member": waiting["you"]})).await;
    let joined = bob.hear().await;
    assert_eq!(
        (joined["type"].as_str(), &joined["you"]),
        (Some("joined"), &waiting["you"])
    );
    assert_eq!(joined.get("id"), None);
    let url = format!("stun:127.0.0.1:{}", node.media[0].port());
    assert_eq!(joined["iceServers"][0], json!({"urls": [url]}));
    let name = joined["iceServers"][1]["username"].as_str().unwrap();
    assert!(name.ends_with(joined["you"].as_str().unwrap()), "{name}");
    done(&mut bob, json!({"type": "chat", "text": "hello"})).await;
    assert_eq!(ada.hear_type("chat").await["text"], "hello");

    done(
        &mut ada,
        json!({"type": "deny", "member": eve_waits["you"]}),
    )
    .await;
    ends(&mut eve, "denied", 4004).await;
    let again = ask(
        &mut ada,
        json!({"type": "admit", "member": eve_waits["you"]}),
    )
    .await;
    assert_eq!(again["code"], "noSuchMember");
    counts(
        &node,
        ["motet_members 2", "motet_waiting 0", "motet_joins_total 2"],
    )
    .await;
}

async fn counts(node: &Node, lines: [&str; 3]) {
    let page = common::admin().get(node.url("/metrics"));
    let page = page.send().await.unwrap();
    let page = page.text().await.unwrap();
    for line in lines {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }
}

#[tokio::test]
async fn who_waits_may_wait_longer_than_a_join_may_take_and_is_forgotten_when_lost() {
    let node = Node::start(&[]);
    let (mut ada, _) = knock(&node, "Ada", Some(KEY)).await;
    done(&mut ada, json!({"type": "lobby", "enabled": true})).await;
    let (mut bob, waiting) = knock(&node, "Bob", None).await;
    let (eve, _) = knock(&node, "Eve", None).await;
    drop(eve);
    let mut knocks = ada.hear_type("knocks").await;
    while knocks["waiting"].as_array().unwrap().len() != 1 || knocks["waiting"][0]["name"] != "Bob"
    {
        knocks = ada.hear_type("knocks").await;
    }
    // More than the ten seconds within which a socket must say `join`.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(ask(&mut bob, json!({"type": "ping"})).await["type"], "pong");
    done(&mut ada, json!({"type": "admit", "member": waiting["you"]})).await;
    assert_eq!(bob.hear().await["type"], "joined");
}

#[tokio::test]
async fn without_the_lobby_everyone_comes_in() {
    let node = Node::start(&[]);
    let (mut ada, _) = knock(&node, "Ada", Some(KEY)).await;
    done(&mut ada, json!({"type": "lobby", "enabled": true})).await;
    let (mut bob, _) = knock(&node, "Bob", None).await;
    let (mut eve, _) = knock(&node, "Eve", None).await;
    done(&mut ada, json!({"type": "lobby", "enabled": false})).await;
    for client in [&mut bob, &mut eve] {
        let joined = client.hear().await;
        assert_eq!(joined["type"], "joined");
        assert_eq!(joined["rules"], json!({"locked": false, "lobby": false}));
    }
    assert_eq!(bob.hear().await["member"]["name"], "Eve");
    // The socket still is one that has joined: it can leave in good order.
    bob.say(json!({"type": "bye"})).await;
    ends(&mut bob, "left", 1000).await;
}

#[tokio::test]
async fn who_waits_can_leave_and_hears_of_the_end() {
    let node = Node::start(&[]);
    let (mut ada, _) = knock(&node, "Ada", Some(KEY)).await;
    done(&mut ada, json!({"type": "lobby", "enabled": true})).await;
    let (mut bob, _) = knock(&node, "Bob", None).await;
    let (mut eve, _) = knock(&node, "Eve", None).await;
    bob.say(json!({"type": "bye"})).await;
    ends(&mut bob, "left", 1000).await;
    done(&mut ada, json!({"type": "end"})).await;
    ends(&mut ada, "roomClosed", 4002).await;
    ends(&mut eve, "roomClosed", 4002).await;
    assert_eq!(room(&node).await["status"], 404);
}

#[tokio::test]
async fn the_owner_sends_away_and_locks() {
    let node = Node::start(&[]);
    let (mut ada, _) = knock(&node, "Ada", Some(KEY)).await;
    let (mut bob, joined) = knock(&node, "Bob", None).await;
    let (mut eve, _) = knock(&node, "Eve", None).await;
    let silence = json!({"type": "silence", "member": joined["you"], "source": "microphone",
        "silenced": true});
    done(&mut bob, json!({"type": "publish", "source": "microphone"})).await;
    done(&mut ada, silence).await;
    let unmute = json!({"type": "mute", "source": "microphone", "muted": false});
    assert_eq!(ask(&mut bob, unmute).await["code"], "forbidden");
    done(&mut ada, json!({"type": "remove", "member": joined["you"]})).await;
    ends(&mut bob, "removed", 4003).await;
    assert_eq!(eve.hear_type("left").await["reason"], "removed");
    done(&mut ada, json!({"type": "lock", "locked": true})).await;
    assert_eq!(eve.hear_type("rules").await["locked"], true);
    let (_bob, answer) = knock(&node, "Bob", None).await;
    assert_eq!(answer["code"], "roomLocked");
    let (_ada, joined) = knock(&node, "Ada elsewhere", Some(KEY)).await;
    assert_eq!(role_of_self(&joined), "owner");
    assert_eq!(room(&node).await["locked"], true);
}

#[tokio::test]
async fn a_node_that_stops_says_so_to_those_who_wait() {
    let mut node = Node::start(&[]);
    let (mut ada, _) = knock(&node, "Ada", Some(KEY)).await;
    done(&mut ada, json!({"type": "lobby", "enabled": true})).await;
    let (mut bob, _) = knock(&node, "Bob", None).await;
    node.terminate();
    ends(&mut bob, "shutdown", 1001).await;
    assert!(node.wait().success());
}
