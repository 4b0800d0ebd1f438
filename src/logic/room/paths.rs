//! What members report about their paths, and what they are told of them.

use std::time::Instant;

use serde_json::json;

use crate::ids::MemberId;
use crate::logic::topology::{IrregularPair, Tally, TopologyInput};
use crate::protocol::client::{ClientMessage, Epoch, PairState, Unreachable};
use crate::protocol::server::Reach;

use super::{Refusal, Room, RoomEffect};

impl Room {
    /// Takes a `pair`, `unreachable` or `strain`.
    pub(super) fn report(
        &mut self,
        now: Instant,
        member: MemberId,
        report: ClientMessage,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        match report {
            ClientMessage::Pair {
                member: other,
                epoch,
                state,
            } => self.pair(now, (member, other), epoch, state, out)?,
            ClientMessage::Unreachable { cause } => {
                let reach = match cause {
                    Unreachable::Ice => Reach::NoIce,
                    Unreachable::Dtls => Reach::NoDtls,
                    Unreachable::Refused => Reach::Refused,
                };
                self.reach(now, member, reach, out);
            }
            ClientMessage::Strain { cause: strain } => {
                self.consider(now, TopologyInput::Strain { member, strain }, out);
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes whether the node reaches a member, and does what follows.
    pub(super) fn reach(
        &mut self,
        now: Instant,
        member: MemberId,
        reach: Reach,
        out: &mut Vec<RoomEffect>,
    ) {
        let Some(attendee) = self.roster.get_mut(member) else {
            return;
        };
        if std::mem::replace(&mut attendee.node, reach) == reach {
            return;
        }
        self.show(member);
        // Nobody is given up before they say so.
        let reached = matches!(reach, Reach::Unknown | Reach::Up);
        self.consider(now, TopologyInput::Reach { member, reached }, out);
    }

    /// A member's connection is gone. Whoever said before that it does not work is believed until
    /// another one does: the node notices the end of a connection later than its client.
    pub(super) fn lose_reach(&mut self, now: Instant, member: MemberId, out: &mut Vec<RoomEffect>) {
        let attendee = self.roster.get(member);
        if attendee.is_some_and(|attendee| attendee.node == Reach::Up) {
            self.reach(now, member, Reach::Unknown, out);
        }
    }

    /// Pairs whose media travels otherwise than the room's.
    pub fn irregular_pairs(&self) -> usize {
        self.topology.irregular_pairs().len()
    }

    /// What became of the topology since this was last asked.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// The room's exceptions as REST shows them: `{members: [a, b], path, reason}`.
    pub(super) fn describe_exceptions(&self) -> Vec<serde_json::Value> {
        let pairs = self.topology.irregular_pairs().into_iter();
        let describe = |pair: IrregularPair| json!({"members": pair.members, "path": pair.path, "reason": pair.reason});
        pairs.map(describe).collect()
    }

    fn pair(
        &mut self,
        now: Instant,
        (member, other): (MemberId, MemberId),
        epoch: Epoch,
        state: PairState,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        if member == other || !self.has(other) {
            return Err(Refusal::no_such_member(other));
        }
        if !self.topology.may_signal(member, other, epoch) {
            return Err(Refusal::stale());
        }
        let input = TopologyInput::Pair {
            member,
            other,
            epoch,
            state,
        };
        self.consider(now, input, out);
        Ok(())
    }

    fn consider(&mut self, now: Instant, input: TopologyInput, out: &mut Vec<RoomEffect>) {
        let mut effects = Vec::new();
        self.topology.handle(now, input, &mut effects);
        self.announce(now, effects, None, out);
    }
}
