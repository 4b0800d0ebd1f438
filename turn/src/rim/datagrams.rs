//! What arrives in datagrams: from clients at a listener, from peers at a relay socket.

use std::sync::Arc;
use std::time::Instant;

use tokio::net::UdpSocket;

use super::batch::Batch;
use super::{RelayName, Shared};
use crate::server::{ClientSocket, PeerSocket, Transport};

/// Serves the clients of a listener.
pub(super) async fn listen(shared: Arc<Shared>, local: u16) {
    let socket = shared.listeners[usize::from(local)].clone();
    while socket.readable().await.is_ok() {
        Batch::with(|batch| {
            batch.receive(&socket);
            from_clients(&shared, local, batch);
            batch.flush();
        });
    }
}

fn from_clients(shared: &Arc<Shared>, local: u16, batch: &mut Batch) {
    let now = Instant::now();
    let mut commands = vec![];
    let mut state = shared.state();
    for at in 0..batch.len() {
        let (remote, range) = batch.arrived(at);
        let client = ClientSocket {
            local,
            transport: Transport::Udp,
            remote,
        };
        let bytes = batch.bytes(range.clone());
        let server = &mut state.server;
        let route = server.handle_client_datagram(now, client, bytes, &mut commands);
        state.perform(shared, now, &mut commands);
        if let Some(departure) = route.and_then(|route| state.departure(shared, route, range)) {
            let (way, frame, payload) = departure;
            batch.depart(way, frame, payload);
        }
    }
}

/// Takes what peers send to a relay address, until the task is stopped.
pub(super) async fn relay(shared: Arc<Shared>, socket: Arc<UdpSocket>, name: RelayName) {
    while socket.readable().await.is_ok() {
        Batch::with(|batch| {
            batch.receive(&socket);
            from_peers(&shared, name, batch);
            batch.flush();
        });
    }
}

fn from_peers(shared: &Shared, (port, _): RelayName, batch: &mut Batch) {
    let now = Instant::now();
    let mut state = shared.state();
    for at in 0..batch.len() {
        let (peer, range) = batch.arrived(at);
        let bytes = batch.bytes(range.clone());
        let server = &mut state.server;
        let route = server.handle_peer_datagram(now, port, PeerSocket(peer), bytes);
        if let Some(departure) = route.and_then(|route| state.departure(shared, route, range)) {
            let (way, frame, payload) = departure;
            batch.depart(way, frame, payload);
        }
    }
}
