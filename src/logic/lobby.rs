//! Admission: which shard a room lives on, and how much the node takes on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::logic::limits::Limits;

/// A shard by its place in the node's list of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(pub usize);

/// Why the lobby lets nothing more in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `nodeFull`.
    #[error("this node holds as many rooms as it may")]
    NodeFull,
    /// HTTP 429 before the upgrade.
    #[error("too many connections from this address")]
    AddressFull,
}

/// The only map that all shards share; the rim keeps it behind a mutex.
///
/// A room that closes and a join on its way to it can cross. So a join is announced by
/// [`Lobby::enter`], and [`Lobby::arrived`] is called once the shard has handled it and the effects
/// of everything before were carried out; a [`Lobby::closed`] in between changes nothing, because
/// the join makes the room anew on the same shard.
#[derive(Debug)]
pub struct Lobby {
    rooms_max: usize,
    connections_per_address_max: u32,
    rooms: BTreeMap<String, Place>,
    rooms_of_shard: Vec<usize>,
    connections: BTreeMap<IpAddr, u32>,
}

#[derive(Debug)]
struct Place {
    shard: ShardIndex,
    joins_under_way: u32,
}

impl Lobby {
    /// An empty lobby of a node with that many shards, at least one.
    pub fn new(shards: usize, limits: &Limits) -> Lobby {
        Lobby {
            rooms_max: limits.rooms as usize,
            connections_per_address_max: limits.connections_per_address,
            rooms: BTreeMap::new(),
            rooms_of_shard: vec![0; shards.max(1)],
            connections: BTreeMap::new(),
        }
    }

    /// A connection from that address begins; [`Lobby::disconnect`] must follow if it was let in.
    pub fn connect(&mut self, address: IpAddr) -> Result<(), Refusal> {
        let count = self.connections.entry(household(address)).or_default();
        if *count >= self.connections_per_address_max {
            return Err(Refusal::AddressFull);
        }
        *count += 1;
        Ok(())
    }

    /// A connection that was let in has ended.
    pub fn disconnect(&mut self, address: IpAddr) {
        let key = household(address);
        if let Some(count) = self.connections.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.connections.remove(&key);
            }
        }
    }

    /// Where a join (or the making of a room) is to go: the room's shard, or for a new room the one
    /// that holds the fewest. [`Lobby::arrived`] must follow.
    pub fn enter(&mut self, room: &str) -> Result<ShardIndex, Refusal> {
        if let Some(place) = self.rooms.get_mut(room) {
            place.joins_under_way += 1;
            return Ok(place.shard);
        }
        if self.rooms.len() >= self.rooms_max {
            return Err(Refusal::NodeFull);
        }
        let shard = self.least_loaded();
        self.rooms_of_shard[shard.0] += 1;
        let place = Place {
            shard,
            joins_under_way: 1,
        };
        self.rooms.insert(room.to_owned(), place);
        Ok(shard)
    }

    /// The shard has handled what [`Lobby::enter`] announced.
    pub fn arrived(&mut self, room: &str) {
        if let Some(place) = self.rooms.get_mut(room) {
            place.joins_under_way = place.joins_under_way.saturating_sub(1);
        }
    }

    /// The room is gone from its shard: its name is free, unless a join is on its way.
    pub fn closed(&mut self, room: &str) {
        let leave = |place: &Place| place.joins_under_way == 0;
        if self.rooms.get(room).is_some_and(leave)
            && let Some(place) = self.rooms.remove(room)
        {
            self.rooms_of_shard[place.shard.0] -= 1;
        }
    }

    /// Where the room lives.
    pub fn find(&self, room: &str) -> Option<ShardIndex> {
        self.rooms.get(room).map(|place| place.shard)
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    fn least_loaded(&self) -> ShardIndex {
        let loads = self.rooms_of_shard.iter().enumerate();
        let index = loads.min_by_key(|(_, load)| **load).map_or(0, |(i, _)| i);
        ShardIndex(index)
    }
}

/// Who is counted as one: an IPv4 address, or the /64 that an IPv6 subscriber has to themselves.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn lobby(shards: usize, rooms: u32, connections_per_address: u32) -> Lobby {
        let limits = Limits {
            rooms,
            connections_per_address,
            ..Limits::default()
        };
        Lobby::new(shards, &limits)
    }

    fn enter(lobby: &mut Lobby, room: &str) -> usize {
        let shard = lobby.enter(room).unwrap();
        lobby.arrived(room);
        shard.0
    }

    #[test]
    fn a_new_room_goes_where_the_fewest_are_and_is_found_there() {
        let mut lobby = lobby(3, 100, 1);
        assert_eq!(
            ["a", "b", "c", "d", "a"].map(|room| enter(&mut lobby, room)),
            [0, 1, 2, 0, 0]
        );
        lobby.closed("b");
        assert_eq!(lobby.find("b"), None);
        assert_eq!(["e", "f"].map(|room| enter(&mut lobby, room)), [1, 1]);
        assert_eq!(lobby.find("a"), Some(ShardIndex(0)));
        assert_eq!(lobby.rooms(), 5);
        lobby.closed("unknown");
        lobby.arrived("unknown");
        assert_eq!(lobby.rooms(), 5);
    }

    #[test]
    fn a_full_node_takes_members_but_no_rooms() {
        let mut lobby = lobby(0, 2, 1);
        enter(&mut lobby, "a");
        enter(&mut lobby, "b");
        assert_eq!(lobby.enter("c"), Err(Refusal::NodeFull));
        assert_eq!(enter(&mut lobby, "a"), 0);
        lobby.closed("a");
        assert_eq!(enter(&mut lobby, "c"), 0);
    }

    #[test]
    fn a_room_that_closes_while_someone_is_on_the_way_keeps_its_place() {
        let mut lobby = lobby(2, 10, 1);
        enter(&mut lobby, "a");
        let shard = lobby.enter("a").unwrap();
        lobby.closed("a");
        assert_eq!(lobby.find("a"), Some(shard), "the join makes it anew there");
        lobby.arrived("a");
        lobby.closed("a");
        assert_eq!(lobby.find("a"), None);
    }

    #[test]
    fn addresses_have_their_share() {
        let mut lobby = lobby(1, 1, 2);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut connect = |text: &str| lobby.connect(address(text)).is_ok();
        assert!(connect("192.0.2.1") && connect("::ffff:192.0.2.1"));
        assert!(!connect("192.0.2.1") && connect("192.0.2.2"));
        assert!(connect("2001:db8:0:1::1") && connect("2001:db8:0:1:ffff::2"));
        assert!(!connect("2001:db8:0:1::3") && connect("2001:db8:0:2::1"));
        lobby.disconnect(address("2001:db8:0:1::9"));
        lobby.disconnect(address("203.0.113.1"));
        assert!(lobby.connect(address("2001:db8:0:1::3")).is_ok());
        for text in [
            "192.0.2.1",
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8:0:1::1",
            "2001:db8:0:1::1",
            "2001:db8:0:2::1",
        ] {
            lobby.disconnect(address(text));
        }
        assert!(lobby.connections.is_empty());
    }
}
