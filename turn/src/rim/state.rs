//! The server with the sockets it asked for.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use super::batch::{self, Way};
use super::streams::Outgoing;
use super::{RelayName, Shared, datagrams, sockets};
use crate::server::{ClientSocket, Command, Family, Frame, RelayPort, Route, Server, Transport};

pub(super) struct State {
    pub(super) server: Server,
    pub(super) streams: HashMap<ClientSocket, Arc<Outgoing>>,
    /// By family, then by port from the first of the range.
    relays: [Vec<Option<Relay>>; 2],
    first_port: u16,
}

struct Relay {
    socket: Arc<UdpSocket>,
    task: AbortHandle,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    pub(super) fn new(server: Server, ports: &RangeInclusive<u16>) -> Self {
        let slots = || ports.clone().map(|_| None).collect();
        State {
            server,
            streams: HashMap::new(),
            relays: [slots(), slots()],
            first_port: *ports.start(),
        }
    }

    /// Does what the server wants, until it wants no more.
    pub(super) fn perform(
        &mut self,
        shared: &Arc<Shared>,
        now: Instant,
        commands: &mut Vec<Command>,
    ) {
        if commands.is_empty() {
            return;
        }
        while !commands.is_empty() {
            let failed = self.perform_all(shared, commands);
            commands.clear();
            for (port, family) in &failed {
                self.server.relay_failed(now, *port, *family, commands);
            }
            if failed.len() > 1 {
                keep_last_answer(commands);
            }
        }
        shared.changed.notify_one();
    }

    /// Names the relays that could not be opened. The answer to their client waits then.
    fn perform_all(&mut self, shared: &Arc<Shared>, commands: &[Command]) -> Vec<RelayName> {
        let mut failed = vec![];
        let mut held = None;
        for command in commands {
            match command {
                Command::OpenRelay {
                    port,
                    family,
                    client,
                } => {
                    if self.open(shared, (*port, *family)).is_none() {
                        failed.push((*port, *family));
                        held = Some(*client);
                    }
                }
                Command::CloseRelay { port, family } => {
                    if let Some(place) = self.place(*port, *family) {
                        *place = None;
                    }
                }
                Command::Send { to, .. } if held == Some(*to) => {}
                Command::Send { to, bytes } => self.answer(shared, *to, bytes),
            }
        }
        failed
    }

    fn open(&mut self, shared: &Arc<Shared>, (port, family): RelayName) -> Option<()> {
        let ip = shared.relay_at[family.index()]?;
        let place = self.place(port, family)?;
        let socket = Arc::new(sockets::relay((ip, port.0).into()).ok()?);
        let task = datagrams::relay(shared.clone(), socket.clone(), (port, family));
        let task = tokio::spawn(task).abort_handle();
        *place = Some(Relay { socket, task });
        Some(())
    }

    fn answer(&self, shared: &Shared, to: ClientSocket, bytes: &[u8]) {
        match self.way_to(shared, to) {
            Some(Way::Datagram(socket, remote)) => batch::send(&socket, bytes, remote),
            Some(Way::Stream(outgoing)) => outgoing.push(None, bytes),
            None => {}
        }
    }

    /// How a payload leaves: `whole` is where the bytes are that the route is about.
    pub(super) fn departure(
        &self,
        shared: &Shared,
        route: Route,
        whole: Range<usize>,
    ) -> Option<(Way, Option<Frame>, Range<usize>)> {
        let part = |range: Range<usize>| whole.start + range.start..whole.start + range.end;
        match route {
            Route::Peer {
                relay,
                peer,
                payload,
            } => {
                let socket = self.relay(relay, Family::of(peer.0.ip()))?;
                let way = Way::Datagram(socket.clone(), peer.0);
                Some((way, None, part(payload.range())))
            }
            Route::Relay { to, frame, payload } => {
                let way = self.way_to(shared, to)?;
                Some((way, Some(frame), part(payload.range())))
            }
            Route::Client { to, frame } => Some((self.way_to(shared, to)?, Some(frame), whole)),
            // A rim has no media of its own.
            Route::Own { .. } => None,
        }
    }

    fn way_to(&self, shared: &Shared, client: ClientSocket) -> Option<Way> {
        if client.transport != Transport::Udp {
            return self.streams.get(&client).cloned().map(Way::Stream);
        }
        let socket = shared.listeners.get(usize::from(client.local))?;
        Some(Way::Datagram(socket.clone(), client.remote))
    }

    fn relay(&self, port: RelayPort, family: Family) -> Option<&Arc<UdpSocket>> {
        let at = port.0.checked_sub(self.first_port)?;
        let relay = self.relays[family.index()].get(usize::from(at))?;
        relay.as_ref().map(|relay| &relay.socket)
    }

    fn place(&mut self, port: RelayPort, family: Family) -> Option<&mut Option<Relay>> {
        let at = port.0.checked_sub(self.first_port)?;
        self.relays[family.index()].get_mut(usize::from(at))
    }

    /// Stops all relays.
    pub(super) fn close_all(&mut self) {
        self.relays = [vec![], vec![]];
    }
}

/// Of two relays that failed together each brings an answer; the last knows of both.
fn keep_last_answer(commands: &mut Vec<Command>) {
    let is_answer = |command: &Command| matches!(command, Command::Send { .. });
    let last = commands.iter().rposition(is_answer);
    let mut at = 0;
    commands.retain(|command| {
        at += 1;
        !is_answer(command) || Some(at - 1) == last
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_answers_the_last_is_kept_with_all_else_in_order() {
        let client = ClientSocket {
            local: 0,
            transport: Transport::Udp,
            remote: ([192, 0, 2, 1], 5).into(),
        };
        let answer = |byte| Command::Send {
            to: client,
            bytes: vec![byte],
        };
        let open = |port| Command::OpenRelay {
            port: RelayPort(port),
            family: Family::V4,
            client,
        };
        let close = Command::CloseRelay {
            port: RelayPort(1),
            family: Family::V4,
        };
        let mut commands = vec![open(1), answer(1), close.clone(), answer(2), open(2)];
        keep_last_answer(&mut commands);
        assert_eq!(commands, [open(1), close, answer(2), open(2)]);
    }
}
