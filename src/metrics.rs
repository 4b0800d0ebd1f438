//! What is counted, and how Prometheus reads it (text exposition format 0.0.4).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the rim counts.
#[derive(Debug, Default)]
pub struct RimCounters {
    /// TCP connections taken.
    pub connections: Counter,
    /// TCP connections and WebSockets refused for a limit.
    pub refused: Counter,
    /// Joins refused as the node is full, or their household has its share.
    pub refused_joins: Counter,
    /// Requests with a wrong token.
    pub wrong_tokens: Counter,
    /// WebSockets opened.
    pub websockets: Counter,
    /// WebSockets closed because their client read too slowly.
    pub slow: Counter,
    /// WebSockets closed because their client broke the rules.
    pub misbehaved: Counter,
    /// Messages from clients.
    pub messages_in: Counter,
    /// Messages to clients.
    pub messages_out: Counter,
    /// Messages to clients that did not fit their queue.
    pub messages_dropped: Counter,
    /// Messages from clients that were refused: malformed, too large, too fast.
    pub violations: Counter,
    /// TCP connections that carry datagrams: TURN or ICE.
    pub streams: Counter,
    /// Datagrams for them that were lost because their client read too slowly.
    pub stream_drops: Counter,
}

/// Shard figures that go up and down; every other one only grows.
const GAUGES: &[(&str, &str)] = &[
    ("forwards", "Tracks that are sent to other programs now."),
    ("recordings", "Recordings that go on now."),
    (
        "thinnedRecordings",
        "Recordings now of which something is left out as the disk is too slow.",
    ),
    ("rooms", "Rooms that exist now."),
    (
        "relief",
        "What viewers go without now as the media thread is behind: 0 nothing, 1 upper layers of pictures, 2 pictures.",
    ),
    (
        "draining",
        "1 while the node takes no new rooms because it was told to stop.",
    ),
    ("members", "Members in rooms now."),
    ("waiting", "Those who wait to be let into a room now."),
    (
        "reconnectingMembers",
        "Members now whose lost WebSocket is waited for.",
    ),
    (
        "meshRooms",
        "Rooms now in which media travels peer to peer.",
    ),
    (
        "sfuRooms",
        "Rooms now in which media travels over the node.",
    ),
    (
        "irregularPairs",
        "Pairs of members now whose media travels otherwise than their room's.",
    ),
    ("peers", "Peer connections to the node now."),
    (
        "connectedPeers",
        "Peer connections to the node that are up now.",
    ),
    ("tracks", "Published tracks now."),
    ("legs", "Forwarding legs now."),
    ("relayAllocations", "TURN allocations now."),
];

/// Shard figures that only grow and have a sentence of their own.
const COUNTERS: &[(&str, &str)] = &[
    (
        "framesNotRecorded",
        "Frames of recordings that the disk was too slow for.",
    ),
    (
        "reliefs",
        "Times that the media thread was so far behind that viewers had to go without something more.",
    ),
    (
        "roomPanics",
        "Rooms that were closed because a fault of this program met them.",
    ),
    (
        "recordingsRefused",
        "Recordings that were not begun, for a limit or as there was no space.",
    ),
    ("recordingsEnded", "Recordings that are over, by cause."),
    ("joins", "Members who joined."),
    (
        "lostWebsockets",
        "WebSockets that were lost before their members left.",
    ),
    ("resumes", "Members who came back after a lost WebSocket."),
    ("refusedResumes", "Attempts to come back that were refused."),
    ("connected", "Peer connections that came up."),
    ("switches", "Switches between mesh and SFU begun, by cause."),
    (
        "rollbacks",
        "Switches between mesh and SFU that did not come about.",
    ),
    ("packetsIn", "RTP packets received and opened."),
    (
        "packetsOut",
        "RTP packets sent, retransmissions not counted.",
    ),
    ("bytesIn", "Bytes of RTP packets received."),
    ("bytesOut", "Bytes of RTP packets sent."),
    (
        "rtpOutPackets",
        "Of the RTP packets sent, those to other programs.",
    ),
    ("rtpOutBytes", "Their bytes."),
    ("retransmissions", "Packets sent again."),
    ("rtcpIn", "RTCP packets received."),
    (
        "reportsDisbelieved",
        "Sender reports not believed, as no clock runs like that; their tracks are timed by arrival.",
    ),
    ("rtcpOut", "RTCP packets sent."),
    ("nacksIn", "Packets that viewers asked for again."),
    ("nacksOut", "Packets that publishers were asked for again."),
    ("keyFrameRequestsIn", "Key frames that viewers asked for."),
    (
        "keyFrameRequestsOut",
        "Key frames that publishers were asked for.",
    ),
    ("stunAnswers", "STUN Binding requests answered."),
    ("relayAllocated", "TURN allocations made."),
    (
        "relayRefused",
        "TURN requests refused though they were signed.",
    ),
    ("relayChallenged", "TURN requests asked for credentials."),
    (
        "relayUnanswered",
        "TURN requests without credentials, dropped because their source had had enough.",
    ),
    ("relayPackets", "Payloads relayed by TURN."),
    ("relayBytes", "Their bytes."),
    ("relayDropped", "Payloads that TURN did not relay."),
    ("dropped", "Datagrams or packets dropped, by cause."),
    ("sendFailures", "Datagrams that the kernel did not take."),
    ("refusedOffers", "Offers that were not answered."),
    (
        "displacedPeers",
        "Connections given up before they came up, as too many were coming up.",
    ),
    (
        "tooFast",
        "Messages that were refused because members said too much of their kind, or too much to one other.",
    ),
    (
        "offersTooFast",
        "Of the offers not answered, those that came too fast.",
    ),
];

/// Writes everything that is counted. `shard` is a shard's answer to `Question::Stats`: an object
/// of numbers, or of objects of numbers, which become a label `kind`.
pub fn render(rim: &RimCounters, open_websockets: usize, shard: &Value) -> String {
    let mut page = String::new();
    let version = env!("CARGO_PKG_VERSION");
    family(&mut page, "info", "gauge", "The version that runs.");
    let _ = writeln!(page, "motet_info{{version=\"{version}\"}} 1");
    let help = "WebSockets open now.";
    sample(
        &mut page,
        "websockets",
        "gauge",
        help,
        open_websockets as f64,
    );
    for (name, help, counter) in rim.all() {
        let name = format!("{name}_total");
        sample(&mut page, &name, "counter", help, counter.get() as f64);
    }
    for (key, value) in shard.as_object().into_iter().flatten() {
        shard_family(&mut page, key, value);
    }
    page
}

impl RimCounters {
    fn all(&self) -> [(&'static str, &'static str, &Counter); 13] {
        [
            ("connections", "TCP connections taken.", &self.connections),
            (
                "refused",
                "TCP connections and WebSockets refused for a limit.",
                &self.refused,
            ),
            (
                "refused_joins",
                "Joins refused as the node is full, or their address has its share.",
                &self.refused_joins,
            ),
            (
                "wrong_tokens",
                "HTTP requests with a wrong token.",
                &self.wrong_tokens,
            ),
            ("websockets_opened", "WebSockets opened.", &self.websockets),
            (
                "websockets_slow",
                "WebSockets closed because their client read too slowly.",
                &self.slow,
            ),
            (
                "websockets_misbehaved",
                "WebSockets closed because their client broke the rules.",
                &self.misbehaved,
            ),
            ("messages_in", "Messages from clients.", &self.messages_in),
            ("messages_out", "Messages to clients.", &self.messages_out),
            (
                "messages_dropped",
                "Messages to clients that did not fit their queue.",
                &self.messages_dropped,
            ),
            (
                "violations",
                "Messages from clients that were refused by the rim.",
                &self.violations,
            ),
            (
                "streams",
                "TCP connections taken that carry datagrams.",
                &self.streams,
            ),
            (
                "stream_drops",
                "Datagrams for them that were lost because their client read too slowly.",
                &self.stream_drops,
            ),
        ]
    }
}

fn shard_family(page: &mut String, key: &str, value: &Value) {
    let find =
        |table: &[(&str, &'static str)]| table.iter().find(|row| row.0 == key).map(|row| row.1);
    let name = snake_case(key);
    let (name, kind, help) = match (find(GAUGES), find(COUNTERS)) {
        (Some(help), _) => (name, "gauge", help),
        (None, help) => (
            format!("{name}_total"),
            "counter",
            help.unwrap_or("Counted by the shard."),
        ),
    };
    if let Some(number) = value.as_f64() {
        sample(page, &name, kind, help, number);
    }
    if let Some(parts) = value.as_object() {
        family(page, &name, kind, help);
        for (part, number) in parts {
            let part = snake_case(part);
            if let Some(number) = number.as_f64() {
                let _ = writeln!(page, "motet_{name}{{kind=\"{part}\"}} {number}");
            }
        }
    }
}

fn sample(page: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    family(page, name, kind, help);
    let _ = writeln!(page, "motet_{name} {value}");
}

fn family(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP motet_{name} {help}");
    let _ = writeln!(page, "# TYPE motet_{name} {kind}");
}

/// `packetsIn` to `packets_in`; what a metric's name may not hold becomes `_`.
fn snake_case(key: &str) -> String {
    let mut name = String::new();
    for letter in key.chars() {
        match letter {
            'A'..='Z' => {
                name.push('_');
                name.push(letter.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => name.push(letter),
            _ => name.push('_'),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_described_before_its_samples() {
        let shard = serde_json::json!({
            "rooms": 2, "packetsIn": 10, "dropped": {"replayed": 3, "noLeg": 4}, "ignored": "text",
        });
        let page = render(&RimCounters::default(), 5, &shard);
        for line in [
            "# TYPE motet_rooms gauge",
            "motet_rooms 2",
            "# TYPE motet_packets_in_total counter",
            "motet_packets_in_total 10",
            "motet_dropped_total{kind=\"replayed\"} 3",
            "motet_dropped_total{kind=\"no_leg\"} 4",
            "motet_websockets 5",
            "motet_connections_total 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
        assert!(!page.contains("text"));
        let mut described = String::new();
        for line in page.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(rest) => described = rest.split(' ').next().unwrap_or_default().to_owned(),
                None if line.starts_with('#') => {}
                None => assert_eq!(line.split(['{', ' ']).next(), Some(described.as_str())),
            }
        }
    }
}
