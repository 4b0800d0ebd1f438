//! A room whose media is sent to other programs.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::Source;

use super::{Room, RoomEffect};

impl Room {
    /// These are sent to other programs from now on: everyone sees it of whom, and media travels over
    /// the node meanwhile.
    pub(super) fn be_forwarded(
        &mut self,
        now: Instant,
        sources: &BTreeSet<(MemberId, Source)>,
        out: &mut Vec<RoomEffect>,
    ) {
        let members: Vec<MemberId> = self.roster.iter().map(|attendee| attendee.id).collect();
        for member in members {
            let theirs = sources.iter().filter(|(other, _)| *other == member);
            let theirs: BTreeSet<Source> = theirs.map(|(_, source)| *source).collect();
            let Some(attendee) = self.roster.get_mut(member) else {
                continue;
            };
            if attendee.forwarded != theirs {
                attendee.forwarded = theirs;
                self.news.changed(member, true);
            }
        }
        self.is_forwarded = !sources.is_empty();
        self.follow_taps(now, out);
    }

    /// Whether a member sends that, to whomever.
    pub fn publishes(&self, member: MemberId, source: Source) -> bool {
        let attendee = self.roster.get(member);
        attendee.is_some_and(|attendee| attendee.published.contains_key(&source))
    }
}
