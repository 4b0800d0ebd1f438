//! A room that is recorded.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::ids::MemberId;
use crate::logic::record::manifest::Layout;
use crate::logic::topology::TopologyInput;
use crate::protocol::client::Source;
use crate::protocol::event::Event;
use crate::protocol::server::{Cause, RecordingEnd, RecordingSign, Role, ServerMessage};

use super::{Room, RoomEffect};

/// What of a room is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingScope {
    /// Sound alone.
    pub audio_only: bool,
    /// These alone; nobody named: everyone.
    pub members: BTreeSet<MemberId>,
    /// Which files there are to be.
    pub layout: Layout,
}

impl RecordingScope {
    /// Whether that is recorded.
    pub fn includes(&self, member: MemberId, source: Source) -> bool {
        let is_sound = matches!(source, Source::Microphone | Source::ScreenAudio);
        let is_meant = self.members.is_empty() || self.members.contains(&member);
        is_meant && (is_sound || !self.audio_only)
    }
}

impl Room {
    /// A recording began or ended: everyone is told, and media travels over the node meanwhile.
    pub(super) fn be_recorded(
        &mut self,
        now: Instant,
        sign: Option<RecordingSign>,
        ended: Option<RecordingEnd>,
        out: &mut Vec<RoomEffect>,
    ) {
        self.recording.clone_from(&sign);
        let recording = sign;
        let message = ServerMessage::Recording { recording, ended };
        self.tell_all(&Event::new(message), out);
        self.follow_taps(now, out);
    }

    /// A program around the node listens, or no more.
    pub(super) fn be_tapped(&mut self, now: Instant, active: bool, out: &mut Vec<RoomEffect>) {
        self.is_tapped = active;
        self.follow_taps(now, out);
    }

    /// What is no member and gets media gets it over the node.
    pub(super) fn follow_taps(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        let mut effects = Vec::new();
        let recorded = self.recording.as_ref().map(|_| Cause::Recording);
        let is_forwarded = self.is_forwarded || self.is_tapped;
        let forwarded = is_forwarded.then_some(Cause::Forwarded);
        let input = TopologyInput::Tapped(recorded.or(forwarded));
        self.topology.handle(now, input, &mut effects);
        self.announce(now, effects, None, out);
    }

    /// The disk is too slow for the recording, or keeps up again: the owners are told.
    pub(super) fn be_thinned(&mut self, thinned: bool, out: &mut Vec<RoomEffect>) {
        let Some(sign) = &mut self.recording else {
            return;
        };
        if std::mem::replace(&mut sign.thinned, thinned) != thinned {
            let (recording, ended) = (Some(sign.clone()), None);
            self.tell_owners(ServerMessage::Recording { recording, ended }, out);
        }
    }

    /// The recording that goes on, as far as it is a member's business.
    pub(super) fn recording_for(&self, member: MemberId) -> Option<RecordingSign> {
        let sign = self.recording.clone()?;
        let role = self.roster.get(member).map(|member| member.role);
        let thinned = sign.thinned && role == Some(Role::Owner);
        Some(RecordingSign { thinned, ..sign })
    }

    /// The recording that goes on.
    pub fn recording(&self) -> Option<&RecordingSign> {
        self.recording.as_ref()
    }

    /// Whether the node gets media to record: never where it is to be a mesh.
    pub fn can_be_recorded(&self) -> bool {
        !self.is_closed && self.topology.can_be_tapped()
    }

    /// A member's name.
    pub fn name_of(&self, member: MemberId) -> Option<&str> {
        Some(&self.roster.get(member)?.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::logic::room::{Newcomer, Origin, RoomConfig, RoomInput};
    use crate::protocol::server::Mode;

    #[test]
    fn media_stays_on_the_node_while_anybody_listens() {
        let mut now = Instant::now();
        let mut room = Room::new(
            now,
            "tea".to_owned(),
            Origin::Join,
            Arc::new(RoomConfig::default()),
        );
        let member = MemberId(1);
        let join = RoomInput::Join {
            member,
            newcomer: Newcomer::default(),
            token: String::new(),
            id: None,
        };
        room.handle(now, join, &mut Vec::new());
        let recording = |id: Option<&str>| RoomInput::Recording {
            sign: id.map(|id| RecordingSign {
                id: id.to_owned(),
                since_ms: 0,
                thinned: false,
            }),
            ended: None,
        };
        let tapped = |active| RoomInput::Tapped { active };
        for (input, mode) in [
            (tapped(true), Mode::Sfu),
            (recording(Some("a")), Mode::Sfu),
            (recording(None), Mode::Sfu),
        ] {
            let name = format!("{input:?}");
            room.handle(now, input, &mut Vec::new());
            for _ in 0..60 {
                now += Duration::from_secs(1);
                room.handle(now, RoomInput::Alive { member }, &mut Vec::new());
                room.handle_timeout(now, &mut Vec::new());
            }
            assert_eq!(room.mode(), mode, "{name}");
        }
    }

    #[test]
    fn a_scope_is_about_members_and_kinds() {
        let (ada, bob) = (MemberId(1), MemberId(2));
        let all = RecordingScope::default();
        assert!(all.includes(ada, Source::Screen));
        let one = RecordingScope {
            audio_only: true,
            members: BTreeSet::from([ada]),
            layout: Layout::Both,
        };
        assert!(one.includes(ada, Source::ScreenAudio));
        assert!(!one.includes(ada, Source::Camera));
        assert!(!one.includes(bob, Source::Microphone));
    }
}
