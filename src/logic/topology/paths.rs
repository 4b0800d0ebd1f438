//! How media travels between two members, where that is not as the room's does.

use std::collections::BTreeMap;

use super::{Pair, Part, Phase, Policy, Topology, TopologyEffect};
use crate::ids::MemberId;
use crate::protocol::client::Epoch;
use crate::protocol::server::{PairPath, PathException, PathReason};

/// With how many others a member whom the node does not reach is connected directly; with more,
/// their uplink could not carry it.
const DIRECT_MAX: usize = 8;

/// Two members whose media travels otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IrregularPair {
    /// Who; the lower id first.
    pub members: [MemberId; 2],
    /// How.
    pub path: PairPath,
    /// Why.
    pub reason: PathReason,
}

/// From when to when a pair may negotiate although there is no mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Granted {
    since: Epoch,
    until: Epoch,
}

impl Topology {
    /// With whom a member's media travels otherwise than the mode says, in the order of ids.
    pub fn exceptions(&self, member: MemberId) -> &[PathException] {
        self.told.get(&member).map_or(&[], Vec::as_slice)
    }

    /// The same for the whole room, each pair once.
    pub fn irregular_pairs(&self) -> Vec<IrregularPair> {
        let of_low = |(member, exceptions): (&MemberId, &Vec<PathException>)| {
            let low = *member;
            let others = exceptions.iter().filter(move |other| low < other.member);
            let pairs = others.map(move |other| IrregularPair {
                members: [low, other.member],
                path: other.path,
                reason: other.reason,
            });
            pairs.collect::<Vec<_>>()
        };
        self.told.iter().flat_map(of_low).collect()
    }

    /// Whether the node has to bring a member's media to a viewer: it does now, or will once a
    /// switch is through.
    pub fn is_served(&self, viewer: MemberId, member: MemberId) -> bool {
        let exceptions = self.exceptions(viewer);
        // In the order of ids, as they were made.
        match exceptions.binary_search_by_key(&member, |other| other.member) {
            Ok(place) => exceptions[place].path == PairPath::Node,
            Err(_) => self.involves_sfu(),
        }
    }

    /// Anybody's media travels over the node, or is about to, or still does.
    pub fn serves_anybody(&self) -> bool {
        let is_served = |other: &PathException| other.path == PairPath::Node;
        self.involves_sfu() || self.told.values().flatten().any(is_served)
    }

    /// Whether a step of negotiation between two members, or a report about it, is in order: it
    /// belongs to a mesh that is still there, or to a pair that is, or was in this epoch, to be
    /// direct in spite of the SFU.
    pub fn may_signal(&self, one: MemberId, other: MemberId, epoch: Epoch) -> bool {
        let pair = Pair::of(one, other);
        let is_granted = |granted: &Granted| (granted.since..=self.epoch()).contains(&epoch);
        one != other
            && (self.is_mesh_epoch(epoch) && self.are_meshed(pair)
                || self.granted.get(&pair).is_some_and(is_granted))
    }

    /// Tells those whose exceptions are different, the newcomer aside: they read them.
    pub(super) fn tell_paths(&mut self, newcomer: Option<MemberId>, out: &mut Vec<TopologyEffect>) {
        let all = self.all_exceptions();
        self.grant(&all);
        let mut lists: BTreeMap<MemberId, Vec<PathException>> = BTreeMap::new();
        for (&Pair { low, high }, &(path, reason)) in &all {
            for (member, other) in [(low, high), (high, low)] {
                let exception = PathException {
                    member: other,
                    path,
                    reason,
                };
                lists.entry(member).or_default().push(exception);
            }
        }
        let before = std::mem::replace(&mut self.told, lists);
        if before == self.told {
            return;
        }
        for &member in self.members.keys().filter(|id| Some(**id) != newcomer) {
            let exceptions = self.exceptions(member);
            if exceptions != before.get(&member).map_or(&[][..], Vec::as_slice) {
                out.push(TopologyEffect::Paths {
                    member,
                    epoch: self.epoch(),
                    exceptions: exceptions.to_vec(),
                });
            }
        }
    }

    /// A pair's path, where the mode does not give it.
    pub(super) fn exception(&self, pair: Pair) -> Option<(PairPath, PathReason)> {
        match self.phase {
            Phase::Mesh { .. } => self.exception_to_mesh(pair),
            // Those who cannot follow to the node stay direct: nobody waits for them there.
            Phase::ToSfu { .. } if self.are_meshed(pair) => self
                .exception_to_sfu(pair)
                .filter(|(path, _)| *path == PairPath::Direct)
                .or_else(|| self.exception_to_mesh(pair)),
            _ => self.exception_to_sfu(pair),
        }
    }

    fn exception_to_mesh(&self, pair: Pair) -> Option<(PairPath, PathReason)> {
        if !self.reports.has_failed(pair) {
            None
        } else if self.config.policy == Policy::Mesh {
            Some((PairPath::None, PathReason::PairFailed))
        } else if self.is_reached(pair) {
            Some((PairPath::Node, PathReason::PairFailed))
        } else {
            Some((PairPath::None, PathReason::Nothing))
        }
    }

    fn exception_to_sfu(&self, pair: Pair) -> Option<(PairPath, PathReason)> {
        if self.is_reached(pair) {
            None
        } else if !self.may_be_direct(pair) {
            Some((PairPath::None, PathReason::NodeUnreachable))
        } else if self.reports.has_failed(pair) {
            Some((PairPath::None, PathReason::Nothing))
        } else {
            Some((PairPath::Direct, PathReason::NodeUnreachable))
        }
    }

    fn all_exceptions(&self) -> BTreeMap<Pair, (PairPath, PathReason)> {
        let of_unreachable = |&one: &MemberId| {
            let others = self.members.keys().filter(move |other| **other != one);
            others.map(move |&other| Pair::of(one, other))
        };
        let unreachable = self.unreachable.iter().flat_map(of_unreachable);
        let suspects = self.reports.failed().chain(unreachable);
        suspects
            .filter_map(|pair| Some((pair, self.exception(pair)?)))
            .collect()
    }

    /// A pair that needs the direct way, or tries it again, negotiates; one that no longer does may
    /// end what it began in the same epoch.
    fn grant(&mut self, exceptions: &BTreeMap<Pair, (PairPath, PathReason)>) {
        let epoch = self.epoch();
        let involves_sfu = self.involves_sfu();
        for &pair in exceptions.keys() {
            if involves_sfu && !self.is_reached(pair) && self.may_be_direct(pair) {
                let since = epoch;
                let granted = Granted {
                    since,
                    until: epoch,
                };
                self.granted.entry(pair).or_insert(granted).until = epoch;
            }
        }
        self.granted.retain(|_, granted| granted.until == epoch);
    }

    fn is_reached(&self, pair: Pair) -> bool {
        !self.unreachable.contains(&pair.low) && !self.unreachable.contains(&pair.high)
    }

    fn may_be_direct(&self, pair: Pair) -> bool {
        let needs_node = |member| {
            let standing = self.members.get(&member);
            standing.is_none_or(|standing| standing.sfu_only)
        };
        self.config.policy != Policy::Sfu
            && self.members.len() <= DIRECT_MAX + 1
            && !needs_node(pair.low)
            && !needs_node(pair.high)
    }

    /// The room's media travels over the node, or is about to, or still does.
    pub fn involves_sfu(&self) -> bool {
        !matches!(self.phase, Phase::Mesh { .. })
    }

    /// Both are part of the mesh that there is.
    fn are_meshed(&self, pair: Pair) -> bool {
        let is_meshed = |member| {
            let standing = self.members.get(&member);
            standing.is_some_and(|standing| match self.phase {
                Phase::Mesh { .. } | Phase::ToMesh { .. } => true,
                Phase::ToSfu { .. } => standing.part != Part::Settled,
                Phase::Sfu { .. } => false,
            })
        };
        is_meshed(pair.low) && is_meshed(pair.high)
    }

    fn is_mesh_epoch(&self, epoch: Epoch) -> bool {
        let since = match self.phase {
            Phase::Mesh { .. } | Phase::ToSfu { .. } => self.held_since,
            Phase::ToMesh { epoch, .. } => epoch,
            Phase::Sfu { .. } => return false,
        };
        (since..=self.epoch()).contains(&epoch)
    }
}
