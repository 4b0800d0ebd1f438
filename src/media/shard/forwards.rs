//! Tracks that are sent to other programs: who asks, which sockets there are, who may be sent to.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use motet_turn::Policy;
use serde_json::{Value, json};

use super::{Shard, ShardEffect, ShardOutput};
use crate::ids::{LocalSocket, Path, Ticket};
use crate::media::outputs::{OutputSockets, Wish};
use crate::media::slots::Slots;

/// The outputs of a shard, as far as they are not their rooms' affair.
pub(super) struct Forwards {
    policy: Option<Policy>,
    /// Wishes that wait for a socket, with whom to answer and the room's name. The mailbox bounds
    /// them: all are answered before more of it is read.
    asked: Vec<(Ticket, String, Box<Wish>)>,
    /// By the number of the output's socket: the room's slot.
    rooms: Slots<usize>,
}

impl Forwards {
    /// No outputs yet, and where they may send to.
    pub(super) fn new(policy: Option<Policy>) -> Self {
        Self {
            policy,
            asked: Vec::new(),
            rooms: Slots::default(),
        }
    }

    /// Notes a wish until there are sockets.
    pub(super) fn ask(&mut self, ticket: Ticket, room: String, wish: Box<Wish>) {
        self.asked.push((ticket, room, wish));
    }

    /// The node is seen at other addresses from now on.
    pub(super) fn add_own(&mut self, media: &[SocketAddr], relays: &[IpAddr]) {
        if let Some(policy) = &mut self.policy {
            policy.add_own(media, relays);
        }
    }

    /// How many outputs there are.
    pub(super) fn len(&self) -> usize {
        self.rooms.iter().count()
    }

    /// The sockets of a room's outputs.
    pub(super) fn numbers_of(&self, room: usize) -> Vec<u16> {
        let sockets = self.rooms.entries();
        let of_room = sockets.filter(|(_, other)| **other == room);
        of_room
            .filter_map(|(number, _)| u16::try_from(number).ok())
            .collect()
    }

    fn allows(&self, wish: &Wish) -> bool {
        let policy = self.policy.as_ref();
        policy.is_some_and(|policy| policy.lists(wish.rtp_to()) && policy.lists(wish.rtcp_to()))
    }
}

impl Shard {
    /// Opens sockets for what was asked for and answers. To be called before the datagrams of `out`
    /// are sent.
    pub fn open_outputs(
        &mut self,
        now: Instant,
        sockets: &mut dyn OutputSockets,
        out: &mut ShardOutput,
    ) {
        for (ticket, room, wish) in std::mem::take(&mut self.forwards.asked) {
            let opened = self.open_output(now, &room, *wish, sockets, out);
            let answer = opened.unwrap_or_else(|refused| match refused {
                "unknown" => Value::Null,
                refused => json!({ "refused": refused }),
            });
            out.effects.push(ShardEffect::Reply { ticket, answer });
        }
    }

    /// Closes the sockets of outputs that have ended. To be called after the datagrams of `out` are
    /// sent: the last of them are goodbyes.
    pub fn close_outputs(&mut self, sockets: &mut dyn OutputSockets, out: &mut ShardOutput) {
        for socket in out.closing.drain(..) {
            sockets.close_output(socket);
            if let Some(number) = socket.as_output() {
                self.forwards.rooms.remove(number.into());
            }
        }
    }

    /// Errors are why not: `unknown` for a room that is not there.
    fn open_output(
        &mut self,
        now: Instant,
        name: &str,
        wish: Wish,
        sockets: &mut dyn OutputSockets,
        out: &mut ShardOutput,
    ) -> Result<Value, &'static str> {
        let &slot = self.by_name.get(name).ok_or("unknown")?;
        let conference = self.rooms.get(slot).ok_or("unknown")?;
        let limits = &self.room_config.limits;
        let (in_room, in_all) = (limits.room_outputs as usize, limits.outputs as usize);
        if let Some(refused) = conference.refuses_output(&wish, in_room) {
            return Err(refused);
        }
        if !self.forwards.allows(&wish) {
            return Err("denied");
        }
        if self.forwards.len() >= in_all {
            return Err("node");
        }
        let number = u16::try_from(self.forwards.rooms.next()).map_err(|_| "node")?;
        let socket = LocalSocket::output(number);
        let from = sockets.open_output(socket, wish.rtp_to());
        let from = from.ok_or("unreachable")?;
        self.forwards.rooms.insert(slot);
        let mut opened = None;
        self.with_room(now, slot, out, |conference, around| {
            opened = conference.open_output(now, wish, (socket, from), around);
        });
        opened.ok_or_else(|| {
            out.closing.push(socket);
            "cipher"
        })
    }

    /// As [`Question::Forwards`](super::Question::Forwards) says.
    pub(super) fn list_forwards(&self, name: &str) -> Value {
        let slot = self.by_name.get(name);
        let conference = slot.and_then(|&slot| self.rooms.get(slot));
        conference.map_or(Value::Null, |conference| conference.describe_outputs())
    }

    /// As [`Question::ForwardSdp`](super::Question::ForwardSdp) says.
    pub(super) fn forward_sdp(&self, name: &str, id: &str) -> Value {
        let slot = self.by_name.get(name);
        let conference = slot.and_then(|&slot| self.rooms.get(slot));
        conference.map_or(Value::Null, |conference| conference.output_sdp(id))
    }

    /// As [`Question::EndForward`](super::Question::EndForward) says.
    pub(super) fn end_forward(
        &mut self,
        now: Instant,
        name: &str,
        id: &str,
        out: &mut ShardOutput,
    ) -> Value {
        let Some(&slot) = self.by_name.get(name) else {
            return Value::Null;
        };
        let mut ended = false;
        self.with_room(now, slot, out, |conference, around| {
            ended = conference.end_output(now, id, around);
        });
        json!(ended)
    }

    /// What came back to the socket of an output.
    pub(super) fn output_feedback(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        out: &mut ShardOutput,
    ) {
        let number = path.local.as_output();
        let room = number.and_then(|number| self.forwards.rooms.get(number.into()));
        if let Some(&slot) = room {
            self.with_room(now, slot, out, |conference, around| {
                conference.output_feedback(now, path, datagram, around);
            });
        }
    }
}
