//! Admission: which shard a room lives on, and how much the node takes on, of everybody and of each
//! household.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::logic::household::{Held, Household, Pass};
use crate::logic::limits::{Bucket, Limits};
use crate::protocol::reason::ErrorCode;

/// Households that are remembered for nothing but their joins; beyond, all of these are forgotten.
const HOUSEHOLDS_MAX: usize = 10_000;

/// A shard by its place in the node's list of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(pub usize);

/// Why the lobby lets nothing more in: a sentence that says what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many rooms as there may be.
    #[error("This node holds as many rooms as it may (--max-rooms); try again later.")]
    Rooms,
    /// The node is about to stop.
    #[error("This node is about to stop and takes no new rooms; try again in a minute.")]
    Draining,
    /// As many members as there may be.
    #[error("This node holds as many members as it may (--max-total-members); try again later.")]
    Members,
    /// As many connections of the household as there may be.
    #[error(
        "Too many connections from your address (--max-connections-per-address); close some, or try \
         again later."
    )]
    ConnectionsOfHousehold,
    /// As many members, those that were lost included.
    #[error(
        "Too many members from your address (--max-connections-per-address), those included whose \
         connection was lost; try again in a minute."
    )]
    MembersOfHousehold,
    /// As many rooms that it opened.
    #[error(
        "Too many rooms were opened from your address (--max-rooms-per-address); join one that is \
         there, or try again when one has closed."
    )]
    RoomsOfHousehold,
    /// Too many joins within a minute.
    #[error("Too many joins from your address (--max-joins-per-minute); try again in {seconds} s.")]
    JoinsOfHousehold {
        /// When there may be another.
        seconds: u64,
    },
}

impl Refusal {
    /// For programs.
    pub fn code(self) -> ErrorCode {
        match self {
            Refusal::Rooms | Refusal::Members => ErrorCode::NodeFull,
            Refusal::Draining => ErrorCode::Draining,
            Refusal::JoinsOfHousehold { .. } => ErrorCode::TooFast,
            Refusal::ConnectionsOfHousehold
            | Refusal::MembersOfHousehold
            | Refusal::RoomsOfHousehold => ErrorCode::Limit,
        }
    }

    /// Others are let in.
    pub fn is_theirs(self) -> bool {
        !matches!(self.code(), ErrorCode::NodeFull | ErrorCode::Draining)
    }
}

/// The only map that all shards share; the rim keeps it behind a mutex.
///
/// A room that closes and a join on its way to it can cross. So a join is announced by
/// [`Lobby::enter`], and [`Lobby::arrived`] is called once the shard has handled it and the effects
/// of everything before were carried out; a [`Lobby::closed`] in between changes nothing, because
/// the join makes the room anew on the same shard.
#[derive(Debug)]
pub struct Lobby {
    limits: Limits,
    is_draining: bool,
    rooms: BTreeMap<String, Place>,
    rooms_of_shard: Vec<usize>,
    members: Held,
    households: BTreeMap<Household, Account>,
    /// How many households there may be before those that hold nothing are forgotten.
    forget_at: usize,
}

#[derive(Debug)]
struct Place {
    shard: ShardIndex,
    joins_under_way: u32,
    /// Who opened it; nobody over REST.
    founder: Option<Household>,
}

/// What a household holds.
#[derive(Debug, Default)]
struct Account {
    connections: u32,
    rooms: u32,
    members: Held,
    joins: Option<Bucket>,
}

impl Account {
    fn holds_something(&self) -> bool {
        self.connections > 0 || self.rooms > 0 || self.members.count() > 0
    }
}

impl Lobby {
    /// An empty lobby of a node with that many shards, at least one.
    pub fn new(shards: usize, limits: &Limits) -> Lobby {
        Lobby {
            limits: *limits,
            is_draining: false,
            rooms: BTreeMap::new(),
            rooms_of_shard: vec![0; shards.max(1)],
            members: Held::default(),
            households: BTreeMap::new(),
            forget_at: HOUSEHOLDS_MAX,
        }
    }

    /// A connection of that household begins; [`Lobby::disconnect`] must follow if it was let in.
    pub fn connect(&mut self, household: Household) -> Result<(), Refusal> {
        let most = self.limits.connections_per_address;
        let account = self.account(household);
        if account.connections >= most {
            return Err(Refusal::ConnectionsOfHousehold);
        }
        account.connections += 1;
        Ok(())
    }

    /// A connection that was let in has ended.
    pub fn disconnect(&mut self, household: Household) {
        if let Some(account) = self.households.get_mut(&household) {
            account.connections = account.connections.saturating_sub(1);
        }
    }

    /// Where a join is to go: the room's shard, or for a new room the one that holds the fewest; and
    /// what counts the member, to be kept until it is gone. [`Lobby::arrived`] must follow.
    pub fn enter(
        &mut self,
        now: Instant,
        room: &str,
        household: Household,
    ) -> Result<(ShardIndex, Pass), Refusal> {
        let limits = self.limits;
        if self.members.count() >= limits.members {
            return Err(Refusal::Members);
        }
        let is_new = !self.rooms.contains_key(room);
        if is_new {
            self.has_place_for_a_room()?;
        }
        let account = self.account(household);
        if account.members.count() >= limits.connections_per_address {
            return Err(Refusal::MembersOfHousehold);
        }
        if is_new && account.rooms >= limits.rooms_per_address {
            return Err(Refusal::RoomsOfHousehold);
        }
        let joins = account.joins.get_or_insert_with(|| limits.join_bucket(now));
        if !joins.take(now) {
            let seconds = joins.wait(now).as_secs_f64().ceil() as u64;
            return Err(Refusal::JoinsOfHousehold { seconds });
        }
        account.rooms += u32::from(is_new);
        let (accounts, all) = (&self.households, &self.members);
        let ours = accounts.get(&household).map(|account| &account.members);
        let pass = ours.map(|ours| Pass::new(household, ours, all));
        Ok((self.place(room, Some(household)), pass.unwrap_or_default()))
    }

    /// Where the making of a room is to go. [`Lobby::arrived`] must follow.
    pub fn reserve(&mut self, room: &str) -> Result<ShardIndex, Refusal> {
        if !self.rooms.contains_key(room) {
            self.has_place_for_a_room()?;
        }
        Ok(self.place(room, None))
    }

    fn has_place_for_a_room(&self) -> Result<(), Refusal> {
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        match self.rooms.len() < self.limits.rooms as usize {
            true => Ok(()),
            false => Err(Refusal::Rooms),
        }
    }

    fn place(&mut self, room: &str, founder: Option<Household>) -> ShardIndex {
        if let Some(place) = self.rooms.get_mut(room) {
            place.joins_under_way += 1;
            return place.shard;
        }
        let shard = self.least_loaded();
        self.rooms_of_shard[shard.0] += 1;
        let place = Place {
            shard,
            joins_under_way: 1,
            founder,
        };
        self.rooms.insert(room.to_owned(), place);
        shard
    }

    /// No new rooms from now on; those that are there go on, and take members.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether new rooms are refused because the node is about to stop.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// The shard has handled what [`Lobby::enter`] or [`Lobby::reserve`] announced.
    pub fn arrived(&mut self, room: &str) {
        if let Some(place) = self.rooms.get_mut(room) {
            place.joins_under_way = place.joins_under_way.saturating_sub(1);
        }
    }

    /// The room is gone from its shard, or was never made: its name is free, unless a join is on its
    /// way.
    pub fn closed(&mut self, room: &str) {
        let leave = |place: &Place| place.joins_under_way == 0;
        if self.rooms.get(room).is_some_and(leave)
            && let Some(place) = self.rooms.remove(room)
        {
            self.rooms_of_shard[place.shard.0] -= 1;
            let founder = place.founder;
            if let Some(account) = founder.and_then(|founder| self.households.get_mut(&founder)) {
                account.rooms = account.rooms.saturating_sub(1);
            }
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

    /// How many households hold something.
    pub fn households(&self) -> usize {
        let accounts = self.households.values();
        accounts.filter(|account| account.holds_something()).count()
    }

    /// Makes room first: what remembers nothing but joins may go.
    fn account(&mut self, household: Household) -> &mut Account {
        let is_known = self.households.contains_key(&household);
        if !is_known && self.households.len() >= self.forget_at {
            self.households
                .retain(|_, account| account.holds_something());
            self.forget_at = self.households.len() + HOUSEHOLDS_MAX;
        }
        self.households.entry(household).or_default()
    }

    fn least_loaded(&self) -> ShardIndex {
        let loads = self.rooms_of_shard.iter().enumerate();
        let index = loads.min_by_key(|(_, load)| **load).map_or(0, |(i, _)| i);
        ShardIndex(index)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn lobby(shards: usize, rooms: u32, connections_per_address: u32) -> Lobby {
        let limits = Limits {
            rooms,
            connections_per_address,
            ..Limits::default()
        };
        Lobby::new(shards, &limits)
    }

    fn household(text: &str) -> Household {
        Household::of(text.parse().unwrap())
    }

    fn reserve(lobby: &mut Lobby, room: &str) -> usize {
        let shard = lobby.reserve(room).unwrap();
        lobby.arrived(room);
        shard.0
    }

    #[test]
    fn a_new_room_goes_where_the_fewest_are_and_is_found_there() {
        let mut lobby = lobby(3, 100, 1);
        assert_eq!(
            ["a", "b", "c", "d", "a"].map(|room| reserve(&mut lobby, room)),
            [0, 1, 2, 0, 0]
        );
        lobby.closed("b");
        assert_eq!(lobby.find("b"), None);
        assert_eq!(["e", "f"].map(|room| reserve(&mut lobby, room)), [1, 1]);
        assert_eq!(lobby.find("a"), Some(ShardIndex(0)));
        assert_eq!(lobby.rooms(), 5);
        lobby.closed("unknown");
        lobby.arrived("unknown");
        assert_eq!(lobby.rooms(), 5);
    }

    #[test]
    fn a_full_node_takes_members_but_no_rooms() {
        let now = Instant::now();
        let mut lobby = lobby(0, 2, 9);
        let home = household("192.0.2.1");
        reserve(&mut lobby, "a");
        let (_, pass) = lobby.enter(now, "b", home).unwrap();
        lobby.arrived("b");
        assert_eq!(lobby.reserve("c"), Err(Refusal::Rooms));
        assert_eq!(lobby.enter(now, "c", home), Err(Refusal::Rooms));
        assert_eq!(reserve(&mut lobby, "a"), 0);
        lobby.closed("a");
        assert_eq!(reserve(&mut lobby, "c"), 0);
        drop(pass);
    }

    #[test]
    fn a_draining_node_takes_members_but_no_rooms() {
        let now = Instant::now();
        let mut lobby = lobby(1, 10, 9);
        let home = household("192.0.2.1");
        reserve(&mut lobby, "a");
        lobby.drain();
        assert!(lobby.is_draining());
        assert_eq!(lobby.reserve("b"), Err(Refusal::Draining));
        assert!(lobby.enter(now, "b", home).is_err());
        let (_, pass) = lobby.enter(now, "a", home).unwrap();
        lobby.arrived("a");
        assert_eq!(reserve(&mut lobby, "a"), 0);
        lobby.closed("a");
        assert_eq!(lobby.reserve("a"), Err(Refusal::Draining));
        drop(pass);
    }

    #[test]
    fn a_room_that_closes_while_someone_is_on_the_way_keeps_its_place() {
        let mut lobby = lobby(2, 10, 1);
        reserve(&mut lobby, "a");
        let shard = lobby.reserve("a").unwrap();
        lobby.closed("a");
        assert_eq!(lobby.find("a"), Some(shard), "the join makes it anew there");
        lobby.arrived("a");
        lobby.closed("a");
        assert_eq!(lobby.find("a"), None);
    }

    #[test]
    fn households_have_their_share_of_connections() {
        let mut lobby = lobby(1, 1, 2);
        let mut connect = |text: &str| lobby.connect(household(text)).is_ok();
        assert!(connect("192.0.2.1") && connect("::ffff:192.0.2.1"));
        assert!(!connect("192.0.2.1") && connect("192.0.2.2"));
        assert!(connect("2001:db8:0:1::1") && connect("2001:db8:0:1:ffff::2"));
        assert!(!connect("2001:db8:0:1::3") && connect("2001:db8:0:2::1"));
        lobby.disconnect(household("2001:db8:0:1::9"));
        lobby.disconnect(household("203.0.113.1"));
        assert!(lobby.connect(household("2001:db8:0:1::3")).is_ok());
        for text in [
            "192.0.2.1",
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8:0:1::1",
            "2001:db8:0:1::1",
            "2001:db8:0:2::1",
        ] {
            lobby.disconnect(household(text));
        }
        assert_eq!(lobby.households(), 0);
    }

    /// Fills the limit and says what then comes.
    fn fill(lobby: &mut Lobby, now: Instant, home: Household, one_room: bool) -> (usize, Refusal) {
        let mut passes = Vec::new();
        loop {
            let room = match one_room {
                true => "one".to_owned(),
                false => format!("{}", passes.len()),
            };
            match lobby.enter(now, &room, home) {
                Ok((_, pass)) => passes.push(pass),
                Err(refusal) => return (passes.len(), refusal),
            }
            lobby.arrived(&room);
        }
    }

    #[test]
    fn each_limit_of_a_household_holds_and_leaves_the_others_in_peace() {
        let (now, defaults) = (Instant::now(), Limits::default());
        let seconds = 1;
        for (members, rooms, joins, one_room, expected) in [
            (3, 9, 9, true, (3, Refusal::MembersOfHousehold)),
            (9, 3, 9, false, (3, Refusal::RoomsOfHousehold)),
            (9, 3, 60, true, (9, Refusal::MembersOfHousehold)),
            (
                99,
                99,
                60,
                true,
                (60, Refusal::JoinsOfHousehold { seconds }),
            ),
        ] {
            let limits = Limits {
                connections_per_address: members,
                rooms_per_address: rooms,
                joins_per_minute: joins,
                ..defaults
            };
            let mut lobby = Lobby::new(1, &limits);
            let filled = fill(&mut lobby, now, household("192.0.2.1"), one_room);
            assert_eq!(filled, expected);
            let other = lobby.enter(now, "another", household("192.0.2.2"));
            assert!(other.is_ok(), "{expected:?}");
        }
    }

    #[test]
    fn who_is_gone_is_not_counted_and_a_room_counts_until_it_closes() {
        let limits = Limits {
            connections_per_address: 1,
            rooms_per_address: 1,
            members: 2,
            ..Limits::default()
        };
        let (now, mut lobby) = (Instant::now(), Lobby::new(1, &limits));
        let (home, other) = (household("192.0.2.1"), household("192.0.2.2"));
        let (_, pass) = lobby.enter(now, "a", home).unwrap();
        lobby.arrived("a");
        let refused = lobby.enter(now, "a", home).unwrap_err();
        assert_eq!(
            (refused, refused.code()),
            (Refusal::MembersOfHousehold, ErrorCode::Limit)
        );
        drop(pass);
        assert_eq!(lobby.enter(now, "b", home), Err(Refusal::RoomsOfHousehold));
        let (_, pass) = lobby.enter(now, "a", home).unwrap();
        let (_, second) = lobby.enter(now, "c", other).unwrap();
        let third = household("192.0.2.3");
        let refused = lobby.enter(now, "d", third).unwrap_err();
        assert_eq!(
            (refused, refused.code()),
            (Refusal::Members, ErrorCode::NodeFull)
        );
        drop((pass, second));
        lobby.arrived("a");
        lobby.closed("a");
        assert!(lobby.enter(now, "b", home).is_ok());
    }

    #[test]
    fn joins_come_back_with_time_and_are_not_remembered_for_ever() {
        let (now, mut lobby) = (Instant::now(), lobby(1, 1, 9));
        let home = household("192.0.2.1");
        let limit = Limits::default().joins_per_minute;
        let joins = |lobby: &mut Lobby, at: Instant| {
            let is_let_in = |_: &u32| lobby.enter(at, "a", home).is_ok();
            (0..10_000).take_while(is_let_in).count()
        };
        assert_eq!(joins(&mut lobby, now), limit as usize);
        assert_eq!(
            joins(&mut lobby, now + Duration::from_secs(30)),
            limit as usize / 2
        );
        for number in 0..100_000_u32 {
            let other = Household::of(Ipv4Addr::from(number).into());
            let _ = lobby.enter(now, "a", other);
        }
        assert!(lobby.households.len() <= HOUSEHOLDS_MAX + 2);
        assert!(lobby.households() <= 1, "only who opened the room holds it");
    }
}
