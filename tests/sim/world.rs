//! Everything at once: a queue of what happens when, one clock, the node, the browsers and what lies
//! between them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use motet::ids::ConnectionId;
use motet::media::shard::{ShardCommand, ShardEffect};
use motet::protocol::client::{ClientFrame, ClientMessage, Feed, Want};
use motet::protocol::reason::Reason;
use motet::protocol::server::{ServerFrame, ServerMessage};

use crate::browser::{Browser, Part};
use crate::invariants::{Invariants, Membership, SETTLED};
use crate::network::{Link, Network};
use crate::node::{self, Node};
use crate::scenario::{Act, Scenario};

const ROOM: &str = "simulated";
/// How long a WebSocket takes with a message.
const WEBSOCKET_DELAY: Duration = Duration::from_millis(15);
/// Between two looks at everything that must hold in calm.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// A timer that fires this often at one instant does not move on.
const TIMER_SPIN_MAX: usize = 8;
/// After everyone left nothing is kept for longer.
const AFTERMATH: Duration = Duration::from_secs(8);
/// After a browser is unplugged the node takes this long at most to notice.
const UNPLUGGED: Duration = Duration::from_secs(36 + node::GRACE.as_secs());
/// Who came back too late comes in anew, under another number.
const NEXT_LIFE: u32 = 10;

/// See the module.
pub struct World {
    start: Instant,
    now: Instant,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    node: Node,
    node_address: SocketAddr,
    network: Network,
    browsers: BTreeMap<u32, Browser>,
    /// WebSockets that carry nothing any more.
    broken: BTreeSet<ConnectionId>,
    /// Who is which browser now, and how they came in.
    lives: BTreeMap<u32, u32>,
    ways: BTreeMap<u32, (Part, Link, Link)>,
    membership: Membership,
    invariants: Invariants,
    /// Nothing is settled before.
    restless_until: Instant,
    /// When something changed that everyone is told of.
    changed_at: Instant,
    /// What people did and what was said, if anybody is to read it.
    story: Option<Vec<String>>,
    pub report: Report,
}

/// What a run amounted to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    pub events: u64,
    pub carried: u64,
    pub lost: u64,
    pub media: u64,
}

/// Why a run failed: the first thing that did not hold, and when.
#[derive(Debug)]
pub struct Failure {
    pub at: Duration,
    pub faults: Vec<String>,
    /// What happened, and what the node and the browsers had counted by then.
    pub story: Vec<String>,
}

#[derive(Debug)]
enum Event {
    Act(u32, Act),
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        sent: Instant,
        bytes: Bytes,
    },
    ToNode(ConnectionId, ClientFrame),
    WebSocketEnds(ConnectionId, Reason),
    Return(u32),
    ToBrowser(ConnectionId, ServerFrame),
    Check,
}

impl World {
    pub fn new(scenario: &Scenario) -> Self {
        let start = Instant::now();
        let mut world = Self {
            start,
            now: start,
            queue: BinaryHeap::new(),
            scheduled: 0,
            node: Node::new(start, scenario.seed, scenario.sfu),
            node_address: node::ADDRESS.parse().unwrap(),
            network: Network::new(scenario.seed),
            browsers: BTreeMap::new(),
            broken: BTreeSet::new(),
            lives: BTreeMap::new(),
            ways: BTreeMap::new(),
            membership: Membership::default(),
            invariants: Invariants::default(),
            restless_until: start,
            changed_at: start,
            story: scenario.told.then(Vec::new),
            report: Report::default(),
        };
        for (at, who, act) in &scenario.acts {
            world.schedule(start + *at, Event::Act(*who, act.clone()));
        }
        world.schedule(start + CHECK_INTERVAL, Event::Check);
        world
    }

    /// Lives through the scenario.
    pub fn run(&mut self, scenario: &Scenario) -> Result<Report, Failure> {
        self.run_until(self.start + scenario.ends)?;
        self.everyone_leaves();
        self.run_until(self.now + AFTERMATH)?;
        let left = self.node.shard.sizes();
        if left != (0, 0, 0) {
            let fault = format!("rooms, members, peers after everyone left: {left:?}");
            self.invariants.faults.push(fault);
            self.collect_faults()?;
        }
        self.report.carried = self.network.carried;
        self.report.lost = self.network.lost;
        self.report.media = self.invariants.media_checked;
        Ok(self.report)
    }

    fn run_until(&mut self, end: Instant) -> Result<(), Failure> {
        while let Some(at) = self.next_instant().filter(|&at| at <= end) {
            if at < self.now {
                self.invariants
                    .faults
                    .push("time runs backwards".to_owned());
            }
            self.now = at;
            self.fire_timers();
            while let Some(event) = self.pop_due() {
                self.report.events += 1;
                self.happen(event);
            }
            self.collect_faults()?;
        }
        self.now = end;
        Ok(())
    }

    fn next_instant(&mut self) -> Option<Instant> {
        let queued = self.queue.peek().map(|Reverse(next)| next.at);
        let node = self.node.poll_timeout().map(|(at, _)| at);
        let browsers = self.browsers.values_mut().map(Browser::poll_timeout);
        let next = queued.into_iter().chain(node).chain(browsers).min();
        next.map(|at| at.max(self.now))
    }

    fn fire_timers(&mut self) {
        let now = self.now;
        for _ in 0..TIMER_SPIN_MAX {
            if self.node.poll_timeout().is_none_or(|(at, _)| at > now) {
                break;
            }
            self.node.handle_timeout(now);
            self.drain_node();
        }
        if let Some((_, why)) = self.node.poll_timeout().filter(|(at, _)| *at <= now) {
            self.invariants
                .faults
                .push(format!("the node's timer does not move on: {why}"));
        }
        let due: Vec<u32> = (self.browsers.iter_mut())
            .filter_map(|(number, browser)| (browser.poll_timeout() <= now).then_some(*number))
            .collect();
        for number in due {
            if let Some(browser) = self.browsers.get_mut(&number) {
                browser.handle_timeout(now);
            }
            self.drain_browser(number);
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Act(who, act) => {
                let who = self.lives.get(&who).copied().unwrap_or(who);
                self.act(who, act);
            }
            Event::Datagram {
                from,
                to,
                sent,
                bytes,
            } => {
                if to == self.node_address {
                    self.node.handle_datagram(now, from, &bytes);
                    self.drain_node();
                } else {
                    self.reach_browser(from, to, sent, &bytes);
                }
            }
            Event::ToNode(connection, frame) => {
                if self.broken.contains(&connection) {
                    return;
                }
                let who = node::number(connection);
                self.tell(who, || format!("says {}", shorten(&frame.message)));
                let said = self.command(connection, frame);
                self.node.handle(now, said);
                self.drain_node();
            }
            Event::WebSocketEnds(connection, reason) => {
                self.node
                    .handle(now, ShardCommand::Gone { connection, reason });
                self.drain_node();
                if reason == Reason::Left {
                    let who = node::number(connection);
                    self.invariants.on_gone(now, address(who));
                }
            }
            Event::Return(who) => {
                if let Some(browser) = self.browsers.get_mut(&who) {
                    browser.resume(ROOM);
                    self.drain_browser(who);
                }
            }
            Event::ToBrowser(connection, frame) => {
                if self.broken.contains(&connection) {
                    return;
                }
                let who = node::number(connection);
                if let Some(browser) = self.browsers.get_mut(&who) {
                    browser.hear(now, frame);
                    if let Some(me) = browser.me {
                        self.membership.by_number.insert(who, me);
                        self.membership.by_member.insert(me, who);
                    }
                    let is_refused = browser.wire.is_refused;
                    self.drain_browser(who);
                    if is_refused {
                        self.come_in_anew(who);
                    }
                }
            }
            Event::Check => self.check(),
        }
    }

    fn act(&mut self, who: u32, act: Act) {
        self.tell(who, || format!("does {act:?}"));
        let now = self.now;
        let unplugs = matches!(act, Act::Unplug);
        let calm_after = if unplugs {
            UNPLUGGED + SETTLED
        } else {
            SETTLED
        };
        let lost = |browser: &Browser| browser.wire.is_lost;
        let is_lost = self.browsers.get(&who).is_some_and(lost);
        match act {
            Act::Lose { away, noticed } => return self.lose(who, away, noticed),
            // Whoever is lost goes by not coming back.
            Act::Leave | Act::Vanish | Act::Unplug if is_lost => return,
            _ => {}
        }
        self.changed_at = now;
        self.restless_until = self.restless_until.max(now + calm_after);
        match act {
            Act::Lose { .. } => {}
            Act::Join { part, up, down } => self.join(who, part, up, down),
            Act::Leave => {
                let mut browser = self.browsers.remove(&who).unwrap();
                browser.leave();
                self.say_all(&mut browser);
            }
            Act::Vanish => {
                let browser = self.browsers.remove(&who).unwrap();
                let ends = Event::WebSocketEnds(connection(&browser), Reason::Left);
                self.schedule(now + WEBSOCKET_DELAY, ends);
            }
            Act::Unplug => {
                let browser = self.browsers.remove(&who).unwrap();
                self.broken.insert(connection(&browser));
            }
            Act::Mute { source, muted } => {
                let browser = self.browsers.get_mut(&who).unwrap();
                if browser.part.sends && browser.connected.is_some() {
                    browser.mute(source, muted);
                }
            }
            Act::View { wanted } => self.view(who, wanted),
        }
        self.drain_browser(who);
    }

    fn join(&mut self, who: u32, part: Part, up: Link, down: Link) {
        let (client, node) = (address(who), self.node_address);
        self.network.connect(client, node, up, down);
        self.ways.insert(who, (part, up, down));
        let mut browser = Browser::new(self.now, who, client, part);
        browser.join(ROOM);
        self.browsers.insert(who, browser);
    }

    fn lose(&mut self, who: u32, away: Duration, noticed: bool) {
        let now = self.now;
        let Some(browser) = self.browsers.get_mut(&who).filter(|b| !b.wire.is_lost) else {
            return;
        };
        browser.lose_socket(now);
        let (connection, is_member) = (connection(browser), browser.me.is_some());
        self.broken.insert(connection);
        let notices = if noticed { WEBSOCKET_DELAY } else { away * 2 };
        let ends = Event::WebSocketEnds(connection, Reason::Lost);
        self.schedule(now + notices, ends);
        if is_member {
            self.schedule(now + away, Event::Return(who));
        } else {
            // It has no token: whatever the node made of its `join` waits for nobody.
            let until = now + notices + node::GRACE + SETTLED;
            self.restless_until = self.restless_until.max(until);
            self.come_in_anew(who);
        }
    }

    fn come_in_anew(&mut self, who: u32) {
        self.browsers.remove(&who);
        let (part, up, down) = self.ways[&who];
        let next = who + NEXT_LIFE;
        self.lives.insert(who % NEXT_LIFE, next);
        self.act(next, Act::Join { part, up, down });
    }

    fn view(&mut self, who: u32, wanted: Vec<u32>) {
        let known = &self.membership.by_number;
        let wants = wanted.iter().filter_map(|number| {
            let number = self.lives.get(number).unwrap_or(number);
            Some(Want {
                member: *known.get(number)?,
                feed: Feed::Camera,
                max_height: 1080,
            })
        });
        let browser = self.browsers.get_mut(&who).unwrap();
        let wants: Vec<Want> = wants
            .filter(|want| browser.members.contains_key(&want.member))
            .collect();
        if browser.me.is_some() {
            browser.view(wants);
        }
    }

    fn everyone_leaves(&mut self) {
        let all: Vec<u32> = self.browsers.keys().copied().collect();
        for who in all {
            self.act(who, Act::Leave);
        }
    }

    fn command(&mut self, connection: ConnectionId, frame: ClientFrame) -> ShardCommand {
        let who = node::number(connection);
        if matches!(frame.message, ClientMessage::Bye {}) {
            self.invariants.on_gone(self.now, address(who));
        }
        node::command(connection, frame)
    }

    fn reach_browser(&mut self, from: SocketAddr, to: SocketAddr, sent: Instant, bytes: &[u8]) {
        let browser = self
            .browsers
            .values_mut()
            .find(|browser| browser.address == to);
        let Some(browser) = browser else {
            return;
        };
        let number = browser.number;
        for packet in browser.handle_datagram(self.now, from, bytes) {
            self.invariants
                .on_media(browser, sent, &packet, &self.membership);
        }
        self.drain_browser(number);
    }

    fn drain_node(&mut self) {
        while let Some((to, bytes)) = self.node.poll_datagram() {
            self.invariants.on_sent(to, &bytes);
            self.send(self.node_address, to, bytes);
        }
        while let Some(effect) = self.node.poll_effect() {
            self.on_effect(effect);
        }
    }

    fn on_effect(&mut self, effect: ShardEffect) {
        match effect {
            ShardEffect::Send { connection, frame } => {
                let who = node::number(connection);
                self.tell(who, || format!("is told {}", shorten(&frame.message)));
                self.notice(who, &frame.message);
                self.schedule(
                    self.now + WEBSOCKET_DELAY,
                    Event::ToBrowser(connection, frame),
                );
            }
            ShardEffect::Tell { event, to } => {
                for (connection, seq) in to {
                    let (seq, message) = (Some(seq), event.message().clone());
                    let frame = ServerFrame { seq, message };
                    self.on_effect(ShardEffect::Send { connection, frame });
                }
            }
            ShardEffect::Close { connection, reason } => {
                let who = node::number(connection);
                let is_replaced = reason == Reason::Replaced && self.broken.contains(&connection);
                if self.browsers.contains_key(&who) && !is_replaced {
                    self.invariants
                        .faults
                        .push(format!("browser {who} is thrown out"));
                }
            }
            ShardEffect::Reply { .. }
            | ShardEffect::Record { .. }
            | ShardEffect::Tapped { .. }
            | ShardEffect::Event { .. }
            | ShardEffect::NoRoom { .. }
            | ShardEffect::Owned { .. }
            | ShardEffect::Disowned { .. }
            | ShardEffect::RoomClosed { .. } => {}
        }
    }

    /// What the node tells a browser is so from now on.
    fn notice(&mut self, who: u32, message: &ServerMessage) {
        let now = self.now;
        match message {
            ServerMessage::Seats { seats } => self.invariants.on_plan(now, who, seats),
            ServerMessage::Switch { .. }
            | ServerMessage::Commit { .. }
            | ServerMessage::Rollback { .. } => self.changed_at = now,
            ServerMessage::Left { member, .. } => {
                self.changed_at = now;
                self.restless_until = self.restless_until.max(now + SETTLED);
                let Some(&gone) = self.membership.by_member.get(member) else {
                    return;
                };
                self.invariants.on_gone(now, address(gone));
                if let Some(browser) = self.browsers.get_mut(&gone) {
                    browser.wire.is_given_up = true;
                }
            }
            _ => {}
        }
    }

    fn drain_browser(&mut self, who: u32) {
        let Some(mut browser) = self.browsers.remove(&who) else {
            return;
        };
        while let Some((to, bytes)) = browser.poll_datagram() {
            self.send(browser.address, to, bytes);
        }
        self.say_all(&mut browser);
        self.browsers.insert(who, browser);
    }

    fn say_all(&mut self, browser: &mut Browser) {
        let to = connection(browser);
        while let Some(word) = browser.poll_word() {
            self.schedule(self.now + WEBSOCKET_DELAY, Event::ToNode(to, word));
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let sent = self.now;
        for at in self.network.arrivals(sent, from, to) {
            let bytes = bytes.clone();
            self.schedule(
                at,
                Event::Datagram {
                    from,
                    to,
                    sent,
                    bytes,
                },
            );
        }
    }

    fn check(&mut self) {
        let is_turning = self.look_at_the_wires();
        if self.now > self.restless_until && !is_turning {
            self.invariants
                .when_settled(self.now, &self.browsers, &self.membership);
            self.invariants.check_mirrors(&self.browsers);
        }
        self.schedule(self.now + CHECK_INTERVAL, Event::Check);
    }

    /// Works out who knows how things are. True if somebody is given up in these milliseconds.
    fn look_at_the_wires(&mut self) -> bool {
        let now = self.now;
        let mut is_turning = false;
        for browser in self.browsers.values_mut() {
            let wire = &mut browser.wire;
            let Some(lost_at) = wire.lost_at else {
                continue;
            };
            let over_at = lost_at + node::GRACE;
            if wire.is_lost && now >= over_at {
                // Perhaps nobody else is there to be told.
                if !std::mem::replace(&mut wire.is_given_up, true) {
                    self.changed_at = now;
                }
                is_turning |= now < over_at + 4 * WEBSOCKET_DELAY;
            }
        }
        for wire in self.browsers.values_mut().map(|browser| &mut browser.wire) {
            let is_away = wire.is_lost || wire.back_at.is_some_and(|at| now < at + SETTLED);
            let could_hear = |lost_at| self.changed_at + SETTLED <= lost_at;
            wire.is_behind = is_away && !wire.lost_at.is_some_and(could_hear);
        }
        is_turning
    }

    fn collect_faults(&mut self) -> Result<(), Failure> {
        let mut faults = std::mem::take(&mut self.invariants.faults);
        for browser in self.browsers.values_mut() {
            let name = format!("browser {}", browser.number);
            let sinks = browser.sinks.values_mut();
            let found = sinks.flat_map(|(_, sink)| sink.faults.drain(..));
            let found = found.chain(browser.faults.drain(..));
            faults.extend(found.map(|fault| format!("{name}: {fault}")));
        }
        let at = self.now - self.start;
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Failure {
                at,
                faults,
                story: self.story(),
            }),
        }
    }

    fn story(&mut self) -> Vec<String> {
        let story = self.story.take().unwrap_or_default();
        let browsers = self.browsers.values().map(Browser::summary);
        let node = format!("{:?}", self.node.shard.counters());
        story.into_iter().chain(browsers).chain([node]).collect()
    }

    fn tell(&mut self, who: u32, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let at = self.now - self.start;
            story.push(format!("{at:>10.3?} browser {who} {}", what()));
        }
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.scheduled += 1;
        let order = self.scheduled;
        self.queue.push(Reverse(Scheduled { at, order, event }));
    }

    fn pop_due(&mut self) -> Option<Event> {
        let due = self
            .queue
            .peek()
            .is_some_and(|Reverse(next)| next.at <= self.now);
        due.then(|| self.queue.pop().unwrap().0.event)
    }
}

/// Session descriptions are long.
fn shorten(message: &impl std::fmt::Debug) -> String {
    let text = format!("{message:?}");
    text.chars().take(300).collect()
}

/// The WebSocket that a browser has now, or had last.
fn connection(browser: &Browser) -> ConnectionId {
    node::connection(browser.number, browser.wire.socket)
}

fn address(who: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, who as u8 + 1], 40_000))
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    /// What was scheduled first happens first.
    order: u64,
    event: Event,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}
