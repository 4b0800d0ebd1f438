//! Where the streams that one peer sends stand: which of their packets were taken.
//!
//! What was taken once is never taken again, however many streams a peer begins. So a stream is
//! never forgotten: one that has been silent for longest shrinks to its highest index, and when no
//! more of these can be kept, new streams are not taken any more.

use std::collections::BTreeMap;

use super::window::{IndexWindow, Refused};

/// Streams of one peer with a whole window, for RTP and for RTCP each. When full, of the one that was
/// silent longest the highest index alone is kept: what of it is still on its way is lost.
pub const WINDOWS_MAX: usize = 256;
/// Streams that one peer may ever send on one connection, for RTP and for RTCP each. Beyond: what is
/// sent on others is not opened. A page that shows its screen again every minute gets there in a day.
pub const STREAMS_MAX: usize = 8_192;

/// Why a packet is not to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// Its index was used, or is too old.
    Index(Refused),
    /// It would be the first of a stream too many.
    TooMany,
}

/// See the module. A stream is entered by its first authentic packet only.
#[derive(Default)]
pub(super) struct Streams {
    windows: BTreeMap<u32, (IndexWindow, u64)>,
    /// By SSRC: the highest index of streams without a window.
    shrunk: BTreeMap<u32, u64>,
    /// Counts accepted packets, to know who was silent longest.
    clock: u64,
}

impl Streams {
    /// The index that this sequence number stands for (RFC 3711 §3.3.1).
    pub(super) fn estimate(&self, ssrc: u32, sequence: u16) -> u64 {
        let nearest = match self.windows.get(&ssrc) {
            Some((window, _)) => window.estimate(sequence),
            None => self.remnant(ssrc).estimate(sequence),
        };
        // Before the first rollover there is none to be before.
        u64::try_from(nearest).unwrap_or(sequence.into())
    }

    /// Whether a packet with this index is still to be had.
    pub(super) fn check(&self, ssrc: u32, index: u64) -> Result<(), Unheard> {
        if let Some((window, _)) = self.windows.get(&ssrc) {
            return window.check(index).map_err(Unheard::Index);
        }
        let known = self.shrunk.contains_key(&ssrc);
        if !known && self.windows.len() + self.shrunk.len() >= STREAMS_MAX {
            return Err(Unheard::TooMany);
        }
        self.remnant(ssrc).check(index).map_err(Unheard::Index)
    }

    /// Notes that a packet was authentic which [`check`](Self::check) let pass.
    pub(super) fn accept(&mut self, ssrc: u32, index: u64) {
        self.clock += 1;
        if let Some((window, last)) = self.windows.get_mut(&ssrc) {
            window.accept(index);
            *last = self.clock;
            return;
        }
        let mut window = self.remnant(ssrc);
        self.shrunk.remove(&ssrc);
        if self.windows.len() == WINDOWS_MAX {
            self.shrink_the_most_silent();
        }
        window.accept(index);
        self.windows.insert(ssrc, (window, self.clock));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.shrunk.is_empty()
    }

    /// The window of a stream that has none now.
    fn remnant(&self, ssrc: u32) -> IndexWindow {
        let highest = self.shrunk.get(&ssrc).copied();
        highest.map_or_else(IndexWindow::default, IndexWindow::used_up_to)
    }

    fn shrink_the_most_silent(&mut self) {
        let oldest = self.windows.iter().min_by_key(|(_, (_, last))| *last);
        if let Some((&ssrc, (window, _))) = oldest {
            self.shrunk
                .extend(window.highest().map(|highest| (ssrc, highest)));
            self.windows.remove(&ssrc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: Result<(), Unheard> = Err(Unheard::Index(Refused::Used));

    /// Takes a packet in as an authentic one.
    fn take(streams: &mut Streams, ssrc: u32, sequence: u16) -> Result<(), Unheard> {
        let index = streams.estimate(ssrc, sequence);
        streams.check(ssrc, index)?;
        streams.accept(ssrc, index);
        Ok(())
    }

    #[test]
    fn what_was_taken_is_not_taken_again_however_many_streams_came_since() {
        let mut streams = Streams::default();
        let first = [65_534, 65_535, 0, 1];
        for sequence in first {
            assert_eq!(take(&mut streams, 7, sequence), Ok(()));
        }
        for ssrc in 1_000..1_000 + WINDOWS_MAX as u32 {
            assert_eq!(take(&mut streams, ssrc, 1), Ok(()));
        }
        assert!(!streams.windows.contains_key(&7), "it has shrunk");
        for sequence in first {
            assert_eq!(take(&mut streams, 7, sequence), USED, "{sequence}");
        }
        assert_eq!(streams.estimate(7, 2), 0x1_0002, "its rollover is known");
        assert_eq!(take(&mut streams, 7, 2), Ok(()));
        assert_eq!(take(&mut streams, 7, 2), USED);
        assert_eq!(streams.windows.len(), WINDOWS_MAX);
        assert_eq!(take(&mut streams, 1_000, 1), USED, "the one that made room");
    }

    #[test]
    fn a_peer_that_begins_streams_without_end_is_heard_on_those_that_it_has() {
        let mut streams = Streams::default();
        for ssrc in 0..STREAMS_MAX as u32 {
            assert_eq!(take(&mut streams, ssrc, 1), Ok(()));
        }
        for ssrc in 0..10 {
            let new = STREAMS_MAX as u32 + ssrc;
            assert_eq!(take(&mut streams, new, 1), Err(Unheard::TooMany));
            assert_eq!(take(&mut streams, ssrc, 1), USED);
            assert_eq!(take(&mut streams, ssrc, 2), Ok(()));
        }
        assert_eq!(streams.windows.len(), WINDOWS_MAX);
        assert_eq!(streams.shrunk.len(), STREAMS_MAX - WINDOWS_MAX);
    }
}
