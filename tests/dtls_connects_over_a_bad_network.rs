//! The node's side of DTLS against the client side of the same stack, over a network that loses,
//! repeats and reorders, with a clock of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use motet::media::dtls::{DtlsError, DtlsEvent, DtlsServer, Identity};
use motet::media::fingerprint::Fingerprint;
use motet::media::srtp::{Profile, SrtpKeys};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

const GCM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
const SHA1: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
const GCM_256: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm;
/// As Chromium offers them.
const CHROMIUM: [SrtpProtectionProfile; 3] = [SHA1, GCM_256, GCM];

/// What the client brings along.
struct Client {
    profiles: Vec<SrtpProtectionProfile>,
    mtu: usize,
    has_certificate: bool,
    /// It shows a certificate that it has seen, whose key it lacks.
    has_key: bool,
    expected_by_the_node: Option<Fingerprint>,
}

impl Default for Client {
    fn default() -> Self {
        Client {
            profiles: CHROMIUM.to_vec(),
            mtu: 1200,
            has_certificate: true,
            has_key: true,
            expected_by_the_node: None,
        }
    }
}

/// What the network does to the datagrams of both directions, counted together.
#[derive(Clone)]
enum Network {
    Good,
    Loses(usize),
    Repeats(usize),
    /// Delivers this one after the next.
    Swaps(usize),
    /// Loses, repeats and swaps one datagram in `n` each.
    Bad {
        rng: Box<StdRng>,
        n: u32,
    },
    /// Precedes every datagram of the client by noise from its address.
    Noisy {
        rng: Box<StdRng>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum To {
    Node,
    Client,
}

/// Both ends, the network between them, and the clock.
struct Pair {
    now: Instant,
    start: Instant,
    node: DtlsServer,
    client: Endpoint,
    network: Network,
    wire: VecDeque<(To, Vec<u8>)>,
    sent: usize,
    keys: Option<SrtpKeys>,
    client_connected: bool,
    client_closed: bool,
    node_closed: bool,
    node_received: Vec<u8>,
    client_received: Vec<u8>,
    error: Option<DtlsError>,
}

fn node_address() -> SocketAddr {
    "192.0.2.1:1".parse().unwrap()
}

impl Pair {
    fn new(client: Client, network: Network) -> Self {
        let provider = rtc_crypto::default_provider().unwrap();
        let make = || Certificate::generate_self_signed(vec![], provider.crypto()).unwrap();
        let mut certificate = make();
        if !client.has_key {
            certificate.private_key = make().private_key;
        }
        let fits = Fingerprint::sha256(&certificate.certificate[0]);
        let expected = client.expected_by_the_node.unwrap_or(fits);
        let mut config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_srtp_protection_profiles(client.profiles)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .with_mtu(client.mtu);
        if client.has_certificate {
            config = config.with_certificates(vec![certificate]);
        }
        let config = config.build(true, Some(node_address())).unwrap();
        let start = Instant::now();
        let mut endpoint =
            Endpoint::new("192.0.2.2:2".parse().unwrap(), TransportProtocol::UDP, None);
        endpoint
            .connect(start, node_address(), Arc::new(config), None)
            .unwrap();
        let mut pair = Pair {
            now: start,
            start,
            node: DtlsServer::new(&Identity::generate().unwrap(), expected),
            client: endpoint,
            network,
            wire: VecDeque::new(),
            sent: 0,
            keys: None,
            client_connected: false,
            client_closed: false,
            node_closed: false,
            node_received: vec![],
            client_received: vec![],
            error: None,
        };
        pair.collect_from_client();
        pair
    }

    /// Runs until nothing more happens, or a minute has passed.
    fn run(&mut self) {
        while self.now < self.start + Duration::from_secs(60) {
            while let Some((to, datagram)) = self.wire.pop_front() {
                self.deliver(to, &datagram);
            }
            let node = self.node.poll_timeout().map(|(at, _)| at);
            let client = self.client.poll_timeout(&node_address());
            let Some(next) = node.into_iter().chain(client).min() else {
                return;
            };
            self.now = self.now.max(next);
            self.fire_timers();
        }
    }

    fn fire_timers(&mut self) {
        let mut out = vec![];
        if let Err(error) = self.node.handle_timeout(self.now, &mut out) {
            self.error = Some(error);
        }
        self.send(To::Client, out);
        // The client gives up in its own time.
        let _ = self.client.handle_timeout(node_address(), self.now);
        self.collect_from_client();
    }

    fn deliver(&mut self, to: To, datagram: &[u8]) {
        match to {
            To::Node => self.deliver_to_node(datagram),
            To::Client => {
                let data = BytesMut::from(datagram);
                let events = self.client.read(self.now, node_address(), None, data);
                for event in events.unwrap_or_default() {
                    match event {
                        EndpointEvent::HandshakeComplete => self.client_connected = true,
                        EndpointEvent::ApplicationData(data) => {
                            self.client_received.extend_from_slice(&data);
                        }
                        _ => self.client_closed = true,
                    }
                }
                self.collect_from_client();
            }
        }
    }

    fn deliver_to_node(&mut self, datagram: &[u8]) {
        let (mut out, mut events) = (vec![], vec![]);
        if let Err(error) = self.node.handle(self.now, datagram, &mut out, &mut events) {
            assert_eq!(self.error.replace(error), None, "an error is told once");
        }
        for event in events {
            match event {
                DtlsEvent::Connected(keys) => {
                    assert!(self.keys.replace(keys).is_none());
                }
                DtlsEvent::Data(data) => self.node_received.extend_from_slice(&data),
                DtlsEvent::Closed => self.node_closed = true,
            }
        }
        self.send(To::Client, out);
    }

    fn collect_from_client(&mut self) {
        let mut out = vec![];
        while let Some(transmit) = self.client.poll_transmit() {
            out.push(transmit.message.to_vec());
        }
        self.send(To::Node, out);
    }

    fn send(&mut self, to: To, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            let number = self.sent;
            self.sent += 1;
            match &mut self.network {
                Network::Loses(lost) if *lost == number => {}
                Network::Repeats(twice) if *twice == number => {
                    self.wire.push_back((to, datagram.clone()));
                    self.wire.push_back((to, datagram));
                }
                Network::Swaps(late) if *late + 1 == number => {
                    let at = self.wire.len().saturating_sub(1);
                    self.wire.insert(at, (to, datagram));
                }
                Network::Bad { rng, n } => {
                    let copies = match rng.random_range(0..*n) {
                        0 => 0,
                        1 => 2,
                        _ => 1,
                    };
                    for _ in 0..copies {
                        let mut at = self.wire.len();
                        if rng.random_range(0..*n) == 0 {
                            at = rng.random_range(0..=at);
                        }
                        self.wire.insert(at, (to, datagram.clone()));
                    }
                }
                Network::Noisy { rng } if to == To::Node => {
                    for noise in noise(rng, &datagram) {
                        self.wire.push_back((To::Node, noise));
                    }
                    self.wire.push_back((to, datagram));
                }
                _ => self.wire.push_back((to, datagram)),
            }
        }
    }

    /// What the client has for keys, seen from the node.
    fn client_keys(&self, profile: Profile) -> SrtpKeys {
        let state = self.client.get_connection_state(node_address()).unwrap();
        let len = profile.keying_material_len();
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], len);
        SrtpKeys::of_server(profile, material.unwrap().as_ref()).unwrap()
    }

    fn assert_connected(&self, profile: Profile) {
        assert_eq!(self.error, None);
        assert!(self.client_connected && self.node.is_connected());
        assert_eq!(self.keys, Some(self.client_keys(profile)));
    }
}

/// Anything anyone could send: bytes, a datagram with a few of them changed, and plaintext that
/// would end the association if it were believed.
fn noise(rng: &mut StdRng, datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut header = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 1, 0, rng.random(), 0];
        bytes.push(body.len() as u8);
        bytes.extend_from_slice(body);
        bytes
    };
    let plaintext = [
        header(21, &[2, 40]),
        header(23, b"data"),
        header(21, &[1, 0]),
    ];
    let mut cut = datagram.to_vec();
    cut.truncate(rng.random_range(0..datagram.len()));
    let mut bytes = vec![0; rng.random_range(1..200)];
    rng.fill(&mut bytes[..]);
    bytes[0] = rng.random_range(20..64);
    plaintext
        .into_iter()
        .chain([cut, bytes, vec![22]])
        .collect()
}

fn fingerprint_of_someone_else() -> Fingerprint {
    Fingerprint::sha256(b"someone else")
}

#[test]
fn the_node_chooses_gcm_where_it_is_offered() {
    let cases = [
        (CHROMIUM.to_vec(), Profile::AeadAes128Gcm),
        (vec![GCM, GCM_256, SHA1], Profile::AeadAes128Gcm),
        (vec![GCM], Profile::AeadAes128Gcm),
        (vec![SHA1], Profile::Aes128CmSha1_80),
        (vec![GCM_256, SHA1], Profile::Aes128CmSha1_80),
    ];
    for (profiles, chosen) in cases {
        let client = Client {
            profiles,
            ..Client::default()
        };
        let mut pair = Pair::new(client, Network::Good);
        pair.run();
        pair.assert_connected(chosen);
        assert!(pair.now < pair.start + Duration::from_secs(1));
    }
}

#[test]
fn a_hello_in_several_datagrams_is_understood() {
    let client = Client {
        mtu: 60,
        ..Client::default()
    };
    let mut pair = Pair::new(client, Network::Good);
    assert!(pair.wire.len() > 1, "the hello is in one datagram");
    pair.run();
    pair.assert_connected(Profile::AeadAes128Gcm);
}

#[test]
fn any_one_datagram_may_be_lost_repeated_or_late() {
    for mtu in [1200, 300] {
        let mut good = Pair::new(
            Client {
                mtu,
                ..Client::default()
            },
            Network::Good,
        );
        good.run();
        for number in 0..good.sent {
            for network in [
                Network::Loses(number),
                Network::Repeats(number),
                Network::Swaps(number),
            ] {
                let mut pair = Pair::new(
                    Client {
                        mtu,
                        ..Client::default()
                    },
                    network,
                );
                pair.run();
                pair.assert_connected(Profile::AeadAes128Gcm);
            }
        }
    }
}

#[test]
fn a_bad_network_delays_but_does_not_confuse() {
    let mut connected = 0;
    for seed in 0..40 {
        let rng = Box::new(StdRng::seed_from_u64(seed));
        let mut pair = Pair::new(Client::default(), Network::Bad { rng, n: 6 });
        pair.run();
        if pair.client_connected && pair.node.is_connected() {
            connected += 1;
            assert_eq!(pair.keys, Some(pair.client_keys(Profile::AeadAes128Gcm)));
        } else {
            assert!(
                pair.error.is_some() || !pair.client_connected,
                "seed {seed}"
            );
        }
    }
    assert!(connected >= 36, "{connected} of 40 connected");
}

#[test]
fn noise_from_the_same_address_does_no_harm() {
    for seed in 0..10 {
        let rng = Box::new(StdRng::seed_from_u64(seed));
        let mut pair = Pair::new(Client::default(), Network::Noisy { rng });
        pair.run();
        pair.assert_connected(Profile::AeadAes128Gcm);
        let rng = &mut StdRng::seed_from_u64(seed);
        for _ in 0..1000 {
            for noise in noise(rng, &[23; 100]) {
                pair.deliver(To::Node, &noise);
            }
        }
        pair.assert_connected(Profile::AeadAes128Gcm);
    }
}

#[test]
fn another_certificate_than_promised_is_refused() {
    let client = Client {
        expected_by_the_node: Some(fingerprint_of_someone_else()),
        ..Client::default()
    };
    let mut pair = Pair::new(client, Network::Good);
    pair.run();
    assert_eq!(pair.error, Some(DtlsError::Fingerprint));
    assert!(pair.keys.is_none() && !pair.client_connected);
    assert_eq!(pair.node.poll_timeout(), None);
}

/// A certificate is no secret: everyone who talks to its owner sees it.
#[test]
fn a_certificate_without_its_key_is_refused() {
    let client = Client {
        has_key: false,
        ..Client::default()
    };
    let mut pair = Pair::new(client, Network::Good);
    pair.run();
    assert!(
        matches!(pair.error, Some(DtlsError::Failed(_))),
        "{:?}",
        pair.error
    );
    assert!(pair.keys.is_none() && !pair.client_connected);
}

/// Whoever leaves the signature out gets no further than whoever signs wrongly.
#[test]
fn a_certificate_that_nothing_is_signed_with_is_not_believed() {
    const CERTIFICATE_VERIFY: u8 = 15;
    let mut pair = Pair::new(Client::default(), Network::Good);
    let mut left_out = 0;
    while pair.now < pair.start + Duration::from_secs(40) {
        while let Some((to, datagram)) = pair.wire.pop_front() {
            let records = records(&datagram);
            let proves = |record: &&[u8]| record[0] == 22 && record[13] == CERTIFICATE_VERIFY;
            left_out += records.iter().filter(|one| proves(one)).count();
            let rest: Vec<_> = records.into_iter().filter(|one| !proves(one)).collect();
            match to {
                To::Node if rest.is_empty() => {}
                To::Node => pair.deliver_to_node(&rest.concat()),
                To::Client => pair.deliver(To::Client, &datagram),
            }
        }
        pair.now += Duration::from_millis(500);
        pair.fire_timers();
    }
    assert!(left_out > 0);
    assert!(pair.keys.is_none() && !pair.node.is_connected() && !pair.client_connected);
    assert_eq!(pair.error, Some(DtlsError::TimedOut));
}

/// The stack draws the nonces of its records at random (8 bytes), so that with one key there may only be few.
#[test]
fn few_records_are_ever_sealed_with_one_key() {
    let mut pair = Pair::new(Client::default(), Network::Good);
    let mut to_the_node = vec![];
    while let Some((to, datagram)) = pair.wire.pop_front() {
        if to == To::Node {
            to_the_node.push(datagram.clone());
        }
        pair.deliver(to, &datagram);
    }
    pair.assert_connected(Profile::AeadAes128Gcm);
    let sealed_data = {
        pair.client
            .write(pair.now, node_address(), b"data")
            .unwrap();
        pair.client.poll_transmit().unwrap().message.to_vec()
    };
    let mut broken_data = sealed_data.clone();
    *broken_data.last_mut().unwrap() ^= 1;
    to_the_node.extend([
        sealed_data,
        broken_data,
        record(1, 21, b"no alert of anybody's"),
    ]);
    let mut sealed = 0;
    for _ in 0..5_000 {
        for datagram in &to_the_node {
            let (mut out, mut events) = (vec![], vec![]);
            let handled = pair.node.handle(pair.now, datagram, &mut out, &mut events);
            assert_eq!(handled, Ok(()));
            let answers = out.iter().flat_map(|datagram| records(datagram));
            sealed += answers.filter(|record| record[4] > 0).count();
        }
    }
    assert!(sealed < 1_000, "{sealed} records");
    assert!(pair.node.is_connected());
}

/// The records of a datagram (RFC 6347 §4.1).
fn records(mut datagram: &[u8]) -> Vec<&[u8]> {
    let mut records = vec![];
    while let Some(length) = datagram.get(11..13) {
        let length = 13 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        let (record, rest) = datagram.split_at(length);
        records.push(record);
        datagram = rest;
    }
    records
}

fn record(epoch: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 9, 9, 0];
    bytes.push(body.len() as u8);
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn who_has_no_certificate_or_no_common_profile_is_refused() {
    let client = Client {
        has_certificate: false,
        ..Client::default()
    };
    let mut pair = Pair::new(client, Network::Good);
    pair.run();
    assert!(
        matches!(pair.error, Some(DtlsError::Failed(_))),
        "{:?}",
        pair.error
    );
    assert!(pair.keys.is_none());

    for profiles in [vec![GCM_256], vec![]] {
        let mut pair = Pair::new(
            Client {
                profiles,
                ..Client::default()
            },
            Network::Good,
        );
        pair.run();
        assert_eq!(pair.error, Some(DtlsError::NoSrtpProfile));
        assert!(pair.keys.is_none());
    }
}

#[test]
fn a_handshake_without_an_end_times_out() {
    let mut pair = Pair::new(Client::default(), Network::Good);
    let hello = pair.wire.pop_front().unwrap().1;
    pair.deliver_to_node(&hello);
    let mut sent = 0;
    while let Some((at, _)) = pair.node.poll_timeout() {
        let mut out = vec![];
        pair.now = at;
        if let Err(error) = pair.node.handle_timeout(at, &mut out) {
            pair.error = Some(error);
        }
        sent += out.len();
    }
    assert_eq!(pair.error, Some(DtlsError::TimedOut));
    assert_eq!(pair.now - pair.start, Duration::from_secs(30));
    assert!((5..10).contains(&sent), "{sent} retransmissions");
}

#[test]
fn data_and_goodbye_go_both_ways() {
    for node_closes in [false, true] {
        let mut pair = Pair::new(Client::default(), Network::Good);
        pair.run();
        let mut out = vec![];
        pair.node.send(pair.now, b"from the node", &mut out);
        pair.send(To::Client, out);
        pair.client
            .write(pair.now, node_address(), b"from the client")
            .unwrap();
        pair.collect_from_client();
        pair.run();
        assert_eq!(pair.client_received, b"from the node");
        assert_eq!(pair.node_received, b"from the client");

        if node_closes {
            let mut out = vec![];
            pair.node.close(pair.now, &mut out);
            pair.send(To::Client, out);
        } else {
            pair.client.close(pair.now).unwrap();
            pair.collect_from_client();
        }
        pair.run();
        assert_eq!(
            (pair.client_closed, pair.node_closed),
            (node_closes, !node_closes)
        );
        assert!(!pair.node.is_connected());
    }
}
