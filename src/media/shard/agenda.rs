//! When the rooms of a shard want to be woken.

use std::collections::BTreeSet;
use std::time::Instant;

/// When each room wants to be woken.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    by_room: Vec<Option<(Instant, &'static str)>>,
    by_time: BTreeSet<(Instant, usize)>,
}

impl Agenda {
    pub(super) fn set(&mut self, room: usize, wake: Option<(Instant, &'static str)>) {
        if self.by_room.len() <= room {
            self.by_room.resize(room + 1, None);
        }
        if self.by_room[room] == wake {
            return;
        }
        if let Some((at, _)) = self.by_room[room] {
            self.by_time.remove(&(at, room));
        }
        if let Some((at, _)) = wake {
            self.by_time.insert((at, room));
        }
        self.by_room[room] = wake;
    }

    pub(super) fn due(&self, now: Instant) -> Vec<usize> {
        self.by_time
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|&(_, room)| room)
            .collect()
    }

    pub(super) fn next(&self) -> Option<(Instant, &'static str)> {
        let &(_, room) = self.by_time.first()?;
        self.by_room.get(room).copied().flatten()
    }
}
