//! Who owns which room: what the rim keeps for the next start is told here, as soon as it changes.

use std::time::{Duration, Instant};

use super::{Shard, ShardEffect, ShardOutput};
use crate::ids::ConnectionId;
use crate::logic::titles::Title;

impl Shard {
    /// Takes over what was kept before this node was started, and for how much longer it is.
    pub fn restore_titles(&mut self, now: Instant, titles: Vec<(String, Title, Duration)>) {
        for (room, title, left) in titles {
            self.owner_keys.restore(now, room, title, left);
        }
    }

    /// A room was made, or its owner decided something: what has changed is to be kept. To be told before its
    /// owner hears of it, if that is `newcomer`.
    pub(super) fn tell_title(
        &mut self,
        slot: usize,
        newcomer: Option<ConnectionId>,
        out: &mut ShardOutput,
    ) {
        let Some(conference) = self.rooms.get_mut(slot) else {
            return;
        };
        let title = conference.room.title();
        if title == conference.title_told {
            return;
        }
        conference.title_told = title;
        if let Some(title) = title {
            let room = conference.room.name().to_owned();
            out.effects.push(ShardEffect::Owned {
                room,
                title,
                is_gone: false,
                newcomer,
            });
        }
        self.tell_forgotten(out);
    }

    /// A room is gone, and that is what it leaves. While the node stops nothing is told: what was kept of rooms
    /// that were there is what the next node is to find.
    pub(super) fn leave_title(
        &mut self,
        now: Instant,
        room: &str,
        title: Title,
        out: &mut ShardOutput,
    ) {
        self.owner_keys.keep(now, room.to_owned(), title);
        if self.is_stopping {
            return;
        }
        out.effects.push(ShardEffect::Owned {
            room: room.to_owned(),
            title,
            is_gone: true,
            newcomer: None,
        });
        self.tell_forgotten(out);
    }

    fn tell_forgotten(&mut self, out: &mut ShardOutput) {
        let forgotten = self.owner_keys.take_forgotten().into_iter();
        let effects = forgotten.map(|room| ShardEffect::Disowned { room });
        out.effects.extend(effects);
    }
}
