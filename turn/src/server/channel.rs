//! ChannelBind: a number of two bytes for a peer (RFC 8656 §12.2).

use std::time::Instant;

use super::allocation::NotBound;
use super::authenticate::Request;
use super::permission::peers;
use super::{Command, Refusal, Server};
use crate::words;

impl Server {
    pub(super) fn channel_bind(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        request.understands(&[words::CHANNEL_NUMBER, words::XOR_PEER_ADDRESS])?;
        let id = self.allocation_for(now, request)?;
        // A second address would be ignored (RFC 8489 §14); that it is forbidden is said all the same.
        let mut all = vec![];
        for peer in peers(request) {
            let peer = peer.ok_or(Refusal::code(400))?;
            all.push((
                peer,
                self.policy.destination(peer).ok_or(Refusal::code(403))?,
            ));
        }
        let (peer, destination) = *all.first().ok_or(Refusal::code(400))?;
        let number = channel_number(request)
            .filter(|number| self.config.channels.contains(number))
            .ok_or(Refusal::code(400))?;
        self.check_peer_family(id, peer)?;
        let allocation = self.allocation_mut(id).ok_or(Refusal::code(437))?;
        if !allocation.permissions.make_room(now, &[peer.ip()]) {
            return Err(Refusal::code(508));
        }
        let bound = allocation.channels.bind(now, number, peer, destination);
        bound.map_err(|why| {
            Refusal::code(match why {
                NotBound::Taken => 400,
                NotBound::Full => 508,
            })
        })?;
        allocation.permissions.install(now, peer.ip());
        request.succeed(out, |_| {});
        Ok(())
    }
}

fn channel_number(request: &Request<'_>) -> Option<u16> {
    let value = request.message.attribute(words::CHANNEL_NUMBER)?;
    let [high, low, _, _] = *value.first_chunk::<4>()?;
    let number = u16::from_be_bytes([high, low]);
    (value.len() == 4).then_some(number)
}
