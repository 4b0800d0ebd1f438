//! The send arena: the datagrams of one batch, written in place and flushed together.

use crate::ids::Path;

/// Longest datagram the arena takes, in bytes: the largest UDP payload over IPv4.
pub const DATAGRAM_LEN_MAX: usize = 65_507;

/// Where one datagram lies and where it goes.
#[derive(Debug, Clone, Copy)]
struct Datagram {
    to: Path,
    start: u32,
    len: u16,
}

/// Datagrams of one batch, laid end to end; the rim flushes and clears it.
///
/// Both buffers keep their capacity over [`clear`](SendArena::clear), so a steady stream allocates
/// nothing. It grows with what one batch of input causes, which the caller bounds by the batch.
#[derive(Debug, Default)]
pub struct SendArena {
    bytes: Vec<u8>,
    datagrams: Vec<Datagram>,
}

impl SendArena {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the next datagram starts. Write it at the end of [`bytes_mut`](Self::bytes_mut), then
    /// [`commit`](Self::commit) or [`abort`](Self::abort).
    pub fn begin(&mut self) -> usize {
        self.bytes.len()
    }

    /// The buffer that the datagram under construction is appended to.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the datagram that began at `start` and addresses it. An empty one, one beyond
    /// [`DATAGRAM_LEN_MAX`] and one beyond 4 GiB into the arena are dropped, as no socket takes them.
    pub fn commit(&mut self, to: Path, start: usize) {
        let len = self.bytes.len().saturating_sub(start);
        match (u32::try_from(start), u16::try_from(len)) {
            (Ok(start), Ok(len)) if len > 0 && usize::from(len) <= DATAGRAM_LEN_MAX => {
                self.datagrams.push(Datagram { to, start, len });
            }
            _ => self.abort(start),
        }
    }

    /// Forgets what was written since `start`.
    pub fn abort(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// Adds a finished datagram.
    pub fn push(&mut self, to: Path, datagram: &[u8]) {
        let start = self.begin();
        self.bytes.extend_from_slice(datagram);
        self.commit(to, start);
    }

    /// The datagrams in the order they were committed.
    pub fn datagrams(&self) -> impl Iterator<Item = (Path, &[u8])> {
        self.datagrams.iter().filter_map(|datagram| {
            let start = datagram.start as usize;
            let bytes = self.bytes.get(start..start + usize::from(datagram.len))?;
            Some((datagram.to, bytes))
        })
    }

    /// Where the datagram at `index` goes, and what it is.
    pub fn get(&self, index: usize) -> Option<(Path, &[u8])> {
        let datagram = self.datagrams.get(index)?;
        let start = datagram.start as usize;
        let bytes = self.bytes.get(start..start + usize::from(datagram.len))?;
        Some((datagram.to, bytes))
    }

    /// Puts `head` and `tail` around the datagram at `index` and addresses it anew; it keeps its
    /// place among the others. What is too long then is not changed.
    pub fn wrap(&mut self, index: usize, to: Path, head: &[u8], tail: &[u8]) {
        let start = self.begin();
        let Some(datagram) = self.datagrams.get_mut(index) else {
            return;
        };
        let inner = datagram.start as usize;
        let len = head.len() + usize::from(datagram.len) + tail.len();
        if let (Ok(start), Ok(len)) = (u32::try_from(start), u16::try_from(len)) {
            self.bytes.extend_from_slice(head);
            let inner = inner..inner + usize::from(datagram.len);
            self.bytes.extend_from_within(inner);
            self.bytes.extend_from_slice(tail);
            *datagram = Datagram { to, start, len };
        }
    }

    /// How many datagrams wait.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Empties it for the next batch.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::ids::LocalSocket;

    fn path(port: u16) -> Path {
        Path {
            local: LocalSocket(0),
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    fn contents(arena: &SendArena) -> Vec<(u16, Vec<u8>)> {
        arena
            .datagrams()
            .map(|(to, bytes)| (to.remote.port(), bytes.to_vec()))
            .collect()
    }

    #[test]
    fn datagrams_come_out_whole_and_in_order() {
        let mut arena = SendArena::new();
        arena.push(path(1), b"one");
        let start = arena.begin();
        arena.bytes_mut().extend_from_slice(b"two");
        arena.commit(path(2), start);
        assert_eq!(
            contents(&arena),
            [(1, b"one".to_vec()), (2, b"two".to_vec())]
        );
    }

    #[test]
    fn an_aborted_datagram_leaves_no_trace() {
        let mut arena = SendArena::new();
        arena.push(path(1), b"one");
        let start = arena.begin();
        arena.bytes_mut().extend_from_slice(b"half of");
        arena.abort(start);
        arena.push(path(3), b"three");
        assert_eq!(
            contents(&arena),
            [(1, b"one".to_vec()), (3, b"three".to_vec())]
        );
    }

    #[test]
    fn what_no_socket_takes_is_dropped() {
        let mut arena = SendArena::new();
        arena.push(path(1), b"");
        arena.push(path(1), &vec![0; DATAGRAM_LEN_MAX + 1]);
        arena.push(path(1), &vec![0; 70_000]);
        assert!(arena.is_empty());
        arena.push(path(1), &vec![0; DATAGRAM_LEN_MAX]);
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn a_wrapped_datagram_keeps_its_place() {
        let mut arena = SendArena::new();
        arena.push(path(1), b"one");
        arena.push(path(2), b"two");
        arena.push(path(3), b"three");
        arena.wrap(1, path(9), b"<", b">");
        arena.wrap(7, path(9), b"<", b">");
        assert_eq!(
            contents(&arena),
            [
                (1, b"one".to_vec()),
                (9, b"<two>".to_vec()),
                (3, b"three".to_vec())
            ]
        );
        arena.push(path(4), &vec![0; DATAGRAM_LEN_MAX]);
        arena.wrap(3, path(9), &[0; 48], b"");
        assert_eq!(arena.get(3).unwrap().0, path(4));
    }

    #[test]
    fn a_cleared_arena_keeps_its_capacity() {
        let mut arena = SendArena::new();
        arena.push(path(1), &[0; 1200]);
        let capacity = arena.bytes.capacity();
        arena.clear();
        assert!(arena.is_empty());
        assert_eq!(arena.bytes.capacity(), capacity);
    }
}
