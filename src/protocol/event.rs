//! A message to one or many members, kept once for all of them.

use std::sync::Arc;

use super::client::Signal;
use super::server::{
    ChatLine, IceServer, Knock, Member, PathException, RecordingSign, ServerMessage,
};

/// A message, and what it weighs: known without writing it, so that nobody who decides has to.
#[derive(Debug, PartialEq)]
pub struct Event {
    message: ServerMessage,
    text_bytes: usize,
}

impl Event {
    /// Weighs a message.
    pub fn new(message: ServerMessage) -> Arc<Event> {
        let text_bytes = weigh(&message);
        Arc::new(Event {
            message,
            text_bytes,
        })
    }

    /// The message.
    pub fn message(&self) -> &ServerMessage {
        &self.message
    }

    /// Bytes of its text at most, its number in a member's sequence included.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Bytes that it holds while it is kept: always more than its text.
    pub fn kept_bytes(&self) -> usize {
        self.text_bytes + size_of::<Event>()
    }

    /// The text without a number, to be given one by [`numbered`].
    pub fn body(&self) -> String {
        // Fails for maps whose keys are not text, and there is none.
        serde_json::to_string(&self.message).unwrap_or_default()
    }
}

/// The text of an event with its number in a member's sequence, from its [`Event::body`].
pub fn numbered(body: &str, seq: u64) -> String {
    let fields = body.strip_prefix('{').unwrap_or_default();
    format!("{{\"seq\":{seq},{fields}")
}

/// The fields of fixed length that any message has, and a number of 64 bits.
const FIXED_BYTES: usize = 192;
/// Besides, what `joined` has.
const JOINED_BYTES: usize = 384;
/// What a member has.
const MEMBER_BYTES: usize = 128;
/// A member's id in a list.
const ID_BYTES: usize = 16;
/// What stands around the text of variable length of one element of a list.
const ELEMENT_BYTES: usize = 72;

fn weigh(message: &ServerMessage) -> usize {
    let variable = match message {
        ServerMessage::Error { message, .. } => text(message),
        ServerMessage::Joined {
            resume,
            waiting,
            members,
            exceptions,
            ice_servers,
            history,
            recording,
            ..
        } => {
            JOINED_BYTES
                + text(&resume.token)
                + sum(waiting, knock)
                + sum(members, member)
                + sum(exceptions, exception)
                + sum(ice_servers, ice_server)
                + sum(history, line)
                + sum(recording.as_slice(), sign)
        }
        ServerMessage::Resumed {
            resume,
            ice_servers,
            ..
        } => text(&resume.token) + sum(ice_servers, ice_server),
        ServerMessage::IceServers { ice_servers } => sum(ice_servers, ice_server),
        ServerMessage::Member { member: seen } => member(seen),
        ServerMessage::Signal { signal, .. } => self::signal(signal),
        ServerMessage::Answer { sdp, .. } => text(sdp),
        ServerMessage::Seats { seats } => ELEMENT_BYTES * seats.len(),
        ServerMessage::Undecodable { pictures } => ELEMENT_BYTES * pictures.len(),
        ServerMessage::Commit { missing, .. } | ServerMessage::Rollback { missing, .. } => {
            ID_BYTES * missing.len()
        }
        ServerMessage::Paths { exceptions, .. } => sum(exceptions, exception),
        ServerMessage::Knocks { waiting } => sum(waiting, knock),
        ServerMessage::Recording { recording, .. } => sum(recording.as_slice(), sign),
        ServerMessage::Chat(chat) => line(chat),
        ServerMessage::Speakers { members } => ID_BYTES * members.len(),
        ServerMessage::Ok { .. }
        | ServerMessage::Waiting { .. }
        | ServerMessage::Left { .. }
        | ServerMessage::Encode { .. }
        | ServerMessage::Switch { .. }
        | ServerMessage::Rules(_)
        | ServerMessage::Reaction { .. }
        | ServerMessage::Pong { .. }
        | ServerMessage::Draining { .. }
        | ServerMessage::Bye { .. } => 0,
    };
    FIXED_BYTES + variable
}

fn sum<T>(elements: &[T], weigh: impl Fn(&T) -> usize) -> usize {
    elements
        .iter()
        .map(|element| ELEMENT_BYTES + weigh(element))
        .sum()
}

fn member(member: &Member) -> usize {
    let published = sum(&member.published, |one| optional(one.stream.as_ref()));
    let sources = member.silenced.len() + member.forwarded.len();
    MEMBER_BYTES + text(&member.name) + published + ID_BYTES * sources
}

fn knock(knock: &Knock) -> usize {
    text(&knock.name)
}

fn exception(_: &PathException) -> usize {
    ID_BYTES
}

fn line(line: &ChatLine) -> usize {
    text(&line.name) + text(&line.text)
}

fn sign(sign: &RecordingSign) -> usize {
    text(&sign.id)
}

fn ice_server(server: &IceServer) -> usize {
    let urls: usize = server.urls.iter().map(|url| text(url) + 1).sum();
    urls + optional(server.username.as_ref()) + optional(server.credential.as_ref())
}

fn signal(signal: &Signal) -> usize {
    match signal {
        Signal::Description(description) => text(&description.sdp),
        Signal::Candidate(candidate) => {
            text(&candidate.candidate)
                + optional(candidate.sdp_mid.as_ref())
                + optional(candidate.username_fragment.as_ref())
        }
    }
}

fn optional(value: Option<&String>) -> usize {
    value.map_or(0, |value| text(value))
}

/// Bytes of a JSON string, its quotes included (RFC 8259 §7).
fn text(value: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + value.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ids::MemberId;
    use crate::protocol::client::{Candidate, Description, DescriptionKind, Feed, Source};
    use crate::protocol::server::{MemberKind, Presence, Published, Reach, Role, Seat};

    const NASTY: &str = "\u{0}\u{1f}\"\\\r\n\t\u{8}\u{c}\u{7f}é👨\u{200D}👩</script>";

    fn chat(text: &str) -> ServerMessage {
        ServerMessage::Chat(ChatLine {
            from: MemberId(u64::MAX),
            name: NASTY.into(),
            text: text.into(),
            at_ms: u64::MAX,
        })
    }

    fn full_member() -> Member {
        let sources = vec![
            Source::Microphone,
            Source::Camera,
            Source::ScreenAudio,
            Source::Screen,
        ];
        Member {
            id: MemberId(u64::MAX),
            name: NASTY.repeat(9),
            kind: MemberKind::Whip,
            role: Role::Owner,
            sfu_only: false,
            published: sources
                .iter()
                .map(|&source| Published {
                    source,
                    stream: Some(NASTY.into()),
                    muted: false,
                })
                .collect(),
            silenced: sources.clone(),
            forwarded: sources,
            hand_ms: Some(u64::MAX),
            presence: Presence::Reconnecting,
            node: Reach::Refused,
        }
    }

    #[test]
    fn a_message_is_never_longer_than_it_was_said_to_be() {
        let description = Signal::Description(Description {
            kind: DescriptionKind::Answer,
            sdp: NASTY.repeat(99),
        });
        let candidate = Signal::Candidate(Candidate {
            candidate: NASTY.repeat(9),
            sdp_mid: Some(NASTY.into()),
            sdp_m_line_index: Some(u16::MAX),
            username_fragment: Some(NASTY.into()),
        });
        let signals = [description, candidate].map(|signal| ServerMessage::Signal {
            from: MemberId(u64::MAX),
            epoch: u32::MAX,
            signal,
        });
        let seat = Seat {
            member: MemberId(u64::MAX),
            feed: Feed::Screen,
        };
        let others = [
            chat(""),
            chat(&NASTY.repeat(99)),
            ServerMessage::Member {
                member: full_member(),
            },
            ServerMessage::Seats {
                seats: vec![Some(seat); 25],
            },
            ServerMessage::Speakers {
                members: vec![MemberId(u64::MAX); 99],
            },
        ];
        for message in signals.into_iter().chain(others) {
            let event = Event::new(message);
            let text = numbered(&event.body(), u64::MAX);
            assert!(text.len() <= event.text_bytes(), "{text}");
            assert!(event.text_bytes() <= text.len() + 2_000, "{text}");
            assert!(event.text_bytes() < event.kept_bytes());
        }
    }
}
