//! The harness itself: two clients of the other make, with nothing of ours between them but the network.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::light::{LightPeer, Profile};
use crate::media::{Camera, Vp8};
use crate::network::{Link, Network};
use crate::rtc_peer::RtcPeer;

#[test]
fn two_clients_of_another_make_meet_over_the_network() {
    for seed in 0..10 {
        let link = Link::random(&mut StdRng::seed_from_u64(seed));
        let offerer = RtcPeer::new(Instant::now(), address(1), layout());
        let run = run(seed, link, Box::new(offerer));
        assert!(
            run.connected_after < Duration::from_secs(5),
            "seed {seed}: {run:?}"
        );
        assert!(run.frames > 60, "seed {seed}: {run:?}");
    }
}

#[test]
fn the_light_client_is_understood_by_one_of_another_make() {
    for (seed, profile) in [(1, Profile::Gcm), (2, Profile::Sha1)] {
        let offerer = LightPeer::new(seed, layout(), profile);
        let run = run(seed, Link::PERFECT, Box::new(offerer));
        assert!(
            run.connected_after < Duration::from_secs(1),
            "{profile:?}: {run:?}"
        );
        assert!(run.frames > 130, "{profile:?}: {run:?}");
    }
}

#[derive(Debug)]
struct Run {
    connected_after: Duration,
    frames: usize,
}

fn run(seed: u64, link: Link, offerer: Box<dyn Connection>) -> Run {
    let start = Instant::now();
    let mut now = start;
    let addresses = [address(1), address(2)];
    let mut answerer = RtcPeer::answering(now, addresses[1]);
    let mut offerer = offerer;
    let mut network = Network::new(seed);
    network.connect(addresses[0], addresses[1], link, link);
    let offer = offerer.offer(now);
    let answer = answerer.answer(now, &offer);
    offerer.accept(now, &answer);
    let mut peers: [Box<dyn Connection>; 2] = [offerer, Box::new(answerer)];

    let mut camera = Camera::new(1, 0, 20, 96, 65_500);
    let mut flying: Vec<(Instant, usize, bytes::Bytes)> = vec![];
    let (mut connected, mut frames) = (None, vec![]);
    let mut next_frame = start;
    while now < start + Duration::from_secs(10) {
        for (index, peer) in peers.iter_mut().enumerate() {
            while let Some((to, datagram)) = peer.poll_datagram() {
                assert_eq!(to, addresses[1 - index]);
                for at in network.arrivals(now, addresses[index], to) {
                    flying.push((at, 1 - index, datagram.clone()));
                }
            }
            while let Some(event) = peer.poll_event() {
                match event {
                    ConnectionEvent::Connected if index == 0 => {
                        connected.get_or_insert(now - start);
                    }
                    ConnectionEvent::KeyFrameWanted(_) => camera.want_key(),
                    ConnectionEvent::Media(packet) => {
                        frames.push(Vp8::read(&packet.payload).unwrap().stamp.frame);
                    }
                    _ => {}
                }
            }
        }
        let timers = peers.iter_mut().filter_map(|peer| peer.poll_timeout());
        let arrivals = flying.iter().map(|(at, ..)| *at);
        now = timers
            .chain(arrivals)
            .chain([next_frame])
            .min()
            .unwrap()
            .max(now);
        if now == next_frame {
            next_frame += Duration::from_millis(66);
            if connected.is_some() {
                for packet in camera.frame(6000) {
                    peers[0].send(now, packet);
                }
            }
        }
        flying.sort_by_key(|(at, ..)| *at);
        while flying.first().is_some_and(|(at, ..)| *at <= now) {
            let (_, index, datagram) = flying.remove(0);
            peers[index].handle_datagram(now, addresses[1 - index], &datagram);
        }
        for peer in &mut peers {
            if peer.poll_timeout().is_some_and(|at| at <= now) {
                peer.handle_timeout(now);
            }
        }
    }
    frames.sort_unstable();
    frames.dedup();
    Run {
        connected_after: connected.expect("connected"),
        frames: frames.len(),
    }
}

fn layout() -> Layout {
    Layout {
        microphone: Some(10),
        camera: vec![20],
        seats: 0,
    }
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 4000))
}
