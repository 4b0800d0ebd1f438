//! The server over real sockets of loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use motet_turn::credentials::{self, Algorithm};
use motet_turn::rim::{Listen, Rim};
use motet_turn::stun::{self, Message, Writer};
use motet_turn::{Config, channel_data, words};

const SECRET: &[u8] = b"north";
const CHANNEL: u16 = 0x4001;

/// A rim in a thread of its own; it ends with this value.
struct Serving {
    at: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Serving {
    fn start(ports: RangeInclusive<u16>) -> Self {
        let mut config = Config::new("test", SECRET, [7; 32]);
        config.relay_ipv4 = Some([127, 0, 0, 1].into());
        config.relay_ports = ports;
        config.allowed_peers = vec!["127.0.0.0/8".parse().unwrap()];
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (told, at) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(async {
                let listen = Listen {
                    at: vec!["127.0.0.1:0".parse().unwrap()],
                    ..Listen::default()
                };
                let rim = Rim::start(config, listen).await.unwrap();
                told.send(rim.addresses()[0]).unwrap();
                stopped.await.ok();
            });
        });
        Serving {
            at: at.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

struct Client {
    socket: Socket,
    nonce: Vec<u8>,
}

impl Client {
    fn udp(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        Self::begin(Socket::Udp(socket))
    }

    fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        Self::begin(Socket::Tcp(stream))
    }

    fn begin(socket: Socket) -> Self {
        let nonce = vec![];
        let mut client = Client { socket, nonce };
        let mut bare = vec![];
        let mut writer = Writer::new(&mut bare, words::ALLOCATE_REQUEST, b"for-a-nonce!");
        writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        client.send(&bare);
        let answer = client.receive();
        let message = Message::parse(&answer).unwrap();
        client.nonce = message.attribute(stun::NONCE).unwrap().to_vec();
        client
    }

    fn send(&mut self, bytes: &[u8]) {
        match &mut self.socket {
            Socket::Udp(socket) => assert_eq!(socket.send(bytes).unwrap(), bytes.len()),
            Socket::Tcp(stream) => {
                let mut padded = bytes.to_vec();
                padded.resize(bytes.len().next_multiple_of(4), 0);
                stream.write_all(&padded).unwrap();
            }
        }
    }

    /// One datagram, or as much of a stream as one message has.
    fn receive(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 2_000];
        match &mut self.socket {
            Socket::Udp(socket) => {
                let len = socket.recv(&mut bytes).unwrap();
                bytes.truncate(len);
            }
            Socket::Tcp(stream) => {
                stream.read_exact(&mut bytes[..4]).unwrap();
                let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                let header = if bytes[0] < 0x40 { 20 } else { 4 };
                let end = header + len.next_multiple_of(4);
                stream.read_exact(&mut bytes[4..end]).unwrap();
                bytes.truncate(end);
            }
        }
        bytes
    }

    /// The code of the answer, 0 for success, and its relay port.
    fn ask(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) -> (u16, Option<u16>) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let minted = credentials::mint(SECRET, "ann", unix.as_secs() + 600);
        let (name, password) = (minted.username.as_bytes(), minted.password.as_bytes());
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, kind, b"transaction!");
        fill(&mut writer);
        writer.attribute(stun::USERNAME, name);
        writer.attribute(stun::REALM, b"test");
        writer.attribute(stun::NONCE, &self.nonce);
        let key = credentials::long_term_key(Algorithm::Md5, name, "test", password);
        writer.integrity(&key).unwrap();
        self.send(&bytes);
        let answer = self.receive();
        let message = Message::parse(&answer).unwrap();
        assert!(message.integrity_fits(&key));
        let code = message.attribute(stun::ERROR_CODE);
        let relay = message.attribute(words::XOR_RELAYED_ADDRESS);
        (
            code.map_or(0, |code| u16::from(code[2]) * 100 + u16::from(code[3])),
            relay.map(|value| u16::from_be_bytes([value[2], value[3]]) ^ 0x2112),
        )
    }

    fn allocate(&mut self) -> (u16, Option<u16>) {
        self.ask(words::ALLOCATE_REQUEST, |writer| {
            writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        })
    }

    fn bind(&mut self, peer: SocketAddr) -> u16 {
        let bound = self.ask(words::CHANNEL_BIND_REQUEST, |writer| {
            let [high, low] = CHANNEL.to_be_bytes();
            writer.attribute(words::CHANNEL_NUMBER, &[high, low, 0, 0]);
            writer.xor_address(words::XOR_PEER_ADDRESS, peer);
        });
        bound.0
    }
}

fn message(payload: &[u8]) -> Vec<u8> {
    let header = channel_data::header(CHANNEL, payload.len()).unwrap();
    [&header[..], payload].concat()
}

/// Whether a port of loopback becomes free soon.
fn becomes_free(port: u16) -> bool {
    let end = Instant::now() + Duration::from_secs(5);
    std::iter::repeat_with(|| UdpSocket::bind(("127.0.0.1", port)).is_ok())
        .inspect(|is_free| {
            if !is_free {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
        .take_while(|_| Instant::now() < end)
        .any(|is_free| is_free)
}

#[test]
fn payloads_go_there_and_back_over_udp_and_tcp() {
    let serving = Serving::start(42_000..=42_099);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for mut client in [Client::udp(serving.at), Client::tcp(serving.at)] {
        let (code, relay) = client.allocate();
        assert_eq!(code, 0);
        assert_eq!(client.bind(peer.local_addr().unwrap()), 0);
        // More than fit into one batch, alone and in runs of one length, with and without a shorter end.
        let lengths = [
            0, 7, 40, 40, 40, 9, 40, 40, 0, 0, 0, 90, 90, 91, 1_200, 1_200, 1_200,
        ];
        let payload = |at: usize| vec![at as u8; lengths[at % lengths.len()]];
        for at in 0..100 {
            client.send(&message(&payload(at)));
        }
        let mut bytes = [0; 2_000];
        for at in 0..100 {
            let (len, from) = peer.recv_from(&mut bytes).unwrap();
            assert_eq!(Some(from.port()), relay);
            assert_eq!(bytes[..len], payload(at), "{at}");
            peer.send_to(&bytes[..len], from).unwrap();
        }
        for at in 0..100 {
            let arrived = client.receive();
            let data = channel_data::ChannelData::parse(&arrived).unwrap();
            assert_eq!(data.payload, payload(at), "{at}");
        }
    }
}

#[test]
fn two_clients_meet_over_udp_and_tcp() {
    let serving = Serving::start(42_100..=42_199);
    let mut ann = Client::udp(serving.at);
    let mut bob = Client::tcp(serving.at);
    let at = |relay: Option<u16>| SocketAddr::from(([127, 0, 0, 1], relay.unwrap()));
    let (at_ann, at_bob) = (at(ann.allocate().1), at(bob.allocate().1));
    assert_eq!((ann.bind(at_bob), bob.bind(at_ann)), (0, 0));
    ann.send(&message(b"hello"));
    assert_eq!(bob.receive(), [&message(b"hello")[..], &[0; 3]].concat());
    bob.send(&message(b"you too"));
    assert_eq!(ann.receive(), message(b"you too"));
}

#[test]
fn a_port_that_somebody_else_has_is_passed_over() {
    let theirs = UdpSocket::bind("127.0.0.1:42200").unwrap();
    let serving = Serving::start(42_200..=42_201);
    assert_eq!(Client::udp(serving.at).allocate(), (0, Some(42_201)));
    assert_eq!(Client::udp(serving.at).allocate(), (508, None));
    drop((theirs, serving));
    let both = [42_202, 42_203].map(|port| UdpSocket::bind(("127.0.0.1", port)).unwrap());
    let serving = Serving::start(42_202..=42_203);
    assert_eq!(Client::tcp(serving.at).allocate(), (508, None));
    drop(both);
}

#[test]
fn an_allocation_ends_with_its_stream_and_all_end_with_the_rim() {
    let serving = Serving::start(42_300..=42_399);
    let mut client = Client::tcp(serving.at);
    let port = client.allocate().1.unwrap();
    assert!(UdpSocket::bind(("127.0.0.1", port)).is_err());
    drop(client);
    assert!(becomes_free(port));
    let mut client = Client::udp(serving.at);
    let port = client.allocate().1.unwrap();
    assert!(UdpSocket::bind(("127.0.0.1", port)).is_err());
    drop(serving);
    assert!(becomes_free(port));
}

#[test]
fn a_stream_of_something_else_is_closed() {
    let serving = Serving::start(42_400..=42_499);
    let mut stream = TcpStream::connect(serving.at).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut bytes = vec![];
    // Closed with bytes unread, a stream may be reset.
    let ended = stream.read_to_end(&mut bytes);
    let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(
        ended.as_ref().is_ok_and(|len| *len == 0) || ended.is_err_and(|error| is_reset(&error))
    );
}
