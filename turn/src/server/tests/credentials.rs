//! Who is believed: challenges, nonces, passwords, algorithms, revoked members.

use super::harness::*;
use crate::credentials::{self, Algorithm};
use crate::server::{ClientSocket, Transport};
use crate::stun::{self, Message, Writer};
use crate::words::{self, ALLOCATE_REQUEST};

/// A request with every part to be bent.
struct Parts {
    username: Option<Vec<u8>>,
    realm: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
    chosen: Option<Vec<u8>>,
    offered: Option<Vec<u8>>,
    algorithm: Algorithm,
    password: Option<String>,
    with_sha256: bool,
}

impl Parts {
    fn right(nonce: Vec<u8>) -> Self {
        Parts {
            username: Some(format!("{}:ann", UNIX + 600).into_bytes()),
            realm: Some(REALM.into()),
            nonce: Some(nonce),
            chosen: Some(vec![0, 2, 0, 0]),
            offered: Some(Algorithm::OFFERED.to_vec()),
            algorithm: Algorithm::Sha256,
            password: None,
            with_sha256: true,
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, ALLOCATE_REQUEST, b"transaction1");
        writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        for (kind, value) in [
            (stun::USERNAME, &self.username),
            (stun::REALM, &self.realm),
            (stun::NONCE, &self.nonce),
            (stun::PASSWORD_ALGORITHM, &self.chosen),
            (stun::PASSWORD_ALGORITHMS, &self.offered),
        ] {
            if let Some(value) = value {
                writer.attribute(kind, value);
            }
        }
        let username = self.username.clone().unwrap_or_default();
        let minted = credentials::password_of(SECRET, &username);
        let password = self.password.as_ref().unwrap_or(&minted).as_bytes();
        let key = credentials::long_term_key(self.algorithm, &username, REALM, password);
        match self.with_sha256 {
            true => writer.integrity_sha256(&key).unwrap(),
            false => writer.integrity(&key).unwrap(),
        }
        bytes
    }
}

fn code_for(bend: impl FnOnce(&mut Parts)) -> u16 {
    let mut world = World::new(config());
    let mut parts = Parts::right(world.nonce(client(1)));
    bend(&mut parts);
    world.send(client(1), &parts.write());
    let answer = world.answer().unwrap();
    let message = Message::parse(&answer).unwrap();
    let is_challenge = message.attribute(stun::NONCE).is_some();
    assert_eq!(is_challenge, matches!(code(&answer), 401 | 438));
    assert_eq!(
        world.server.allocation_count(),
        usize::from(code(&answer) == 0)
    );
    if code(&answer) == 0 {
        assert_eq!(message.has_integrity_sha256(), parts.with_sha256);
    }
    code(&answer)
}

#[test]
fn sha256_and_md5_are_believed() {
    assert_eq!(code_for(|_| {}), 0);
    assert_eq!(code_for(|parts| parts.with_sha256 = false), 0);
    let md5 = |parts: &mut Parts| {
        parts.chosen = Some(vec![0, 1, 0, 0]);
        parts.algorithm = Algorithm::Md5;
    };
    assert_eq!(code_for(md5), 0);
    let old_client = |parts: &mut Parts| {
        (parts.chosen, parts.offered) = (None, None);
        (parts.algorithm, parts.with_sha256) = (Algorithm::Md5, false);
    };
    assert_eq!(code_for(old_client), 0);
}

#[test]
fn a_list_changed_on_the_way_is_noticed() {
    assert_eq!(
        code_for(|parts| parts.offered = Some(vec![0, 1, 0, 0])),
        400
    );
    assert_eq!(code_for(|parts| parts.offered = None), 400);
    assert_eq!(code_for(|parts| parts.chosen = None), 400);
    assert_eq!(code_for(|parts| parts.chosen = Some(vec![0, 3, 0, 0])), 400);
    let stripped = |parts: &mut Parts| {
        let nonce = parts.nonce.as_mut().unwrap();
        nonce.drain(..13);
    };
    assert_eq!(code_for(stripped), 438);
    let without_bits = |parts: &mut Parts| {
        parts.nonce.as_mut().unwrap()[9..13].copy_from_slice(b"AAAA");
    };
    assert_eq!(code_for(without_bits), 438);
}

#[test]
fn what_is_missing_or_wrong() {
    assert_eq!(code_for(|parts| parts.username = None), 400);
    assert_eq!(code_for(|parts| parts.realm = None), 400);
    assert_eq!(code_for(|parts| parts.nonce = None), 400);
    assert_eq!(code_for(|parts| parts.realm = Some(b"else".to_vec())), 401);
    assert_eq!(code_for(|parts| parts.password = Some("guess".into())), 401);
    assert_eq!(code_for(|parts| parts.algorithm = Algorithm::Md5), 401);
    for username in ["ann", "1699999999:ann", "1800000000:ann", "1700000600:"] {
        assert_eq!(
            code_for(|parts| parts.username = Some(username.into())),
            401,
            "{username}"
        );
    }
}

#[test]
fn a_nonce_is_for_one_source_and_goes_stale() {
    let mut world = World::new(config());
    let parts = Parts::right(world.nonce(client(1)));
    let of = |remote: &str, transport| ClientSocket {
        local: 0,
        transport,
        remote: remote.parse().unwrap(),
    };
    for other in [
        of("192.0.2.2:1001", Transport::Udp),
        of("192.0.2.1:1002", Transport::Udp),
        of("192.0.2.1:1001", Transport::Tcp),
    ] {
        world.send(other, &parts.write());
        assert_eq!(code(&world.answer().unwrap()), 438, "{other:?}");
    }
    let mut parts = Parts::right(world.nonce(client(1)));
    parts.username = Some(format!("{}:ann", UNIX + 3_600).into_bytes());
    world.pass(620);
    world.send(client(1), &parts.write());
    let answer = world.answer().unwrap();
    assert_eq!(code(&answer), 438);
    let message = Message::parse(&answer).unwrap();
    parts.nonce = message.attribute(stun::NONCE).map(<[u8]>::to_vec);
    world.send(client(1), &parts.write());
    assert_eq!(code(&world.answer().unwrap()), 0);
}

/// 1.6 times what asked for it, at most: nobody forges a source for that.
#[test]
fn a_challenge_is_as_long_as_the_request_allows() {
    const WHOLE: &[u16] = &[
        stun::ERROR_CODE,
        stun::REALM,
        stun::NONCE,
        stun::PASSWORD_ALGORITHMS,
    ];
    const SHORT: &[u16] = &[stun::ERROR_CODE, stun::REALM, stun::NONCE];
    let transport = (words::REQUESTED_TRANSPORT, vec![17, 0, 0, 0]);
    let software = (0x8022, vec![b'x'; 18]);
    let over_tcp = ClientSocket {
        transport: Transport::Tcp,
        ..client(1)
    };
    for (from, attributes, lengths, code_of_it, kinds) in [
        (client(1), vec![], (20, 28), 401, &SHORT[..1]),
        (client(1), vec![transport.clone()], (28, 44), 401, SHORT),
        (
            client(1),
            vec![transport.clone(), software],
            (52, 80),
            401,
            WHOLE,
        ),
        (over_tcp, vec![], (20, 80), 401, WHOLE),
        (over_tcp, vec![transport], (28, 80), 401, WHOLE),
    ] {
        let mut world = World::new(config());
        let mut request = vec![];
        let mut writer = Writer::new(&mut request, ALLOCATE_REQUEST, b"transaction!");
        for (kind, value) in attributes {
            writer.attribute(kind, &value);
        }
        world.send(from, &request);
        let answer = world.answer().unwrap();
        assert_eq!((request.len(), answer.len()), lengths);
        assert_eq!(code(&answer), code_of_it);
        let message = Message::parse(&answer).unwrap();
        let found: Vec<u16> = message.attributes().map(|(kind, _)| kind).collect();
        assert_eq!(found, kinds);
        let error = message.attribute(stun::ERROR_CODE).unwrap();
        assert_eq!(error.len(), 4, "no reason phrase");
        assert!(from != client(1) || answer.len() * 10 <= request.len() * 16);
    }
}

/// It comes back in a request that is long enough for a whole challenge when it is stale.
#[test]
fn a_short_nonce_is_good_until_it_is_stale() {
    let mut world = World::new(config());
    let mut parts = Parts::right(world.short_nonce(client(1)));
    assert_eq!(parts.nonce.as_ref().unwrap().len(), 4);
    parts.username = Some(format!("{}:ann", UNIX + 3_600).into_bytes());
    world.send(client(1), &parts.write());
    assert_eq!(code(&world.answer().unwrap()), 0);
    world.send(client(2), &parts.write());
    assert_eq!(code(&world.answer().unwrap()), 438, "it was another's");
    world.pass(620);
    world.send(client(1), &parts.write());
    let answer = world.answer().unwrap();
    assert_eq!(code(&answer), 438);
    let nonce = Message::parse(&answer).unwrap().attribute(stun::NONCE);
    assert!(nonce.unwrap().starts_with(b"obMatJos2"));
}

#[test]
fn no_answer_to_the_known_or_unknown_says_who_made_this() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    world.ask(
        client(1),
        "ann",
        words::CREATE_PERMISSION_REQUEST,
        &[peer("10.0.0.1:1")],
    );
    world.ask(client(1), "bob", words::REFRESH_REQUEST, &[]);
    world.nonce(client(2));
    let software = 0x8022;
    let answer = world.answer_kept();
    for answer in answer.iter() {
        assert_eq!(Message::parse(answer).unwrap().attribute(software), None);
    }
    let mut binding = vec![];
    Writer::new(&mut binding, stun::BINDING_REQUEST, b"transaction!");
    world.send(client(1), &binding);
    let answer = world.answer().unwrap();
    assert_eq!(answer.len() * 10, binding.len() * 16);
}

#[test]
fn a_revoked_member_is_out_and_others_are_not() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    world.allocated(client(2), "ann");
    world.allocated(client(3), "bob");
    world.out.clear();
    let now = world.now;
    world.server.revoke(now, "ann", &mut world.out);
    assert_eq!((world.out.len(), world.server.allocation_count()), (4, 1));
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 401);
    assert_eq!(world.ask(client(1), "anna", ALLOCATE_REQUEST, &[udp()]), 0);
    // As long as a name minted before could hold.
    world.pass(86_400);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 401);
    world.pass(1);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 0);
}

/// However many others come and go.
#[test]
fn where_there_is_a_list_who_was_on_it_stays_out() {
    let mut config = config();
    config.is_by_list = true;
    let mut world = World::new(config);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 401);
    world.server.admit("ann");
    world.server.admit("bob");
    world.allocated(client(1), "ann");
    let now = world.now;
    world.server.revoke(now, "ann", &mut world.out);
    for other in 0..=crate::server::REVOKED_MAX {
        let other = other.to_string();
        world.server.admit(&other);
        world.server.revoke(now, &other, &mut world.out);
    }
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 401);
    assert_eq!(world.ask(client(2), "bob", ALLOCATE_REQUEST, &[udp()]), 0);
    assert_eq!(world.server.revoked.len() + world.server.admitted.len(), 1);
}

/// A reserved port counts like an allocation, and goes with its member.
#[test]
fn what_a_revoked_member_reserved_is_free_again() {
    let mut config = config();
    config.relay_ports = 50_000..=50_001;
    let mut world = World::new(config);
    let reserve = [udp(), (words::EVEN_PORT, vec![0x80])];
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &reserve), 0);
    let now = world.now;
    world.server.revoke(now, "ann", &mut world.out);
    assert_eq!(world.server.poll_timeout(), None);
    assert_eq!(world.ask(client(1), "bob", ALLOCATE_REQUEST, &reserve), 0);
}

#[test]
fn a_message_with_a_wrong_fingerprint_is_dropped() {
    let mut world = World::new(config());
    let mut right = vec![];
    Writer::new(&mut right, ALLOCATE_REQUEST, b"transaction!").fingerprint();
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 1;
    world.send(client(1), &wrong);
    assert_eq!(world.answer(), None);
    world.send(client(1), &right);
    assert_eq!(code(&world.answer().unwrap()), 401);
}

#[test]
fn the_time_of_the_world_can_be_set() {
    let mut world = World::new(config());
    let now = world.now;
    let later = std::time::Duration::from_secs(UNIX + 1_000);
    world.server.set_unix_time(now, later);
    let parts = Parts::right(world.nonce(client(1)));
    world.send(client(1), &parts.write());
    assert_eq!(code(&world.answer().unwrap()), 401, "the name was over");
}

/// Whatever is asked, and however short it is; over UDP no answer is worth forging a source for.
#[test]
fn every_request_without_credentials_is_answered_by_401() {
    let ip = peer("8.8.8.8:1");
    let requests = [
        (words::ALLOCATE_REQUEST, vec![]),
        (words::ALLOCATE_REQUEST, vec![udp()]),
        (words::REFRESH_REQUEST, vec![]),
        (words::REFRESH_REQUEST, vec![lifetime(0)]),
        (words::CREATE_PERMISSION_REQUEST, vec![]),
        (words::CREATE_PERMISSION_REQUEST, vec![ip.clone()]),
        (words::CHANNEL_BIND_REQUEST, vec![]),
        (words::CHANNEL_BIND_REQUEST, vec![channel(0x4000), ip]),
    ];
    for (transport, is_known) in [
        (Transport::Udp, false),
        (Transport::Udp, true),
        (Transport::Tcp, false),
    ] {
        let mut world = World::new(config());
        let from = ClientSocket {
            transport,
            ..client(1)
        };
        if is_known {
            world.allocated(from, "ann");
        }
        for (kind, attributes) in &requests {
            let mut request = vec![];
            let mut writer = Writer::new(&mut request, *kind, b"transaction1");
            write_attributes(&mut writer, attributes, b"transaction1");
            world.out.clear();
            world.send(from, &request);
            let answer = world.answer().unwrap();
            let is_proven = is_known || transport == Transport::Tcp;
            assert_eq!(code(&answer), 401, "{kind:#x} {attributes:?}");
            let is_short = answer.len() * 10 <= request.len() * 16;
            assert!(is_short || is_proven, "{kind:#x} {attributes:?}");
            let message = Message::parse(&answer).unwrap();
            let nonce = message.attribute(stun::NONCE);
            let is_whole = nonce.is_some() && message.attribute(stun::REALM).is_some();
            assert_eq!(is_whole, is_proven || request.len() > 20, "{kind:#x}");
        }
    }
}
