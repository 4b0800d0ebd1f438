//! TURN over loopback: what a relayed packet and an allocation cost, beside coturn's `turnserver` if it is
//! installed, and beside the bare machine without sockets. `cargo bench --bench turn`
//!
//! Processor time is the server's own, so what the clients cost does not count; but they share the machine:
//! numbers of a busy machine are too high.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use motet_turn::credentials::{self, Algorithm};
use motet_turn::stun::{self, Message, Writer};
use motet_turn::{
    ClientSocket, Config, Frame, PeerSocket, RelayPort, Route, Server, Transport, channel_data,
    server, words,
};

#[allow(unreachable_pub)]
#[path = "support/process.rs"]
mod process;

const SECRET: &str = "north";
const REALM: &str = "turn";
const PAYLOAD: usize = 1_000;
const CHANNEL: u16 = 0x4000;
/// Below the number of challenges that one source gets at once.
const ALLOCATIONS: usize = 180;
/// Of the allocations, those over which packets go.
const BUSY: usize = 20;
const ROUNDS: usize = 60_000;
/// Packets at once from one side: alone, and the packets of a video frame.
const BURSTS: [usize; 2] = [1, 10];

fn main() {
    bare_machine();
    println!("server      us/allocation  bytes/allocation  us/packet alone  us/packet in tens");
    row("motet-turn", &start_ours);
    match Command::new("turnserver").arg("-h").output() {
        Ok(_) => row("coturn", &start_coturn),
        Err(_) => println!("coturn      is not installed"),
    }
}

fn row(name: &str, start: &dyn Fn(u16) -> Child) {
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut child = start(port);
    let measured = std::panic::catch_unwind(|| measure(child.id() as i32, port));
    child.kill().unwrap();
    child.wait().unwrap();
    let (allocation, bytes, packets) = measured.expect("measured");
    let [alone, tens] = packets;
    println!("{name:<12}{allocation:>13.1}{bytes:>18}{alone:>17.2}{tens:>19.2}");
}

fn start_ours(port: u16) -> Child {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = "build --release --quiet -p motet-turn --features rim --example turn_server";
    assert!(
        Command::new(cargo)
            .args(build.split(' '))
            .status()
            .unwrap()
            .success()
    );
    let own = std::env::current_exe().unwrap();
    let release: PathBuf = own.ancestors().nth(2).unwrap().into();
    let arguments = format!(
        "--listen 127.0.0.1:{port} --relay-ip 127.0.0.1 --ports 21000-29000 --secret {SECRET} \
         --allow 127.0.0.0/8 --bytes-per-second 10000000000 --allocations 4000"
    );
    run(Command::new(release.join("examples/turn_server")).args(arguments.split_whitespace()))
}

/// With one thread for relaying, as ours has.
fn start_coturn(port: u16) -> Child {
    let arguments = format!(
        "-n -L 127.0.0.1 -E 127.0.0.1 -p {port} --min-port 31000 --max-port 39000 -m 1 --realm {REALM} \
         --use-auth-secret --static-auth-secret {SECRET} --allow-loopback-peers --no-cli --no-tls --no-dtls \
         --no-tcp --log-file /dev/null --pidfile /dev/null --no-rfc5780"
    );
    run(Command::new("turnserver").args(arguments.split_whitespace()))
}

fn run(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Microseconds per allocation, bytes per allocation, microseconds per packet for each of the bursts.
fn measure(pid: i32, port: u16) -> (f64, u64, [f64; 2]) {
    let at: SocketAddr = ([127, 0, 0, 1], port).into();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut first = Client::connect(at);
    first.allocate();
    let (cpu, memory) = (process::cpu(pid), process::memory(pid));
    let mut clients: Vec<Client> = (0..ALLOCATIONS).map(|_| Client::connect(at)).collect();
    clients.iter_mut().for_each(Client::allocate);
    let allocation = micros(process::cpu(pid) - cpu, ALLOCATIONS);
    let bytes = process::memory(pid).saturating_sub(memory) / ALLOCATIONS as u64;
    let busy = &mut clients[..BUSY];
    let address = peer.local_addr().unwrap();
    busy.iter_mut().for_each(|client| client.bind(address));
    relay(busy, &peer, 1, 1_000);
    let packets = BURSTS.map(|burst| {
        let cpu = process::cpu(pid);
        let relayed = relay(busy, &peer, burst, ROUNDS);
        micros(process::cpu(pid) - cpu, relayed)
    });
    (allocation, bytes, packets)
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// Each client in turn sends a burst to the peer, who sends as many back. Returns how many packets
/// were relayed, both ways; each is waited for, so none is lost.
fn relay(clients: &[Client], peer: &UdpSocket, burst: usize, packets: usize) -> usize {
    let head = channel_data::header(CHANNEL, PAYLOAD).unwrap();
    let message = [&head[..], &[7; PAYLOAD]].concat();
    let mut bytes = [0; 2_000];
    let rounds = packets / (2 * burst);
    for client in clients.iter().cycle().take(rounds) {
        let mut from = None;
        for _ in 0..burst {
            client.socket.send(&message).unwrap();
        }
        for _ in 0..burst {
            let (len, relay) = peer.recv_from(&mut bytes).expect("a packet at the peer");
            assert_eq!(len, PAYLOAD);
            from = Some(relay);
        }
        let relay = from.unwrap();
        for _ in 0..burst {
            peer.send_to(&bytes[..PAYLOAD], relay).unwrap();
        }
        for _ in 0..burst {
            assert_eq!(client.socket.recv(&mut bytes).unwrap(), message.len());
        }
    }
    rounds * burst * 2
}

struct Client {
    socket: UdpSocket,
    nonce: Vec<u8>,
    realm: String,
}

impl Client {
    fn connect(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let (nonce, realm) = (vec![], REALM.to_owned());
        Client {
            socket,
            nonce,
            realm,
        }
    }

    /// A challenge, then the answer to it.
    fn allocate(&mut self) {
        let mut bare = vec![];
        let id = b"for-a-nonce!";
        let mut writer = Writer::new(&mut bare, words::ALLOCATE_REQUEST, id);
        writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        let answer = self.exchange(&bare);
        let message = Message::parse(&answer).unwrap();
        self.nonce = message.attribute(stun::NONCE).unwrap().to_vec();
        let udp = |writer: &mut Writer<'_>| {
            writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        };
        self.ask(words::ALLOCATE_REQUEST, udp);
    }

    fn bind(&mut self, peer: SocketAddr) {
        self.ask(words::CHANNEL_BIND_REQUEST, |writer| {
            let [high, low] = CHANNEL.to_be_bytes();
            writer.attribute(words::CHANNEL_NUMBER, &[high, low, 0, 0]);
            writer.xor_address(words::XOR_PEER_ADDRESS, peer);
        });
    }

    fn ask(&self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) {
        let request = signed(kind, &self.nonce, &self.realm, fill);
        let answer = self.exchange(&request);
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.kind(), kind | words::SUCCESS, "{answer:02x?}");
    }

    /// Sends until an answer comes: a server has just begun to listen.
    fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let mut bytes = [0; 2_000];
        for _ in 0..200 {
            let sent = self.socket.send(request);
            if let (Ok(_), Ok(len)) = (sent, self.socket.recv(&mut bytes)) {
                return bytes[..len].to_vec();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("no answer");
    }
}

fn signed(kind: u16, nonce: &[u8], realm: &str, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let minted = credentials::mint(SECRET.as_bytes(), "bench", unix + 3_600);
    let (name, password) = (minted.username.as_bytes(), minted.password.as_bytes());
    let mut bytes = vec![];
    let mut writer = Writer::new(&mut bytes, kind, b"transaction!");
    fill(&mut writer);
    writer.attribute(stun::USERNAME, name);
    writer.attribute(stun::REALM, realm.as_bytes());
    writer.attribute(stun::NONCE, nonce);
    let key = credentials::long_term_key(Algorithm::Md5, name, realm, password);
    writer.integrity(&key).unwrap();
    bytes
}

/// The same without sockets: one allocation with a channel among many, packets there and back.
fn bare_machine() {
    let start = Instant::now();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut config = Config::new(REALM, SECRET.as_bytes(), [7; 32]);
    config.relay_ipv4 = Some([203, 0, 114, 1].into());
    for ceiling in [
        &mut config.quota.member,
        &mut config.quota.source,
        &mut config.quota.total,
    ] {
        (ceiling.allocations, ceiling.bytes_per_second) = (10_000, u64::MAX >> 32);
    }
    let mut server = Server::new(config, start, unix).unwrap();
    let begun = Instant::now();
    let ports: Vec<u16> = (0..ALLOCATIONS as u16)
        .map(|port| bare_allocation(&mut server, port))
        .collect();
    let allocation = micros(begun.elapsed(), ALLOCATIONS);
    let peer: SocketAddr = ([8, 8, 8, 8], 9).into();
    let head = channel_data::header(CHANNEL, PAYLOAD).unwrap();
    let message = [&head[..], &[7; PAYLOAD]].concat();
    let (mut out, rounds) = (vec![], 1_000_000);
    let begun = Instant::now();
    for at in 0..rounds {
        let now = start + Duration::from_micros(at);
        let index = at as usize % BUSY;
        let there =
            server.handle_client_datagram(now, bare_client(index as u16), &message, &mut out);
        assert!(matches!(there, Some(Route::Peer { .. })));
        let relay = RelayPort(ports[index]);
        let back = server.handle_peer_datagram(now, relay, PeerSocket(peer), &message[4..]);
        let Some(Route::Client { frame, .. }) = back else {
            panic!("{back:?}")
        };
        let head: &[u8] = Frame::head(&frame);
        assert_eq!(head, &message[..4]);
    }
    let packet = micros(begun.elapsed(), 2 * rounds as usize);
    println!(
        "without sockets: {allocation:.1} us per allocation with its channel (the client's signing included), {packet:.3} us per packet"
    );
    assert_eq!(server.counters().packets, 2 * rounds);
}

fn bare_client(number: u16) -> ClientSocket {
    let remote = ([192, 0, 2, 1], 1_000 + number).into();
    ClientSocket {
        local: 0,
        transport: Transport::Udp,
        remote,
    }
}

/// Its port.
fn bare_allocation(machine: &mut Server, number: u16) -> u16 {
    let client = bare_client(number);
    let now = Instant::now();
    let mut out = vec![];
    let mut bare = vec![];
    let mut writer = Writer::new(&mut bare, words::ALLOCATE_REQUEST, b"for-a-nonce!");
    writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    machine.handle_client_datagram(now, client, &bare, &mut out);
    let Some(server::Command::Send { bytes, .. }) = out.pop() else {
        panic!("no challenge")
    };
    let nonce = Message::parse(&bytes)
        .unwrap()
        .attribute(stun::NONCE)
        .unwrap()
        .to_vec();
    let allocate = signed(words::ALLOCATE_REQUEST, &nonce, REALM, |writer| {
        writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    });
    machine.handle_client_datagram(now, client, &allocate, &mut out);
    let Some(server::Command::OpenRelay { port, .. }) = out.first() else {
        panic!("{out:?}")
    };
    let port = port.0;
    let bind = signed(words::CHANNEL_BIND_REQUEST, &nonce, REALM, |writer| {
        let [high, low] = CHANNEL.to_be_bytes();
        writer.attribute(words::CHANNEL_NUMBER, &[high, low, 0, 0]);
        writer.xor_address(words::XOR_PEER_ADDRESS, ([8, 8, 8, 8], 9).into());
    });
    machine.handle_client_datagram(now, client, &bind, &mut out);
    port
}
