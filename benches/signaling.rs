//! What signaling costs a node with a thousand members: opening, joining, pings, chat in rooms of ten,
//! what an idle member holds, and what joining and members cost in one room of ten, a hundred and a thousand.
//! `cargo bench --bench signaling`
//!
//! Processor time and memory are the node's own, so what the clients cost does not count; but they share
//! the machine: rates are lower bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use futures_util::{FutureExt, SinkExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

#[path = "../tests/common/mod.rs"]
mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "support/process.rs"]
mod process;

use common::{Client, Node};
use process::{cpu, memory};

const MEMBERS: usize = 1_000;
const ROOM: usize = 10;
/// Connections and joins under way at a time.
const AT_ONCE: usize = 50;
/// Of each member. The node takes 200 messages at once, and 100 in every second.
const PINGS: usize = 100;
/// As many as a member may say at once.
const LINES: usize = 10;
const CROWDS: [usize; 3] = [10, 100, 1_000];
/// Until the node has put everything away, and takes another burst of messages.
const SETTLE: Duration = Duration::from_secs(2);
/// What an idle member may hold.
const MEMBER_BYTES_MAX: u64 = 32 * 1024;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

const MANY: [&str; 8] = [
    "--max-connections-per-address",
    "2000",
    "--max-joins-per-minute",
    "100000",
    "--max-members",
    "1000",
    "--log",
    "error",
];

async fn run() {
    rooms_of_ten().await;
    println!("\nmembers of one room         us of the node's processor a join   KiB a member");
    for members in CROWDS {
        crowd(members).await;
    }
}

/// One after the other, as people come.
async fn crowd(members: usize) {
    let node = Node::start(&MANY);
    let first = join(open(&node, ROOM).await).await;
    drop(first);
    tokio::time::sleep(3 * SETTLE).await;
    let (before, spent) = (memory(node.pid()), cpu(node.pid()));
    let mut clients = Vec::new();
    for number in 0..members {
        let mut client = Client::connect(&node).await;
        let join = json!({"type": "join", "room": "crowd", "name": format!("{number}")});
        client.say(join).await;
        hear(&mut client, "joined", 1).await;
        clients.push(tokio::spawn(async move {
            while client.next().await.is_some() {}
        }));
    }
    let spent = cpu(node.pid()) - spent;
    let held = settled(&node).await.saturating_sub(before) / members as u64 / 1024;
    let cost = spent.as_secs_f64() * 1e6 / members as f64;
    println!("{members:27} {cost:35.0} {held:14}");
    clients.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn rooms_of_ten() {
    let node = Node::start(&MANY);
    // Whatever is made once is made by the first ones.
    let _first = open(&node, ROOM).await;
    tokio::time::sleep(SETTLE).await;
    let before = memory(node.pid());

    println!("what                        per second   us of the node's processor each");
    let clients = measure(&node, "a WebSocket opened", MEMBERS, open(&node, MEMBERS)).await;
    let opened = settled(&node).await;
    let mut clients = measure(&node, "a join in a room of ten", MEMBERS, join(clients)).await;
    let joined = settled(&node).await;
    let pings = MEMBERS * PINGS;
    clients = measure(&node, "a ping", pings, each(clients, ping)).await;
    tokio::time::sleep(SETTLE).await;
    let lines = MEMBERS * LINES;
    measure(
        &node,
        "a line of chat, heard by 10",
        lines,
        each(clients, chat),
    )
    .await;
    let talked = settled(&node).await;

    println!("\nan idle WebSocket: {} KiB", kilobytes(before, opened));
    let held = kilobytes(before, joined);
    let aim = MEMBER_BYTES_MAX / 1024;
    println!("an idle member, WebSocket included: {held} KiB (aim: at most {aim})");
    println!(
        "the same after all that talk: {} KiB",
        kilobytes(before, talked)
    );
}

/// Does the work and prints what each of its parts took.
async fn measure<T>(node: &Node, what: &str, parts: usize, work: impl Future<Output = T>) -> T {
    let (spent, began) = (cpu(node.pid()), Instant::now());
    let result = work.await;
    let (took, spent) = (began.elapsed(), cpu(node.pid()) - spent);
    let rate = parts as f64 / took.as_secs_f64();
    let cost = spent.as_secs_f64() * 1e6 / parts as f64;
    println!("{what:27} {rate:10.0}   {cost:10.1}");
    result
}

async fn settled(node: &Node) -> u64 {
    tokio::time::sleep(SETTLE).await;
    memory(node.pid())
}

/// Of each member.
fn kilobytes(before: u64, after: u64) -> u64 {
    after.saturating_sub(before) / MEMBERS as u64 / 1024
}

async fn open(node: &Node, count: usize) -> Vec<Client> {
    let opening = stream::iter(0..count).map(|_| Client::connect(node));
    opening.buffer_unordered(AT_ONCE).collect().await
}

/// Everyone joins; they have nothing more to hear then.
async fn join(clients: Vec<Client>) -> Vec<Client> {
    let joining =
        stream::iter(clients.into_iter().enumerate()).map(|(number, mut client)| async move {
            let (room, name) = (format!("{}", number / ROOM), format!("{number}"));
            let join = json!({"type": "join", "room": room, "name": name});
            client.say(join).await;
            hear(&mut client, "joined", 1).await;
            client
        });
    let mut clients: Vec<Client> = joining.buffered(AT_ONCE).collect().await;
    for client in &mut clients {
        while client.socket.next().now_or_never().is_some() {}
    }
    clients
}

/// Has every member do the same, all at a time.
async fn each<F: Future<Output = Client> + Send + 'static>(
    clients: Vec<Client>,
    work: fn(Client) -> F,
) -> Vec<Client> {
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(work(client)))
        .collect();
    stream::iter(tasks)
        .then(|task| async { task.await.unwrap() })
        .collect()
        .await
}

async fn ping(mut client: Client) -> Client {
    say(&mut client, json!({"type": "ping"}), PINGS).await;
    hear(&mut client, "pong", PINGS).await;
    client
}

async fn chat(mut client: Client) -> Client {
    let text = "a line of chat as people write them";
    say(&mut client, json!({"type": "chat", "text": text}), LINES).await;
    hear(&mut client, "chat", ROOM * LINES).await;
    client
}

async fn say(client: &mut Client, message: serde_json::Value, times: usize) {
    let text = message.to_string();
    for _ in 0..times {
        client
            .socket
            .feed(Message::text(text.clone()))
            .await
            .unwrap();
    }
    client.socket.flush().await.unwrap();
}

/// Hears that many messages of a type; nothing else is looked at, to leave the machine to the node.
async fn hear(client: &mut Client, kind: &str, mut count: usize) {
    let tag = format!("\"type\":\"{kind}\"");
    while count > 0 {
        match client.next().await {
            Some(Message::Text(text)) if text.contains(&tag) => count -= 1,
            Some(Message::Text(text)) if text.contains("\"type\":\"error\"") => panic!("{text}"),
            Some(_) => {}
            None => panic!("the node closed, {count} short of {kind}"),
        }
    }
}
