//! What must hold whatever happens.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use motet::ids::MemberId;
use motet::logic::forward::codec::MediaKind;
use motet::protocol::client::{Feed, Source};
use motet::protocol::server::{Mode, Seat};
use rtp::packet::Packet;

use crate::browser::Browser;

/// After the last change everything plays by then: a connection is up, a key frame came, losses are made good.
pub const SETTLED: Duration = Duration::from_secs(4);
/// A settled stream never stays away for longer, nor does it let a connection wait for longer.
const PAUSE_MAX: Duration = Duration::from_millis(2500);
/// A retransmission may still come for what was on a seat before.
const RETRANSMISSION_MAX: Duration = Duration::from_secs(2);

/// Who sits where, as the node has it.
type Plan = Vec<Option<Seat>>;

/// What the checks remember.
#[derive(Default)]
pub struct Invariants {
    /// Every RTP packet that the node sent: to whom, SSRC, sequence number; and what it was.
    sealed: HashMap<(SocketAddr, u32, u16), u64>,
    /// Whom the node must not send media to any more.
    gone: BTreeMap<SocketAddr, Instant>,
    /// The plans that the node announced to each browser, and when.
    plans: BTreeMap<u32, Vec<(Instant, Plan)>>,
    pub media_checked: u64,
    pub faults: Vec<String>,
}

impl Invariants {
    /// The node sends a datagram. No SRTP nonce is used twice (RFC 3711 §9.1), and nothing goes to those who left.
    pub fn on_sent(&mut self, to: SocketAddr, datagram: &[u8]) {
        let Some((ssrc, sequence)) = rtp_identity(datagram) else {
            return;
        };
        if self.gone.contains_key(&to) {
            self.fault(format!("media goes to {to}, who is gone"));
        }
        let mut hasher = DefaultHasher::new();
        datagram.hash(&mut hasher);
        let content = hasher.finish();
        let before = self.sealed.insert((to, ssrc, sequence), content);
        if before.is_some_and(|before| before != content) {
            self.fault(format!("two packets sealed as {ssrc}/{sequence} for {to}"));
        }
    }

    /// The node announces a plan.
    pub fn on_plan(&mut self, now: Instant, browser: u32, plan: &Plan) {
        let plans = self.plans.entry(browser).or_default();
        plans.push((now, plan.clone()));
    }

    /// The node was told that somebody left, or found out.
    pub fn on_gone(&mut self, now: Instant, address: SocketAddr) {
        self.gone.entry(address).or_insert(now);
    }

    /// Media reached a browser in a datagram that the node sent at `sent`: it is on the seat that the plan
    /// of that time gave to its publisher.
    pub fn on_media(&mut self, browser: &Browser, sent: Instant, packet: &Packet, of: &Membership) {
        let Some((seat, sink)) = browser.sinks.get(&packet.header.ssrc) else {
            return;
        };
        let Some(publisher) = sink.publisher(packet) else {
            return;
        };
        self.media_checked += 1;
        let owner = of.by_number.get(&publisher);
        let plans = self
            .plans
            .get(&browser.number)
            .map_or(&[][..], Vec::as_slice);
        let current = plans.iter().rposition(|(at, _)| *at <= sent);
        let sits = |(_, plan): &(Instant, Plan)| {
            let seat = plan.get(*seat).copied().flatten();
            seat.is_some_and(|seat| Some(&seat.member) == owner && seat.feed == Feed::Camera)
        };
        let good = current.is_some_and(|current| {
            let recent = (0..current).filter(|&n| sent < plans[n + 1].0 + RETRANSMISSION_MAX);
            recent.chain([current]).any(|n| sits(&plans[n]))
        });
        if publisher == browser.number {
            self.fault(format!("browser {publisher} gets its own media back"));
        } else if !good {
            let number = browser.number;
            self.fault(format!(
                "browser {number}, seat {seat}: media of browser {publisher}"
            ));
        }
    }

    /// Nothing changed for [`SETTLED`]: everyone plays what they should.
    pub fn when_settled(
        &mut self,
        now: Instant,
        browsers: &BTreeMap<u32, Browser>,
        of: &Membership,
    ) {
        for browser in known(browsers).filter(|browser| !browser.wire.is_behind) {
            let name = format!("browser {}", browser.number);
            if browser.connected.is_none() {
                self.fault(format!("{name} is not connected"));
            }
            if browser.mode != Some(Mode::Sfu) && !browser.part.sfu_only {
                continue;
            }
            for publisher in missing(browser, browsers) {
                self.fault(format!("{name} has no seat for browser {publisher}"));
            }
            for (index, seat) in browser.seats.iter().enumerate() {
                let Some(publisher) = seat.and_then(|seat| of.by_member.get(&seat.member)) else {
                    continue;
                };
                let Some(publisher) = browsers.get(publisher) else {
                    self.fault(format!("{name}, seat {index}: browser {publisher} is gone"));
                    continue;
                };
                if publisher.wire.is_behind {
                    continue;
                }
                for silent in silent_sources(now, browser, index, publisher) {
                    let number = publisher.number;
                    self.fault(format!(
                        "{name}, seat {index}: no {silent:?} of browser {number}"
                    ));
                }
            }
        }
    }

    /// Every mirror shows exactly those who are here: no ghosts, nobody overlooked.
    pub fn check_mirrors(&mut self, browsers: &BTreeMap<u32, Browser>) {
        let here: Vec<u32> = known(browsers).map(|browser| browser.number).collect();
        for browser in known(browsers).filter(|browser| !browser.wire.is_behind) {
            let mut seen: Vec<u32> = (browser.members.values())
                .filter_map(|member| member.name.strip_prefix("browser ")?.parse().ok())
                .collect();
            seen.sort_unstable();
            if seen != here {
                let number = browser.number;
                self.fault(format!(
                    "browser {number} sees {seen:?}, and {here:?} are here"
                ));
            }
        }
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }
}

/// Who is who.
#[derive(Default)]
pub struct Membership {
    pub by_number: BTreeMap<u32, MemberId>,
    pub by_member: BTreeMap<MemberId, u32>,
}

/// Those whom the node has not given up.
fn known(browsers: &BTreeMap<u32, Browser>) -> impl Iterator<Item = &Browser> {
    browsers
        .values()
        .filter(|browser| !browser.wire.is_given_up)
}

/// Those who send, should be seen and are not on a seat, although there is one free.
fn missing(viewer: &Browser, browsers: &BTreeMap<u32, Browser>) -> Vec<u32> {
    let seated: Vec<MemberId> = viewer.seats.iter().flatten().map(|s| s.member).collect();
    if seated.len() >= viewer.part.seats {
        return vec![];
    }
    let should = |other: &&Browser| {
        let wanted = |me| {
            viewer
                .wanted
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&me))
        };
        let unseen = |me| wanted(me) && !seated.contains(&me);
        let is_sending = other.part.sends && !other.wire.is_behind;
        other.number != viewer.number && is_sending && other.me.is_some_and(unseen)
    };
    known(browsers)
        .filter(should)
        .map(|other| other.number)
        .collect()
}

/// What of a publisher is sent, and does not play on a viewer's seat.
fn silent_sources<'a>(
    now: Instant,
    viewer: &'a Browser,
    seat: usize,
    publisher: &'a Browser,
) -> impl Iterator<Item = Source> + 'a {
    let sources = [
        (Source::Microphone, MediaKind::Audio),
        (Source::Camera, MediaKind::Video),
    ];
    let plays = move |kind: MediaKind| {
        let mut sinks = viewer.sinks.values();
        let sink = sinks.find(|(index, sink)| *index == seat && sink.kind() == kind);
        let last = sink.and_then(|(_, sink)| sink.played.get(&publisher.number).copied());
        // Who lost much of the handshake may lose the first requests for a picture, too.
        let last = last.or(viewer.connected);
        last.is_some_and(|last| now < last + PAUSE_MAX)
    };
    let silent = sources
        .into_iter()
        .filter(move |&(source, kind)| publisher.sends(source) && !plays(kind));
    silent.map(|(source, _)| source)
}

/// SSRC and sequence number, if it is SRTP media: version 2, and no RTCP packet type (RFC 5761 §4).
pub fn rtp_identity(datagram: &[u8]) -> Option<(u32, u16)> {
    let &[first, second, s0, s1, _, _, _, _, a, b, c, d, ..] = datagram else {
        return None;
    };
    let media = first >> 6 == 2 && !(192..224).contains(&second);
    media.then(|| {
        (
            u32::from_be_bytes([a, b, c, d]),
            u16::from_be_bytes([s0, s1]),
        )
    })
}
