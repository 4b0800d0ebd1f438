//! A connection that offers are made to, and what holds of every answer.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use motet::logic::forward::codec::{MediaKind, PayloadTypes};
use motet::logic::forward::extension::{Extension, ExtensionIds};
use motet::media::sdp::{
    AnswerError, Feedback, Line, LocalSide, Negotiated, Offer, SEATS_MAX, SeatLine, answer,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(crate) const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];

pub(crate) fn fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/offers");
    let files = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/offers");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

pub(crate) const FINGERPRINT: &str = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
     00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

pub(crate) fn candidates() -> [SocketAddr; 2] {
    [
        "192.0.2.1:3478".parse().unwrap(),
        "[2001:db8::1]:3478".parse().unwrap(),
    ]
}

/// One connection that is offered to again and again.
pub(crate) struct Connection {
    rng: StdRng,
    pub(crate) negotiated: Option<Negotiated>,
    pub(crate) answer: String,
}

impl Connection {
    pub(crate) fn new() -> Self {
        Connection {
            rng: StdRng::seed_from_u64(1),
            negotiated: None,
            answer: String::new(),
        }
    }

    /// What every line came to, in words; what holds of every answer is checked.
    pub(crate) fn offer(&mut self, offer: &str) -> Result<Vec<String>, AnswerError> {
        let candidates = candidates();
        let local = local(&candidates);
        let (text, negotiated) = answer(offer, &local, self.negotiated.as_ref(), &mut self.rng)?;
        check_answer(offer, &text, &negotiated);
        let words = negotiated.lines.iter().map(describe).collect();
        self.negotiated = Some(negotiated);
        self.answer = text;
        Ok(words)
    }

    /// The SSRCs of the seats, in the order of their lines.
    pub(crate) fn seat_ssrcs(&self) -> Vec<(u32, Option<u32>)> {
        let seats = self.negotiated.as_ref().unwrap().seat_lines();
        seats.map(|seat| (seat.ssrc, seat.rtx_ssrc)).collect()
    }

    pub(crate) fn restarts_ice(&self, offer: &str) -> bool {
        let offer = Offer::read(offer).unwrap();
        offer.restarts_ice(self.negotiated.as_ref().unwrap())
    }
}

pub(crate) fn local(candidates: &[SocketAddr]) -> LocalSide<'_> {
    LocalSide {
        ufrag: "ours",
        password: "0123456789abcdefghijkl",
        fingerprint: FINGERPRINT,
        candidates,
        tcp_candidates: &[],
        restarts: 0,
    }
}

/// A line in words: everything that was agreed on, without the SSRCs of seats.
fn describe(line: &Line) -> String {
    match line {
        Line::Publish(line) => {
            let mut text = format!(
                "{}: publish {}",
                line.mid,
                head(line.kind, line.active, &line.payload_types)
            );
            text += &tail(&line.extensions, line.feedback);
            if !line.rids.is_empty() {
                write!(text, " | layers {}", line.rids.join(" ")).unwrap();
            }
            for stream in &line.streams {
                write!(text, " | ssrc {}", stream.media).unwrap();
                if let Some(rtx) = stream.rtx {
                    write!(text, "+{rtx}").unwrap();
                }
            }
            text
        }
        Line::Seat(line) => {
            let rtx = if line.rtx_ssrc.is_some() { "+rtx" } else { "" };
            let head = head(line.kind, line.active, &line.payload_types);
            let tail = tail(&line.extensions, line.feedback);
            format!("{}: seat {}{rtx} {head}{tail}", line.mid, line.seat)
        }
        Line::Inactive { mid, kind } => format!("{mid}: inactive {kind:?}"),
        Line::Refused { mid, why } => format!("{mid}: refused {why:?}"),
    }
}

fn head(kind: MediaKind, active: bool, payload_types: &PayloadTypes) -> String {
    let mut text = format!("{}{kind:?}", if active { "" } else { "inactive " });
    for codec in payload_types.codecs() {
        write!(text, " {codec:?} {}", payload_types.media(codec).unwrap()).unwrap();
        if let Some(rtx) = payload_types.rtx(codec) {
            write!(text, "+{rtx}").unwrap();
        }
    }
    text
}

fn tail(extensions: &ExtensionIds, feedback: Feedback) -> String {
    let mut text = String::from(" |");
    for extension in Extension::ALL {
        if let Some(id) = extensions.get(extension) {
            write!(text, " {extension:?} {id}").unwrap();
        }
    }
    let feedback = [
        (feedback.nack, "nack"),
        (feedback.pli, "pli"),
        (feedback.fir, "fir"),
        (feedback.transport_cc, "twcc"),
        (feedback.remb, "remb"),
    ];
    text += " |";
    for (_, name) in feedback.into_iter().filter(|(granted, _)| *granted) {
        write!(text, " {name}").unwrap();
    }
    text
}

/// A section of a description: its first line, and its attributes.
pub(crate) struct Section<'a> {
    media: Vec<&'a str>,
    attributes: Vec<&'a str>,
}

impl<'a> Section<'a> {
    pub(crate) fn values(&self, name: &str) -> Vec<&'a str> {
        let attributes = self.attributes.iter();
        attributes
            .filter_map(|attribute| attribute.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .collect()
    }

    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.attributes.contains(&attribute)
    }
}

/// The session level, and the m-lines.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section {
        media: Vec::new(),
        attributes: Vec::new(),
    }];
    for line in text.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let media = media.split_ascii_whitespace().collect();
            sections.push(Section {
                media,
                attributes: Vec::new(),
            });
        } else if let Some(attribute) = line.strip_prefix("a=") {
            sections.last_mut().unwrap().attributes.push(attribute);
        }
    }
    sections
}

/// What holds of every answer, whatever the offer.
fn check_answer(offer: &str, answer: &str, negotiated: &Negotiated) {
    assert!(answer.ends_with("\r\n") && answer.split("\r\n").all(|line| !line.contains('\n')));
    let (offered, answered) = (sections(offer), sections(answer));
    assert_eq!(
        offered.len(),
        answered.len(),
        "as many m-lines as the offer"
    );
    assert_eq!(negotiated.lines.len() + 1, answered.len());
    assert!(answered[0].has("ice-lite"));
    check_bundle(&offered[0], &answered[0], negotiated);
    let lines = offered.iter().zip(&answered).skip(1).zip(&negotiated.lines);
    for ((offered, answered), line) in lines {
        assert_eq!(
            offered.media[0], answered.media[0],
            "the same kind in the same place"
        );
        assert_eq!(offered.media[2], answered.media[2], "the same protocol");
        let mid = answered.values("mid").first().copied().unwrap_or_default();
        assert_eq!(mid, line.mid());
        assert_eq!(
            mid,
            offered.values("mid").first().copied().unwrap_or_default()
        );
        assert_eq!(answered.media[1] != "0", line.is_accepted());
        if line.is_accepted() {
            check_accepted(offered, answered, line);
        }
    }
    let with_candidates = answered
        .iter()
        .filter(|section| section.has("end-of-candidates"));
    assert_eq!(with_candidates.count(), 1);
    check_ssrcs(offer, negotiated);
}

fn check_bundle(offered: &Section<'_>, answered: &Section<'_>, negotiated: &Negotiated) {
    let group = |section: &Section<'_>| {
        section.values("group").into_iter().find_map(|group| {
            let mut fields = group.split_ascii_whitespace().map(str::to_owned);
            let is_bundle = fields.next()? == "BUNDLE";
            is_bundle.then(|| fields.collect::<BTreeSet<_>>())
        })
    };
    let accepted = negotiated.lines.iter().filter(|line| line.is_accepted());
    let accepted: BTreeSet<String> = accepted.map(|line| line.mid().to_owned()).collect();
    match group(answered) {
        Some(bundle) => {
            assert!(bundle.is_subset(&group(offered).unwrap()));
            assert_eq!(bundle, accepted, "what is accepted, and no more");
        }
        None => assert_eq!(accepted.len(), 1, "without a bundle there is one line"),
    }
}

fn check_accepted(offered: &Section<'_>, answered: &Section<'_>, line: &Line) {
    assert!(answered.has("setup:passive") && answered.has("rtcp-mux"));
    assert!(answered.has("ice-ufrag:ours") && answered.has("ice-pwd:0123456789abcdefghijkl"));
    assert_eq!(
        answered.values("fingerprint"),
        [format!("sha-256 {FINGERPRINT}")]
    );
    let direction = match line {
        Line::Publish(line) if line.active => "recvonly",
        Line::Seat(line) if line.active => "sendonly",
        _ => "inactive",
    };
    let said = answered
        .attributes
        .iter()
        .filter(|said| DIRECTIONS.contains(*said));
    assert_eq!(said.collect::<Vec<_>>(), [&direction]);
    for format in &answered.media[3..] {
        assert!(
            offered.media[3..].contains(format),
            "payload types are the client's"
        );
        let named = |said: &&&str| said.split(' ').next() == Some(format);
        assert_eq!(answered.values("rtpmap").iter().filter(named).count(), 1);
    }
    for apt in answered
        .values("fmtp")
        .iter()
        .filter_map(|said| said.split_once("apt="))
    {
        assert!(
            answered.media[3..].contains(&apt.1),
            "retransmission of what is there"
        );
    }
    for rid in answered.values("rid") {
        let rid = rid.strip_suffix(" recv").unwrap();
        assert!(
            offered
                .values("rid")
                .iter()
                .any(|said| said.starts_with(&format!("{rid} send")))
        );
    }
    match line {
        Line::Seat(line) => check_seat(answered, line),
        _ => assert!(answered.values("ssrc").is_empty() && answered.values("msid").is_empty()),
    }
}

fn check_seat(answered: &Section<'_>, line: &SeatLine) {
    assert!(line.seat < SEATS_MAX);
    if !line.active {
        return assert!(answered.values("msid").is_empty());
    }
    let kind = answered.media[0];
    let stream = format!("seat-{}", line.seat);
    assert_eq!(
        answered.values("msid"),
        [format!("{stream} {stream}-{kind}")]
    );
    let ssrcs = [Some(line.ssrc), line.rtx_ssrc].into_iter().flatten();
    let named: Vec<String> = ssrcs.map(|ssrc| format!("{ssrc} cname:{stream}")).collect();
    assert_eq!(answered.values("ssrc"), named);
    let group = line.rtx_ssrc.map(|rtx| format!("FID {} {rtx}", line.ssrc));
    assert_eq!(answered.values("ssrc-group"), Vec::from_iter(group));
}

/// The SSRCs of seats are unlike each other and unlike those of the client.
fn check_ssrcs(offer: &str, negotiated: &Negotiated) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for section in sections(offer) {
        seen.extend(
            section
                .values("ssrc")
                .iter()
                .filter_map(|said| said.split(' ').next())
                .map(str::to_owned),
        );
    }
    let mut places = BTreeSet::new();
    for seat in negotiated.seat_lines() {
        assert!(
            places.insert((seat.seat, seat.kind)),
            "one line for each half of a seat"
        );
        for ssrc in [Some(seat.ssrc), seat.rtx_ssrc].into_iter().flatten() {
            assert!(seen.insert(ssrc.to_string()), "{ssrc} is there twice");
        }
    }
}
pub(crate) const UFRAG: &str = "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n";
pub(crate) const MUXED_OPUS: &str = "a=rtcp-mux\na=rtpmap:111 opus/48000/2\n";

/// A description with credentials on the session level.
pub(crate) fn made_up(session: &str, lines: &[&str]) -> String {
    let mut text = format!("v=0\n{UFRAG}a=fingerprint:sha-256 {FINGERPRINT}\n{session}");
    for line in lines {
        text += &format!("m={line}\n");
    }
    text
}

pub(crate) fn opus(mid: &str, rest: &str) -> String {
    format!("audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:{mid}\n{MUXED_OPUS}{rest}")
}
