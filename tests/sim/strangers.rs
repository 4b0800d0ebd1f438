//! Those who do harm to a call: strangers who know where the node listens and see what others send, but hold
//! no credentials; whoever damages packets on the way; and a member who speaks in another's name.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use motet::media::shard::ShardEffect;
use motet_turn::stun;

use crate::browser::{Browser, Part, Stack};
use crate::light::Profile;
use crate::media::Camera;
use crate::node::{self, Node};

/// Long enough for everyone to be connected and to play.
const A_WHILE: Duration = Duration::from_secs(4);
/// A stream that is not seen for longer does not play.
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// What somebody sends before a datagram of a browser: from where, and what.
type Meddler<'a> = &'a mut dyn FnMut(u32, &[u8]) -> Vec<(SocketAddr, Vec<u8>)>;

/// As soon as the DTLS port is open, and again and again.
#[test]
fn a_strangers_hello_ends_no_handshake() {
    for seed in 0..3 {
        let mut party = Party::enter(seed, 2);
        let mut hellos = 0;
        party.run(A_WHILE, &mut |_, datagram| {
            hellos += usize::from(is_dtls(datagram));
            let copy = is_dtls(datagram).then(|| datagram.to_vec());
            let own = [hello_without_ciphers(), record(21, &[2, 40])];
            from_afar(own.into_iter().chain(copy))
        });
        assert!(hellos > 4, "{hellos} datagrams of the handshakes");
        party.assert_everyone_plays();
        assert!(party.for_strangers.is_empty(), "seed {seed}");
    }
}

/// Neither what strangers send from their own address nor what they have seen of others is taken for a
/// member's, and no media follows it.
#[test]
fn media_from_another_address_is_not_taken_and_none_is_sent_there() {
    let mut party = Party::enter(1, 3);
    let mut checks = 0;
    party.run(2 * A_WHILE, &mut |number, datagram| match datagram {
        [128..=191, ..] => {
            let mut clear = datagram[..datagram.len().min(12)].to_vec();
            clear.extend_from_slice(&[0x10, 0, 7, 7]);
            let mut next = datagram.to_vec();
            next[3] = next[3].wrapping_add(1);
            from_afar([datagram.to_vec(), clear, next])
        }
        [0, 1, ..] => {
            checks += 1;
            from_afar(checks_without_the_password(datagram, number))
        }
        _ => vec![],
    });
    assert!(checks > 3, "{checks} checks");
    party.assert_everyone_plays();
    assert!(party.for_strangers.is_empty());
    let dropped = party.node.shard.counters().dropped;
    assert!(dropped.unknown_source > 1_000, "{dropped:?}");
}

/// As much rubbish as somebody may send in a member's name: a thousand times as much as breaks a call that
/// counts what it cannot open.
#[test]
fn broken_packets_from_a_members_own_address_end_no_call() {
    let mut party = Party::enter(2, 2);
    party.run(2 * A_WHILE, &mut |number, datagram| {
        let [128..=191, ..] = datagram else {
            return vec![];
        };
        let from = address(number);
        let broken = (0..10).map(|at| {
            let mut broken = datagram.to_vec();
            let at = broken.len() - 1 - at;
            broken[at] ^= 1;
            (from, broken)
        });
        broken
            .chain([(from, datagram[..datagram.len() / 2].to_vec())])
            .collect()
    });
    party.assert_everyone_plays();
    let dropped = party.node.shard.counters().dropped;
    assert!(dropped.rejected > 3_000, "{dropped:?}");
    for browser in &party.browsers {
        let mut sinks = browser.sinks.values();
        assert!(
            sinks.all(|(_, sink)| sink.holes == 0),
            "{}",
            browser.summary()
        );
    }
}

/// Mallory sends under Ada's SSRCs and asks for key frames of what only Bob sees.
#[test]
fn nobody_speaks_for_another() {
    let mut party = Party::enter(3, 3);
    party.run(A_WHILE, &mut |_, _| vec![]);
    party.assert_everyone_plays();
    let asked_before = party.node.shard.counters().key_frame_requests_out;
    let heard_before = party.node.shard.counters().key_frame_requests_in;
    let [ada, bob, mallory] = [0, 1, 2];
    let seen_by_bob: Vec<u32> = party.browsers[bob].sinks.keys().copied().collect();
    let own: Vec<u32> = party.browsers[mallory].sinks.keys().copied().collect();
    let first = 1_000 * (party.browsers[ada].number + 1);
    // What it carries says whose it is.
    let mut forged: Vec<Camera> = (first..first + 3)
        .map(|ssrc| Camera::new(party.browsers[mallory].number, 0, ssrc, 96, 9))
        .collect();
    for _ in 0..100 {
        let now = party.now;
        for camera in &mut forged {
            for packet in camera.frame(3_000) {
                party.browsers[mallory].send_as_it_is(now, packet);
            }
            party.browsers[mallory].request_key_frame(now, camera.ssrc);
        }
        for ssrc in seen_by_bob.iter().filter(|ssrc| !own.contains(ssrc)) {
            party.browsers[mallory].request_key_frame(now, *ssrc);
        }
        party.run(Duration::from_millis(20), &mut |_, _| vec![]);
    }
    party.assert_plays(&[ada, bob], &[ada, bob]);
    let counters = party.node.shard.counters();
    assert!(counters.key_frame_requests_in >= heard_before + 500);
    // A few of Mallory's own viewers may have asked.
    let asked = counters.key_frame_requests_out - asked_before;
    assert!(asked < 20, "{asked} key frames were asked for");
    assert!(party.foreign.is_empty(), "{:?}", party.foreign);
}

/// A call over the node without a network between: what is sent is there.
struct Party {
    now: Instant,
    node: Node,
    browsers: Vec<Browser>,
    /// What the node sent to nobody who is here.
    for_strangers: Vec<(SocketAddr, Bytes)>,
    /// Media on a seat of somebody else.
    foreign: Vec<String>,
}

impl Party {
    fn enter(seed: u64, people: u32) -> Self {
        let now = Instant::now();
        let part = Part {
            sfu_only: true,
            sends: true,
            layers: 1,
            seats: people as usize - 1,
            stack: Stack::Light(Profile::Gcm),
        };
        let mut browsers: Vec<_> = (1..=people)
            .map(|number| Browser::new(now, number, address(number), part))
            .collect();
        for browser in &mut browsers {
            browser.join("strangers");
        }
        Self {
            now,
            node: Node::new(now, seed, true),
            browsers,
            for_strangers: vec![],
            foreign: vec![],
        }
    }

    fn run(&mut self, time: Duration, meddler: Meddler<'_>) {
        let end = self.now + time;
        loop {
            while self.carry(meddler) {}
            let browsers = self.browsers.iter_mut().map(Browser::poll_timeout);
            let node = self.node.poll_timeout().map(|(at, _)| at);
            let next = browsers.chain(node).min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if self
                .node
                .poll_timeout()
                .is_some_and(|(at, _)| at <= self.now)
            {
                self.node.handle_timeout(self.now);
            }
            for browser in &mut self.browsers {
                if browser.poll_timeout() <= self.now {
                    browser.handle_timeout(self.now);
                }
            }
        }
    }

    /// Hands over what there is. False if there was nothing.
    fn carry(&mut self, meddler: Meddler<'_>) -> bool {
        let mut moved = false;
        for index in 0..self.browsers.len() {
            let browser = &mut self.browsers[index];
            let number = browser.number;
            while let Some(word) = browser.poll_word() {
                moved = true;
                let connection = node::connection(number, 0);
                self.node.handle(self.now, node::command(connection, word));
            }
            while let Some((_, datagram)) = browser.poll_datagram() {
                moved = true;
                for (from, bytes) in meddler(number, &datagram) {
                    self.node.handle_datagram(self.now, from, &bytes);
                }
                let from = address(number);
                self.node.handle_datagram(self.now, from, &datagram);
            }
        }
        while let Some(effect) = self.node.poll_effect() {
            moved = true;
            match effect {
                ShardEffect::Send { connection, frame } => {
                    let index = node::number(connection) as usize - 1;
                    self.browsers[index].hear(self.now, frame);
                }
                ShardEffect::Close { connection, reason } => {
                    panic!("{} is sent away: {reason:?}", node::number(connection));
                }
                _ => {}
            }
        }
        while let Some((to, datagram)) = self.node.poll_datagram() {
            moved = true;
            let known = (self.browsers.iter_mut()).find(|browser| address(browser.number) == to);
            match known {
                Some(browser) => {
                    let node = node::ADDRESS.parse().unwrap();
                    let packets = browser.handle_datagram(self.now, node, &datagram);
                    self.foreign
                        .extend(packets.iter().filter_map(|packet| foreign(browser, packet)));
                }
                None => self.for_strangers.push((to, datagram)),
            }
        }
        moved
    }

    fn assert_everyone_plays(&self) {
        let all: Vec<usize> = (0..self.browsers.len()).collect();
        self.assert_plays(&all, &all);
    }

    /// Each of the viewers hears and sees each of the publishers.
    fn assert_plays(&self, viewers: &[usize], publishers: &[usize]) {
        for &viewer in viewers {
            for &publisher in publishers.iter().filter(|&&other| other != viewer) {
                let viewer = &self.browsers[viewer];
                let number = self.browsers[publisher].number;
                let recent = |at: &Instant| *at + PAUSE_MAX > self.now;
                let played =
                    |sink: &crate::sink::Sink| sink.played.get(&number).is_some_and(recent);
                let streams = viewer.sinks.values().filter(|(_, sink)| played(sink));
                assert_eq!(streams.count(), 2, "of {number}: {}", viewer.summary());
            }
        }
    }
}

/// What is wrong with a packet that carries somebody else than whoever sits there.
fn foreign(browser: &Browser, packet: &rtp::packet::Packet) -> Option<String> {
    let (seat, sink) = browser.sinks.get(&packet.header.ssrc)?;
    let member = browser.seats.get(*seat)?.as_ref()?.member;
    let expected = &browser.members.get(&member)?.name;
    let found = format!("browser {}", sink.publisher(packet)?);
    (found != *expected).then(|| format!("{found} on the seat of {expected}"))
}

fn address(number: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8], 40_000))
}

/// All from a stranger.
fn from_afar(datagrams: impl IntoIterator<Item = Vec<u8>>) -> Vec<(SocketAddr, Vec<u8>)> {
    let stranger = SocketAddr::from(([203, 0, 113, 66], 6_666));
    datagrams.into_iter().map(|one| (stranger, one)).collect()
}

fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=63, ..])
}

/// A DTLS record in the clear (RFC 6347 §4.1).
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend_from_slice(&(body.len() as u16).to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// A ClientHello that no server can go on with: it offers TLS_NULL_WITH_NULL_NULL.
fn hello_without_ciphers() -> Vec<u8> {
    let mut hello = vec![0xfe, 0xfd];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 0, 2, 0, 0, 1, 0]);
    let length = (hello.len() as u32).to_be_bytes();
    let mut message = vec![1];
    message.extend_from_slice(&length[1..]);
    message.extend_from_slice(&[0, 0, 0, 0, 0]);
    message.extend_from_slice(&length[1..]);
    message.extend_from_slice(&hello);
    record(22, &message)
}

/// A connectivity check as a stranger can make it who has seen one: with another's name, and nominating.
fn checks_without_the_password(seen: &[u8], number: u32) -> Vec<Vec<u8>> {
    let name = stun::Message::parse(seen)
        .ok()
        .and_then(|seen| seen.attribute(stun::USERNAME));
    let Some(name) = name else {
        return vec![];
    };
    let transaction = [number as u8; 12];
    let keys: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"guessed")];
    keys.map(|key| {
        let mut bytes = vec![];
        let mut check = stun::Writer::new(&mut bytes, stun::BINDING_REQUEST, &transaction);
        check.attribute(stun::USERNAME, name);
        check.attribute(stun::PRIORITY, &[0x7f, 0xff, 0xff, 0xff]);
        check.attribute(stun::USE_CANDIDATE, &[]);
        check.attribute(stun::ICE_CONTROLLING, &[9; 8]);
        if let Some(key) = key {
            check.integrity(key).unwrap();
        }
        check.fingerprint();
        bytes
    })
    .into()
}
