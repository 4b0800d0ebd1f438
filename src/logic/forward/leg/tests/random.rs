//! Whatever happens to packets and seats, what leaves the leg is one well-formed stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::logic::forward::layer::MAX_LAYERS;
use crate::logic::forward::packet::Origin;

const TRACKS: u32 = 3;

#[derive(Debug, Clone)]
enum Event {
    /// A picture of every layer of every track; a key frame on the layers in the mask.
    Pictures {
        key: u8,
        packets: usize,
    },
    /// The next packets in flight arrive.
    Arrive {
        packets: usize,
    },
    /// The packet at this place in the flight is lost, overtaken by all others, or doubled.
    Lose(usize),
    Delay(usize),
    Double(usize),
    Watch(Option<u32>),
    Height(u16),
    Wait(u64),
    Nack(u16),
    Replay(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let place = 0..64usize;
    prop_oneof![
        8 => (any::<u8>(), any::<u8>(), 1..4usize)
            .prop_map(|(a, b, packets)| Event::Pictures { key: a & b, packets }),
        8 => (0..40usize).prop_map(|packets| Event::Arrive { packets }),
        2 => place.clone().prop_map(Event::Lose),
        2 => place.clone().prop_map(Event::Delay),
        2 => place.prop_map(Event::Double),
        1 => proptest::option::weighted(0.9, 0..TRACKS).prop_map(Event::Watch),
        1 => prop_oneof![Just(0), Just(180), Just(360), Just(720)].prop_map(Event::Height),
        1 => (0..2_000u64).prop_map(Event::Wait),
        2 => (0..64u16).prop_map(Event::Nack),
        1 => (0..MAX_LAYERS as u8).prop_map(Event::Replay),
    ]
}

/// What has left the leg, checked packet by packet.
#[derive(Default)]
struct Checker {
    sent: BTreeMap<u64, (Origin, Outgoing)>,
    resent: BTreeSet<u64>,
    newest: Option<Outgoing>,
    /// Of the segment: the first packet, and as what it went out.
    segment: Option<(Origin, Outgoing)>,
}

impl Checker {
    fn check(&mut self, facts: &Facts<'_>, out: Outgoing, switched: bool) {
        let origin = facts.origin;
        if switched {
            assert!(
                facts.starts_key_frame,
                "a switch elsewhere than at a key frame"
            );
            if let Some(last) = self.newest {
                check_continues(last, out);
            }
            self.segment = Some((origin, out));
        }
        let (first, first_out) = self.segment.unwrap();
        assert_eq!((first.track, first.layer), (origin.track, origin.layer));
        assert!(
            origin.sequence >= first.sequence,
            "from before its key frame"
        );
        assert_eq!(
            out.sequence - first_out.sequence,
            origin.sequence - first.sequence,
            "a gap appeared or vanished"
        );
        let repeated = self.sent.insert(out.sequence, (origin, out));
        assert!(repeated.is_none(), "{} went out twice", out.sequence);
        if self.newest.is_none_or(|last| out.sequence > last.sequence) {
            self.newest = Some(out);
        }
    }

    fn check_resend(&mut self, resend: &Resend) {
        let (origin, out) = self.sent[&resend.outgoing.sequence];
        let named = (resend.track, resend.layer, resend.sequence);
        assert_eq!(named, (origin.track, origin.layer, origin.sequence));
        assert_eq!(resend.outgoing, out);
        assert!(self.resent.insert(resend.rtx_sequence));
    }
}

fn check_continues(last: Outgoing, next: Outgoing) {
    assert_eq!(next.sequence, last.sequence + 1);
    let step = next.timestamp.wrapping_sub(last.timestamp) as i32;
    assert!(step >= PICTURE as i32, "went by {step} ticks");
    assert_eq!(next.vp8.picture_id, (last.vp8.picture_id + 1) % 0x8000);
    assert_eq!(next.vp8.tl0, last.vp8.tl0.wrapping_add(1));
    assert_eq!(next.vp8.key_index, (last.vp8.key_index + 1) % 32);
}

struct World {
    viewer: Viewer,
    publishers: Vec<Publisher>,
    flight: VecDeque<Published>,
    checker: Checker,
}

impl World {
    fn new() -> Self {
        let layers = |track| (0..MAX_LAYERS as u8).map(move |layer| camera(track, layer));
        let mut publishers: Vec<_> = (0..TRACKS).flat_map(layers).collect();
        for publisher in publishers.iter_mut().skip(1) {
            publisher.set_clock(5 << 32, publisher.timestamp);
        }
        Self {
            viewer: Viewer::new(MediaKind::Video),
            publishers,
            flight: VecDeque::new(),
            checker: Checker::default(),
        }
    }

    fn step(&mut self, event: &Event) {
        let place =
            |at: usize, flight: &VecDeque<_>| (!flight.is_empty()).then(|| at % flight.len());
        match *event {
            Event::Pictures { key, packets } => self.publish(key, packets),
            Event::Arrive { packets } => self.arrive(packets),
            Event::Lose(at) => {
                place(at, &self.flight).map(|at| self.flight.remove(at));
            }
            Event::Delay(at) => {
                let late = place(at, &self.flight).and_then(|at| self.flight.remove(at));
                self.flight.extend(late);
            }
            Event::Double(at) => {
                let twin = place(at, &self.flight).map(|at| self.flight[at].clone());
                self.flight.extend(twin);
            }
            Event::Watch(Some(track)) => self.viewer.watch(track, MAX_LAYERS),
            Event::Watch(None) => self.viewer.leg.set_source(self.viewer.now, None),
            Event::Height(height) => self.viewer.leg.set_max_height(self.viewer.now, height),
            Event::Wait(ms) => self.viewer.now += Duration::from_millis(ms),
            Event::Nack(behind) => self.nack(behind),
            Event::Replay(layer) => self.viewer.leg.replay(layer),
        }
    }

    fn publish(&mut self, key: u8, packets: usize) {
        self.viewer.now += FRAME_TIME;
        for publisher in &mut self.publishers {
            let is_key = key >> publisher.origin.layer & 1 == 1;
            self.flight.extend(publisher.picture(is_key, packets));
        }
    }

    fn arrive(&mut self, packets: usize) {
        for packet in self.flight.drain(..packets.min(self.flight.len())) {
            let switches = self.viewer.leg.counters().switches;
            let facts = packet.facts();
            if let Verdict::Forward(out) = self.viewer.leg.judge(self.viewer.now, &facts) {
                let switched = self.viewer.leg.counters().switches != switches;
                self.checker.check(&facts, out, switched);
            }
        }
    }

    fn nack(&mut self, behind: u16) {
        let newest = self.checker.newest.map_or(0, |last| last.sequence as u16);
        let asked = newest.wrapping_sub(behind);
        if let Some(resend) = self.viewer.leg.resend(self.viewer.now, asked) {
            assert_eq!(resend.outgoing.sequence as u16, asked);
            self.checker.check_resend(&resend);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_stream_leaves_the_leg(events in proptest::collection::vec(event(), 1..400)) {
        let mut world = World::new();
        for event in &events {
            world.step(event);
        }
    }
}

#[test]
fn the_random_world_does_forward_switch_and_resend() {
    let mut world = World::new();
    for track in [0, 1, 2, 0] {
        world.step(&Event::Watch(Some(track)));
        for key in [7, 0, 0] {
            world.step(&Event::Pictures { key, packets: 3 });
            world.step(&Event::Arrive { packets: 100 });
            world.step(&Event::Nack(1));
        }
    }
    let counters = world.viewer.leg.counters();
    assert!(counters.switches >= 4 && counters.packets >= 36 && counters.resent == 12);
}
