//! Clients of another make against the real node on loopback: real sockets, real time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use motet::ids::MemberId;
use motet::protocol::client::{ClientMessage, Source};
use motet::protocol::server::{Seat, ServerMessage};
use serde_json::json;

mod common;
#[path = "sim/media.rs"]
#[allow(dead_code, unreachable_pub)]
mod media;
#[path = "common/numbered.rs"]
mod numbered;
#[path = "../examples/support/mod.rs"]
mod support;

use numbered::{Received, show, speak, watch};
use support::{Client, Part, seat_of};

/// Far more than anything here takes on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every other member on a seat; when one leaves, their seat is empty and their media stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_clients_see_and_hear_the_other_two_until_one_leaves() {
    let node = common::Node::start(&["--topology", "sfu"]);
    let url = ws_url(&node);
    let mut members = vec![];
    for number in 1..=3 {
        members.push(Person::enter(&url, number).await);
    }
    for person in &mut members {
        let (own, others) = person.with_others();
        person.plays(&others).await;
        assert!(
            !person.received().contains_key(&own),
            "{own} gets its own media back"
        );
    }

    let mut gone = members.pop().unwrap();
    let number = gone.number;
    gone.client.leave().await.unwrap();
    for person in &mut members {
        person.lacks(gone.id).await;
        person.silent_for(number, Duration::from_millis(500)).await;
        let (_, others) = person.with_others();
        person.plays(&others[..1]).await;
    }
}

/// Whatever its member says and sends, while the picture goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_microphone_that_the_owner_holds_is_not_heard_until_it_is_let_go() {
    let node = common::Node::start(&["--topology", "sfu"]);
    let mut owner = common::Client::connect(&node).await;
    let join = json!({"type": "join", "room": "loopback", "name": "owner",
        "ownerKey": "0123456789abcdef"});
    owner.say(join).await;
    owner.hear_type("joined").await;
    let mut speaker = Person::enter(&ws_url(&node), 1).await;
    let mut listener = Person::enter(&ws_url(&node), 2).await;
    listener.plays(&[1]).await;

    let (member, source) = (speaker.id, Source::Microphone);
    let hold = |silenced| {
        json!({"type": "silence", "id": 2, "member": member, "source": source,
            "silenced": silenced})
    };
    let unmute = ClientMessage::Mute {
        source,
        muted: false,
    };
    owner.say(hold(true)).await;
    owner.hear_type("ok").await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let since = Instant::now();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let [sound, picture] = listener.received()[&1];
        assert!(sound.is_some_and(|at| at < since), "it is heard");
        assert!(picture.is_some_and(|at| at > since), "the picture stops");
        speaker.client.signaling.say(&unmute).await.unwrap();
    }
    owner.say(hold(false)).await;
    owner.hear_type("ok").await;
    speaker.client.signaling.say(&unmute).await.unwrap();
    listener.plays(&[1]).await;
}

fn ws_url(node: &common::Node) -> String {
    format!("ws://{}/ws", node.http)
}

/// One client with its media running.
struct Person {
    number: u32,
    id: MemberId,
    client: Client,
    seats: Vec<Option<Seat>>,
    received: Received,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Person {
    async fn enter(url: &str, number: u32) -> Self {
        let part = Part {
            room: "loopback".to_owned(),
            name: format!("person {number}"),
            publish: true,
            seats: 2,
            media_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            number,
        };
        let mut client = Client::join(url, &part).await.unwrap();
        client.connected(PATIENCE).await.unwrap();
        let ServerMessage::Joined { you, .. } = client.joined else {
            unreachable!("a client that joined was told so");
        };
        let tasks = vec![
            tokio::spawn(speak(number, client.microphone.clone().unwrap())),
            tokio::spawn(show(number, client.camera.clone().unwrap())),
        ];
        Self {
            number,
            id: you,
            client,
            seats: vec![],
            received: Received::default(),
            tasks,
        }
    }

    /// The own number and those of the others.
    fn with_others(&self) -> (u32, Vec<u32>) {
        let others = (1..=3).filter(|&other| other != self.number).collect();
        (self.number, others)
    }

    fn received(&self) -> BTreeMap<u32, [Option<Instant>; 2]> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until sound and picture of all of them keep coming.
    async fn plays(&mut self, publishers: &[u32]) {
        let asked = Instant::now();
        let received = self.received.clone();
        self.wait_until(format!("sound and picture of {publishers:?}"), |_| {
            let received = received.lock().unwrap();
            let fresh = |kind: &Option<Instant>| kind.is_some_and(|at| at > asked);
            let plays = |publisher| {
                received
                    .get(publisher)
                    .is_some_and(|all| all.iter().all(fresh))
            };
            publishers.iter().all(plays)
        })
        .await;
    }

    /// Waits until somebody sits on no seat.
    async fn lacks(&mut self, member: MemberId) {
        self.wait_until(format!("a seat without {member}"), |seats| {
            !seats.iter().flatten().any(|seat| seat.member == member)
        })
        .await;
    }

    /// Nothing of a publisher comes for that long, beside what was on its way.
    async fn silent_for(&mut self, publisher: u32, time: Duration) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let since = Instant::now();
        tokio::time::sleep(time).await;
        let last = self.received().get(&publisher).copied().unwrap_or_default();
        assert!(
            last.into_iter().flatten().all(|at| at < since),
            "media of {publisher} goes on"
        );
    }

    async fn wait_until(&mut self, what: String, done: impl Fn(&[Option<Seat>]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        while !done(&self.seats) {
            assert!(
                Instant::now() < deadline,
                "person {} waits for {what}",
                self.number
            );
            tokio::select! {
                Some(track) = self.client.tracks.recv() => {
                    assert!(seat_of(&*track).await.is_some(), "a track belongs to a seat");
                    self.tasks.push(tokio::spawn(watch(track, self.received.clone())));
                }
                message = self.client.signaling.hear() => {
                    if let ServerMessage::Seats { seats } = message.unwrap() {
                        self.seats = seats;
                    }
                }
                _ = beat.tick() => {}
            }
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
