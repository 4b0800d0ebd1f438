//! What a room leaves out while its shard is behind.

use std::time::Instant;

use crate::logic::forward::pressure::Relief;
use crate::media::conference::Conference;

impl Conference {
    /// Leaves that out on every leg to a viewer. Recordings, taps and outputs are not viewers: they go on.
    pub(super) fn relieve(&mut self, now: Instant, relief: Relief) {
        for outlet in self.outlets.iter_mut() {
            outlet.relieve(now, relief);
        }
    }
}
