//! A client with an allocation, a permission and a channel sends signed requests with whatever
//! attributes, and whatever bytes; peers do too. Payloads never go where they must not.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use motet_turn::credentials::{self, Algorithm};
use motet_turn::stun::{self, Message, Writer};
use motet_turn::{
    ClientSocket, Command, Config, PeerSocket, RelayPort, Route, Server, Transport, words,
};

const UNIX: u64 = 1_700_000_000;
const ID: &[u8; 12] = b"transaction!";

fn signed(kind: u16, nonce: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let minted = credentials::mint(b"north", "ann", UNIX + 600);
    let (name, password) = (minted.username.as_bytes(), minted.password.as_bytes());
    let mut bytes = vec![];
    let mut writer = Writer::new(&mut bytes, kind, ID);
    for (kind, value) in attributes {
        writer.attribute(*kind, value);
    }
    writer.attribute(stun::USERNAME, name);
    writer.attribute(stun::REALM, b"test");
    writer.attribute(stun::NONCE, nonce);
    let key = credentials::long_term_key(Algorithm::Md5, name, "test", password);
    let _ = writer.integrity(&key);
    bytes
}

fn check(route: Option<Route>) {
    // A planted bug, to see that the corpus and the dictionary lead here.
    #[cfg(canary)]
    if let Some(Route::Peer { peer, .. }) = route {
        assert!(!(0x1231..0x1240).contains(&peer.0.port()));
    }
    if let Some(Route::Peer { peer, .. }) = route {
        assert!(peer.0.ip().is_ipv4() && !peer.0.ip().is_loopback() && peer.0.port() != 0);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let now = Instant::now();
    let mut config = Config::new("test", b"north", [7; 32]);
    config.relay_ipv4 = Some([203, 0, 114, 1].into());
    config.relay_ports = 50_000..=50_007;
    let Ok(mut server) = Server::new(config, now, Duration::from_secs(UNIX)) else {
        return;
    };
    let client = ClientSocket {
        local: 0,
        transport: Transport::Udp,
        remote: ([192, 0, 2, 1], 5).into(),
    };
    let mut out = vec![];
    let mut bare = vec![];
    let mut writer = Writer::new(&mut bare, words::ALLOCATE_REQUEST, ID);
    writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    server.handle_client_datagram(now, client, &bare, &mut out);
    let Some(Command::Send { bytes: answer, .. }) = out.first().cloned() else {
        return;
    };
    let answer = Message::parse(&answer).expect("an answer");
    let nonce = answer.attribute(stun::NONCE).expect("a nonce").to_vec();
    let udp: (u16, &[u8]) = (words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    let mut peer = vec![];
    Writer::new(&mut peer, 1, ID).xor_address(words::XOR_PEER_ADDRESS, ([8, 8, 8, 8], 9).into());
    let peer: (u16, &[u8]) = (words::XOR_PEER_ADDRESS, &peer[24..]);
    let channel: (u16, &[u8]) = (words::CHANNEL_NUMBER, &[0x40, 0, 0, 0]);
    let allocate = signed(words::ALLOCATE_REQUEST, &nonce, &[udp]);
    let bind = signed(words::CHANNEL_BIND_REQUEST, &nonce, &[channel, peer]);
    for request in [allocate, bind] {
        server.handle_client_datagram(now, client, &request, &mut out);
    }
    // Each piece: what it is, its length, and itself.
    let mut rest = bytes;
    let mut at = now;
    while let [what, len, more @ ..] = rest {
        let (piece, behind) = more.split_at((*len).min(more.len() as u8).into());
        rest = behind;
        out.clear();
        match what % 8 {
            0 => check(server.handle_client_datagram(at, client, piece, &mut out)),
            1 => check(server.handle_peer_datagram(
                at,
                RelayPort(50_000 + u16::from(*len % 8)),
                PeerSocket(([8, 8, 8, 8], 9).into()),
                piece,
            )),
            2 => {
                at += Duration::from_secs((*len).into());
                server.handle_timeout(at, &mut out);
            }
            kind => {
                let kind = [0x16, 3, 4, 8, 9][usize::from(kind - 3)];
                let mut attributes = vec![];
                let mut tail = piece;
                while let [high, low, len, more @ ..] = tail {
                    let (value, behind) = more.split_at((*len).min(more.len() as u8).into());
                    attributes.push((u16::from_be_bytes([*high, *low]), value));
                    tail = behind;
                }
                let request = signed(kind, &nonce, &attributes);
                check(server.handle_client_datagram(at, client, &request, &mut out));
            }
        }
    }
    assert!(server.table_entries() < 64 + 128 + 64);
});
