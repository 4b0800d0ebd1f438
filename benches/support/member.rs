//! A light client over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use motet::protocol::client::{ClientMessage, Source};
use motet::protocol::server::ServerMessage;
use tokio::net::UdpSocket;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::light::{LightPeer, Profile};
use crate::signaling::Signaling;

const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than the node's longest datagram.
const BUFFER: usize = 2048;

/// A member of a room with its connection up.
pub struct Member {
    pub signaling: Signaling,
    pub peer: LightPeer,
    pub socket: UdpSocket,
    node: SocketAddr,
}

impl Member {
    /// Joins a room over the node and waits until ICE and DTLS are up.
    pub async fn join(
        url: &str,
        room: &str,
        number: u64,
        layout: Layout,
        profile: Profile,
    ) -> Self {
        let mut signaling = Signaling::connect(url).await.unwrap();
        let join = ClientMessage::Join {
            room: room.to_owned(),
            name: format!("member {number}"),
            sfu_only: true,
            owner_key: None,
        };
        signaling.say(&join).await.unwrap();
        let epoch = signaling.wait_for(|message| match message {
            ServerMessage::Joined { topology, .. } => Some(topology.epoch),
            _ => None,
        });
        let epoch = epoch.await.unwrap();
        let publishes = !layout.camera.is_empty();
        let mut peer = LightPeer::new(number, layout, profile);
        let sdp = peer.offer(Instant::now());
        let fresh = true;
        let offer = ClientMessage::Offer { sdp, epoch, fresh };
        signaling.say(&offer).await.unwrap();
        let answer = signaling.wait_for(|message| match message {
            ServerMessage::Answer { sdp, .. } => Some(sdp.clone()),
            _ => None,
        });
        peer.accept(Instant::now(), &answer.await.unwrap());
        let (node, check) = peer.poll_datagram().expect("a first check");
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&check, node).await.unwrap();
        let mut member = Self {
            signaling,
            peer,
            socket,
            node,
        };
        if publishes {
            member.publish().await;
        }
        let up = member.bring_up();
        tokio::time::timeout(PATIENCE, up)
            .await
            .expect("a connection");
        member
    }

    /// Sends everything that the peer has to send.
    pub async fn flush(&mut self) {
        while let Some((to, datagram)) = self.peer.poll_datagram() {
            self.socket.send_to(&datagram, to).await.unwrap();
        }
    }

    /// Shows the node that it is still there.
    pub async fn stay(&mut self) {
        self.peer.handle_timeout(Instant::now());
        self.flush().await;
        self.signaling
            .say(&ClientMessage::Ping { after: None })
            .await
            .unwrap();
    }

    async fn publish(&mut self) {
        let publish = ClientMessage::Publish {
            source: Source::Camera,
            mid: Some("0".to_owned()),
            stream: None,
            muted: false,
        };
        self.signaling.say(&publish).await.unwrap();
    }

    async fn bring_up(&mut self) {
        let mut buffer = [0; BUFFER];
        loop {
            self.peer.handle_timeout(Instant::now());
            self.flush().await;
            let next = self.peer.poll_timeout().unwrap_or_else(Instant::now);
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    let (length, from) = received.unwrap();
                    self.peer.handle_datagram(Instant::now(), from, &buffer[..length]);
                }
                () = tokio::time::sleep_until(next.into()) => {}
            }
            while let Some(event) = self.peer.poll_event() {
                if matches!(event, ConnectionEvent::Connected) {
                    return self.flush().await;
                }
            }
        }
    }

    /// Where the node is.
    pub fn node(&self) -> SocketAddr {
        self.node
    }
}
