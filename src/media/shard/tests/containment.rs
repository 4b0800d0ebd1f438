//! A room that panics takes nobody else with it.

use std::time::Duration;

use super::{Node, sent};
use crate::ids::{ConnectionId, LocalSocket, Ticket};
use crate::logic::room::RecordingScope;
use crate::media::recording::Word;
use crate::media::shard::{Question, ShardCommand, ShardEffect};
use crate::media::switchboard::Place;
use crate::protocol::client::{ClientFrame, ClientMessage};
use crate::protocol::owner_key::OwnerKey;
use crate::protocol::reason::Reason;

impl Node {
    fn panics(&mut self, room: &str) -> Vec<ShardEffect> {
        let slot = self.shard.by_name[room];
        let (now, out) = (self.now, &mut self.out);
        self.shard.with_room(now, slot, out, |_, around| {
            let place = Place {
                room: slot,
                participant: 3,
            };
            around.switchboard.register(place);
            around.out.datagrams.bytes_mut().extend(b"half a datag");
            panic!("on purpose");
        });
        std::mem::take(&mut self.out.effects)
    }
}

fn key() -> OwnerKey {
    OwnerKey::try_from("0123456789abcdef".to_owned()).unwrap()
}

#[test]
fn a_panic_closes_its_room_and_no_other() {
    let mut node = Node::new();
    node.joins(1, "one", None);
    node.joins(2, "two", None);
    node.joins(3, "two", None);
    let effects = node.panics("two");
    for connection in [2, 3].map(ConnectionId) {
        let last = sent(&effects, connection).pop();
        assert_eq!(last.unwrap(), r#"{"type":"bye","reason":"failed"}"#);
        let is_closed = |effect: &ShardEffect| {
            matches!(effect, ShardEffect::Close { connection: other, reason: Reason::Failed }
                if *other == connection)
        };
        assert!(effects.iter().any(is_closed));
    }
    assert_eq!(sent(&effects, ConnectionId(1)), [] as [String; 0]);
    let last = effects.last().unwrap();
    assert!(matches!(last, ShardEffect::RoomClosed { room } if room == "two"));
    assert_eq!(node.shard.counters().room_panics, 1);
    assert_eq!(node.shard.sizes(), (1, 1, 0), "rooms, members, connections");
    assert_eq!(node.shard.switchboard.half_open(), 0);

    let connection = ConnectionId(1);
    let text = "still here".to_owned();
    let message = ClientMessage::Chat { text };
    let frame = ClientFrame { id: None, message };
    let effects = node.told(ShardCommand::Said { connection, frame });
    assert!(sent(&effects, connection)[0].contains("still here"));
    assert!(node.joins(4, "two", None).contains(r#""type":"joined""#));
    assert_eq!(node.shard.sizes(), (2, 2, 0));
    let end = node.now + Duration::from_secs(3_600);
    node.shard.handle_timeout(end, &mut node.out);
}

#[test]
fn what_sends_after_a_panic_sends_whole_datagrams() {
    let mut node = Node::new();
    node.joins(1, "one", None);
    node.panics("one");
    let to = crate::ids::Path {
        local: LocalSocket(0),
        remote: ([192, 0, 2, 1], 1).into(),
    };
    node.out.datagrams.push(to, b"whole");
    let sent: Vec<Vec<u8>> = node
        .out
        .datagrams
        .datagrams()
        .map(|(_, sent)| sent.to_vec())
        .collect();
    assert_eq!(sent, [b"whole".to_vec()]);
}

#[test]
fn a_room_that_failed_keeps_its_owner() {
    let mut node = Node::new();
    node.joins(1, "one", Some(key()));
    node.panics("one");
    assert!(node.joins(2, "one", None).contains(r#""role":"guest""#));
    assert!(
        node.joins(3, "one", Some(key()))
            .contains(r#""role":"owner""#)
    );
}

#[test]
fn a_recording_of_a_room_that_failed_is_ended() {
    let mut node = Node::new();
    node.joins(1, "one", None);
    let question = Question::Record {
        name: "one".to_owned(),
        scope: RecordingScope::default(),
    };
    let ticket = Ticket(1);
    node.told(ShardCommand::Ask { ticket, question });
    let effects = node.panics("one");
    let is_end = |effect: &&ShardEffect| {
        matches!(
            effect,
            ShardEffect::Record {
                word: Word::End { .. },
                ..
            }
        )
    };
    assert_eq!(effects.iter().filter(is_end).count(), 1);
}

/// Whoever asks to be let in, or back, when the room fails is answered.
#[test]
fn who_brings_a_room_down_is_answered() {
    let mut node = Node::new();
    node.shard.fault = true;
    let effects = node.join(ConnectionId(1), "one", None);
    let told = sent(&effects, ConnectionId(1));
    assert_eq!(told.last().unwrap(), r#"{"type":"bye","reason":"failed"}"#);
    assert_eq!(node.shard.sizes(), (0, 0, 0));

    node.joins(2, "one", None);
    node.shard.fault = true;
    let effects = node.told(ShardCommand::Resume {
        connection: ConnectionId(3),
        id: Some(9),
        room: "one".to_owned(),
        token: "t".to_owned(),
        after: 0,
    });
    let told = sent(&effects, ConnectionId(3));
    assert!(told.last().unwrap().contains("resumeFailed"), "{told:?}");
    assert_eq!(node.shard.sizes(), (0, 0, 0));
    assert_eq!(node.shard.counters().room_panics, 2);
}
