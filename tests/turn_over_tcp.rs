//! TURN over TCP and TLS on the one TCP port: raw messages against the real node on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::turn::Account;
use common::{Client, Node, PATIENCE, run};
use motet_turn::stream::Deframer;
use motet_turn::stun::{self, Message, Writer};
use motet_turn::words;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

const CHANNEL: u16 = 0x4001;
/// For what must not arrive.
const SILENCE: Duration = Duration::from_millis(300);
/// Streams that one address may have.
const STREAMS_OF_SOURCE: usize = 512;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A node, and how its TCP port is spoken to.
struct Place {
    node: Node,
    /// With TLS: where it keeps its certificate.
    data: Option<TempDir>,
}

impl Place {
    fn plain(flags: &[&str]) -> Self {
        let node = Node::start(flags);
        Self { node, data: None }
    }

    /// It believes that we are a proxy, so a member may join without TLS.
    fn tls(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().to_str().unwrap();
        let own = ["--tls", "self-signed", "--data", path];
        let proxied = ["--trusted-proxy", "127.0.0.1"];
        let node = Node::start(&[&own[..], &proxied, flags].concat());
        let data = Some(data);
        Self { node, data }
    }

    async fn connect(&self) -> Box<dyn Wire> {
        let stream = TcpStream::connect(self.node.http).await.unwrap();
        let Some(data) = &self.data else {
            return Box::new(stream);
        };
        let own = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
        let connector = TlsConnector::from(Arc::new(trusting(&own)));
        let name = ServerName::try_from("localhost").unwrap();
        Box::new(connector.connect(name, stream).await.unwrap())
    }

    async fn member(&self, name: &str) -> Member {
        let (mut socket, joined) = Client::join(&self.node, "room", name).await;
        // Who never says anything is gone with their WebSocket, which answers no ping here.
        socket.say(json!({"type": "ping"})).await;
        let turn = Turn::new(self.connect().await, &joined);
        Member {
            turn,
            _socket: socket,
        }
    }

    async fn figure(&self, name: &str) -> u64 {
        let page = common::admin().get(self.node.url("/metrics"));
        let page = page.send().await.unwrap();
        let page = page.text().await.unwrap();
        let found = page
            .lines()
            .find_map(|line| line.strip_prefix("motet_")?.strip_prefix(name));
        found.expect(name).trim().parse().unwrap()
    }

    async fn comes_to(&self, name: &str, expected: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.figure(name).await != expected {
            assert!(Instant::now() < deadline, "{name} comes to {expected}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn trusting(root: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Somebody in the room, and their TURN client.
struct Member {
    turn: Turn,
    _socket: Client,
}

/// A TURN client that asks one thing at a time.
struct Turn {
    wire: Box<dyn Wire>,
    frames: Deframer,
    account: Account,
}

impl Turn {
    /// With the credentials of `joined`.
    fn new(wire: Box<dyn Wire>, joined: &Value) -> Self {
        Self {
            wire,
            frames: Deframer::new(),
            account: Account::of_joined(joined),
        }
    }

    /// The answer to a signed request; a nonce is fetched first.
    async fn ask(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        if self.account.needs_challenge() {
            let bare = self.request(kind, &fill);
            let challenge = self.exchange(&bare).await;
            self.account.challenged(&challenge);
        }
        let request = self.account.signed(kind, fill);
        self.exchange(&request).await
    }

    fn request(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        self.account.request(kind, fill)
    }

    async fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        self.wire.write_all(request).await.unwrap();
        self.receive().await.expect("an answer")
    }

    /// The next frame; nothing if none comes, or the stream is over.
    async fn receive_within(&mut self, patience: Duration) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Some(frame.to_vec());
            }
            let mut bytes = [0; 4_096];
            let read = tokio::time::timeout(patience, self.wire.read(&mut bytes));
            match read.await {
                Ok(Ok(count)) if count > 0 => self.frames.push(&bytes[..count]),
                _ => return None,
            }
        }
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        self.receive_within(PATIENCE).await
    }

    /// Whether the node ends the stream.
    async fn is_closed(&mut self) -> bool {
        let mut rest = vec![];
        let read = self.wire.read_to_end(&mut rest);
        tokio::time::timeout(PATIENCE, read).await.is_ok()
    }

    /// Gets a relay address.
    async fn allocate(&mut self) -> SocketAddr {
        let udp = |writer: &mut Writer<'_>| {
            writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        };
        let answer = self.ask(words::ALLOCATE_REQUEST, udp).await;
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.kind(), words::ALLOCATE_REQUEST | words::SUCCESS);
        xored(answer.attribute(words::XOR_RELAYED_ADDRESS).unwrap())
    }

    /// Gives a peer a channel, and with it a permission.
    async fn bind(&mut self, peer: SocketAddr) {
        let to_channel = |writer: &mut Writer<'_>| {
            let [high, low] = CHANNEL.to_be_bytes();
            writer.attribute(words::CHANNEL_NUMBER, &[high, low, 0, 0]);
            writer.xor_address(words::XOR_PEER_ADDRESS, peer);
        };
        let answer = self.ask(words::CHANNEL_BIND_REQUEST, to_channel).await;
        let kind = Message::parse(&answer).unwrap().kind();
        assert_eq!(kind, words::CHANNEL_BIND_REQUEST | words::SUCCESS);
    }

    async fn say(&mut self, payload: &[u8]) {
        self.wire.write_all(&in_channel(payload)).await.unwrap();
    }
}

/// With the padding that a stream needs (RFC 8656 §12.5).
fn in_channel(payload: &[u8]) -> Vec<u8> {
    let head = motet_turn::channel_data::header(CHANNEL, payload.len()).unwrap();
    let mut frame = [&head[..], payload].concat();
    frame.resize(frame.len().next_multiple_of(4), 0);
    frame
}

/// XOR-MAPPED-ADDRESS of IPv4 (RFC 8489 §14.2).
fn xored(value: &[u8]) -> SocketAddr {
    let [0, 1, high, low, a, b, c, d] = *value else {
        panic!("no IPv4 address: {value:02x?}")
    };
    let port = u16::from_be_bytes([high ^ 0x21, low ^ 0x12]);
    ([a ^ 0x21, b ^ 0x12, c ^ 0xA4, d ^ 0x42], port).into()
}

/// A peer on loopback, which the node has to be told to allow.
struct Peer(tokio::net::UdpSocket);

/// A socket with a port that the node does not take for one of its own relays.
fn outside_of_relays() -> UdpSocket {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        if !(50_000..=50_999).contains(&port) {
            return socket;
        }
    }
}

const ALLOWED: [&str; 2] = ["--relay-allow", "127.0.0.1/32"];

impl Peer {
    async fn new() -> Self {
        let socket = outside_of_relays();
        socket.set_nonblocking(true).unwrap();
        Self(tokio::net::UdpSocket::from_std(socket).unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut bytes = [0; 2_000];
        let received = tokio::time::timeout(PATIENCE, self.0.recv_from(&mut bytes));
        let (length, from) = received.await.expect("it arrives").unwrap();
        (bytes[..length].to_vec(), from)
    }

    async fn send(&self, payload: &[u8], to: SocketAddr) {
        self.0.send_to(payload, to).await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_is_reached_and_reaches_back_until_the_stream_ends() {
    for place in [Place::plain(&ALLOWED), Place::tls(&ALLOWED)] {
        let mut ada = place.member("Ada").await;
        let relay = ada.turn.allocate().await;
        let peer = Peer::new().await;
        ada.turn.bind(peer.address()).await;
        for round in 0..100u8 {
            let payload = vec![round; 1_000 + usize::from(round)];
            ada.turn.say(&payload).await;
            assert_eq!(peer.receive().await, (payload.clone(), relay));
            peer.send(&payload, relay).await;
            assert_eq!(ada.turn.receive().await.unwrap(), in_channel(&payload));
        }
        assert_eq!(place.figure("relay_allocations ").await, 1);
        ada.turn.wire.shutdown().await.unwrap();
        place.comes_to("relay_allocations ", 0).await;
    }
}

#[tokio::test]
async fn what_comes_in_a_burst_is_all_taken() {
    const BURST: u8 = 50;
    for place in [Place::plain(&ALLOWED), Place::tls(&ALLOWED)] {
        let mut ada = place.member("Ada").await;
        let relay = ada.turn.allocate().await;
        let peer = Peer::new().await;
        ada.turn.bind(peer.address()).await;
        for round in 0..BURST {
            ada.turn.say(&[round; 200]).await;
            let binding = ada.turn.request(stun::BINDING_REQUEST, |_| {});
            ada.turn.wire.write_all(&binding).await.unwrap();
        }
        ada.turn.wire.flush().await.unwrap();
        for round in 0..BURST {
            assert_eq!(peer.receive().await, (vec![round; 200], relay));
            let answer = ada.turn.receive().await.expect("an answer");
            let kind = Message::parse(&answer).unwrap().kind();
            assert_eq!(kind, stun::BINDING_SUCCESS, "{round}");
        }
    }
}

#[tokio::test]
async fn the_media_port_and_other_relays_are_reached_in_memory() {
    let place = Place::plain(&[]);
    let (mut ada, mut bob) = (place.member("Ada").await, place.member("Bob").await);
    let (at_ada, at_bob) = (ada.turn.allocate().await, bob.turn.allocate().await);
    ada.turn.bind(at_bob).await;
    bob.turn.bind(at_ada).await;
    for round in 0..50u8 {
        ada.turn.say(&[round; 999]).await;
        assert_eq!(bob.turn.receive().await.unwrap(), in_channel(&[round; 999]));
    }
    let mut carl = place.member("Carl").await;
    let at_carl = carl.turn.allocate().await;
    carl.turn.bind(place.node.media[0]).await;
    let binding = carl.turn.request(stun::BINDING_REQUEST, |_| {});
    carl.turn.say(&binding).await;
    let answer = carl.turn.receive().await.expect("an answer");
    let answer = Message::parse(&answer[4..]).unwrap();
    let seen = xored(answer.attribute(stun::XOR_MAPPED_ADDRESS).unwrap());
    assert_eq!((answer.kind(), seen), (stun::BINDING_SUCCESS, at_carl));
}

#[tokio::test]
async fn who_reads_slowly_loses_media_and_nobody_else_does() {
    for place in [Place::plain(&ALLOWED), Place::tls(&ALLOWED)] {
        let (mut ada, mut bob) = (place.member("Ada").await, place.member("Bob").await);
        let (at_ada, at_bob) = (ada.turn.allocate().await, bob.turn.allocate().await);
        let peer = Peer::new().await;
        ada.turn.bind(peer.address()).await;
        bob.turn.bind(peer.address()).await;
        // 4 MB: more than the kernel holds for somebody who does not read.
        const ROUNDS: u32 = 4_000;
        let payload = |round: u32| [&round.to_be_bytes()[..], &[7; 996]].concat();
        for round in 0..ROUNDS {
            peer.send(&payload(round), at_ada).await;
            peer.send(&payload(round), at_bob).await;
            let arrived = bob.turn.receive().await.unwrap();
            assert_eq!(arrived, in_channel(&payload(round)));
        }
        let lost = place.figure("stream_drops_total ").await;
        assert!(lost > 0, "Ada does not read, so something has to give");
        // What she gets at last is whole and in order, and her allocation is as it was.
        let mut last = None;
        while let Some(frame) = ada.turn.receive_within(SILENCE).await {
            let round = u32::from_be_bytes(frame[4..8].try_into().unwrap());
            assert!(last < Some(round), "{last:?}, {round}");
            assert_eq!(frame, in_channel(&payload(round)));
            last = Some(round);
        }
        let answer = ada.turn.ask(words::REFRESH_REQUEST, |_| {}).await;
        let kind = Message::parse(&answer).unwrap().kind();
        assert_eq!(kind, words::REFRESH_REQUEST | words::SUCCESS);
        peer.send(b"again", at_ada).await;
        assert_eq!(ada.turn.receive().await.unwrap(), in_channel(b"again"));
    }
}

#[tokio::test]
async fn garbage_ends_the_stream_and_its_allocation() {
    for place in [Place::plain(&[]), Place::tls(&[])] {
        for garbage in [
            &b"\x80garbage"[..],
            &[0, 1, 0, 0, 9, 9, 9, 9],
            &[0x40, 1, 0xFF, 0xFF],
        ] {
            let mut ada = place.member("Ada").await;
            ada.turn.allocate().await;
            ada.turn.wire.write_all(garbage).await.unwrap();
            assert!(ada.turn.is_closed().await, "{garbage:?}");
            place.comes_to("relay_allocations ", 0).await;
        }
    }
}

#[tokio::test]
async fn a_source_has_so_many_streams_and_no_more() {
    let place = Place::plain(&["--max-connections-per-address", "1000"]);
    let mut held = vec![];
    for _ in 0..STREAMS_OF_SOURCE {
        let stream = TcpStream::connect(place.node.http).await.unwrap();
        held.push(answered(stream).await.expect("an answer"));
    }
    let one_more = async || {
        let stream = TcpStream::connect(place.node.http).await.unwrap();
        answered(stream).await
    };
    assert!(one_more().await.is_none());
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let other = other.connect(place.node.http).await.unwrap();
    assert!(
        answered(other).await.is_some(),
        "another address has its own"
    );
    held.pop();
    let deadline = Instant::now() + PATIENCE;
    while one_more().await.is_none() {
        assert!(Instant::now() < deadline, "a place comes free");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The stream again, if the node answers a Binding request on it.
async fn answered(mut stream: TcpStream) -> Option<TcpStream> {
    let mut binding = vec![];
    Writer::new(&mut binding, stun::BINDING_REQUEST, &[1; 12]);
    stream.write_all(&binding).await.ok()?;
    let mut answer = [0; 32];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer));
    read.await.ok()?.ok()?;
    let own = stream.local_addr().unwrap();
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(
        xored(answer.attribute(stun::XOR_MAPPED_ADDRESS).unwrap()),
        own
    );
    Some(stream)
}

#[tokio::test]
async fn who_asks_for_nothing_is_closed_after_a_while() {
    let place = Place::plain(&[]);
    let mut binding = vec![];
    Writer::new(&mut binding, stun::BINDING_REQUEST, &[1; 12]);
    let (begun, allocated) = (Instant::now(), place.member("Ada"));
    let mut allocated = allocated.await;
    allocated.turn.allocate().await;
    let waits = [
        (&[0][..], 9..15),
        (&binding[..7], 9..15),
        (&binding, 29..40),
    ];
    let waits = waits.map(|(bytes, expected)| {
        let (bytes, address) = (bytes.to_vec(), place.node.http);
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            let begun = Instant::now();
            let _ = stream.read_to_end(&mut vec![]).await;
            let waited = begun.elapsed().as_secs();
            assert!(expected.contains(&waited), "{waited} s, not {expected:?}");
        })
    });
    for wait in waits {
        wait.await.unwrap();
    }
    let rest = Duration::from_secs(35).saturating_sub(begun.elapsed());
    tokio::time::sleep(rest).await;
    let answer = allocated.turn.ask(words::REFRESH_REQUEST, |_| {}).await;
    let kind = Message::parse(&answer).unwrap().kind();
    assert_eq!(kind, words::REFRESH_REQUEST | words::SUCCESS);
}

#[tokio::test]
async fn without_turn_there_are_no_streams() {
    let node = Node::start(&["--turn", "off"]);
    let stream = TcpStream::connect(node.http).await.unwrap();
    assert!(answered(stream).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_coturn_are_served_and_nothing_of_theirs_is_dropped() {
    let known = Command::new("turnutils_uclient")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if known.is_err() {
        eprintln!("skipped: turnutils_uclient, of Debian's package coturn, is not installed");
        return;
    }
    let echo = outside_of_relays();
    let echo_port = echo.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let mut bytes = [0; 2_000];
        while let Ok((length, from)) = echo.recv_from(&mut bytes) {
            let _ = echo.send_to(&bytes[..length], from);
        }
    });
    // It reads one message of each TLS record and passes over the others, so there it may miss some.
    for (place, options) in [
        (Place::plain(&ALLOWED), &["-t"][..]),
        // It reads one message of each TLS record and passes over the others.
        (Place::tls(&ALLOWED), &["-t", "-S"]),
    ] {
        let (_ada, joined) = Client::join(&place.node, "room", "Ada").await;
        let Account { name, password, .. } = Account::of_joined(&joined);
        let port = place.node.http.port().to_string();
        // Its channel numbers are those of RFC 5766, so it has to send indications.
        let (code, output, errors) = run(Command::new("turnutils_uclient")
            .args(options)
            .args(["-s", "-c", "-u", &name, "-w", &password, "-e", "127.0.0.1"])
            .args(["-r", &echo_port, "-p", &port, "-m", "4", "-n", "100"])
            .args(["-l", "1000", "-z", "5", "127.0.0.1"]));
        assert!(
            output.contains("tot_send_msgs=400, tot_recv_msgs=400"),
            "{options:?} {code}\n{output}\n{errors}"
        );
        assert_eq!(place.figure("stream_drops_total").await, 0, "{options:?}");
    }
}
