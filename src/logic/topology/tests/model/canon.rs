//! Worlds that differ only by who is who are one.
//!
//! Times count by their order alone, epochs and doublings not at all: nothing but durations follows
//! from them.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::super::*;
use super::world::{MEMBERS, World};
use crate::protocol::server::Cause;

/// What matters of a world, its members put into an order that does not depend on their ids.
pub(super) struct Canon {
    pub(super) members: Vec<MemberId>,
    /// Those of one colour are interchangeable.
    pub(super) colours: Vec<u64>,
    /// By places in `members`: what matters of the first towards the second.
    pub(super) towards: [[u8; MEMBERS]; MEMBERS],
    /// Of all that matters; equal for two worlds that differ by nothing but who is who.
    pub(super) fingerprint: u128,
}

impl Canon {
    pub(super) fn of(world: &World) -> Canon {
        let members: Vec<MemberId> = world.members().collect();
        let towards = matrix(&members, |one, other| towards(world, one, other));
        let own: Vec<u8> = members.iter().map(|one| own(world, *one)).collect();
        let colours = colours(&own, &towards);
        let order = order(&colours, &towards);
        let towards = matrix(&order, |one, other| towards[one][other]);
        let own: Vec<u8> = order.iter().map(|at| own[*at]).collect();
        let whole = (of_room(world), own, towards);
        let fingerprint = u128::from(hash(&(0, &whole))) << 64 | u128::from(hash(&(1, &whole)));
        Canon {
            members: order.iter().map(|at| members[*at]).collect(),
            colours: order.iter().map(|at| colours[*at]).collect(),
            towards,
            fingerprint,
        }
    }

    /// The places of one of each colour.
    pub(super) fn kinds(&self) -> Vec<usize> {
        let is_first = |at: &usize| !self.colours[..*at].contains(&self.colours[*at]);
        (0..self.members.len()).filter(is_first).collect()
    }
}

fn matrix<T: Copy>(members: &[T], code: impl Fn(T, T) -> u8) -> [[u8; MEMBERS]; MEMBERS] {
    let mut codes = [[0; MEMBERS]; MEMBERS];
    for (at, &one) in members.iter().enumerate() {
        for (other_at, &other) in members.iter().enumerate().filter(|(it, _)| *it != at) {
            codes[at][other_at] = code(one, other);
        }
    }
    codes
}

/// What each is, what the others are towards them, and what those are towards others again.
fn colours(own: &[u8], towards: &[[u8; MEMBERS]; MEMBERS]) -> Vec<u64> {
    let mut colours: Vec<u64> = own.iter().map(|own| u64::from(*own)).collect();
    for _ in 0..2 {
        let refined = (0..colours.len()).map(|at| {
            let mut around = [(0, 0); MEMBERS];
            for other in (0..colours.len()).filter(|other| *other != at) {
                around[other] = (towards[at][other], colours[other]);
            }
            around.sort_unstable();
            let blend =
                |colour, (towards, of): &(u8, u64)| mix(mix(colour, (*towards).into()), *of);
            around.iter().fold(mix(0, colours[at]), blend)
        });
        colours = refined.collect();
    }
    colours
}

/// By colour; of one colour, those who have most to do with those before them.
fn order(colours: &[u64], towards: &[[u8; MEMBERS]; MEMBERS]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for _ in colours {
        let left = (0..colours.len()).filter(|at| !order.contains(at));
        let next = left.max_by_key(|at| {
            let mut before = [0; MEMBERS];
            for (place, it) in order.iter().enumerate() {
                before[place] = towards[*at][*it];
            }
            (colours[*at], before)
        });
        order.extend(next);
    }
    order
}

fn of_room(world: &World) -> u8 {
    let topology = &world.topology;
    let soft = matches!(
        topology.why.cause,
        Cause::Uplink | Cause::Cpu | Cause::Failed
    );
    let phase = match topology.phase {
        Phase::Mesh { .. } => 0,
        // What was wished for is put off if it is rolled back.
        Phase::ToSfu { .. } => 1 + u8::from(soft),
        Phase::Sfu { .. } => 3,
        Phase::ToMesh { .. } => 4,
    };
    let is_put_off = topology.wishes_from > world.now;
    let waits = topology.poll_timeout().is_some();
    phase << 2 | u8::from(is_put_off) << 1 | u8::from(waits)
}

fn own(world: &World, member: MemberId) -> u8 {
    let standing = &world.topology.members[&member];
    let flags = [
        standing.sfu_only,
        world.topology.unreachable.contains(&member),
        standing.strains.cause(world.now).is_some(),
    ];
    let bits = |bits, flag: &bool| bits << 1 | u8::from(*flag);
    flags.iter().fold(0, bits) << 2 | standing.part as u8
}

fn towards(world: &World, member: MemberId, other: MemberId) -> u8 {
    let pair = Pair::of(member, other);
    let bond = world.bond(pair);
    let said = |by: MemberId| match bond.said[usize::from(by == pair.high)] {
        None => 0,
        Some(PairState::Connected) => 1,
        Some(PairState::Failed) => 2,
    };
    let is_granted = world.topology.granted.contains_key(&pair);
    let flags = u8::from(bond.has_failed) << 1 | u8::from(is_granted);
    said(member) << 4 | said(other) << 2 | flags
}

/// Quick; of 64 bits, so that two who are unlike do not get one colour by chance.
fn mix(colour: u64, other: u64) -> u64 {
    let mixed = (colour.rotate_left(23) ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
