//! Which room and participant a datagram belongs to.

use crate::ids::Path;
use crate::media::demux::{PeerKey, Routes};
use crate::media::ice::Checked;
use crate::media::peer::Peer;

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
    places: Vec<Option<Place>>,
}

impl Switchboard {
    /// A key for a new peer connection.
    pub fn register(&mut self, place: Place) -> PeerKey {
        let free = self.places.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[index] = Some(place);
        PeerKey(index as u32)
    }

    /// Forgets a peer connection and all its routes.
    pub fn release(&mut self, key: PeerKey) {
        self.routes.unbind_peer(key);
        if let Some(place) = self.places.get_mut(key.0 as usize) {
            *place = None;
        }
    }

    /// Peer connections that there are.
    pub fn len(&self) -> usize {
        self.places.iter().flatten().count()
    }

    /// There are no peer connections.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Routes checks for every username fragment of the peer to it. `false` if one is taken.
    pub fn bind_ufrags(&mut self, key: PeerKey, peer: &Peer) -> bool {
        peer.ufrags()
            .all(|ufrag| self.routes.bind_ufrag(ufrag, key))
    }

    /// Follows what a valid check over `path` changed.
    pub fn checked(&mut self, key: PeerKey, path: Path, checked: Checked) {
        if let Some(evicted) = checked.evicted {
            self.routes.unbind_path(evicted);
        }
        if checked.new_path || checked.selected {
            self.routes.bind_path(path, key);
        }
    }

    /// Forgets a path that left its peer's validated set.
    pub fn unbind_path(&mut self, path: Path) {
        self.routes.unbind_path(path);
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
        self.places.get(key.0 as usize).copied().flatten()
    }
}
