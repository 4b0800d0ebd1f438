//! One address that wants everything: what it gets, and that people elsewhere notice nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "../benches/support/process.rs"]
mod process;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Client, Node, PATIENCE, admin, handshake};
use futures_util::SinkExt;
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Where the attack comes from. The others are at 127.0.0.1.
const ATTACKER: &str = "127.0.0.2";
/// How many of the attacker's connections do something at the same time.
const AT_ONCE: usize = 8;
/// What a busy machine adds to anything: a tick of the media thread.
const TICK: Duration = Duration::from_millis(20);
const QUIET_PINGS: usize = 60;

async fn connect_from(node: &Node, source: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::new(source.parse().unwrap(), 0))
        .unwrap();
    socket.connect(node.http).await.unwrap()
}

async fn websocket_from(node: &Node, source: &str) -> WebSocketStream<TcpStream> {
    let stream = connect_from(node, source).await;
    let request = handshake(node, &[("sec-websocket-protocol", "motet.v1")]);
    client_async(request, stream).await.unwrap().0
}

async fn hear(socket: &mut WebSocketStream<TcpStream>, kinds: &[&str]) -> Value {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await;
        let Message::Text(text) = next.unwrap().unwrap().unwrap() else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if kinds.iter().any(|kind| message["type"] == *kind) {
            return message;
        }
    }
}

async fn join_from(node: &Node, source: &str, room: &str) -> (WebSocketStream<TcpStream>, Value) {
    let mut socket = websocket_from(node, source).await;
    let join = json!({"type": "join", "id": 1, "room": room, "name": "Mallory"});
    socket.send(Message::text(join.to_string())).await.unwrap();
    let answer = hear(&mut socket, &["joined", "error"]).await;
    (socket, answer)
}

/// Ends a connection as a crash does.
fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Two people in a room who hear each other, and how long the node takes to answer.
struct Bystanders {
    ada: Client,
    bob: Client,
}

impl Bystanders {
    async fn enter(node: &Node) -> Self {
        let (mut ada, _) = Client::join(node, "call", "Ada").await;
        let (bob, _) = Client::join(node, "call", "Bob").await;
        ada.hear_type("member").await;
        Self { ada, bob }
    }

    async fn pong(&mut self) -> Duration {
        let begun = Instant::now();
        self.ada.say(json!({"type": "ping", "id": 9})).await;
        self.ada.hear_type("pong").await;
        begun.elapsed()
    }

    /// The typical time until a pong.
    async fn quiet(&mut self) -> Duration {
        let mut pongs = Vec::new();
        for _ in 0..QUIET_PINGS {
            pongs.push(self.pong().await);
        }
        median(pongs)
    }

    /// The same while something goes on, and what came of that.
    async fn during<T>(&mut self, attack: impl Future<Output = T>) -> (Duration, T) {
        let mut attack = std::pin::pin!(attack);
        let mut pongs = Vec::new();
        loop {
            tokio::select! {
                biased;
                done = &mut attack => {
                    pongs.push(self.pong().await);
                    return (median(pongs), done);
                }
                pong = self.pong() => pongs.push(pong),
            }
        }
    }

    async fn talk(&mut self) {
        self.ada
            .say(json!({"type": "chat", "text": "still there?"}))
            .await;
        assert_eq!(self.bob.hear_type("chat").await["text"], "still there?");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A figure of the node's page for monitoring.
async fn metric(node: &Node, name: &str) -> u64 {
    let page = admin().get(node.url("/metrics")).send().await.unwrap();
    let page = page.text().await.unwrap();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect(name).parse().unwrap()
}

async fn comes_to(node: &Node, name: &str, is_right: impl Fn(u64) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = metric(node, name).await;
        if is_right(now) {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is {now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn who_joins_and_is_lost_again_and_again_takes_their_own_share() {
    let node = Node::start(&[]);
    let mut people = Bystanders::enter(&node).await;
    let quiet = people.quiet().await;
    // Every other one gives a sign of life, so that their place is kept.
    let attack = join_all((0..AT_ONCE).map(async |lane| {
        let mut answers = Vec::new();
        for number in 0..50 {
            let room = format!("{lane} {number}");
            let (mut socket, answer) = join_from(&node, ATTACKER, &room).await;
            if answer["type"] == "joined" && number % 2 == 0 {
                let ping = json!({"type": "ping", "id": 2});
                socket.send(Message::text(ping.to_string())).await.unwrap();
                hear(&mut socket, &["pong"]).await;
            }
            reset(socket.into_inner());
            answers.push(answer);
        }
        answers
    }));
    let (pong, answers) = people.during(attack).await;
    let answers = answers.concat();
    let refused: Vec<&Value> = answers
        .iter()
        .filter(|one| one["type"] == "error")
        .collect();
    let joined = answers.len() - refused.len();
    // A room that nobody keeps is gone after five seconds, and there is time in a test.
    assert!(joined <= 250, "{joined} of {}", answers.len());
    assert!(
        refused.iter().all(|one| one["code"] == "limit"),
        "{refused:?}"
    );
    let sentence = refused[0]["message"].as_str().unwrap();
    assert!(sentence.contains("--max-rooms-per-address"), "{sentence}");
    assert!(metric(&node, "motet_rooms").await <= 101);
    assert!(metric(&node, "motet_refused_joins_total").await >= refused.len() as u64);
    let (_, stranger) = join_from(&node, "127.0.0.3", "a new room").await;
    assert_eq!(stranger["type"], "joined", "{stranger}");
    people.talk().await;
    assert!(pong <= 2 * quiet + TICK, "{pong:?}, and {quiet:?} before");
    // Who never gave a sign of life is not waited for.
    let kept = metric(&node, "motet_reconnecting_members").await;
    assert!((1..=100).contains(&kept), "{kept}");
    let rooms = kept + 2;
    comes_to(&node, "motet_rooms", |now| now <= rooms).await;
}

#[tokio::test]
async fn lost_members_count_and_joins_have_a_rate() {
    let flags = [
        "--max-connections-per-address",
        "5",
        "--max-joins-per-minute",
        "9",
    ];
    let node = Node::start(&flags);
    let mut codes = Vec::new();
    for _ in 0..12 {
        let (mut socket, answer) = join_from(&node, ATTACKER, "one").await;
        codes.push(answer["code"].clone());
        if answer["type"] == "joined" {
            socket
                .send(Message::text(r#"{"type":"ping","id":2}"#))
                .await
                .unwrap();
            hear(&mut socket, &["pong"]).await;
        }
        reset(socket.into_inner());
    }
    assert!(codes[..5].iter().all(Value::is_null), "{codes:?}");
    assert!(codes[5..].iter().all(|code| code == "limit"), "{codes:?}");
    comes_to(&node, "motet_reconnecting_members", |now| now == 5).await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        let (mut socket, answer) = join_from(&node, "127.0.0.3", "one").await;
        codes.push(answer["code"].clone());
        socket
            .send(Message::text(r#"{"type":"bye","id":2}"#))
            .await
            .unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    }
    assert!(codes[..9].iter().all(Value::is_null), "{codes:?}");
    assert_eq!(codes[11], "tooFast", "{codes:?}");
}

#[tokio::test]
async fn a_node_that_is_full_of_members_says_so() {
    let node = Node::start(&["--max-total-members", "2"]);
    let _people = Bystanders::enter(&node).await;
    let (_socket, refused) = join_from(&node, ATTACKER, "call").await;
    assert_eq!(refused["code"], "nodeFull");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("--max-total-members")
    );
    let offer = "v=0\r\n";
    let whip = reqwest::Client::new().post(node.url("/whip/call"));
    let whip = whip.header("content-type", "application/sdp").body(offer);
    // What is wrong with the offer is said first.
    assert_eq!(whip.send().await.unwrap().status().as_u16(), 400);
}

#[tokio::test]
async fn a_head_without_end_is_not_kept() {
    const CONNECTIONS: usize = 300;
    const BYTES: usize = 300 * 1024;
    let node = Node::start(&[]);
    let mut people = Bystanders::enter(&node).await;
    let quiet = people.quiet().await;
    let before = process::memory(node.pid());
    let begun = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
    let filler = vec![b'a'; BYTES];
    let attack = join_all((0..CONNECTIONS).map(async |_| {
        let mut stream = connect_from(&node, ATTACKER).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        // What the node does not read stays with the kernel.
        let filled = stream.write_all(&filler);
        let _ = tokio::time::timeout(Duration::from_secs(1), filled).await;
        stream
    }));
    let (pong, mut held) = people.during(attack).await;
    let after = process::memory(node.pid());
    let grown = after.saturating_sub(before) / CONNECTIONS as u64;
    assert!(grown < 100 * 1024, "{grown} bytes for each");
    people.talk().await;
    assert!(pong <= 2 * quiet + TICK, "{pong:?}, and {quiet:?} before");
    let mut answer = Vec::new();
    let read = held[0].read_to_end(&mut answer);
    let _ = tokio::time::timeout(PATIENCE, read).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let is_told = answer.is_empty() || answer.starts_with("HTTP/1.1 431 ");
    assert!(is_told, "{answer}");
}

#[tokio::test]
async fn tokens_are_not_to_be_guessed() {
    let token = "a-token-of-the-tests";
    let node = Node::start(&["--whip-token", token, "--trusted-proxy", "127.0.0.0/8"]);
    let client = reqwest::Client::new();
    let ask = async |path: &str, from: &str, token: &str| {
        let request = match path {
            "/whip/room" => client.post(node.url(path)),
            _ => client.get(node.url(path)),
        };
        let request = request.header("x-forwarded-for", from).bearer_auth(token);
        let response = request.send().await.unwrap();
        let wait = response.headers().get("retry-after").cloned();
        (response.status().as_u16(), wait)
    };
    for (network, path) in ["/api/rooms", "/whip/room"].into_iter().enumerate() {
        // Each in a network of its own.
        let home = format!("[2001:db8:0:{network}::1]:567");
        let mut guesses = Vec::new();
        for number in 0..12 {
            let guess = format!("a-guess-of-somebody-{number}");
            guesses.push(ask(path, &home, &guess).await);
        }
        let statuses: Vec<u16> = guesses.iter().map(|(status, _)| *status).collect();
        assert!(
            statuses[..10].iter().all(|status| *status == 401),
            "{path}: {statuses:?}"
        );
        assert_eq!(statuses[11], 429, "{path}: {statuses:?}");
        assert!(guesses[11].1.is_some(), "{path} says for how long");
        // It might have been guessed.
        assert_eq!(ask(path, &home, token).await.0, 429, "{path}");
        let elsewhere = "192.0.2.7:567, 127.0.0.3";
        let (status, _) = ask(path, elsewhere, token).await;
        assert_ne!(status, 429, "{path}");
    }
    assert!(metric(&node, "motet_wrong_tokens_total").await >= 10);
}
