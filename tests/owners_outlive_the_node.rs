//! Who owns a room, and what they decided, is known after a restart, whether the node was stopped or killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::fs;
use std::path::Path;
use std::time::Instant;

use common::{Client, Node, PATIENCE};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const KEY: &str = "0123456789abcdef-of-the-owner";
const FILE: &str = "owners.json";

fn start(data: &Path) -> Node {
    Node::start(&["--data-dir", data.to_str().unwrap()])
}

async fn join(node: &Node, name: &str, key: &str) -> (Client, Value) {
    let mut client = Client::connect(node).await;
    let join = json!({"type": "join", "id": 1, "room": "hall", "name": name, "ownerKey": key});
    client.say(join).await;
    let answer = client.hear().await;
    (client, answer)
}

fn role(joined: &Value) -> &str {
    let members = joined["members"].as_array().unwrap();
    let you = members.iter().find(|member| member["id"] == joined["you"]);
    you.unwrap()["role"].as_str().unwrap()
}

async fn end(mut node: Node, signal: Signal) {
    node.signal(signal);
    tokio::task::spawn_blocking(move || node.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn whoever_owned_a_room_owns_it_after_a_restart_and_strangers_do_not() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let data = tempfile::tempdir().unwrap();
        let node = start(data.path());
        let (ada, joined) = join(&node, "Ada", KEY).await;
        assert_eq!(role(&joined), "owner");
        let text = fs::read_to_string(data.path().join(FILE)).unwrap();
        assert!(text.contains("hall"), "it was kept before she heard of it");
        assert!(!text.contains(KEY), "not the key itself");
        end(node, signal).await;
        drop(ada);

        let node = start(data.path());
        let (_eve, joined) = join(&node, "Eve", "a-key-of-eve-who-comes-first").await;
        assert_eq!(role(&joined), "guest", "{signal}");
        let (_ada, joined) = join(&node, "Ada", KEY).await;
        assert_eq!(role(&joined), "owner", "{signal}");
    }
}

#[tokio::test]
async fn what_an_owner_decided_holds_after_a_restart() {
    for (wish, signal) in [
        (
            json!({"type": "lock", "id": 2, "locked": true}),
            Signal::SIGKILL,
        ),
        (
            json!({"type": "lobby", "id": 2, "enabled": true}),
            Signal::SIGTERM,
        ),
    ] {
        let data = tempfile::tempdir().unwrap();
        let node = start(data.path());
        let (mut ada, _) = join(&node, "Ada", KEY).await;
        ada.say(wish.clone()).await;
        ada.hear_type("ok").await;
        let rule = if wish["type"] == "lock" {
            "locked"
        } else {
            "lobby"
        };
        // Written a moment later.
        let written = format!("\"{rule}\":true");
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(data.path().join(FILE))
            .unwrap()
            .contains(&written)
        {
            assert!(Instant::now() < deadline, "{written}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        end(node, signal).await;

        let node = start(data.path());
        let (_eve, answer) = join(&node, "Eve", "a-key-of-eve-who-comes-first").await;
        let told = answer["code"].as_str().or(answer["type"].as_str());
        let expected = if rule == "locked" {
            "roomLocked"
        } else {
            "waiting"
        };
        assert_eq!(told, Some(expected));
        let (_ada, joined) = join(&node, "Ada", KEY).await;
        assert_eq!(
            (role(&joined), &joined["rules"][rule]),
            ("owner", &json!(true))
        );
    }
}

#[tokio::test]
async fn a_damaged_file_is_a_warning_and_no_more() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join(FILE), b"{\"version\":1,\"rooms\":[{").unwrap();
    let node = start(data.path());
    let (_ada, joined) = join(&node, "Ada", KEY).await;
    assert_eq!(role(&joined), "owner");
    let is_told = |line: &String| line.contains("WARN") && line.contains("owners.json.damaged");
    assert!(node.canaries.log().iter().any(is_told));
}
