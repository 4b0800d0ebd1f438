//! Whose datagram is this? The first byte says what it is, then the STUN username or the validated
//! source says whose.

use std::collections::{BTreeMap, HashMap};

use crate::ids::Path;

/// Paths one peer may be bound to at a time. When full, the one bound longest ago is given up.
pub const PATHS_PER_PEER_MAX: usize = 16;
/// Username fragments one peer may have at a time: the current one and the next of a restart.
/// When full, the oldest is given up.
pub const UFRAGS_PER_PEER_MAX: usize = 4;

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STUN (RFC 8489).
    Stun,
    /// DTLS (RFC 6347).
    Dtls,
    /// RTP or SRTP (RFC 3550, 3711).
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// A payload in a TURN channel (RFC 8656 §12.4).
    Channel,
    /// Nothing the node understands.
    Unknown,
}

/// Tells what a datagram is by its first byte (RFC 7983 §7), and RTP from RTCP by the second
/// (RFC 5761 §4).
pub fn classify(datagram: &[u8]) -> Kind {
    match datagram {
        [0..=3, ..] => Kind::Stun,
        [20..=63, ..] => Kind::Dtls,
        [64..=79, ..] => Kind::Channel,
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        _ => Kind::Unknown,
    }
}

/// A peer of this shard, numbered by the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub u32);

/// Which peer a datagram belongs to.
///
/// The STUN username decides before the address table, so that an ICE restart and a changed port
/// work; only validated sources are bound, so only they reach DTLS and SRTP.
#[derive(Debug, Default)]
pub struct Routes {
    by_ufrag: HashMap<String, PeerKey>,
    by_path: HashMap<Path, Route>,
    peers: BTreeMap<PeerKey, Bound>,
}

/// Whose a source is.
#[derive(Debug, Clone, Copy)]
struct Route {
    peer: PeerKey,
    /// The peer receives what is sent there.
    proven: bool,
}

/// What is bound to one peer, oldest first.
#[derive(Debug, Default)]
struct Bound {
    ufrags: Vec<String>,
    paths: Vec<Path>,
}

impl Routes {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks whose username says `ufrag` go to `peer` from now on. `false`, and nothing changed,
    /// if another peer has it.
    pub fn bind_ufrag(&mut self, ufrag: &str, peer: PeerKey) -> bool {
        if let Some(&owner) = self.by_ufrag.get(ufrag) {
            return owner == peer;
        }
        let bound = self.peers.entry(peer).or_default();
        if bound.ufrags.len() == UFRAGS_PER_PEER_MAX {
            self.by_ufrag.remove(&bound.ufrags.remove(0));
        }
        bound.ufrags.push(ufrag.to_owned());
        self.by_ufrag.insert(ufrag.to_owned(), peer);
        true
    }

    /// Forgets the username fragments of a peer that it does not have any more.
    pub fn keep_ufrags(&mut self, peer: PeerKey, has: impl Fn(&str) -> bool) {
        let bound = self.peers.get(&peer).map(|bound| bound.ufrags.clone());
        for ufrag in bound.unwrap_or_default().iter().filter(|ufrag| !has(ufrag)) {
            self.unbind_ufrag(ufrag);
        }
    }

    /// Forgets a username fragment.
    pub fn unbind_ufrag(&mut self, ufrag: &str) {
        let Some(peer) = self.by_ufrag.remove(ufrag) else {
            return;
        };
        self.retain(peer, |bound| bound.ufrags.retain(|known| known != ufrag));
    }

    /// Datagrams from a validated source go to `peer` from now on, whoever had the source before:
    /// the last valid check wins. But who has `proven` to be there gives way to nobody who has not,
    /// or a member who forges another's source would cut that one off.
    pub fn bind_path(&mut self, path: Path, peer: PeerKey, proven: bool) {
        match self.by_path.get_mut(&path) {
            Some(route) if route.peer == peer => {
                route.proven |= proven;
                return;
            }
            Some(route) if route.proven && !proven => return,
            _ => self.forget_path(path),
        }
        let bound = self.peers.entry(peer).or_default();
        if bound.paths.len() == PATHS_PER_PEER_MAX {
            self.by_path.remove(&bound.paths.remove(0));
        }
        bound.paths.push(path);
        self.by_path.insert(path, Route { peer, proven });
    }

    /// Forgets that a source is a peer's, unless it is another's by now.
    pub fn unbind_path(&mut self, path: Path, peer: PeerKey) {
        if self.by_path(&path) == Some(peer) {
            self.forget_path(path);
        }
    }

    /// Forgets a source, whosever it is.
    pub fn forget_path(&mut self, path: Path) {
        if let Some(Route { peer, .. }) = self.by_path.remove(&path) {
            self.retain(peer, |bound| bound.paths.retain(|&known| known != path));
        }
    }

    /// Forgets a peer with everything bound to it.
    pub fn unbind_peer(&mut self, peer: PeerKey) {
        let bound = self.peers.remove(&peer).unwrap_or_default();
        for ufrag in bound.ufrags {
            self.by_ufrag.remove(&ufrag);
        }
        for path in bound.paths {
            self.by_path.remove(&path);
        }
    }

    /// Whose username fragment this is.
    pub fn by_ufrag(&self, ufrag: &str) -> Option<PeerKey> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Whose validated source this is.
    pub fn by_path(&self, path: &Path) -> Option<PeerKey> {
        self.by_path.get(path).map(|route| route.peer)
    }

    /// Applies a removal to a peer, and drops the peer once nothing is bound to it.
    fn retain(&mut self, peer: PeerKey, remove: impl FnOnce(&mut Bound)) {
        if let Some(bound) = self.peers.get_mut(&peer) {
            remove(bound);
            if bound.ufrags.is_empty() && bound.paths.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LocalSocket;

    const A: PeerKey = PeerKey(1);
    const B: PeerKey = PeerKey(2);

    fn path(port: u16) -> Path {
        Path {
            local: LocalSocket(0),
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    #[test]
    fn the_first_byte_says_what_it_is() {
        let cases: [(&[u8], Kind); 19] = [
            (&[], Kind::Unknown),
            (&[0], Kind::Stun),
            (&[3, 1], Kind::Stun),
            (&[4], Kind::Unknown),
            (&[19], Kind::Unknown),
            (&[20], Kind::Dtls),
            (&[63, 0], Kind::Dtls),
            (&[64], Kind::Channel),
            (&[79, 1], Kind::Channel),
            (&[80], Kind::Unknown),
            (&[127, 200], Kind::Unknown),
            (&[128], Kind::Unknown),
            (&[128, 96], Kind::Rtp),
            (&[0x90, 0x80 | 96], Kind::Rtp),
            (&[128, 191], Kind::Rtp),
            (&[128, 192], Kind::Rtcp),
            (&[0x80, 223], Kind::Rtcp),
            (&[191, 224], Kind::Rtp),
            (&[192, 200], Kind::Unknown),
        ];
        for (datagram, kind) in cases {
            assert_eq!(classify(datagram), kind, "{datagram:?}");
        }
    }

    #[test]
    fn a_ufrag_belongs_to_the_first_who_has_it() {
        let mut routes = Routes::new();
        assert!(routes.bind_ufrag("abcd", A));
        assert!(routes.bind_ufrag("abcd", A));
        assert!(!routes.bind_ufrag("abcd", B));
        assert_eq!(routes.by_ufrag("abcd"), Some(A));
        routes.unbind_ufrag("abcd");
        assert_eq!(routes.by_ufrag("abcd"), None);
        assert!(routes.bind_ufrag("abcd", B));
    }

    #[test]
    fn a_source_belongs_to_the_last_who_proved_it() {
        let mut routes = Routes::new();
        for proven in [false, true] {
            routes.bind_path(path(1), A, proven);
            routes.bind_path(path(1), B, proven);
            assert_eq!(routes.by_path(&path(1)), Some(B));
            routes.unbind_path(path(1), A);
            routes.unbind_peer(A);
            assert_eq!(routes.by_path(&path(1)), Some(B), "it is not A's to forget");
        }
    }

    #[test]
    fn who_proved_to_be_there_gives_way_to_nobody_who_did_not() {
        let mut routes = Routes::new();
        routes.bind_path(path(1), A, false);
        routes.bind_path(path(1), A, true);
        routes.bind_path(path(1), B, false);
        assert_eq!(routes.by_path(&path(1)), Some(A));
        routes.bind_path(path(1), B, true);
        assert_eq!(routes.by_path(&path(1)), Some(B));
        routes.forget_path(path(1));
        routes.bind_path(path(1), A, false);
        assert_eq!(routes.by_path(&path(1)), Some(A));
    }

    #[test]
    fn one_peer_cannot_fill_the_tables() {
        let mut routes = Routes::new();
        for port in 1..=100 {
            routes.bind_path(path(port), A, true);
            routes.bind_ufrag(&port.to_string(), A);
        }
        assert_eq!(routes.by_path.len(), PATHS_PER_PEER_MAX);
        assert_eq!(routes.by_ufrag.len(), UFRAGS_PER_PEER_MAX);
        assert_eq!(routes.by_path(&path(84)), None);
        assert_eq!(routes.by_path(&path(85)), Some(A));
    }

    #[test]
    fn nothing_of_an_unbound_peer_is_left() {
        let mut routes = Routes::new();
        routes.bind_ufrag("a", A);
        routes.bind_path(path(1), A, true);
        routes.bind_ufrag("b", B);
        routes.unbind_peer(A);
        assert_eq!(
            (routes.by_ufrag("a"), routes.by_path(&path(1))),
            (None, None)
        );
        assert_eq!(routes.by_ufrag("b"), Some(B));
        routes.unbind_ufrag("b");
        assert!(routes.by_ufrag.is_empty() && routes.by_path.is_empty() && routes.peers.is_empty());
    }
}
