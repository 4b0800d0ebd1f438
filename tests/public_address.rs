//! A node that asks a STUN server for its public address, and goes on whatever that does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use common::{Client, Node};
use motet_turn::credentials::{self, Algorithm};
use motet_turn::stun::{self, Message, Writer};
use motet_turn::words;
use serde_json::json;

const OFFER: &str = include_str!("fixtures/offers/chromium-156-life-1-first.sdp");
/// A node that asks nobody starts within this time, also on a busy machine.
const START_MAX: Duration = Duration::from_secs(10);

/// A STUN server that sees everyone at one address, after a delay for each; `None` answers nobody.
fn stun_server(delay: Duration, told: Option<&'static str>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let Some(told) = told else { continue };
            std::thread::sleep(delay);
            let mut answer = Vec::new();
            let seen = SocketAddr::new(told.parse().unwrap(), from.port());
            motet_turn::answer_binding(&bytes[..length], seen, &mut answer);
            let _ = socket.send_to(&answer, from);
        }
    });
    at
}

/// Candidates in the answer to a new connection, as `address port`.
async fn candidates(node: &Node) -> Vec<String> {
    let (mut client, joined) = Client::join(node, "hall", "Ada").await;
    let epoch = &joined["topology"]["epoch"];
    let offer = json!({"type": "offer", "id": 2, "sdp": OFFER, "epoch": epoch, "fresh": true});
    client.say(offer).await;
    let answer = client.hear_type("answer").await;
    let lines = answer["sdp"].as_str().unwrap().lines();
    let mut found: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("a=candidate:"))
        .map(|line| {
            line.split(' ')
                .skip(4)
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    found.dedup();
    found
}

/// Under which IPv4 address a new relay is told.
async fn relay_address(node: &Node) -> Ipv4Addr {
    let (_client, joined) = Client::join(node, "relayed", "Ada").await;
    let servers = joined["iceServers"].as_array().unwrap();
    let server = servers.iter().find(|server| server["username"].is_string());
    let text = |key: &str| server.unwrap()[key].as_str().unwrap().to_owned();
    let (name, password) = (text("username"), text("credential"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(node.media[0]).unwrap();
    socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let ask = |id: u8, fill: &dyn Fn(&mut Writer<'_>)| {
        let mut request = vec![];
        let mut writer = Writer::new(&mut request, words::ALLOCATE_REQUEST, &[id; 12]);
        writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        fill(&mut writer);
        socket.send(&request).unwrap();
        let mut answer = vec![0; 500];
        let length = socket.recv(&mut answer).unwrap();
        answer.truncate(length);
        answer
    };
    let challenge = ask(1, &|_| {});
    let challenge = Message::parse(&challenge).unwrap();
    let value = |kind| challenge.attribute(kind).unwrap();
    let realm = std::str::from_utf8(value(stun::REALM)).unwrap();
    let (name, password) = (name.as_bytes(), password.as_bytes());
    let key = credentials::long_term_key(Algorithm::Md5, name, realm, password);
    let answer = ask(2, &|writer| {
        writer.attribute(stun::USERNAME, name);
        writer.attribute(stun::REALM, realm.as_bytes());
        writer.attribute(stun::NONCE, value(stun::NONCE));
        writer.integrity(&key).unwrap();
    });
    let answer = Message::parse(&answer).unwrap();
    let told = answer
        .attribute(words::XOR_RELAYED_ADDRESS)
        .expect("a relay");
    // Masked by the cookie (RFC 8489 §14.2).
    let masked = u32::from_be_bytes(told[4..8].try_into().unwrap());
    Ipv4Addr::from(masked ^ 0x2112_A442)
}

#[tokio::test]
async fn a_server_that_answers_is_believed_from_the_start() {
    let server = stun_server(Duration::ZERO, Some("203.0.113.7"));
    let node = Node::start(&["--stun-server", &server.to_string()]);
    let port = node.media[0].port();
    let expected = [format!("203.0.113.7 {port}"), format!("127.0.0.1 {port}")];
    assert_eq!(candidates(&node).await, expected);
}

#[tokio::test]
async fn another_node_can_be_the_server() {
    let other = Node::start(&[]);
    let node = Node::start(&["--stun-server", &other.media[0].to_string()]);
    let port = node.media[0].port();
    assert_eq!(candidates(&node).await, [format!("127.0.0.1 {port}")]);
}

#[tokio::test]
async fn a_node_starts_without_a_server_that_is_silent_or_gone() {
    let silent = stun_server(Duration::ZERO, None).to_string();
    let gone = {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().to_string()
    };
    for server in [silent.as_str(), &gone, "no-such-host.invalid:3478"] {
        let started = Instant::now();
        let node = Node::start(&["--stun-server", server]);
        assert!(started.elapsed() < START_MAX, "{server}");
        let port = node.media[0].port();
        assert_eq!(
            candidates(&node).await,
            [format!("127.0.0.1 {port}")],
            "{server}"
        );
    }
}

#[tokio::test]
async fn a_slow_answer_is_taken_for_connections_and_relays_that_begin_after_it() {
    let server = stun_server(Duration::from_secs(3), Some("203.0.113.7"));
    let node = Node::start(&["--stun-server", &server.to_string()]);
    let port = node.media[0].port();
    assert_eq!(candidates(&node).await, [format!("127.0.0.1 {port}")]);
    assert_eq!(relay_address(&node).await, Ipv4Addr::LOCALHOST);
    let deadline = Instant::now() + Duration::from_secs(20);
    while candidates(&node).await.len() < 2 {
        assert!(Instant::now() < deadline, "the answer is taken");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(candidates(&node).await[0], format!("203.0.113.7 {port}"));
    assert_eq!(relay_address(&node).await, Ipv4Addr::new(203, 0, 113, 7));
}

#[tokio::test]
async fn what_was_set_by_hand_goes_before_what_a_server_sees() {
    let server = stun_server(Duration::ZERO, Some("203.0.113.7")).to_string();
    let set = ["--public-ip", "198.51.100.1", "--public-ip", "2001:db8::7"];
    let node = Node::start(&[&["--stun-server", &server], &set[..]].concat());
    let port = node.media[0].port();
    let expected = [
        format!("198.51.100.1 {port}"),
        format!("2001:db8::7 {port}"),
    ];
    assert_eq!(candidates(&node).await, expected);
}
