//! Writes an answer.

use std::collections::BTreeSet;
use std::fmt::{Arguments, Write};
use std::net::{IpAddr, SocketAddr};

use super::LocalSide;
use super::answer::{Offer, OfferedLine, Usable};
use super::formats::{Direction, Format, OfferedExtension};
use super::negotiated::{Line, Negotiated, PublishLine, SeatLine};
use super::read::Media;
use crate::logic::forward::codec::PayloadMeaning;
use crate::logic::forward::extension::ExtensionIds;

/// The answer to an offer that came to this.
pub(super) fn answer(offer: &Offer<'_>, local: &LocalSide<'_>, negotiated: &Negotiated) -> String {
    let mut text = Text::default();
    write_session(&mut text, offer, negotiated);
    let lines = offer
        .description
        .media
        .iter()
        .zip(&offer.lines)
        .zip(&negotiated.lines);
    for (index, ((media, offered), line)) in lines.enumerate() {
        match &offered.usable {
            Ok(usable) => {
                let section = Section {
                    media,
                    offered,
                    usable,
                    line,
                    local,
                };
                // RFC 9143 §7.3.1: the first of the group speaks for the transport of all.
                section.write(&mut text, offer.accepted.first() == Some(&index));
            }
            Err(_) => write_refused(&mut text, media, offered.mid),
        }
    }
    text.0
}

/// Text in lines.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.0.write_fmt(line);
        self.0.push_str("\r\n");
    }
}

fn write_session(text: &mut Text, offer: &Offer<'_>, negotiated: &Negotiated) {
    let session = negotiated.session;
    text.line(format_args!("v=0"));
    text.line(format_args!(
        "o=- {} {} IN IP4 127.0.0.1",
        session.id, session.version
    ));
    text.line(format_args!("s=-"));
    text.line(format_args!("t=0 0"));
    if offer.bundled {
        let accepted = offer.accepted.iter();
        let mids = accepted.filter_map(|&index| Some(offer.lines.get(index)?.mid));
        let mids: Vec<&str> = mids.filter(|mid| !mid.is_empty()).collect();
        if !mids.is_empty() {
            text.line(format_args!("a=group:BUNDLE {}", mids.join(" ")));
        }
    }
    text.line(format_args!("a=ice-lite"));
    if offer.description.attributes.has("extmap-allow-mixed") {
        text.line(format_args!("a=extmap-allow-mixed"));
    }
    text.line(format_args!("a=msid-semantic:WMS *"));
}

/// RFC 3264 §6: port 0, and a format that means nothing.
fn write_refused(text: &mut Text, media: &Media<'_>, mid: &str) {
    let format = media.formats.split_ascii_whitespace().next().unwrap_or("0");
    text.line(format_args!(
        "m={} 0 {} {format}",
        media.kind, media.protocol
    ));
    text.line(format_args!("c=IN IP4 0.0.0.0"));
    text.line(format_args!("a=inactive"));
    if !mid.is_empty() {
        text.line(format_args!("a=mid:{mid}"));
    }
}

/// An accepted m-line.
struct Section<'a> {
    media: &'a Media<'a>,
    offered: &'a OfferedLine<'a>,
    usable: &'a Usable<'a>,
    line: &'a Line,
    local: &'a LocalSide<'a>,
}

impl Section<'_> {
    fn write(&self, text: &mut Text, has_candidates: bool) {
        self.write_media_line(text);
        if has_candidates {
            write_candidates(text, self.local.candidates, self.local.tcp_candidates);
        }
        self.write_transport(text);
        self.write_extensions(text);
        self.write_direction(text);
        for format in &self.usable.formats {
            self.write_format(text, format);
        }
        match self.line {
            Line::Publish(line) => write_layers(text, line),
            Line::Seat(line) if line.active => write_ssrcs(text, line),
            _ => {}
        }
    }

    fn write_media_line(&self, text: &mut Text) {
        let formats = self.usable.formats.iter();
        let formats: Vec<String> = formats
            .map(|format| format.payload_type.to_string())
            .collect();
        let unknown = SocketAddr::from(([0, 0, 0, 0], 9));
        let default = self.local.candidates.first().unwrap_or(&unknown);
        let (kind, protocol) = (self.media.kind, self.media.protocol);
        let (port, formats) = (default.port(), formats.join(" "));
        text.line(format_args!("m={kind} {port} {protocol} {formats}"));
        match default.ip().to_canonical() {
            IpAddr::V4(address) => text.line(format_args!("c=IN IP4 {address}")),
            IpAddr::V6(address) => text.line(format_args!("c=IN IP6 {address}")),
        }
    }

    fn write_transport(&self, text: &mut Text) {
        text.line(format_args!("a=ice-ufrag:{}", self.local.ufrag));
        text.line(format_args!("a=ice-pwd:{}", self.local.password));
        text.line(format_args!(
            "a=fingerprint:sha-256 {}",
            self.local.fingerprint
        ));
        text.line(format_args!("a=setup:passive"));
        if !self.offered.mid.is_empty() {
            text.line(format_args!("a=mid:{}", self.offered.mid));
        }
        text.line(format_args!("a=rtcp-mux"));
        if self.media.attributes.has("rtcp-rsize") {
            text.line(format_args!("a=rtcp-rsize"));
        }
        if self.media.attributes.has("extmap-allow-mixed") {
            text.line(format_args!("a=extmap-allow-mixed"));
        }
    }

    fn write_extensions(&self, text: &mut Text) {
        let ids = self.extension_ids();
        for offered in &self.usable.extensions {
            if ids.get(offered.extension) == Some(offered.id) {
                let OfferedExtension {
                    extension,
                    id,
                    direction,
                } = offered;
                let direction = answered_direction(*direction);
                text.line(format_args!("a=extmap:{id}{direction} {}", extension.uri()));
            }
        }
    }

    fn extension_ids(&self) -> ExtensionIds {
        match self.line {
            Line::Publish(line) => line.extensions,
            Line::Seat(line) => line.extensions,
            Line::Inactive { .. } | Line::Refused { .. } => ExtensionIds::default(),
        }
    }

    fn write_direction(&self, text: &mut Text) {
        match self.line {
            Line::Publish(PublishLine { active: true, .. }) => {
                text.line(format_args!("a=recvonly"))
            }
            Line::Seat(line) if line.active => {
                text.line(format_args!("a=sendonly"));
                text.line(format_args!(
                    "a=msid:{} {}",
                    line.stream_id(),
                    line.track_id()
                ));
            }
            _ => text.line(format_args!("a=inactive")),
        }
    }

    fn write_format(&self, text: &mut Text, format: &Format<'_>) {
        let payload_type = format.payload_type;
        text.line(format_args!("a=rtpmap:{payload_type} {}", format.encoding));
        if matches!(format.meaning, PayloadMeaning::Media(_)) {
            let feedback = format.feedback.granted(&self.extension_ids());
            let named = [
                (feedback.remb, "goog-remb"),
                (feedback.transport_cc, "transport-cc"),
                (feedback.fir, "ccm fir"),
                (feedback.nack, "nack"),
                (feedback.pli, "nack pli"),
            ];
            for (_, name) in named.into_iter().filter(|&(granted, _)| granted) {
                text.line(format_args!("a=rtcp-fb:{payload_type} {name}"));
            }
        }
        if !format.parameters.is_empty() {
            text.line(format_args!("a=fmtp:{payload_type} {}", format.parameters));
        }
    }
}

/// RFC 8285 §6: the other end's view of what was offered; nothing where nothing was said.
fn answered_direction(offered: Option<Direction>) -> &'static str {
    match offered {
        None | Some(Direction::SendRecv) => "",
        Some(Direction::SendOnly) => "/recvonly",
        Some(Direction::RecvOnly) => "/sendonly",
        Some(Direction::Inactive) => "/inactive",
    }
}

/// RFC 8853 §5.3: the same rids, seen from the receiver.
fn write_layers(text: &mut Text, line: &PublishLine) {
    for rid in &line.rids {
        text.line(format_args!("a=rid:{rid} recv"));
    }
    if !line.rids.is_empty() {
        text.line(format_args!("a=simulcast:recv {}", line.rids.join(";")));
    }
}

fn write_ssrcs(text: &mut Text, line: &SeatLine) {
    if let Some(rtx) = line.rtx_ssrc {
        text.line(format_args!("a=ssrc-group:FID {} {rtx}", line.ssrc));
    }
    for ssrc in [Some(line.ssrc), line.rtx_ssrc].into_iter().flatten() {
        text.line(format_args!("a=ssrc:{ssrc} cname:{}", line.stream_id()));
    }
}

/// Component 1, as RTCP is multiplexed.
fn write_candidates(text: &mut Text, over_udp: &[SocketAddr], over_tcp: &[SocketAddr]) {
    let address_of = |candidate: &SocketAddr| candidate.ip().to_canonical();
    let all = over_udp.iter().chain(over_tcp);
    let bases: BTreeSet<IpAddr> = all.map(address_of).collect();
    for (index, candidate) in over_udp.iter().enumerate() {
        let address = address_of(candidate);
        // RFC 8445 §5.1.1.3: the same for candidates of one base address and protocol.
        let foundation = 1 + bases.range(..address).count();
        let (priority, port) = (host_priority(index), candidate.port());
        text.line(format_args!(
            "a=candidate:{foundation} 1 udp {priority} {address} {port} typ host"
        ));
    }
    for (index, candidate) in over_tcp.iter().enumerate() {
        let address = address_of(candidate);
        let foundation = 1 + bases.len() + bases.range(..address).count();
        let (priority, port) = (tcp_priority(index), candidate.port());
        text.line(format_args!(
            "a=candidate:{foundation} 1 tcp {priority} {address} {port} typ host tcptype passive"
        ));
    }
    text.line(format_args!("a=end-of-candidates"));
}

/// RFC 8445 §5.1.2.1, with type preference 126 (host) and component 1; earlier ones are preferred.
fn host_priority(index: usize) -> u32 {
    let local = 65_535_u16.saturating_sub(u16::try_from(index).unwrap_or(u16::MAX));
    (126 << 24) | (u32::from(local) << 8) | 255
}

/// RFC 6544 §4.2: a type preference below all of UDP's, as that section wants it, and direction
/// preference 4 (passive) in the upper three bits of the local one.
fn tcp_priority(index: usize) -> u32 {
    let other = 8_191_u16.saturating_sub(u16::try_from(index).unwrap_or(u16::MAX));
    (90 << 24) | (u32::from((4 << 13) | other) << 8) | 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_have_foundation_and_priority() {
        let candidates: Vec<SocketAddr> = ["192.0.2.1:3478", "[2001:db8::1]:3478", "192.0.2.1:443"]
            .iter()
            .filter_map(|address| address.parse().ok())
            .collect();
        let mut text = Text::default();
        write_candidates(&mut text, &candidates, &candidates[1..2]);
        let expected = "a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n\
            a=candidate:2 1 udp 2130706175 2001:db8::1 3478 typ host\r\n\
            a=candidate:1 1 udp 2130705919 192.0.2.1 443 typ host\r\n\
            a=candidate:4 1 tcp 1520435199 2001:db8::1 3478 typ host tcptype passive\r\n\
            a=end-of-candidates\r\n";
        assert_eq!(text.0, expected);
    }
}
