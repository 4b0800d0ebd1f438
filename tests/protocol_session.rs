//! The session at the end of docs/protocol.md, less its media, with a real node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use common::{Client, Node};
use serde_json::{Value, json};

#[tokio::test]
async fn it_goes_as_the_manual_tells() {
    let node = Node::start(&[]);
    let mut members = Vec::new();
    for name in ["Ada", "Bob", "Cleo", "Dan"] {
        let (client, joined) = Client::join(&node, "choir", name).await;
        let mesh = json!({"mode": "mesh", "epoch": 1, "switching": false, "why": {"cause": "few"}});
        assert_eq!(joined["topology"], mesh, "{name}");
        assert_eq!(joined["seq"], Value::Null, "an answer has no number");
        members.push((client, joined["you"].clone()));
    }
    let [(ada, ada_id), (bob, bob_id), ..] = members.as_mut_slice() else {
        panic!("four joined");
    };
    two_negotiate((ada, ada_id), (bob, bob_id)).await;
    let (mut eve, joined) = Client::join(&node, "choir", "Eve").await;
    let sfu = json!({"mode": "sfu", "epoch": 2, "switching": true, "why": {"cause": "many"}});
    assert_eq!(joined["topology"], sfu);
    for (member, _) in &mut members {
        let begun = json!({"type": "switch", "mode": "sfu", "epoch": 2, "deadlineMs": 10_000,
            "why": {"cause": "many"}});
        assert_eq!(less_seq(member.hear_type("switch").await), begun);
        let ready = json!({"type": "ready", "id": 21, "epoch": 2});
        member.say(ready).await;
    }
    let done = json!({"type": "commit", "mode": "sfu", "epoch": 2, "why": {"cause": "many"}});
    for member in members
        .iter_mut()
        .map(|(client, _)| client)
        .chain([&mut eve])
    {
        assert_eq!(less_seq(member.hear_type("commit").await), done);
    }
    eve.say(json!({"type": "bye", "id": 50})).await;
    assert_eq!(eve.hear_type("ok").await, json!({"type": "ok", "id": 50}));
    let (bye, close) = eve.hear_end().await;
    assert_eq!(
        less_seq(bye.unwrap()),
        json!({"type": "bye", "reason": "left"})
    );
    assert_eq!(u16::from(close.unwrap().code), 1000);
}

async fn two_negotiate((ada, ada_id): (&mut Client, &Value), (bob, bob_id): (&mut Client, &Value)) {
    let came = ada.hear().await;
    assert_eq!((&came["type"], &came["seq"]), (&json!("member"), &json!(1)));
    assert_eq!(&came["member"]["id"], bob_id);
    bob.say(json!({"type": "publish", "id": 3, "source": "microphone", "stream": "77d0"}))
        .await;
    assert_eq!(bob.hear_type("ok").await["id"], 3);
    let published = json!([{"source": "microphone", "stream": "77d0", "muted": false}]);
    while ada.hear_type("member").await["member"]["published"] != published {}
    let description = json!({"type": "offer", "sdp": "v=0\r\n"});
    let signal = |to: &Value, epoch: u32| json!({"type": "signal", "id": 5, "to": to, "epoch": epoch, "description": description});
    bob.say(signal(ada_id, 2)).await;
    assert_eq!(bob.hear_type("error").await["code"], "staleEpoch");
    bob.say(signal(ada_id, 1)).await;
    let passed_on =
        json!({"type": "signal", "from": bob_id, "epoch": 1, "description": description});
    assert_eq!(less_seq(ada.hear_type("signal").await), passed_on);
    ada.say(json!({"type": "ping", "id": 7, "after": 4})).await;
    assert_eq!(
        ada.hear_type("pong").await,
        json!({"type": "pong", "id": 7})
    );
}

/// An event without its number, which it has.
fn less_seq(mut event: Value) -> Value {
    let seq = event.as_object_mut().unwrap().remove("seq");
    assert!(seq.is_some_and(|seq| seq.is_u64()), "{event}");
    event
}
