//! What gives while a shard cannot keep up.

use std::time::{Duration, Instant};

use super::{Shard, ShardOutput};
use crate::logic::forward::pressure::{Pressure, Relief};

/// Seats that changed hands meanwhile are looked at again this often.
const AGAIN: Duration = Duration::from_millis(500);

/// How far behind a shard is, and what was made of it.
#[derive(Debug, Default)]
pub(super) struct Strain {
    pressure: Option<Pressure>,
    again_at: Option<Instant>,
}

impl Shard {
    /// The sockets were looked at, and there was more than could be taken: once per round.
    pub fn looked(&mut self, now: Instant, is_behind: bool, out: &mut ShardOutput) {
        let strain = &mut self.strain;
        let pressure = strain.pressure.get_or_insert_with(|| Pressure::new(now));
        let changed = pressure.looked(now, is_behind);
        let relief = pressure.relief();
        let is_due = relief != Relief::None && strain.again_at.is_none_or(|at| now >= at);
        if changed.is_none() && !is_due {
            return;
        }
        strain.again_at = Some(now + AGAIN);
        if let Some(relief) = changed {
            self.counters.reliefs += u64::from(relief != Relief::None);
            tracing::warn!(
                ?relief,
                "the media thread is behind, or is so no more: this is left out for viewers"
            );
        }
        let slots: Vec<usize> = self.by_name.values().copied().collect();
        for slot in slots {
            self.with_room(now, slot, out, |conference, _| {
                conference.relieve(now, relief);
            });
        }
    }

    /// What is left out now: 0 nothing, 1 upper layers, 2 pictures.
    pub fn relief(&self) -> u8 {
        let pressure = self.strain.pressure.as_ref();
        pressure.map_or(Relief::None, Pressure::relief) as u8
    }
}
