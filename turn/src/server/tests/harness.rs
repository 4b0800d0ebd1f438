//! A server, a clock, and clients that know how to ask.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::credentials::{self, Algorithm};
use crate::server::{
    ClientSocket, Command, Config, PeerSocket, RelayPort, Route, Server, Transport,
};
use crate::stun::{self, Message, Writer};
use crate::words;
use crate::xor_address;

pub(super) const SECRET: &[u8] = b"north";
pub(super) const REALM: &str = "test";
pub(super) const UNIX: u64 = 1_700_000_000;

pub(super) type Attribute = (u16, Vec<u8>);

pub(super) struct World {
    pub(super) server: Server,
    pub(super) now: Instant,
    pub(super) out: Vec<Command>,
    transactions: u64,
}

pub(super) fn config() -> Config {
    let mut config = Config::new(REALM, SECRET, [7; 32]);
    config.relay_ipv4 = Some("203.0.114.1".parse().unwrap());
    config.relay_ipv6 = Some("2a00::1".parse().unwrap());
    config.own_media = addresses(&["203.0.114.1:7882", "[2a00::1]:7882"]);
    config.own_listeners = addresses(&["0.0.0.0:443", "[::]:443"]);
    config
}

pub(super) fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(super) fn client(number: u16) -> ClientSocket {
    ClientSocket {
        local: 0,
        transport: Transport::Udp,
        remote: SocketAddr::from(([192, 0, 2, number as u8], 1_000 + number)),
    }
}

/// XOR-PEER-ADDRESS; the mask depends on the transaction, so it is written when the request is.
pub(super) fn peer(text: &str) -> Attribute {
    (words::XOR_PEER_ADDRESS, text.as_bytes().to_vec())
}

pub(super) fn udp() -> Attribute {
    (words::REQUESTED_TRANSPORT, vec![17, 0, 0, 0])
}

pub(super) fn channel(number: u16) -> Attribute {
    let [high, low] = number.to_be_bytes();
    (words::CHANNEL_NUMBER, vec![high, low, 0, 0])
}

pub(super) fn lifetime(seconds: u32) -> Attribute {
    (words::LIFETIME, seconds.to_be_bytes().to_vec())
}

pub(super) fn write_attributes(writer: &mut Writer<'_>, attributes: &[Attribute], id: &[u8; 12]) {
    for (kind, value) in attributes {
        let address = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok());
        match address {
            Some(address) if *kind == words::XOR_PEER_ADDRESS => {
                let value = written_as_it_is(address, id);
                writer.attribute(*kind, &value);
            }
            _ => writer.attribute(*kind, value),
        }
    }
}

/// Unlike the server, a hostile client writes an IPv4-mapped address as IPv6.
fn written_as_it_is(address: SocketAddr, id: &[u8; 12]) -> Vec<u8> {
    let SocketAddr::V6(v6) = address else {
        let (value, len) = xor_address::write(address, id);
        return value[..len].to_vec();
    };
    let mask = [&stun::MAGIC_COOKIE[..], id].concat();
    let port = v6.port() ^ 0x2112;
    let ip = v6.ip().octets();
    let ip = ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
    [0, 2]
        .into_iter()
        .chain(port.to_be_bytes())
        .chain(ip)
        .collect()
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        let now = Instant::now();
        World {
            server: Server::new(config, now, Duration::from_secs(UNIX)).unwrap(),
            now,
            out: vec![],
            transactions: 0,
        }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.server.handle_timeout(self.now, &mut self.out);
    }

    pub(super) fn transaction(&mut self) -> [u8; 12] {
        self.transactions += 1;
        let mut id = *b"transaction!";
        id[4..].copy_from_slice(&self.transactions.to_be_bytes());
        id
    }

    pub(super) fn send(&mut self, from: ClientSocket, bytes: &[u8]) -> Option<Route> {
        let World {
            server, now, out, ..
        } = self;
        server.handle_client_datagram(*now, from, bytes, out)
    }

    pub(super) fn arrive(&mut self, port: u16, peer: &str, bytes: &[u8]) -> Option<Route> {
        let peer = PeerSocket(peer.parse().unwrap());
        self.server
            .handle_peer_datagram(self.now, RelayPort(port), peer, bytes)
    }

    /// The answer to the last request, with the commands before it forgotten.
    pub(super) fn answer(&mut self) -> Option<Vec<u8>> {
        let mut sent = self.out.drain(..).filter_map(|command| match command {
            Command::Send { bytes, .. } => Some(bytes),
            _ => None,
        });
        sent.next_back()
    }

    pub(super) fn nonce(&mut self, from: ClientSocket) -> Vec<u8> {
        self.nonce_for(from, b"of a name that gives room")
    }

    /// What somebody gets who asks with the shortest Allocate.
    pub(super) fn short_nonce(&mut self, from: ClientSocket) -> Vec<u8> {
        self.nonce_for(from, b"")
    }

    fn nonce_for(&mut self, from: ClientSocket, software: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, words::ALLOCATE_REQUEST, b"for-a-nonce!");
        writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        if !software.is_empty() {
            writer.attribute(0x8022, software);
        }
        self.send(from, &bytes);
        let answer = self.answer().expect("a challenge");
        let message = Message::parse(&answer).unwrap();
        message.attribute(stun::NONCE).unwrap().to_vec()
    }

    /// A signed request, as a client of today writes it.
    pub(super) fn request(
        &mut self,
        from: ClientSocket,
        member: &str,
        kind: u16,
        attributes: &[Attribute],
    ) -> Vec<u8> {
        let nonce = self.nonce(from);
        let id = self.transaction();
        let age = self.server.unix(self.now).as_secs();
        signed(member, age + 3_600, &nonce, kind, attributes, &id)
    }

    /// Asks and returns the code: 0 is success.
    pub(super) fn ask(
        &mut self,
        from: ClientSocket,
        member: &str,
        kind: u16,
        attributes: &[Attribute],
    ) -> u16 {
        let request = self.request(from, member, kind, attributes);
        self.out.clear();
        self.send(from, &request);
        let answer = self.answer_kept().expect("an answer");
        code(&answer)
    }

    /// Like [`World::answer`], and the commands stay.
    pub(super) fn answer_kept(&self) -> Option<Vec<u8>> {
        let mut sent = self.out.iter().filter_map(|command| match command {
            Command::Send { bytes, .. } => Some(bytes.clone()),
            _ => None,
        });
        sent.next_back()
    }

    /// An allocation with IPv4 and IPv6, and its ports.
    pub(super) fn allocated(&mut self, from: ClientSocket, member: &str) -> (u16, u16) {
        let both = (words::ADDITIONAL_ADDRESS_FAMILY, vec![2, 0, 0, 0]);
        assert_eq!(
            self.ask(from, member, words::ALLOCATE_REQUEST, &[udp(), both]),
            0
        );
        let ports = self.relays();
        (ports[0].port(), ports[1].port())
    }

    /// The relay addresses in the last answer.
    pub(super) fn relays(&self) -> Vec<SocketAddr> {
        let answer = self.answer_kept().unwrap();
        let message = Message::parse(&answer).unwrap();
        message
            .attributes()
            .filter(|(kind, _)| *kind == words::XOR_RELAYED_ADDRESS)
            .map(|(_, value)| xor_address::read(value, message.transaction()).unwrap())
            .collect()
    }
}

pub(super) fn signed(
    member: &str,
    expires_unix: u64,
    nonce: &[u8],
    kind: u16,
    attributes: &[Attribute],
    id: &[u8; 12],
) -> Vec<u8> {
    let credential = credentials::mint(SECRET, member, expires_unix);
    let username = credential.username.as_bytes();
    let password = credential.password.as_bytes();
    let mut bytes = vec![];
    let mut writer = Writer::new(&mut bytes, kind, id);
    write_attributes(&mut writer, attributes, id);
    writer.attribute(stun::USERNAME, username);
    writer.attribute(stun::REALM, REALM.as_bytes());
    writer.attribute(stun::NONCE, nonce);
    let key = credentials::long_term_key(Algorithm::Md5, username, REALM, password);
    writer.integrity(&key).unwrap();
    bytes
}

pub(super) fn code(answer: &[u8]) -> u16 {
    let message = Message::parse(answer).unwrap();
    match message.attribute(stun::ERROR_CODE) {
        Some(value) => u16::from(value[2]) * 100 + u16::from(value[3]),
        None => 0,
    }
}

pub(super) fn indication(attributes: &[Attribute]) -> Vec<u8> {
    let mut bytes = vec![];
    let id = b"indication!!";
    let mut writer = Writer::new(&mut bytes, words::SEND_INDICATION, id);
    write_attributes(&mut writer, attributes, id);
    bytes
}
