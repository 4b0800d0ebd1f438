//! Which room and participant a datagram belongs to.

use crate::ids::Path;
use crate::logic::household::Household;
use crate::media::demux::{PeerKey, Routes};
use crate::media::half_open::HalfOpen;
use crate::media::ice::Checked;
use crate::media::peer::Peer;
use crate::media::slots::Slots;

/// A peer connection's place in the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The room's slot in the shard.
    pub room: usize,
    /// The participant's slot in the room.
    pub participant: usize,
}

/// The routes of a shard and whom they lead to.
#[derive(Debug, Default)]
pub struct Switchboard {
    routes: Routes,
    places: Slots<Place>,
    half_open: HalfOpen,
    /// Those that others had to make way for.
    given_up: Vec<PeerKey>,
}

impl Switchboard {
    /// A key for a new peer connection.
    pub fn register(&mut self, place: Place) -> PeerKey {
        PeerKey(self.places.insert(place) as u32)
    }

    /// A peer connection has yet to come up, of a member who has shown no other that did. There may be
    /// `max` of these, or some household's oldest is [given up](Self::next_given_up).
    pub fn expect(&mut self, key: PeerKey, household: Household, max: usize) {
        self.given_up
            .extend(self.half_open.begin(key, household, max));
    }

    /// The WebSocket of a peer connection's member is gone: if it is not up yet, it goes first.
    pub fn forsake(&mut self, key: PeerKey) {
        self.half_open.forsake(key);
    }

    /// Where a peer connection is that has to go.
    pub fn next_given_up(&mut self) -> Option<Place> {
        let key = self.given_up.pop()?;
        self.place(key)
    }

    /// Forgets a peer connection and all its routes.
    pub fn release(&mut self, key: PeerKey) {
        self.routes.unbind_peer(key);
        self.places.remove(key.0 as usize);
        self.half_open.end(key);
        self.given_up.retain(|other| *other != key);
    }

    /// Forgets every peer connection of a room.
    pub fn release_room(&mut self, room: usize) {
        let places = self.places.entries();
        let of_room = places.filter(|(_, place)| place.room == room);
        let keys: Vec<PeerKey> = of_room.map(|(at, _)| PeerKey(at as u32)).collect();
        keys.into_iter().for_each(|key| self.release(key));
    }

    /// Peer connections that there are.
    pub fn len(&self) -> usize {
        self.places.iter().count()
    }

    /// There are no peer connections.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Peer connections that have not come up yet.
    pub fn half_open(&self) -> usize {
        self.half_open.len()
    }

    /// A peer connection came up.
    pub fn opened(&mut self, key: PeerKey) {
        self.half_open.end(key);
    }

    /// Routes checks for every username fragment of the peer to it, and for no other. `false` if
    /// one is taken.
    pub fn bind_ufrags(&mut self, key: PeerKey, peer: &Peer) -> bool {
        let has = |known: &str| peer.ufrags().any(|ufrag| ufrag == known);
        self.routes.keep_ufrags(key, has);
        peer.ufrags()
            .all(|ufrag| self.routes.bind_ufrag(ufrag, key))
    }

    /// Follows what a valid check over `path` changed.
    pub fn checked(&mut self, key: PeerKey, path: Path, checked: Checked) {
        if let Some(evicted) = checked.evicted {
            self.routes.unbind_path(evicted, key);
        }
        self.routes.bind_path(path, key, checked.proven);
    }

    /// A peer has shown in another way than by a check that it is where this path leads.
    pub fn proven(&mut self, key: PeerKey, path: Path) {
        self.routes.bind_path(path, key, true);
    }

    /// Forgets a path that left its peer's validated set.
    pub fn unbind_path(&mut self, key: PeerKey, path: Path) {
        self.routes.unbind_path(path, key);
    }

    /// Forgets a path that is no more, whosever it was.
    pub fn forget_path(&mut self, path: Path) {
        self.routes.forget_path(path);
    }

    /// Whose key it is.
    pub fn by_key(&self, key: PeerKey) -> Option<Place> {
        self.place(key)
    }

    /// Whose check it is, by the username fragment.
    pub fn by_ufrag(&self, ufrag: &str) -> Option<Place> {
        self.place(self.routes.by_ufrag(ufrag)?)
    }

    /// Whose datagram it is, by its validated source.
    pub fn by_path(&self, path: Path) -> Option<Place> {
        self.place(self.routes.by_path(&path)?)
    }

    fn place(&self, key: PeerKey) -> Option<Place> {
        self.places.get(key.0 as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_open_connections_are_counted_until_they_come_up_or_go() {
        let mut switchboard = Switchboard::default();
        let place = |participant| Place {
            room: 0,
            participant,
        };
        let keys = [0, 1, 2, 3].map(|participant| switchboard.register(place(participant)));
        for key in &keys[..3] {
            switchboard.expect(*key, Household::default(), 3);
        }
        assert_eq!((switchboard.len(), switchboard.half_open()), (4, 3));
        switchboard.opened(keys[0]);
        switchboard.release(keys[0]);
        assert_eq!((switchboard.len(), switchboard.half_open()), (3, 2));
        switchboard.expect(keys[3], Household::default(), 2);
        assert_eq!(switchboard.next_given_up(), Some(place(1)));
        assert_eq!(switchboard.next_given_up(), None);
        switchboard.expect(keys[1], Household::default(), 2);
        switchboard.release(keys[2]);
        assert_eq!(switchboard.next_given_up(), None, "gone by itself");
        switchboard.release_room(1);
        assert_eq!(switchboard.len(), 2);
        switchboard.release(keys[1]);
        switchboard.release_room(0);
        assert_eq!((switchboard.len(), switchboard.half_open()), (0, 0));
        assert!(switchboard.is_empty());
    }
}
