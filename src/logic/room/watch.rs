//! What a program around the node is told of a room: the difference between what it knows and what is.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::MemberId;
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

use super::Room;
use super::members::Attendee;

/// Something that happened in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// It is there, empty still.
    Opened,
    /// It is no more; whoever was in it left before.
    Closed,
    /// Someone came in.
    Joined {
        /// Who.
        member: MemberId,
        /// Their name.
        name: String,
    },
    /// Someone is gone for good.
    Left {
        /// Who.
        member: MemberId,
    },
    /// A source is sent from now on.
    Published {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
        /// Silent or black for now.
        muted: bool,
    },
    /// A source fell silent or came back.
    Muted {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
        /// Whether it is silent from now on.
        muted: bool,
    },
    /// A source is no longer sent.
    Unpublished {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
    },
    /// The room is recorded from now on.
    RecordingBegun {
        /// The recording's id.
        recording: String,
    },
    /// The room is recorded no more.
    RecordingEnded {
        /// The recording's id.
        recording: String,
        /// Why.
        why: RecordingEnd,
    },
}

/// What was told of a room.
#[derive(Debug, Default)]
pub struct Watch {
    is_opened: bool,
    /// What each member sends, and whether it is muted.
    members: BTreeMap<MemberId, BTreeMap<Source, bool>>,
}

impl Room {
    /// Tells what is otherwise than `watch` knows. Safe to repeat; looks at every member, so it is for
    /// words and not for packets.
    pub fn tell_changes(&self, watch: &mut Watch, out: &mut Vec<RoomEvent>) {
        if !std::mem::replace(&mut watch.is_opened, true) {
            out.push(RoomEvent::Opened);
        }
        for attendee in self.roster.iter() {
            watch.compare(attendee, out);
        }
        if watch.members.len() > self.roster.len() {
            let present: BTreeSet<_> = self.roster.iter().map(|member| member.id).collect();
            watch.members.retain(|&member, _| {
                let stays = present.contains(&member);
                if !stays {
                    out.push(RoomEvent::Left { member });
                }
                stays
            });
        }
    }
}

impl Watch {
    fn compare(&mut self, attendee: &Attendee, out: &mut Vec<RoomEvent>) {
        let member = attendee.id;
        let known = self.members.entry(member).or_insert_with(|| {
            let name = attendee.name.clone();
            out.push(RoomEvent::Joined { member, name });
            BTreeMap::new()
        });
        for (&source, publication) in &attendee.published {
            let muted = publication.muted;
            match known.insert(source, muted) {
                None => out.push(RoomEvent::Published {
                    member,
                    source,
                    muted,
                }),
                Some(before) if before != muted => out.push(RoomEvent::Muted {
                    member,
                    source,
                    muted,
                }),
                Some(_) => {}
            }
        }
        known.retain(|&source, _| {
            let stays = attendee.published.contains_key(&source);
            if !stays {
                out.push(RoomEvent::Unpublished { member, source });
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::logic::room::{Newcomer, Origin, RoomConfig, RoomInput};
    use crate::protocol::client::{ClientFrame, ClientMessage};
    use crate::protocol::reason::Reason;

    const ADA: MemberId = MemberId(1);
    const CAMERA: Source = Source::Camera;

    fn said(message: ClientMessage) -> RoomInput {
        let frame = ClientFrame { id: None, message };
        RoomInput::Said { member: ADA, frame }
    }

    fn publish(muted: bool) -> RoomInput {
        said(ClientMessage::Publish {
            source: CAMERA,
            mid: None,
            stream: None,
            muted,
        })
    }

    #[test]
    fn what_changes_is_told_once() {
        let now = Instant::now();
        let config = Arc::new(RoomConfig::default());
        let mut room = Room::new(now, "tea".to_owned(), Origin::Join, config);
        let mut watch = Watch::default();
        let newcomer = Newcomer {
            name: "Ada".to_owned(),
            ..Newcomer::default()
        };
        let join = RoomInput::Join {
            member: ADA,
            newcomer,
            token: String::new(),
            id: None,
        };
        let mute = |muted| {
            let source = CAMERA;
            said(ClientMessage::Mute { source, muted })
        };
        let told = |muted| RoomEvent::Muted {
            member: ADA,
            source: CAMERA,
            muted,
        };
        let name = "Ada".to_owned();
        for (input, expected) in [
            (
                join,
                vec![RoomEvent::Opened, RoomEvent::Joined { member: ADA, name }],
            ),
            (
                publish(true),
                vec![RoomEvent::Published {
                    member: ADA,
                    source: CAMERA,
                    muted: true,
                }],
            ),
            (publish(true), vec![]),
            (mute(false), vec![told(false)]),
            (said(ClientMessage::Ping { after: None }), vec![]),
            (publish(true), vec![told(true)]),
            (
                said(ClientMessage::Unpublish { source: CAMERA }),
                vec![RoomEvent::Unpublished {
                    member: ADA,
                    source: CAMERA,
                }],
            ),
            (
                RoomInput::Close {
                    reason: Reason::RoomClosed,
                },
                vec![RoomEvent::Left { member: ADA }],
            ),
        ] {
            room.handle(now, input, &mut Vec::new());
            let mut events = Vec::new();
            room.tell_changes(&mut watch, &mut events);
            assert_eq!(events, expected);
        }
    }
}
