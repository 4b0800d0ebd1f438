//! The harness itself: two clients of the other make, with nothing of ours between them but the network.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::media::{Camera, Vp8};
use crate::network::{Link, Network};
use crate::rtc_peer::RtcPeer;

#[test]
fn two_clients_of_another_make_meet_over_the_network() {
    for seed in 0..10 {
        let mut rng = StdRng::seed_from_u64(seed);
        let run = run(seed, Link::random(&mut rng));
        assert!(
            run.connected_after < Duration::from_secs(5),
            "seed {seed}: {run:?}"
        );
        assert!(run.frames > 60, "seed {seed}: {run:?}");
    }
}

#[derive(Debug)]
struct Run {
    connected_after: Duration,
    frames: usize,
}

fn run(seed: u64, link: Link) -> Run {
    let start = Instant::now();
    let mut now = start;
    let addresses: [SocketAddr; 2] = ["10.0.0.1:4000", "10.0.0.2:4000"].map(|a| a.parse().unwrap());
    let layout = Layout {
        microphone: Some(10),
        camera: vec![20],
        seats: 0,
    };
    let mut peers = [
        RtcPeer::new(now, addresses[0], layout),
        RtcPeer::new(now, addresses[1], Layout::default()),
    ];
    let mut network = Network::new(seed);
    network.connect(addresses[0], addresses[1], link, link);
    let offer = peers[0].offer(now);
    let answer = peers[1].answer(now, &offer);
    peers[0].accept(now, &answer);

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
