//! The server against a simple model of what it should remember.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::harness::*;
use crate::channel_data;
use crate::server::{ClientSocket, Command, Config, Route};
use crate::words;

const CLIENTS: u16 = 4;
const PEERS: [&str; 4] = ["8.8.8.8:1", "8.8.8.8:2", "9.9.9.9:1", "1.1.1.1:1"];

#[derive(Debug, Clone)]
enum Step {
    Allocate(u16, u32),
    Refresh(u16, u32),
    Permit(u16, usize),
    Bind(u16, u16, usize),
    Send(u16, usize),
    Channel(u16, u16),
    Arrive(u16, usize),
    Pass(u64),
    Revoke(u16),
    Noise(u16, Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0..CLIENTS;
    let peer = || 0..PEERS.len();
    let seconds = prop_oneof![0u32..3, 1u32..4_000];
    let step = prop_oneof![
        3 => (who(), seconds.clone()).prop_map(|(who, s)| Step::Allocate(who, s)),
        1 => (who(), seconds).prop_map(|(who, s)| Step::Refresh(who, s)),
        3 => (who(), peer()).prop_map(|(who, peer)| Step::Permit(who, peer)),
        3 => (who(), 0u16..4, peer()).prop_map(|(who, n, peer)| Step::Bind(who, n, peer)),
        4 => (who(), peer()).prop_map(|(who, peer)| Step::Send(who, peer)),
        4 => (who(), 0u16..4).prop_map(|(who, n)| Step::Channel(who, n)),
        4 => (who(), peer()).prop_map(|(who, peer)| Step::Arrive(who, peer)),
        4 => prop_oneof![0u64..10, 100u64..400].prop_map(Step::Pass),
        1 => who().prop_map(Step::Revoke),
        1 => (who(), prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(who, b)| Step::Noise(who, b)),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Debug)]
struct Allocated {
    port: u16,
    until: Instant,
    permissions: BTreeMap<&'static str, Instant>,
    channels: BTreeMap<u16, (usize, Instant)>,
}

impl Allocated {
    fn permits(&self, now: Instant, peer: usize) -> bool {
        self.permissions
            .get(ip_of(peer))
            .is_some_and(|until| *until > now)
    }
}

fn ip_of(peer: usize) -> &'static str {
    PEERS[peer].split(':').next().unwrap()
}

struct Model {
    world: World,
    allocated: BTreeMap<u16, Allocated>,
    revoked: [bool; CLIENTS as usize],
}

fn member(who: u16) -> String {
    format!("member-{who}")
}

impl Model {
    fn new(config: Config) -> Self {
        Model {
            world: World::new(config),
            allocated: BTreeMap::new(),
            revoked: [false; CLIENTS as usize],
        }
    }

    fn ask(&mut self, who: u16, kind: u16, attributes: &[Attribute]) -> u16 {
        let member = member(who);
        self.world.ask(client(who), &member, kind, attributes)
    }

    fn step(&mut self, step: Step) {
        let now = self.world.now;
        match step {
            Step::Allocate(who, seconds) => self.allocate(who, seconds),
            Step::Refresh(who, seconds) => self.refresh(who, seconds),
            Step::Permit(who, peer_at) => {
                let code = self.ask(
                    who,
                    words::CREATE_PERMISSION_REQUEST,
                    &[peer(PEERS[peer_at])],
                );
                assert_eq!(code, self.expected(who, 0));
                if let (0, Some(one)) = (code, self.allocated.get_mut(&who)) {
                    one.permissions
                        .insert(ip_of(peer_at), now + Duration::from_secs(300));
                }
            }
            Step::Bind(who, number, peer_at) => self.bind(who, 0x4000 + number, peer_at),
            Step::Send(who, peer_at) => {
                let send = indication(&[peer(PEERS[peer_at]), (words::DATA, vec![1])]);
                let permitted = self
                    .allocated
                    .get(&who)
                    .filter(|one| one.permits(now, peer_at));
                let expected = permitted.map(|one| (one.port, peer_at));
                self.sent(client(who), &send, expected);
            }
            Step::Channel(who, number) => {
                let number = 0x4000 + number;
                let mut bytes = channel_data::header(number, 1).unwrap().to_vec();
                bytes.push(1);
                let one = self.allocated.get(&who);
                let bound = one.and_then(|one| Some((one, *one.channels.get(&number)?)));
                let expected = bound
                    .filter(|(one, (peer_at, until))| *until > now && one.permits(now, *peer_at))
                    .map(|(one, (peer_at, _))| (one.port, peer_at));
                self.sent(client(who), &bytes, expected);
            }
            Step::Arrive(who, peer_at) => self.arrive(who, peer_at),
            Step::Pass(seconds) => {
                self.world.pass(seconds);
                let now = self.world.now;
                self.allocated.retain(|_, one| one.until > now);
            }
            Step::Revoke(who) => {
                self.world
                    .server
                    .revoke(now, &member(who), &mut self.world.out);
                self.revoked[usize::from(who)] = true;
                self.allocated.remove(&who);
            }
            Step::Noise(who, bytes) => {
                self.world.out.clear();
                self.world.send(client(who), &bytes);
                let opened = |command: &Command| !matches!(command, Command::Send { .. });
                assert!(!self.world.out.iter().any(opened));
            }
        }
    }

    /// The code for a request that is fine as such.
    fn expected(&self, who: u16, code: u16) -> u16 {
        match (
            self.revoked[usize::from(who)],
            self.allocated.contains_key(&who),
        ) {
            (true, _) => 401,
            (_, false) => 437,
            _ => code,
        }
    }

    fn allocate(&mut self, who: u16, seconds: u32) {
        let code = self.ask(who, words::ALLOCATE_REQUEST, &[udp(), lifetime(seconds)]);
        let expected = match (
            self.revoked[usize::from(who)],
            self.allocated.contains_key(&who),
        ) {
            (true, _) => 401,
            (_, true) => 437,
            _ => 0,
        };
        assert_eq!(code, expected);
        if code == 0 {
            let port = self.world.relays()[0].port();
            assert!(
                !self.allocated.values().any(|one| one.port == port),
                "a port of its own"
            );
            let seconds = seconds.clamp(600, 3_600);
            let one = Allocated {
                port,
                until: self.world.now + Duration::from_secs(seconds.into()),
                permissions: BTreeMap::new(),
                channels: BTreeMap::new(),
            };
            self.allocated.insert(who, one);
        }
    }

    fn refresh(&mut self, who: u16, seconds: u32) {
        let code = self.ask(who, words::REFRESH_REQUEST, &[lifetime(seconds)]);
        assert_eq!(code, self.expected(who, 0));
        match (code, seconds) {
            (0, 0) => drop(self.allocated.remove(&who)),
            (0, _) => {
                let seconds = Duration::from_secs(seconds.clamp(600, 3_600).into());
                self.allocated.get_mut(&who).unwrap().until = self.world.now + seconds;
            }
            _ => {}
        }
    }

    fn bind(&mut self, who: u16, number: u16, peer_at: usize) {
        let now = self.world.now;
        let code = self.ask(
            who,
            words::CHANNEL_BIND_REQUEST,
            &[channel(number), peer(PEERS[peer_at])],
        );
        let clashes = self.allocated.get(&who).is_some_and(|one| {
            one.channels.iter().any(|(other, (peer, until))| {
                *until > now && (*other == number) != (*peer == peer_at)
            })
        });
        assert_eq!(code, self.expected(who, if clashes { 400 } else { 0 }));
        if let (0, Some(one)) = (code, self.allocated.get_mut(&who)) {
            one.channels.retain(|_, (_, until)| *until > now);
            one.channels
                .insert(number, (peer_at, now + Duration::from_secs(600)));
            one.permissions
                .insert(ip_of(peer_at), now + Duration::from_secs(300));
        }
    }

    fn sent(&mut self, from: ClientSocket, bytes: &[u8], expected: Option<(u16, usize)>) {
        let route = self.world.send(from, bytes);
        let found = route.map(|route| match route {
            Route::Peer { relay, peer, .. } => (relay.0, peer.0),
            other => panic!("{other:?}"),
        });
        let expected = expected.map(|(port, peer)| (port, PEERS[peer].parse().unwrap()));
        assert_eq!(found, expected);
    }

    fn arrive(&mut self, who: u16, peer_at: usize) {
        let now = self.world.now;
        let Some(one) = self.allocated.get(&who) else {
            return;
        };
        let is_permitted = one.permits(now, peer_at);
        let mut channels = one.channels.values();
        let has_channel = channels.any(|(peer, until)| *peer == peer_at && *until > now);
        let route = self.world.arrive(one.port, PEERS[peer_at], b"hello");
        match route {
            Some(Route::Client { to, frame }) => {
                assert!(is_permitted && to == client(who));
                assert_eq!(frame.head().len() == 4, has_channel);
            }
            None => assert!(!is_permitted),
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn the_server_remembers_what_it_should_and_no_longer(steps in steps()) {
        let mut model = Model::new(config());
        for step in steps {
            model.step(step);
            prop_assert_eq!(model.world.server.allocation_count(), model.allocated.len());
        }
        model.world.pass(4_000);
        prop_assert_eq!(model.world.server.allocation_count(), 0);
        prop_assert_eq!(model.world.server.poll_timeout(), None);
    }

    #[test]
    fn any_bytes_are_survived_by_a_client_with_an_allocation(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..20),
        kinds in prop::collection::vec(0usize..6, 20),
    ) {
        let mut world = World::new(config());
        let (port, _) = world.allocated(client(1), "ann");
        for (bytes, kind) in datagrams.iter().zip(kinds) {
            let methods = [1, 3, 4, 8, 9, 0x16];
            // Signed, so that every attribute of it is looked at.
            let attributes: Vec<Attribute> = bytes
                .chunks(11)
                .map(|chunk| ([0x0C, 0x0D, 0x12, 0x13, 0x17, 0x18, 0x19, 0x22, 0x8000][usize::from(chunk[0]) % 9], chunk.to_vec()))
                .collect();
            let request = world.request(client(1), "ann", methods[kind], &attributes);
            world.send(client(1), &request);
            world.send(client(1), bytes);
            world.arrive(port, PEERS[0], bytes);
        }
    }
}
