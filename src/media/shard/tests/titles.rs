//! What is told of owners.

use std::time::Duration;

use super::Node;
use crate::ids::ConnectionId;
use crate::logic::titles::Title;
use crate::media::owner_mark::mark_of;
use crate::media::shard::{ShardCommand, ShardEffect};
use crate::protocol::client::{ClientFrame, ClientMessage};
use crate::protocol::owner_key::OwnerKey;
use crate::protocol::reason::Reason;
use crate::protocol::server::Rules;

fn key(text: &str) -> OwnerKey {
    OwnerKey::try_from(text.to_owned()).unwrap()
}

fn owned(effects: &[ShardEffect]) -> Vec<(String, Rules, bool)> {
    let told = effects.iter().filter_map(|effect| match effect {
        ShardEffect::Owned {
            room,
            title,
            is_gone,
            ..
        } => Some((room.clone(), title.rules, *is_gone)),
        _ => None,
    });
    told.collect()
}

fn lock(node: &mut Node, connection: u64) -> Vec<ShardEffect> {
    let message = ClientMessage::Lock { locked: true };
    let frame = ClientFrame { id: None, message };
    let connection = ConnectionId(connection);
    node.told(ShardCommand::Said { connection, frame })
}

const OPEN: Rules = Rules {
    locked: false,
    lobby: false,
};
const LOCKED: Rules = Rules {
    locked: true,
    lobby: false,
};

#[test]
fn what_an_owner_has_is_told_before_they_hear_of_it() {
    let mut node = Node::new();
    let mine = key("0123456789abcdef");
    let effects = node.join(ConnectionId(1), "one", Some(mine.clone()));
    let ShardEffect::Owned {
        room,
        title,
        is_gone: false,
        newcomer: Some(ConnectionId(1)),
    } = &effects[0]
    else {
        panic!("{effects:?}");
    };
    assert_eq!((room.as_str(), title.owner), ("one", mark_of(&mine)));
    assert!(matches!(effects[1], ShardEffect::Send { .. }));
    let effects = node.join(ConnectionId(2), "one", Some(mine));
    assert_eq!(owned(&effects), []);
    assert_eq!(
        owned(&lock(&mut node, 1)),
        [("one".to_owned(), LOCKED, false)]
    );
    assert_eq!(owned(&lock(&mut node, 1)), []);
    assert_eq!(owned(&node.join(ConnectionId(3), "two", None)), []);
}

#[test]
fn a_room_that_ends_leaves_its_owner_and_one_that_the_node_ends_its_rules_too() {
    for stops in [false, true] {
        let mut node = Node::new();
        node.join(ConnectionId(1), "one", Some(key("0123456789abcdef")));
        lock(&mut node, 1);
        let effects = match stops {
            true => node.told(ShardCommand::Shutdown),
            false => {
                node.told(ShardCommand::Gone {
                    connection: ConnectionId(1),
                    reason: Reason::Left,
                });
                node.passes(Duration::from_secs(60))
            }
        };
        let told = (!stops).then(|| ("one".to_owned(), OPEN, true));
        assert_eq!(owned(&effects), Vec::from_iter(told));
        assert_eq!(node.shard.sizes().0, 0);
    }
}

/// Strangers make the room anew, are not let in, and it is gone again: nothing of it has changed.
#[test]
fn what_was_restored_holds_until_its_owner_is_back() {
    let mut node = Node::new();
    let title = Title {
        owner: mark_of(&key("0123456789abcdef")),
        rules: LOCKED,
    };
    let day = Duration::from_secs(24 * 60 * 60);
    let now = node.now;
    node.shard
        .restore_titles(now, vec![("one".to_owned(), title, day)]);
    for stranger in [2, 3] {
        let answer = node.joins(stranger, "one", Some(key("a-key-of-a-stranger")));
        assert!(answer.contains("roomLocked"), "{answer}");
        let effects = node.passes(Duration::from_secs(60));
        assert_eq!(owned(&effects), [("one".to_owned(), LOCKED, true)]);
    }
    let joined = node.joins(4, "one", Some(key("0123456789abcdef")));
    assert!(joined.contains(r#""role":"owner""#), "{joined}");
    assert!(joined.contains(r#""locked":true"#), "{joined}");
}
