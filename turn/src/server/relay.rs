//! Payloads, both ways: looked up, judged, and returned as a route. Nothing is allocated here.

use std::net::SocketAddr;
use std::time::Instant;

use super::allocation::Allocation;
use super::{
    ClientSocket, Family, Frame, Payload, PeerSocket, RelayPort, Route, Server, Transport,
};
use crate::address::Destination;
use crate::channel_data::{self, ChannelData};
use crate::stun::{HEADER_LEN, MAGIC_COOKIE, Message};
use crate::words;
use crate::xor_address;

impl Server {
    /// Takes what a peer sent to a relay address (RFC 8656 §11.3, §12.6). `bytes` is the whole
    /// payload. The embedder's own media answers come in here too, with the media port as peer.
    pub fn handle_peer_datagram(
        &mut self,
        now: Instant,
        relay: RelayPort,
        peer: PeerSocket,
        bytes: &[u8],
    ) -> Option<Route> {
        let arrived = self.towards_client(now, relay, peer.0, bytes.len());
        let (to, frame) = self.counted(arrived, bytes.len())?;
        Some(Route::Client { to, frame })
    }

    pub(super) fn channel_data(
        &mut self,
        now: Instant,
        client: ClientSocket,
        bytes: &[u8],
    ) -> Option<Route> {
        let data = ChannelData::parse(bytes)?;
        let id = self.allocation_of(now, client)?;
        let allocation = self.allocation(id)?;
        let route = allocation
            .channels
            .by_number(now, data.channel)
            .map(|channel| (channel.peer, channel.destination))
            .filter(|(peer, _)| allocation.permissions.has(now, peer.ip()))
            .and_then(|(peer, destination)| {
                let payload = Payload::within(bytes, data.payload);
                self.towards_peer(now, id, peer, destination, payload)
            });
        self.counted(route, data.payload.len())
    }

    /// Send carries no credentials: what entitles is the permission (RFC 8656 §11.2).
    pub(super) fn send_indication(
        &mut self,
        now: Instant,
        client: ClientSocket,
        bytes: &[u8],
        message: &Message<'_>,
    ) -> Option<Route> {
        let id = self.allocation_of(now, client)?;
        let known = [words::XOR_PEER_ADDRESS, words::DATA];
        let mut attributes = message.attributes();
        if attributes.any(|(kind, _)| kind < 0x8000 && !known.contains(&kind)) {
            return None;
        }
        let data = message.attribute(words::DATA)?;
        let peer = message.attribute(words::XOR_PEER_ADDRESS)?;
        let peer = xor_address::read(peer, message.transaction())?;
        let allocation = self.allocation(id)?;
        let route = Some(peer)
            .filter(|peer| allocation.permissions.has(now, peer.ip()))
            .and_then(|peer| self.policy.destination(peer))
            .and_then(|destination| {
                let payload = Payload::within(bytes, data);
                self.towards_peer(now, id, peer, destination, payload)
            });
        self.counted(route, data.len())
    }

    /// Out of a relay address of an allocation.
    fn towards_peer(
        &mut self,
        now: Instant,
        id: u32,
        peer: SocketAddr,
        destination: Destination,
        payload: Payload,
    ) -> Option<Route> {
        let len = payload.range().len();
        let allocation = self.allocation(id)?;
        let relay = allocation.relays[Family::of(peer.ip()).index()]?;
        let payer = allocation.payer;
        if !self.quotas.spend(now, payer, len) {
            return None;
        }
        let peer_socket = PeerSocket(peer);
        match destination {
            Destination::Outside => Some(Route::Peer {
                relay,
                peer: peer_socket,
                payload,
            }),
            Destination::Own => Some(Route::Own {
                relay: self.relay_address(Family::of(peer.ip()), relay)?,
                media: peer,
                payload,
            }),
            Destination::Relay(port) => {
                let from = self.relay_address(Family::of(peer.ip()), relay)?;
                let (to, frame) = self.towards_client(now, RelayPort(port), from, len)?;
                Some(Route::Relay { to, frame, payload })
            }
        }
    }

    /// In at a relay address, from a peer that has a permission.
    fn towards_client(
        &mut self,
        now: Instant,
        relay: RelayPort,
        peer: SocketAddr,
        len: usize,
    ) -> Option<(ClientSocket, Frame)> {
        let family = Family::of(peer.ip());
        let id = self.ports[family.index()].used_by(relay)?;
        let allocation = self.allocation(id).filter(|one| one.expires > now)?;
        if !allocation.permissions.has(now, peer.ip()) {
            return None;
        }
        let (to, payer) = (allocation.client, allocation.payer);
        let frame = match channel_frame(now, allocation, peer, len) {
            Some(frame) => frame,
            None => data_indication(self.random.transaction(), peer, len)?,
        };
        let pays = self.quotas.spend(now, payer, len);
        pays.then_some((to, frame))
    }

    pub(super) fn relay_address(&self, family: Family, port: RelayPort) -> Option<SocketAddr> {
        match family {
            Family::V4 => self.config.relay_ipv4.map(|ip| (ip, port.0).into()),
            Family::V6 => self.config.relay_ipv6.map(|ip| (ip, port.0).into()),
        }
    }

    fn counted<T>(&mut self, route: Option<T>, len: usize) -> Option<T> {
        match route {
            Some(_) => {
                self.counters.packets += 1;
                self.counters.bytes += len as u64;
            }
            None => self.counters.dropped += 1,
        }
        route
    }
}

fn channel_frame(
    now: Instant,
    allocation: &Allocation,
    peer: SocketAddr,
    len: usize,
) -> Option<Frame> {
    let number = allocation.channels.number_of(now, peer)?;
    let mut frame = Frame {
        head: [0; Frame::HEAD_LEN_MAX],
        head_len: channel_data::HEADER_LEN as u8,
        padding: 0,
    };
    frame.head[..channel_data::HEADER_LEN].copy_from_slice(&channel_data::header(number, len)?);
    // Over a stream every frame ends on a multiple of four (RFC 8656 §12.5).
    if allocation.client.transport != Transport::Udp {
        frame.padding = padding(len);
    }
    Some(frame)
}

/// A Data indication around a payload of `len` bytes: XOR-PEER-ADDRESS, then DATA (RFC 8656 §11.4).
fn data_indication(transaction: [u8; 12], peer: SocketAddr, len: usize) -> Option<Frame> {
    let (address, address_len) = xor_address::write(peer, &transaction);
    let head_len = HEADER_LEN + 4 + address_len + 4;
    let padding = padding(len);
    let message_len = head_len - HEADER_LEN + len + usize::from(padding);
    let message_len = u16::try_from(message_len).ok()?.to_be_bytes();
    let mut head = [0; Frame::HEAD_LEN_MAX];
    head[..2].copy_from_slice(&words::DATA_INDICATION.to_be_bytes());
    head[2..4].copy_from_slice(&message_len);
    head[4..8].copy_from_slice(&MAGIC_COOKIE);
    head[8..HEADER_LEN].copy_from_slice(&transaction);
    let rest = &mut head[HEADER_LEN..];
    rest[..2].copy_from_slice(&words::XOR_PEER_ADDRESS.to_be_bytes());
    rest[3] = address_len as u8;
    rest[4..4 + address_len].copy_from_slice(&address[..address_len]);
    let rest = &mut rest[4 + address_len..];
    rest[..2].copy_from_slice(&words::DATA.to_be_bytes());
    rest[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    Some(Frame {
        head,
        head_len: head_len as u8,
        padding,
    })
}

fn padding(len: usize) -> u8 {
    (len.next_multiple_of(4) - len) as u8
}
