//! How often a member may say what others hear of, and how much a room may talk.
//!
//! What is passed on to one other member alone is counted in `signal`; what changes about members is told at
//! a pace of its own by `news`.

use std::time::Instant;

use crate::logic::limits::{Bucket, Limits};
use crate::protocol::client::ClientMessage;
use crate::protocol::event::Event;
use crate::protocol::reason::ErrorCode;

use super::Refusal;

/// What is left of a member's share, by what they say.
#[derive(Debug)]
pub(super) struct Quota {
    publish: Bucket,
    mute: Bucket,
    hand: Bucket,
    view: Bucket,
    reports: Bucket,
    decisions: Bucket,
    reactions: Bucket,
    chat: Bucket,
    chat_bytes: Bucket,
}

/// What is left of a room's share of chat and reactions.
#[derive(Debug)]
pub(super) struct Talk {
    /// Every line, once for everyone who hears it.
    deliveries: Bucket,
    /// To each of them.
    bytes: Bucket,
}

impl Quota {
    pub(super) fn new(now: Instant, limits: &Limits) -> Quota {
        let changes = Bucket::new(now, limits.changes_per_second, 1, limits.changes_burst);
        let share = u32::try_from(limits.share_bytes()).unwrap_or(u32::MAX);
        Quota {
            publish: changes.clone(),
            mute: changes.clone(),
            hand: changes.clone(),
            view: changes,
            reports: Bucket::new(now, limits.reports_per_second, 1, limits.reports_burst),
            decisions: Bucket::new(now, limits.decisions_per_second, 1, limits.decisions_burst),
            reactions: limits.reaction_bucket(now),
            chat: Bucket::new(now, limits.chat_per_second, 1, limits.chat_burst),
            chat_bytes: Bucket::new(now, limits.chat_bytes_per_second, 1, share),
        }
    }

    /// Counts a message.
    ///
    /// # Errors
    /// `tooFast`.
    pub(super) fn take(&mut self, now: Instant, message: &ClientMessage) -> Result<(), Refusal> {
        let (bucket, sentence) = match message {
            ClientMessage::Publish { .. } | ClientMessage::Unpublish { .. } => {
                (&mut self.publish, "Sources come and go too often.")
            }
            ClientMessage::Mute { .. } => (&mut self.mute, "A source is muted too often."),
            ClientMessage::Hand { .. } => (&mut self.hand, "A hand goes up and down too often."),
            ClientMessage::View { .. } => (&mut self.view, "The view changes too often."),
            ClientMessage::Ready { .. }
            | ClientMessage::Pair { .. }
            | ClientMessage::Unreachable { .. }
            | ClientMessage::Strain { .. } => {
                (&mut self.reports, "Too many reports in a short time.")
            }
            ClientMessage::Silence { .. }
            | ClientMessage::LowerHand { .. }
            | ClientMessage::Remove { .. }
            | ClientMessage::Lock { .. }
            | ClientMessage::Lobby { .. }
            | ClientMessage::Admit { .. }
            | ClientMessage::Deny { .. } => {
                (&mut self.decisions, "Too many decisions in a short time.")
            }
            ClientMessage::React { .. } => {
                (&mut self.reactions, "Too many reactions in a short time.")
            }
            ClientMessage::Chat { .. } => (
                &mut self.chat,
                "Too many lines of chat in a short time: wait a second and say it again.",
            ),
            // Heard by nobody else, counted elsewhere, or the last that is said.
            ClientMessage::Join { .. }
            | ClientMessage::Resume { .. }
            | ClientMessage::Signal { .. }
            | ClientMessage::Offer { .. }
            | ClientMessage::Record { .. }
            | ClientMessage::Ping { .. }
            | ClientMessage::End {}
            | ClientMessage::Bye {} => return Ok(()),
        };
        bucket
            .take(now)
            .then_some(())
            .ok_or_else(|| too_fast(sentence))
    }

    /// Counts the bytes of a line of chat.
    ///
    /// # Errors
    /// `tooFast`.
    pub(super) fn take_chat(&mut self, now: Instant, line: &Event) -> Result<(), Refusal> {
        let fits = self.chat_bytes.take_many(now, bytes_of(line));
        let refusal =
            || too_fast("Too much chat in a short time: wait a few seconds and say it again.");
        fits.then_some(()).ok_or_else(refusal)
    }
}

impl Talk {
    pub(super) fn new(now: Instant, limits: &Limits) -> Talk {
        let bucket =
            |per_second: u32| Bucket::new(now, per_second, 1, per_second.saturating_mul(2));
        Talk {
            deliveries: bucket(limits.talk_per_second),
            bytes: bucket(limits.talk_bytes_per_second),
        }
    }

    /// Counts what everyone in the room is to hear.
    ///
    /// # Errors
    /// `tooFast`.
    pub(super) fn take(
        &mut self,
        now: Instant,
        receivers: usize,
        event: &Event,
    ) -> Result<(), Refusal> {
        let receivers = u32::try_from(receivers).unwrap_or(u32::MAX);
        let fits =
            self.deliveries.take_many(now, receivers) && self.bytes.take_many(now, bytes_of(event));
        let refusal = || too_fast("The whole room talks too fast: wait a second and say it again.");
        fits.then_some(()).ok_or_else(refusal)
    }
}

fn bytes_of(event: &Event) -> u32 {
    u32::try_from(event.text_bytes()).unwrap_or(u32::MAX)
}

fn too_fast(sentence: &str) -> Refusal {
    Refusal::new(ErrorCode::TooFast, sentence)
}
