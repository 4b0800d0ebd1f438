//! TURN on the port of all media: raw messages against the real node on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use common::turn::Account;
use common::{Client, Node, RELAY_PORTS};
use motet_turn::stun::{self, Message, Writer};
use motet_turn::words;
use serde_json::{Value, json};

const CHANNEL: u16 = 0x4001;
/// Longer than anything takes that is answered here.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what must not arrive.
const SILENCE: Duration = Duration::from_millis(300);

/// A TURN client that asks one thing at a time.
struct Turn {
    socket: UdpSocket,
    account: Account,
}

impl Turn {
    /// With the credentials of `joined`.
    fn new(node: &Node, joined: &Value) -> Self {
        let servers = joined["iceServers"].as_array().unwrap();
        let relay = servers.iter().find(|server| server["username"].is_string());
        let relay = relay.expect("credentials");
        let udp = format!("turn:127.0.0.1:{}?transport=udp", node.media[0].port());
        let tcp = format!("turn:127.0.0.1:{}?transport=tcp", node.http.port());
        assert_eq!(relay["urls"], json!([udp, tcp]));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(node.media[0]).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let account = Account::of_joined(joined);
        Self { socket, account }
    }

    /// The answer to a signed request; a nonce is fetched first.
    fn ask(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        if self.account.needs_challenge() {
            let bare = self.request(kind, &fill);
            let challenge = self.exchange(&bare);
            self.account.challenged(&challenge);
        }
        let request = self.account.signed(kind, fill);
        self.exchange(&request)
    }

    fn request(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        self.account.request(kind, fill)
    }

    fn exchange(&self, request: &[u8]) -> Vec<u8> {
        self.socket.send(request).unwrap();
        self.receive().expect("an answer")
    }

    fn receive(&self) -> Option<Vec<u8>> {
        receive(&self.socket).map(|(bytes, _)| bytes)
    }

    /// Gets a relay address.
    fn allocate(&mut self) -> SocketAddr {
        let answer = self.ask(words::ALLOCATE_REQUEST, udp);
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.kind(), words::ALLOCATE_REQUEST | words::SUCCESS);
        xored(answer.attribute(words::XOR_RELAYED_ADDRESS).unwrap())
    }

    /// The code of what an attempt at something is refused with.
    fn refused(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> [u8; 2] {
        let answer = self.ask(kind, fill);
        let answer = Message::parse(&answer).unwrap();
        let code = answer.attribute(stun::ERROR_CODE).expect("an error");
        [code[2], code[3]]
    }

    /// Gives a peer a channel, and with it a permission.
    fn bind(&mut self, peer: SocketAddr) {
        let answer = self.ask(words::CHANNEL_BIND_REQUEST, to_channel(peer));
        let kind = Message::parse(&answer).unwrap().kind();
        assert_eq!(kind, words::CHANNEL_BIND_REQUEST | words::SUCCESS);
    }

    fn say(&self, payload: &[u8]) {
        self.socket.send(&in_channel(payload)).unwrap();
    }
}

fn udp(writer: &mut Writer<'_>) {
    writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
}

fn to_channel(peer: SocketAddr) -> impl Fn(&mut Writer<'_>) {
    move |writer| {
        let [high, low] = CHANNEL.to_be_bytes();
        writer.attribute(words::CHANNEL_NUMBER, &[high, low, 0, 0]);
        writer.xor_address(words::XOR_PEER_ADDRESS, peer);
    }
}

fn in_channel(payload: &[u8]) -> Vec<u8> {
    let head = motet_turn::channel_data::header(CHANNEL, payload.len()).unwrap();
    [&head[..], payload].concat()
}

fn receive(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut bytes = [0; 2_000];
    let (length, from) = socket.recv_from(&mut bytes).ok()?;
    Some((bytes[..length].to_vec(), from))
}

/// XOR-MAPPED-ADDRESS of IPv4 (RFC 8489 §14.2).
fn xored(value: &[u8]) -> SocketAddr {
    let [0, 1, high, low, a, b, c, d] = *value else {
        panic!("no IPv4 address: {value:02x?}")
    };
    let port = u16::from_be_bytes([high ^ 0x21, low ^ 0x12]);
    ([a ^ 0x21, b ^ 0x12, c ^ 0xA4, d ^ 0x42], port).into()
}

#[tokio::test]
async fn a_peer_outside_is_reached_and_reaches_back() {
    let node = Node::start(&["--relay-allow", "127.0.0.1/32"]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    let mut turn = Turn::new(&node, &joined);
    let relay = turn.allocate();
    assert!(RELAY_PORTS.contains(&relay.port()), "{relay}");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    turn.bind(peer.local_addr().unwrap());
    for round in 0..100u8 {
        turn.say(&[round; 1_000]);
        let (payload, from) = receive(&peer).expect("it arrives");
        assert_eq!((payload, from), (vec![round; 1_000], relay));
        peer.send_to(&[round; 900], relay).unwrap();
        assert_eq!(turn.receive().unwrap(), in_channel(&[round; 900]));
    }
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.send_to(b"let me in", relay).unwrap();
    turn.socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(turn.receive(), None);
}

#[tokio::test]
async fn private_peers_and_the_node_itself_are_not_reached() {
    let node = Node::start(&[]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    let mut turn = Turn::new(&node, &joined);
    turn.allocate();
    for peer in ["10.1.2.3:9", "127.0.0.2:9", &node.http.to_string()] {
        let peer = to_channel(peer.parse().unwrap());
        let refused = turn.refused(words::CHANNEL_BIND_REQUEST, peer);
        assert_eq!(refused, [4, 3]);
    }
}

#[tokio::test]
async fn two_relays_of_the_node_reach_each_other_until_one_member_leaves() {
    let node = Node::start(&[]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    let mut ada = Turn::new(&node, &joined);
    let (mut bob_said, joined) = Client::join(&node, "room", "Bob").await;
    let mut bob = Turn::new(&node, &joined);
    let (at_ada, at_bob) = (ada.allocate(), bob.allocate());
    ada.bind(at_bob);
    bob.bind(at_ada);
    for round in 0..100u8 {
        ada.say(&[round; 1_000]);
        assert_eq!(bob.receive().unwrap(), in_channel(&[round; 1_000]));
        bob.say(&[round; 500]);
        assert_eq!(ada.receive().unwrap(), in_channel(&[round; 500]));
    }
    bob_said.say(json!({"type": "bye"})).await;
    bob_said.hear_type("bye").await;
    assert_eq!(bob.refused(words::REFRESH_REQUEST, |_| {}), [4, 1]);
    assert_eq!(bob.refused(words::ALLOCATE_REQUEST, udp), [4, 1]);
    bob.socket.set_read_timeout(Some(SILENCE)).unwrap();
    ada.say(b"are you there?");
    assert_eq!(bob.receive(), None);
    let metrics = metrics(&node).await;
    assert!(
        metrics.contains("\nmotet_relay_allocations 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nmotet_relay_packets_total 200\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_media_port_is_reached_through_a_relay_of_the_node() {
    let node = Node::start(&[]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    let mut turn = Turn::new(&node, &joined);
    let relay = turn.allocate();
    turn.bind(node.media[0]);
    let binding = turn.request(stun::BINDING_REQUEST, |_| {});
    turn.say(&binding);
    let answer = turn.receive().expect("an answer");
    assert_eq!(answer[..2], CHANNEL.to_be_bytes());
    let answer = Message::parse(&answer[4..]).unwrap();
    let seen = xored(answer.attribute(stun::XOR_MAPPED_ADDRESS).unwrap());
    assert_eq!((answer.kind(), seen), (stun::BINDING_SUCCESS, relay));
    // Nobody relays through a relay.
    let nested = turn.request(words::ALLOCATE_REQUEST, udp);
    turn.say(&nested);
    turn.say(&in_channel(b"nested"));
    turn.socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(turn.receive(), None);
}

#[tokio::test]
async fn who_has_no_credentials_leaves_nothing_behind() {
    let node = Node::start(&[]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    let mut turn = Turn::new(&node, &joined);
    turn.account.password.push('x');
    assert_eq!(turn.refused(words::ALLOCATE_REQUEST, udp), [4, 1]);
    for _ in 0..100 {
        for _ in 0..20 {
            let request = turn.request(words::ALLOCATE_REQUEST, udp);
            turn.socket.send(&request).unwrap();
            turn.account.transactions = 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let metrics = metrics(&node).await;
    let value = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.expect(name).trim().parse().unwrap()
    };
    assert_eq!(value("motet_relay_allocations "), 0);
    assert_eq!(value("motet_relay_allocated_total "), 0);
    // A source gets 200 challenges at once and 20 per second: a forged one is not flooded.
    assert!(value("motet_relay_challenged_total ") < 400, "{metrics}");
    assert!(value("motet_relay_unanswered_total ") > 500, "{metrics}");
}

#[tokio::test]
async fn without_turn_stun_is_answered_and_nothing_else() {
    let node = Node::start(&["--turn", "off"]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    assert_eq!(joined["iceServers"].as_array().unwrap().len(), 1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut binding = vec![];
    Writer::new(&mut binding, stun::BINDING_REQUEST, &[1; 12]);
    socket.send_to(&binding, node.media[0]).unwrap();
    let (answer, _) = receive(&socket).expect("an answer");
    assert_eq!(
        Message::parse(&answer).unwrap().kind(),
        stun::BINDING_SUCCESS
    );
    let mut allocate = vec![];
    udp(&mut Writer::new(
        &mut allocate,
        words::ALLOCATE_REQUEST,
        &[2; 12],
    ));
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    for bytes in [allocate, in_channel(b"x")] {
        socket.send_to(&bytes, node.media[0]).unwrap();
    }
    assert_eq!(receive(&socket), None);
}

/// Set for a test that runs alone with loopback.
const ALONE: &str = "MOTET_TEST_ALONE";

/// Runs a test of this file again, in a network namespace whose only interface is loopback: nothing
/// else has a route. `false` where that cannot be made.
fn again_alone(test: &str) -> bool {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c"]);
    command.arg("ip link set lo up || exit 77; exec \"$0\" \"$@\"");
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env(ALONE, "1");
    let Ok(output) = command.output() else {
        return false;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || complaint.starts_with("unshare:") {
        return false;
    }
    assert!(said.contains("1 passed"), "{said}{complaint}");
    true
}

#[tokio::test]
async fn a_node_without_a_default_route_keeps_its_relays() {
    if std::env::var_os(ALONE).is_some() {
        to_peers_without_a_route_and_to_one_with().await;
    } else if !again_alone("a_node_without_a_default_route_keeps_its_relays") {
        eprintln!("skipped: no network namespace can be made here");
    }
}

async fn to_peers_without_a_route_and_to_one_with() {
    let lost: SocketAddr = "203.0.113.9:9".parse().unwrap();
    let direct = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = direct.send_to(b"x", lost).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "no route");

    let node = Node::start(&["--relay-allow", "127.0.0.1/32,203.0.113.0/24"]);
    let (_ada, joined) = Client::join(&node, "room", "Ada").await;
    let mut turn = Turn::new(&node, &joined);
    let relay = turn.allocate();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    turn.bind(peer.local_addr().unwrap());
    let answer = turn.ask(words::CREATE_PERMISSION_REQUEST, |writer| {
        writer.xor_address(words::XOR_PEER_ADDRESS, lost);
    });
    let kind = Message::parse(&answer).unwrap().kind();
    assert_eq!(kind, words::CREATE_PERMISSION_REQUEST | words::SUCCESS);
    for round in 0..100u8 {
        // All at once, so that they are sent in one batch.
        let indication = turn.request(words::SEND_INDICATION, |writer| {
            writer.xor_address(words::XOR_PEER_ADDRESS, lost);
            writer.attribute(words::DATA, &[round; 700]);
        });
        for _ in 0..3 {
            turn.socket.send(&indication).unwrap();
            turn.say(&[round; 800]);
        }
        for _ in 0..3 {
            let (payload, from) = receive(&peer).expect("it arrives");
            assert_eq!((payload, from), (vec![round; 800], relay));
        }
        peer.send_to(&[round; 900], relay).unwrap();
        assert_eq!(turn.receive().unwrap(), in_channel(&[round; 900]));
        turn.account.transactions = 10;
    }
    let answer = turn.ask(words::REFRESH_REQUEST, |_| {});
    let kind = Message::parse(&answer).unwrap().kind();
    assert_eq!(kind, words::REFRESH_REQUEST | words::SUCCESS);
    let metrics = metrics(&node).await;
    // What went to either peer, and what came back from the one.
    for expected in ["_allocations 1", "_packets_total 700"] {
        let expected = format!("\nmotet_relay{expected}\n");
        assert!(metrics.contains(&expected), "{metrics}");
    }
}

async fn metrics(node: &Node) -> String {
    let page = common::admin().get(node.url("/metrics"));
    let page = page.send().await.unwrap();
    page.text().await.unwrap()
}
