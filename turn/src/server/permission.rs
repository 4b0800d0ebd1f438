//! CreatePermission: who may send to a relay address (RFC 8656 §10.2).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::authenticate::Request;
use super::{Command, Family, Refusal, Server};
use crate::words;
use crate::xor_address;

impl Server {
    /// All of the peers or none.
    pub(super) fn create_permission(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        request.understands(&[words::XOR_PEER_ADDRESS])?;
        let id = self.allocation_for(now, request)?;
        let mut ips = vec![];
        for peer in peers(request) {
            let peer = peer.ok_or(Refusal::code(400))?;
            if !self.policy.permits(peer) {
                return Err(Refusal::code(403));
            }
            self.check_peer_family(id, peer)?;
            ips.push(peer.ip());
        }
        if ips.is_empty() {
            return Err(Refusal::code(400));
        }
        self.permit(now, id, &ips)?;
        request.succeed(out, |_| {});
        Ok(())
    }

    /// 508 if they do not fit (RFC 8656 §10.2).
    pub(super) fn permit(&mut self, now: Instant, id: u32, ips: &[IpAddr]) -> Result<(), Refusal> {
        let allocation = self.allocation_mut(id).ok_or(Refusal::code(437))?;
        if !allocation.permissions.make_room(now, ips) {
            return Err(Refusal::code(508));
        }
        for ip in ips {
            allocation.permissions.install(now, *ip);
        }
        Ok(())
    }

    /// 443 for a peer whom no relay address of the allocation reaches.
    pub(super) fn check_peer_family(&self, id: u32, peer: SocketAddr) -> Result<(), Refusal> {
        let family = Family::of(peer.ip());
        let relays = self.allocation(id).map(|allocation| allocation.relays);
        match relays.and_then(|relays| relays[family.index()]) {
            Some(_) => Ok(()),
            None => Err(Refusal::code(443)),
        }
    }
}

/// Every XOR-PEER-ADDRESS of a request; `None` for one that is malformed.
pub(super) fn peers(request: &Request<'_>) -> impl Iterator<Item = Option<SocketAddr>> {
    let transaction = request.message.transaction();
    let attributes = request.message.attributes();
    attributes
        .filter(|(kind, _)| *kind == words::XOR_PEER_ADDRESS)
        .map(|(_, value)| xor_address::read(value, transaction))
}
