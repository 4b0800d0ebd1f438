//! From an offer to what is agreed on.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;

use super::error::{AnswerError, Refusal};
use super::formats::{Direction, Format, OfferedExtension, choose, extensions};
use super::negotiated::{
    Feedback, Line, Negotiated, PublishLine, Remote, SeatLine, SessionId, StreamSsrcs,
};
use super::read::{Description, Media};
use super::ssrcs::Ssrcs;
use super::{LocalSide, SEATS_MAX, SENDING_LINES_MAX, simulcast, transport, write};
use crate::logic::forward::codec::{Codec, MediaKind, PayloadMeaning, PayloadTypes};
use crate::logic::forward::extension::{Extension, ExtensionIds};

/// Longest mid, in characters.
const MID_LENGTH_MAX: usize = 64;

/// The protocols of RTP over DTLS-SRTP (RFC 5764 §8), and the old names for it that RFC 9429 §5.1.2
/// wants understood.
const PROTOCOLS: [&str; 8] = [
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "TCP/DTLS/RTP/SAVP",
    "TCP/TLS/RTP/SAVPF",
    "TCP/TLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
];

/// An offer that has been read and can be answered.
#[derive(Debug)]
pub struct Offer<'a> {
    pub(super) description: Description<'a>,
    /// One for each m-line.
    pub(super) lines: Vec<OfferedLine<'a>>,
    /// The indices of the accepted lines, in the order of their BUNDLE group.
    pub(super) accepted: Vec<usize>,
    /// There is a BUNDLE group.
    pub(super) bundled: bool,
    remote: Remote,
}

/// What one m-line offers.
#[derive(Debug)]
pub(super) struct OfferedLine<'a> {
    /// Empty if it has none.
    pub(super) mid: &'a str,
    pub(super) usable: Result<Usable<'a>, Refusal>,
}

/// What a line offers that the node can take.
#[derive(Debug)]
pub(super) struct Usable<'a> {
    pub(super) kind: MediaKind,
    pub(super) direction: Direction,
    pub(super) formats: Vec<Format<'a>>,
    pub(super) extensions: Vec<OfferedExtension>,
    rids: Vec<&'a str>,
    streams: Vec<StreamSsrcs>,
}

impl<'a> Offer<'a> {
    /// Reads an offer.
    ///
    /// # Errors
    /// See [`AnswerError`]; all but those that depend on an earlier offer, and too many seats.
    pub fn read(text: &'a str) -> Result<Self, AnswerError> {
        let description = Description::read(text)?;
        let bundle = transport::bundle(&description.attributes);
        let mut lines = read_lines(&description, bundle.as_deref())?;
        let accepted = accept(&mut lines, bundle.as_deref())?;
        let remote = transport::remote(&description, &accepted)?;
        Ok(Offer {
            description,
            lines,
            accepted,
            bundled: bundle.is_some(),
            remote,
        })
    }

    /// Whether this offer restarts ICE after `previous` (RFC 8445 §9): the answer then needs new
    /// local credentials.
    pub fn restarts_ice(&self, previous: &Negotiated) -> bool {
        self.remote.restarts_ice(&previous.remote)
    }

    /// See [`super::answer`].
    ///
    /// # Errors
    /// The offer does not continue `previous`, or asks for more seats than there are.
    pub fn answer(
        &self,
        local: &LocalSide<'_>,
        previous: Option<&Negotiated>,
        rng: &mut StdRng,
    ) -> Result<(String, Negotiated), AnswerError> {
        if let Some(previous) = previous {
            self.check_continues(previous)?;
        }
        let former = previous.map(|previous| &previous.lines[..]);
        let former = former.unwrap_or_default();
        let ssrcs = previous.map_or_else(|| Ssrcs::new(rng), |previous| previous.ssrcs);
        let mut seats = SeatMaker::new(self, former, ssrcs);
        let lines: Result<Vec<Line>, AnswerError> = self
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| line.agree(former.get(index), &mut seats))
            .collect();
        let lines = lines?;
        let sends = |line: &&Line| matches!(line, Line::Publish(_));
        if lines.iter().filter(sends).count() > SENDING_LINES_MAX {
            return Err(AnswerError::TooManySendingLines);
        }
        let negotiated = Negotiated {
            remote: self.remote.clone(),
            lines,
            session: next_session(previous, rng),
            ssrcs: seats.ssrcs,
        };
        Ok((write::answer(self, local, &negotiated), negotiated))
    }

    /// RFC 9429 §5.2.2: m-lines keep their place, and a place is given away only after its line was
    /// refused.
    fn check_continues(&self, previous: &Negotiated) -> Result<(), AnswerError> {
        if self.remote.fingerprint != previous.remote.fingerprint {
            return Err(AnswerError::OtherFingerprint);
        }
        let broken = previous.lines.iter().enumerate().find(|(index, former)| {
            let line = self.lines.get(*index);
            !line.is_some_and(|line| line.continues(former))
        });
        match broken {
            Some((index, _)) => Err(AnswerError::LinesChanged { index }),
            None => Ok(()),
        }
    }
}

fn next_session(previous: Option<&Negotiated>, rng: &mut StdRng) -> SessionId {
    match previous {
        Some(previous) => SessionId {
            id: previous.session.id,
            version: previous.session.version.wrapping_add(1),
        },
        // RFC 9429 §5.2.1: the highest bit is zero.
        None => SessionId {
            id: rng.random::<u64>() >> 1,
            version: 1,
        },
    }
}

fn read_lines<'a>(
    description: &Description<'a>,
    bundle: Option<&[&str]>,
) -> Result<Vec<OfferedLine<'a>>, AnswerError> {
    let session = &description.attributes;
    let direction = session
        .iter()
        .find_map(|(name, _)| Direction::from_name(name));
    let extensions = extensions(session, &[]);
    let mut mids = BTreeSet::new();
    let mut lines = Vec::new();
    for media in &description.media {
        let mid = read_mid(media)?;
        if !mid.is_empty() && !mids.insert(mid) {
            return Err(AnswerError::DuplicateMid(mid.to_owned()));
        }
        let bundled = bundle.map(|bundle| mid.is_empty() || bundle.contains(&mid));
        let direction = direction.unwrap_or(Direction::SendRecv);
        let usable = Usable::read(media, bundled, direction, &extensions);
        lines.push(OfferedLine { mid, usable });
    }
    Ok(lines)
}

/// RFC 5888 §4: a token. Empty if there is none.
fn read_mid<'a>(media: &Media<'a>) -> Result<&'a str, AnswerError> {
    let mid = media.attributes.first("mid").unwrap_or_default();
    let is_token = |byte: u8| byte.is_ascii_graphic() && !br#""(),/:;<=>?@[\]"#.contains(&byte);
    if mid.len() <= MID_LENGTH_MAX && mid.bytes().all(is_token) {
        return Ok(mid);
    }
    Err(AnswerError::Syntax {
        line: media.text_line,
        problem: "the a=mid of this m-line is not a token of at most 64 characters",
    })
}

/// The indices of the lines that can be used and share one transport, in the order of the group.
fn accept(
    lines: &mut [OfferedLine<'_>],
    bundle: Option<&[&str]>,
) -> Result<Vec<usize>, AnswerError> {
    let mut accepted: Vec<usize> = (0..lines.len())
        .filter(|&index| lines[index].usable.is_ok())
        .collect();
    let [_, _, ..] = accepted[..] else {
        let refusals = || lines.iter().filter_map(|line| line.usable.as_ref().err());
        let telling = refusals().find(|&&why| why != Refusal::Stopped);
        let why = telling.or_else(|| refusals().next()).copied();
        return match (accepted.is_empty(), why) {
            (true, Some(why)) => Err(AnswerError::NothingUsable(why)),
            _ => Ok(accepted),
        };
    };
    let bundle = bundle.ok_or(AnswerError::NoBundle)?;
    let unnamed = accepted.iter().find(|&&index| lines[index].mid.is_empty());
    if let Some(&index) = unnamed {
        return Err(AnswerError::NoMid { index });
    }
    accepted.sort_by_key(|&index| bundle.iter().position(|&mid| mid == lines[index].mid));
    Ok(accepted)
}

impl<'a> Usable<'a> {
    /// `bundled` is whether the line is in the BUNDLE group, if there is a group.
    fn read(
        media: &Media<'a>,
        bundled: Option<bool>,
        session_direction: Direction,
        inherited: &[OfferedExtension],
    ) -> Result<Self, Refusal> {
        let attributes = &media.attributes;
        // RFC 9143 §6: port 0 with `bundle-only` is alive, if it is in the group.
        if media.port == 0 && !(attributes.has("bundle-only") && bundled == Some(true)) {
            return Err(Refusal::Stopped);
        }
        let kind = match media.kind {
            "audio" => MediaKind::Audio,
            "video" => MediaKind::Video,
            _ => return Err(Refusal::NotMedia),
        };
        if !PROTOCOLS.contains(&media.protocol) {
            return Err(Refusal::Protocol);
        }
        if bundled == Some(false) {
            return Err(Refusal::NotBundled);
        }
        if !attributes.has("rtcp-mux") && !attributes.has("rtcp-mux-only") {
            return Err(Refusal::NoRtcpMux);
        }
        let direction = attributes
            .iter()
            .find_map(|(name, _)| Direction::from_name(name))
            .unwrap_or(session_direction);
        let formats = choose(kind, direction.sends(), media.formats, attributes);
        if formats.is_empty() {
            return Err(Refusal::NoCodec);
        }
        Ok(Usable {
            kind,
            direction,
            formats,
            extensions: extensions(attributes, inherited),
            rids: simulcast::rids(attributes),
            streams: simulcast::streams(attributes),
        })
    }

    pub(super) fn payload_types(&self) -> PayloadTypes {
        let mut payload_types = PayloadTypes::default();
        for format in &self.formats {
            match format.meaning {
                PayloadMeaning::Media(codec) => {
                    payload_types.set_media(codec, format.payload_type);
                }
                PayloadMeaning::Rtx(codec) => payload_types.set_rtx(codec, format.payload_type),
            }
        }
        payload_types
    }

    /// The ids of the extensions that pass.
    fn extension_ids(&self, passes: impl Fn(&OfferedExtension) -> bool) -> ExtensionIds {
        let mut ids = ExtensionIds::default();
        for offered in self.extensions.iter().filter(|offered| passes(offered)) {
            ids.set(offered.extension, offered.id);
        }
        ids
    }

    fn feedback(&self, extensions: &ExtensionIds) -> Feedback {
        let all = self.formats.iter().map(|format| format.feedback);
        all.fold(Feedback::default(), Feedback::or)
            .granted(extensions)
    }
}

impl OfferedLine<'_> {
    /// Whether this can be the next offer of a line that was `former`.
    fn continues(&self, former: &Line) -> bool {
        let same_kind = |kind| self.usable.as_ref().is_ok_and(|usable| usable.kind == kind);
        let is_refused = self.usable.is_err();
        match former {
            Line::Refused { .. } => true,
            _ if self.mid != former.mid() => is_refused && self.mid.is_empty(),
            Line::Publish(PublishLine { kind, .. })
            | Line::Seat(SeatLine { kind, .. })
            | Line::Inactive { kind, .. } => is_refused || same_kind(*kind),
        }
    }

    fn agree(&self, former: Option<&Line>, seats: &mut SeatMaker) -> Result<Line, AnswerError> {
        let mid = self.mid.to_owned();
        let usable = match &self.usable {
            Ok(usable) => usable,
            Err(why) => return Ok(Line::Refused { mid, why: *why }),
        };
        let kind = usable.kind;
        Ok(match (former, usable.direction) {
            (Some(Line::Seat(former)), _) => Line::Seat(seats.keep(mid, usable, former)?),
            (Some(Line::Publish(_)), _) => Line::Publish(publish(mid, usable)),
            (_, Direction::Inactive) => Line::Inactive { mid, kind },
            (_, Direction::RecvOnly) => Line::Seat(seats.give(mid, usable)?),
            (_, _) => Line::Publish(publish(mid, usable)),
        })
    }
}

fn publish(mid: String, usable: &Usable<'_>) -> PublishLine {
    let extensions = usable.extension_ids(|offered| offered.direction.is_none_or(Direction::sends));
    // Layers are told apart by these two alone.
    let layered = [Extension::Mid, Extension::Rid]
        .into_iter()
        .all(|extension| extensions.get(extension).is_some());
    let rids = usable.rids.iter().filter(|_| layered);
    PublishLine {
        mid,
        kind: usable.kind,
        active: usable.direction.sends(),
        payload_types: usable.payload_types(),
        extensions,
        feedback: usable.feedback(&extensions),
        rids: rids.map(|&rid| rid.to_owned()).collect(),
        streams: usable.streams.clone(),
    }
}

/// Gives seats to lines: numbers and SSRCs.
struct SeatMaker {
    /// Seats with an audio and with a video half.
    held: [BTreeSet<u16>; 2],
    /// SSRCs that the client has.
    theirs: BTreeSet<u32>,
    ssrcs: Ssrcs,
}

impl SeatMaker {
    fn new(offer: &Offer<'_>, former: &[Line], ssrcs: Ssrcs) -> Self {
        let sections = offer.description.media.iter();
        let theirs = simulcast::ssrcs(sections.map(|media| &media.attributes));
        let mut maker = SeatMaker {
            held: [BTreeSet::new(), BTreeSet::new()],
            theirs: theirs.collect(),
            ssrcs,
        };
        for (line, former) in offer.lines.iter().zip(former) {
            if let (Line::Seat(seat), Ok(_)) = (former, &line.usable) {
                maker.held[seat.kind as usize].insert(seat.seat);
            }
        }
        maker
    }

    /// A seat for a new line: the first that has no half of its kind, so that the k-th audio and
    /// the k-th video line form seat k.
    fn give(&mut self, mid: String, usable: &Usable<'_>) -> Result<SeatLine, AnswerError> {
        let held = &mut self.held[usable.kind as usize];
        let seat = (0..SEATS_MAX)
            .find(|&seat| held.insert(seat))
            .ok_or(AnswerError::TooManySeats)?;
        let ssrc = self.new_ssrc()?;
        self.seat(mid, usable, seat, ssrc, None)
    }

    /// The seat that a line was before.
    fn keep(
        &mut self,
        mid: String,
        usable: &Usable<'_>,
        former: &SeatLine,
    ) -> Result<SeatLine, AnswerError> {
        let (seat, ssrc, rtx) = (former.seat, former.ssrc, former.rtx_ssrc);
        self.seat(mid, usable, seat, ssrc, rtx)
    }

    fn seat(
        &mut self,
        mid: String,
        usable: &Usable<'_>,
        seat: u16,
        ssrc: u32,
        rtx_ssrc: Option<u32>,
    ) -> Result<SeatLine, AnswerError> {
        let extensions = usable.extension_ids(|offered| {
            let of_layers = [Extension::Rid, Extension::RepairedRid];
            let received = offered.direction.is_none_or(Direction::receives);
            received && !of_layers.contains(&offered.extension)
        });
        let payload_types = usable.payload_types();
        let has_rtx = Codec::ALL
            .into_iter()
            .any(|codec| payload_types.rtx(codec).is_some());
        let rtx_ssrc = match rtx_ssrc {
            None if has_rtx => Some(self.new_ssrc()?),
            known => known,
        };
        Ok(SeatLine {
            mid,
            kind: usable.kind,
            active: usable.direction.receives(),
            seat,
            ssrc,
            rtx_ssrc,
            payload_types,
            extensions,
            feedback: usable.feedback(&extensions),
        })
    }

    fn new_ssrc(&mut self) -> Result<u32, AnswerError> {
        let theirs = &self.theirs;
        let given = self.ssrcs.give(|ssrc| theirs.contains(&ssrc));
        given.ok_or(AnswerError::SsrcsUsedUp)
    }
}
