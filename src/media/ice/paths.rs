//! The paths of one session: which had a valid check, which are proven, and which media takes.
//!
//! A check says that its sender is the member whom it names; it does not say that the member is
//! where it came from, for the sources of datagrams can be forged. A path is *proven* when something
//! came back on it that only who receives there can know. Before that it gets no more than an
//! allowance, as in QUIC (RFC 9000 §8), or the node would pour a member's media on whomever they
//! name. The allowance is more than the media of one round trip: who moves to another network loses
//! nothing while it is found out that they are there.

use std::time::Instant;

use super::CONSENT;
use crate::ids::Path;

/// Validated paths of one peer at a time; Safari has two or three. When full, the one that was
/// checked longest ago is given up, never the selected one.
pub const PATHS_MAX: usize = 16;
/// Bytes that may be on their way to paths that are not proven: 100 ms of 5 Mb/s.
pub const ALLOWANCE_MAX: usize = 64 * 1024;
/// Bytes of [`ALLOWANCE_MAX`] that come back in a second.
pub const ALLOWANCE_PER_SECOND: usize = 4 * 1024;
/// What a path that is not proven may be sent for every byte that comes from there (RFC 9000 §8.1).
const AMPLIFICATION_MAX: usize = 3;

/// A path with a valid check.
#[derive(Debug, Clone, Copy)]
struct Validated {
    path: Path,
    last_check: Instant,
    /// Of the checks that are sent there until it is proven.
    transaction: [u8; 12],
    proven: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Paths {
    /// In the order of their first checks.
    validated: Vec<Validated>,
    nominated: Option<Path>,
    /// The proven path that was nominated last.
    settled: Option<Path>,
    selected: Option<Path>,
    /// The path that would be taken, were it proven.
    doubtful: Option<Path>,
    allowance: usize,
    refilled: Instant,
}

impl Paths {
    pub(super) fn new(now: Instant) -> Self {
        Paths {
            validated: Vec::new(),
            nominated: None,
            settled: None,
            selected: None,
            doubtful: None,
            allowance: ALLOWANCE_MAX,
            refilled: now,
        }
    }

    /// The paths, in the order of their first checks.
    pub(super) fn iter(&self) -> impl Iterator<Item = Path> {
        self.validated.iter().map(|validated| validated.path)
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    pub(super) fn is_proven(&self, path: &Path) -> bool {
        self.find(path).is_some_and(|validated| validated.proven)
    }

    /// The path to send by: the one that was nominated last, or the first.
    pub(super) fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Enters a valid check over a path; the transaction is for checks of the node's own. Whether the
    /// path is new, and which had to make room for it.
    pub(super) fn touch(
        &mut self,
        now: Instant,
        path: Path,
        transaction: impl FnOnce() -> [u8; 12],
    ) -> (bool, Option<Path>) {
        self.refill(now);
        let mut known = self.validated.iter_mut();
        if let Some(validated) = known.find(|known| known.path == path) {
            validated.last_check = now;
            return (false, None);
        }
        let evicted = (self.validated.len() == PATHS_MAX).then(|| self.evict());
        self.validated.push(Validated {
            path,
            last_check: now,
            transaction: transaction(),
            proven: proves_itself(path),
        });
        self.select();
        (true, evicted.flatten())
    }

    /// The other side wants media to take this path.
    pub(super) fn nominate(&mut self, path: Path) {
        self.nominated = Some(path);
        self.select();
    }

    /// The transaction of checks over a path, unless it needs none.
    pub(super) fn to_be_proven(&self, path: &Path) -> Option<[u8; 12]> {
        let validated = self.find(path)?;
        (!validated.proven).then_some(validated.transaction)
    }

    /// Whoever is there receives what is sent there.
    pub(super) fn prove(&mut self, path: &Path) {
        let mut known = self.validated.iter_mut();
        if let Some(validated) = known.find(|known| known.path == *path) {
            validated.proven = true;
            self.select();
        }
    }

    /// Something authentic came over a path.
    pub(super) fn heard(&mut self, path: Path, bytes: usize) {
        if self.doubtful == Some(path) {
            self.allow(AMPLIFICATION_MAX * bytes);
        }
    }

    /// So many bytes were sent by the selected path.
    pub(super) fn sent(&mut self, bytes: usize) {
        if self.doubtful.is_some() && self.selected == self.doubtful {
            self.spend(bytes);
        }
    }

    /// Whether so many bytes may be sent over a path, whichever is selected; then they are counted.
    pub(super) fn may_send(&mut self, path: &Path, bytes: usize) -> bool {
        if self.is_proven(path) {
            return true;
        }
        let may = self.allowance > 0;
        self.spend(bytes);
        may
    }

    /// Drops paths that were not checked for [`CONSENT`] into `removed`.
    pub(super) fn expire(&mut self, now: Instant, removed: &mut Vec<Path>) {
        self.validated.retain(|validated| {
            let fresh = now < validated.last_check + CONSENT;
            if !fresh {
                removed.push(validated.path);
            }
            fresh
        });
        self.select();
    }

    /// When the path that was checked longest ago was.
    pub(super) fn oldest_check(&self) -> Option<Instant> {
        self.validated.iter().map(|known| known.last_check).min()
    }

    fn find(&self, path: &Path) -> Option<&Validated> {
        self.validated.iter().find(|known| known.path == *path)
    }

    fn evict(&mut self) -> Option<Path> {
        let kept = [self.selected, self.nominated, self.settled];
        let (at, _) = self
            .validated
            .iter()
            .enumerate()
            .filter(|(_, known)| !kept.contains(&Some(known.path)))
            .min_by_key(|(_, known)| known.last_check)?;
        Some(self.validated.remove(at).path)
    }

    fn select(&mut self) {
        let nominated = self.nominated.filter(|path| self.contains(path));
        let settled = self.settled.filter(|path| self.contains(path));
        let mut known = self.validated.iter();
        let first_proven = known.find(|known| known.proven).map(|known| known.path);
        let first = self.validated.first().map(|known| known.path);
        self.nominated = nominated;
        self.settled = nominated.filter(|path| self.is_proven(path)).or(settled);
        let wished = nominated.or(self.settled).or(first_proven).or(first);
        self.doubtful = wished.filter(|path| !self.is_proven(path));
        let is_allowed = self.doubtful.is_none() || self.allowance > 0;
        let proven = self.settled.or(first_proven);
        self.selected = wished.filter(|_| is_allowed).or(proven);
    }

    fn spend(&mut self, bytes: usize) {
        self.allowance = self.allowance.saturating_sub(bytes);
        if self.allowance == 0 {
            self.select();
        }
    }

    fn allow(&mut self, bytes: usize) {
        let was_used_up = self.allowance == 0;
        self.allowance = (self.allowance + bytes).min(ALLOWANCE_MAX);
        if was_used_up {
            self.select();
        }
    }

    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.refilled).as_millis();
        let bytes = usize::try_from(since).unwrap_or(usize::MAX);
        let bytes = bytes.saturating_mul(ALLOWANCE_PER_SECOND) / 1_000;
        if bytes > 0 {
            self.refilled = now;
            self.allow(bytes.min(ALLOWANCE_MAX));
        }
    }
}

/// A TCP connection stands at both ends, and whoever has a relay of the node's own was there to get it.
fn proves_itself(path: Path) -> bool {
    path.local.as_stream().is_some() || path.local.as_relayed().is_some()
}
