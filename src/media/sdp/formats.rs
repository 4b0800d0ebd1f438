//! Which of an m-line's payload formats and header extensions the node takes.

use super::h264;
use super::negotiated::Feedback;
use super::read::Attributes;
use crate::logic::forward::codec::{Codec, MediaKind, PayloadMeaning, PayloadTypes};
use crate::logic::forward::extension::{Extension, ExtensionIds};

/// A payload format that the node takes.
#[derive(Debug)]
pub(super) struct Format<'a> {
    pub(super) payload_type: u8,
    pub(super) meaning: PayloadMeaning,
    /// `opus/48000/2`, as the client writes it.
    pub(super) encoding: &'a str,
    /// For the answer; empty where none is needed.
    pub(super) parameters: String,
    /// What the client offers.
    pub(super) feedback: Feedback,
}

/// Takes one format per codec, and the retransmission format of each, in the offer's order. Of H264
/// somebody who sends gets the one profile that most can decode; who receives, all that they can.
pub(super) fn choose<'a>(
    kind: MediaKind,
    sends: bool,
    formats: &str,
    attributes: &Attributes<'a>,
) -> Vec<Format<'a>> {
    let table = Table::read(attributes);
    let order = payload_types(formats);
    let mut chosen = PayloadTypes::default();
    for codec in Codec::ALL.into_iter().filter(|codec| codec.kind() == kind) {
        let has_simpler = codec.family() != codec
            && chosen
                .codecs()
                .any(|other| other.family() == codec.family());
        if sends && has_simpler {
            continue;
        }
        if let Some(payload_type) = best(&table, &order, (codec, sends), &chosen) {
            chosen.set_media(codec, payload_type);
        }
    }
    for &payload_type in &order {
        match repaired_codec(&table, payload_type, &chosen) {
            Some(codec) if chosen.rtx(codec).is_none() => chosen.set_rtx(codec, payload_type),
            _ => {}
        }
    }
    let mut formats: Vec<_> = order
        .iter()
        .filter_map(|&payload_type| Format::new(&table, payload_type, &chosen))
        .collect();
    put_opus_before_red(&mut formats);
    formats
}

impl<'a> Format<'a> {
    fn new(table: &Table<'a>, payload_type: u8, chosen: &PayloadTypes) -> Option<Self> {
        let meaning = chosen.meaning(payload_type)?;
        let row = table.row(payload_type)?;
        Some(Format {
            payload_type,
            meaning,
            encoding: row.encoding,
            parameters: parameters(meaning, row.parameters, chosen),
            feedback: row.feedback.or(table.feedback_of_all),
        })
    }
}

/// What the attributes of an m-line say of its payload types. The first word on each counts.
struct Table<'a> {
    rows: Vec<Row<'a>>,
    /// `a=rtcp-fb:*`.
    feedback_of_all: Feedback,
}

#[derive(Clone, Default)]
struct Row<'a> {
    encoding: &'a str,
    parameters: &'a str,
    feedback: Feedback,
}

impl<'a> Table<'a> {
    fn read(attributes: &Attributes<'a>) -> Self {
        let mut table = Table {
            rows: vec![Row::default(); 128],
            feedback_of_all: Feedback::default(),
        };
        for (name, value) in attributes.iter() {
            if let Some((payload_type, value)) = value.split_once(' ') {
                table.take(name, payload_type, value.trim());
            }
        }
        table
    }

    fn take(&mut self, name: &str, payload_type: &str, value: &'a str) {
        if name == "rtcp-fb" && payload_type == "*" {
            self.feedback_of_all.add(value);
        }
        let row = payload_type.parse::<usize>().ok();
        let Some(row) = row.and_then(|row| self.rows.get_mut(row)) else {
            return;
        };
        match name {
            "rtpmap" if row.encoding.is_empty() => row.encoding = value,
            "fmtp" if row.parameters.is_empty() => row.parameters = value,
            "rtcp-fb" => row.feedback.add(value),
            _ => {}
        }
    }

    fn row(&self, payload_type: u8) -> Option<&Row<'a>> {
        self.rows.get(usize::from(payload_type))
    }
}

impl Feedback {
    fn add(&mut self, offered: &str) {
        match offered {
            "nack" => self.nack = true,
            "nack pli" => self.pli = true,
            "ccm fir" => self.fir = true,
            "transport-cc" => self.transport_cc = true,
            "goog-remb" => self.remb = true,
            _ => {}
        }
    }

    /// What either has.
    pub(super) fn or(self, other: Feedback) -> Feedback {
        Feedback {
            nack: self.nack || other.nack,
            pli: self.pli || other.pli,
            fir: self.fir || other.fir,
            transport_cc: self.transport_cc || other.transport_cc,
            remb: self.remb || other.remb,
        }
    }

    /// What of it is granted on a line that has these extensions.
    pub(super) fn granted(self, extensions: &ExtensionIds) -> Feedback {
        let transport_cc =
            self.transport_cc && extensions.get(Extension::TransportSequence).is_some();
        Feedback {
            transport_cc,
            remb: self.remb && !transport_cc,
            ..self
        }
    }
}

/// The payload types of a line in its order, each once, without those that RTCP packets are
/// mistaken for when both share a port (RFC 5761 §4).
fn payload_types(formats: &str) -> Vec<u8> {
    let mut seen = [false; 128];
    let mut order = Vec::new();
    for format in formats.split_ascii_whitespace() {
        let Ok(payload_type @ (0..=63 | 96..=127)) = format.parse::<u8>() else {
            continue;
        };
        let seen = seen.get_mut(usize::from(payload_type));
        if seen.is_some_and(|seen| !std::mem::replace(seen, true)) {
            order.push(payload_type);
        }
    }
    order
}

/// The best payload type for a codec: of equally good ones the first.
fn best(
    table: &Table<'_>,
    order: &[u8],
    wanted: (Codec, bool),
    chosen: &PayloadTypes,
) -> Option<u8> {
    order
        .iter()
        .filter_map(|&payload_type| {
            let rank = rank(wanted, table.row(payload_type)?, chosen)?;
            Some((rank, payload_type))
        })
        .min_by_key(|&(rank, _)| rank)
        .map(|(_, payload_type)| payload_type)
}

/// How well a format suits as the one format of a codec, 0 being best; `None` if it does not.
/// A parameter that is absent has the value that its payload format infers.
fn rank((codec, sends): (Codec, bool), row: &Row<'_>, chosen: &PayloadTypes) -> Option<u8> {
    if !encodes(row.encoding, encoding_name(codec), codec) {
        return None;
    }
    let is_zero = |name| parameter(row.parameters, name).is_none_or(|value| value == "0");
    let suits = match codec {
        Codec::Opus | Codec::Vp8 => true,
        Codec::Red => red_carries(row.parameters, chosen.media(Codec::Opus)),
        Codec::Vp9 => is_zero("profile-id"),
        Codec::Av1 => is_zero("profile"),
        Codec::H264 | Codec::H264Main | Codec::H264High => {
            return h264::rank(codec, sends, row.parameters);
        }
    };
    suits.then_some(0)
}

fn encoding_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        Codec::Red => "red",
        Codec::Vp8 => "VP8",
        Codec::Vp9 => "VP9",
        Codec::H264 | Codec::H264Main | Codec::H264High => "H264",
        Codec::Av1 => "AV1",
    }
}

/// Whether `encoding` is `name/clock` or `name/clock/channels` with the codec's numbers.
fn encodes(encoding: &str, name: &str, codec: Codec) -> bool {
    let mut parts = encoding.split('/');
    let mut next = || parts.next().unwrap_or_default();
    let (clock, channels) = match codec.kind() {
        MediaKind::Audio => ("48000", "2"),
        MediaKind::Video => ("90000", "1"),
    };
    next().eq_ignore_ascii_case(name)
        && next() == clock
        && matches!(next(), given if given.is_empty() || given == channels)
        && parts.next().is_none()
}

/// RFC 2198 §5: the payload types of the layers, `111/111`.
fn red_carries(parameters: &str, opus: Option<u8>) -> bool {
    let is_opus = |layer: &str| opus.is_some() && layer.parse().ok() == opus;
    parameters.split('/').all(is_opus)
}

/// The chosen codec that this payload type retransmits (RFC 4588 §8.1).
fn repaired_codec(table: &Table<'_>, payload_type: u8, chosen: &PayloadTypes) -> Option<Codec> {
    let row = table.row(payload_type)?;
    let apt = parameter(row.parameters, "apt")?.parse().ok()?;
    let PayloadMeaning::Media(codec) = chosen.meaning(apt)? else {
        return None;
    };
    encodes(row.encoding, "rtx", codec).then_some(codec)
}

pub(super) fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (other, value) = parameter.split_once('=')?;
        let same = other.trim().eq_ignore_ascii_case(name);
        same.then_some(value.trim())
    })
}

/// The `a=fmtp` of the answer: what the node wants, in the client's terms.
fn parameters(meaning: PayloadMeaning, offered: &str, chosen: &PayloadTypes) -> String {
    match meaning {
        PayloadMeaning::Media(Codec::Opus) => opus_parameters(offered),
        PayloadMeaning::Media(Codec::Red) => chosen
            .media(Codec::Opus)
            .map(|opus| format!("{opus}/{opus}"))
            .unwrap_or_default(),
        PayloadMeaning::Media(Codec::Vp8) => String::new(),
        PayloadMeaning::Media(Codec::Vp9) => "profile-id=0".into(),
        PayloadMeaning::Media(Codec::H264 | Codec::H264Main | Codec::H264High) => {
            h264::parameters(offered)
        }
        PayloadMeaning::Media(Codec::Av1) => av1_parameters(offered),
        PayloadMeaning::Rtx(codec) => chosen
            .media(codec)
            .map(|apt| format!("apt={apt}"))
            .unwrap_or_default(),
    }
}

/// RFC 7587 §6.1: a sender that has stereo sends it to nobody who does not prefer it.
fn opus_parameters(offered: &str) -> String {
    let stereo = match parameter(offered, "sprop-stereo") {
        Some("1") => ";stereo=1",
        _ => "",
    };
    format!("minptime=10;useinbandfec=1{stereo}")
}

/// AV1 RTP payload format 1.0 §7.2.3: the level, profile and tier of the offer.
fn av1_parameters(offered: &str) -> String {
    let echoed = ["level-idx", "profile", "tier"]
        .into_iter()
        .filter_map(|name| {
            let value: u8 = parameter(offered, name)?.parse().ok()?;
            Some(format!("{name}={value}"))
        });
    echoed.collect::<Vec<_>>().join(";")
}

/// Chromium sends what is listed first, and redundancy doubles the audio of everyone.
fn put_opus_before_red(formats: &mut [Format<'_>]) {
    let position = |codec| {
        formats
            .iter()
            .position(|format| format.meaning == PayloadMeaning::Media(codec))
    };
    if let (Some(opus), Some(red)) = (position(Codec::Opus), position(Codec::Red))
        && red < opus
    {
        formats.swap(opus, red);
    }
}

/// A header extension that the node knows, as offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfferedExtension {
    pub(super) extension: Extension,
    pub(super) id: u8,
    /// Which way the client uses it; `None` where it does not say.
    pub(super) direction: Option<Direction>,
}

/// The extensions of an m-line: its own `a=extmap` lines (RFC 8285 §5), then what it inherits from
/// the session level. An extension or an id that comes again is passed over, so there are never more
/// than there are kinds.
pub(super) fn extensions(
    attributes: &Attributes<'_>,
    inherited: &[OfferedExtension],
) -> Vec<OfferedExtension> {
    let own = attributes.all("extmap").filter_map(OfferedExtension::read);
    let mut known: Vec<OfferedExtension> = Vec::new();
    for offered in own.chain(inherited.iter().copied()) {
        let same = |other: &OfferedExtension| {
            other.extension == offered.extension || other.id == offered.id
        };
        if !known.iter().any(same) {
            known.push(offered);
        }
    }
    known
}

impl OfferedExtension {
    fn read(value: &str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        let id = fields.next()?;
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Some(Direction::from_name(direction)?)),
            None => (id, None),
        };
        Some(OfferedExtension {
            extension: Extension::from_uri(fields.next()?)?,
            id: id.parse().ok().filter(|&id| id != 0 && id != 15)?,
            direction,
        })
    }
}

/// Which way media, or a header extension, goes, as seen by who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "sendrecv" => Direction::SendRecv,
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => return None,
        })
    }

    pub(super) fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub(super) fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read::Description;
    use super::*;

    /// Payload types and answered parameters of what is taken of `rtpmap|fmtp` lines.
    fn chosen(kind: MediaKind, formats: &[(u8, &str, &str)]) -> Vec<(u8, String)> {
        chosen_by(true, kind, formats)
    }

    fn chosen_by(sends: bool, kind: MediaKind, formats: &[(u8, &str, &str)]) -> Vec<(u8, String)> {
        let list = formats
            .iter()
            .map(|(payload_type, ..)| payload_type.to_string());
        let mut text = format!("v=0\nm=x 9 y {}\n", list.collect::<Vec<_>>().join(" "));
        for (payload_type, encoding, parameters) in formats {
            text += &format!("a=rtpmap:{payload_type} {encoding}\n");
            if !parameters.is_empty() {
                text += &format!("a=fmtp:{payload_type} {parameters}\n");
            }
        }
        let read = Description::read(&text).unwrap();
        choose(
            kind,
            sends,
            read.media[0].formats,
            &read.media[0].attributes,
        )
        .into_iter()
        .map(|format| (format.payload_type, format.parameters))
        .collect()
    }

    fn taken(kind: MediaKind, formats: &[(u8, &str, &str)]) -> Vec<u8> {
        let chosen = chosen(kind, formats).into_iter();
        chosen.map(|(payload_type, _)| payload_type).collect()
    }

    #[test]
    fn one_format_per_codec_is_taken() {
        let h264 = |profile: &'static str| (102, "H264/90000", profile);
        let cases: [(&str, (u8, &str, &str), bool); 13] = [
            ("VP8", (96, "VP8/90000", ""), true),
            ("any case", (96, "vp8/90000", ""), true),
            ("another clock", (96, "VP8/48000", ""), false),
            ("one channel", (96, "VP8/90000/1", ""), true),
            ("a tail", (96, "VP8/90000/1/1", ""), false),
            ("an RTCP number", (72, "VP8/90000", ""), false),
            ("VP9 without a profile", (98, "VP9/90000", ""), true),
            ("VP9 profile 2", (98, "VP9/90000", "profile-id=2"), false),
            ("AV1 profile 1", (45, "AV1/90000", "profile=1"), false),
            (
                "42e0",
                h264("packetization-mode=1;profile-level-id=42e01f"),
                true,
            ),
            (
                "42c0",
                h264("profile-level-id=42C01F; packetization-mode=1"),
                true,
            ),
            (
                "4200",
                h264("packetization-mode=1;profile-level-id=42001f"),
                true,
            ),
            (
                "long profile",
                h264("packetization-mode=1;profile-level-id=042e01f"),
                false,
            ),
        ];
        for (name, format, expected) in cases {
            let taken = taken(MediaKind::Video, &[format]);
            assert_eq!(taken == [format.0], expected, "{name}");
            assert_eq!(taken.is_empty(), !expected, "{name}");
        }
    }

    #[test]
    fn constrained_baseline_is_taken_before_baseline() {
        let formats = [
            (
                102,
                "H264/90000",
                "packetization-mode=1;profile-level-id=42001f",
            ),
            (103, "rtx/90000", "apt=102"),
            (
                108,
                "H264/90000",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            ),
            (109, "rtx/90000", "apt=108"),
        ];
        let expected = [
            (
                108,
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".into(),
            ),
            (109, "apt=108".into()),
        ];
        assert_eq!(chosen(MediaKind::Video, &formats), expected);
    }

    #[test]
    fn who_sends_is_asked_for_the_profile_that_most_decode_and_who_receives_gets_all() {
        let of = |profile: &str| format!("packetization-mode=1;profile-level-id={profile}");
        let [baseline, main, high] = ["42e01f", "4d001f", "64001f"].map(of);
        let formats = [
            (41, "H264/90000", &high[..]),
            (39, "H264/90000", &main[..]),
            (108, "H264/90000", &baseline[..]),
        ];
        let taken = |sends, formats: &[_]| -> Vec<u8> {
            let chosen = chosen_by(sends, MediaKind::Video, formats).into_iter();
            chosen.map(|(payload_type, _)| payload_type).collect()
        };
        assert_eq!(taken(true, &formats), [108]);
        assert_eq!(taken(true, &formats[..2]), [39]);
        assert_eq!(taken(true, &formats[..1]), [41]);
        assert_eq!(taken(false, &formats), [41, 39, 108]);
    }

    #[test]
    fn who_has_stereo_is_asked_for_it() {
        let answered = |parameters| chosen(MediaKind::Audio, &[(111, "opus/48000/2", parameters)]);
        let plain = "minptime=10;useinbandfec=1".to_owned();
        assert_eq!(answered(""), [(111, plain.clone())]);
        // What it would like to receive.
        assert_eq!(answered("stereo=1"), [(111, plain.clone())]);
        assert_eq!(
            answered("sprop-stereo=1"),
            [(111, format!("{plain};stereo=1"))]
        );
    }

    #[test]
    fn redundancy_needs_its_opus_and_follows_it() {
        let opus = (111, "opus/48000/2", "stereo=1");
        let red = |parameters| (63, "red/48000/2", parameters);
        let audio = |formats: &[_]| taken(MediaKind::Audio, formats);
        assert_eq!(audio(&[red("111/111"), opus]), [111, 63]);
        assert_eq!(audio(&[opus, red("111/111")]), [111, 63]);
        assert_eq!(audio(&[opus, red("0/0")]), [111]);
        assert_eq!(audio(&[opus, red("")]), [111]);
        assert_eq!(audio(&[red("111/111")]), [0u8; 0]);
    }

    #[test]
    fn retransmission_follows_a_codec_that_is_taken() {
        let vp8 = (96, "VP8/90000", "");
        let video = |formats: &[_]| taken(MediaKind::Video, formats);
        assert_eq!(video(&[vp8, (97, "rtx/90000", "apt=96")]), [96, 97]);
        assert_eq!(
            video(&[(97, "rtx/90000", "rtx-time=5; APT = 96"), vp8]),
            [97, 96]
        );
        assert_eq!(video(&[vp8, (97, "rtx/48000", "apt=96")]), [96]);
        assert_eq!(video(&[vp8, (97, "rtx/90000", "apt=98")]), [96]);
        assert_eq!(video(&[vp8, (97, "rtx/90000", "apt=97")]), [96]);
        let twice = [
            vp8,
            (97, "rtx/90000", "apt=96"),
            (98, "rtx/90000", "apt=96"),
        ];
        assert_eq!(video(&twice), [96, 97]);
    }

    #[test]
    fn extensions_are_known_by_uri_and_direction() {
        let text = "v=0\nm=x 9 y 0\n\
            a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
            a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid\n\
            a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\n\
            a=extmap:15 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
            a=extmap:256 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
            a=extmap:200/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id x=y\n\
            a=extmap:6/sideways http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time\n\
            a=extmap:9 urn:3gpp:video-orientation\n\
            a=extmap:7 urn:unknown\na=extmap:8\n";
        let read = Description::read(text).unwrap();
        let inherited = OfferedExtension {
            extension: Extension::AbsCaptureTime,
            id: 3,
            direction: None,
        };
        let known = extensions(&read.media[0].attributes, &[inherited]);
        let expected = [
            (Extension::Mid, 4, None),
            (Extension::Rid, 200, Some(Direction::SendOnly)),
            (Extension::AbsCaptureTime, 3, None),
        ];
        let expected = expected.map(|(extension, id, direction)| OfferedExtension {
            extension,
            id,
            direction,
        });
        assert_eq!(known, expected);
    }
}
