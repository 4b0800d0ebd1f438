//! What a room's owner may do.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::{ClientMessage, Source};
use crate::protocol::event::Event;
use crate::protocol::reason::Reason;
use crate::protocol::server::{Rules, ServerMessage};

use super::{MediaOrder, Refusal, Room, RoomEffect};

impl Room {
    /// Takes a message that only the owner may say, and did.
    pub(super) fn moderate(
        &mut self,
        now: Instant,
        message: ClientMessage,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        match message {
            ClientMessage::Silence {
                member,
                source,
                silenced: true,
            } => self.hold(member, source, out)?,
            ClientMessage::Silence { member, source, .. } => self.let_go(member, source)?,
            ClientMessage::LowerHand { member } => self.lower_hand(member)?,
            ClientMessage::Remove { member } => {
                let household = self.subject(member)?.pass.household();
                self.removed
                    .note(household, self.config.limits.removed_households);
                self.send_away(now, member, Reason::Removed, out);
            }
            ClientMessage::Lock { locked } => {
                let rules = Rules {
                    locked,
                    ..self.rules
                };
                self.decide(now, rules, out);
            }
            ClientMessage::Lobby { enabled: lobby } => {
                let rules = Rules {
                    lobby,
                    ..self.rules
                };
                self.decide(now, rules, out);
            }
            ClientMessage::Admit { member } => self.admit(now, member, out)?,
            ClientMessage::Deny { member } => self.deny(now, member, out)?,
            _ => {}
        }
        Ok(())
    }

    fn decide(&mut self, now: Instant, rules: Rules, out: &mut Vec<RoomEffect>) {
        if rules == self.rules {
            return;
        }
        self.rules = rules;
        self.tell_all(&Event::new(ServerMessage::Rules(rules)), out);
        self.admit_who_may(now, out);
    }

    fn hold(
        &mut self,
        member: MemberId,
        source: Source,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let subject = self.subject(member)?;
        if !subject.silenced.hold(source) {
            return Ok(());
        }
        let published = subject.published.get_mut(&source);
        if let Some(publication) = published.filter(|publication| !publication.muted) {
            publication.muted = true;
            if publication.mid.is_some() {
                let muted = true;
                out.push(RoomEffect::Media(MediaOrder::Mute {
                    member,
                    source,
                    muted,
                }));
            }
        }
        self.news.changed(member, true);
        Ok(())
    }

    fn let_go(&mut self, member: MemberId, source: Source) -> Result<(), Refusal> {
        if self.subject(member)?.silenced.let_go(source) {
            self.news.changed(member, true);
        }
        Ok(())
    }

    fn lower_hand(&mut self, member: MemberId) -> Result<(), Refusal> {
        if !self.has(member) {
            return Err(Refusal::no_such_member(member));
        }
        self.set_hand(member, None);
        Ok(())
    }
}
