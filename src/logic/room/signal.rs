//! Negotiation between two members of a mesh: passed on, never understood.

use std::time::Instant;

use crate::ids::MemberId;
use crate::logic::limits::{Bucket, Limits};
use crate::protocol::client::{Candidate, Epoch, Signal};
use crate::protocol::event::Event;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::ServerMessage;

use super::{Refusal, Room, RoomEffect};

/// What a member sends to one other.
#[derive(Debug)]
pub(super) struct Pair {
    /// Candidates of the current negotiation.
    candidates: u32,
    /// What is left of the sender's share.
    signals: Bucket,
}

impl Pair {
    fn new(now: Instant, limits: &Limits) -> Pair {
        Pair {
            candidates: 0,
            signals: Bucket::new(now, limits.signals_per_second, 1, limits.signals_burst),
        }
    }

    /// Candidates are counted from one description to the next; the end of candidates is free.
    fn count(&mut self, signal: &Signal, candidates_max: u32) -> Result<(), Refusal> {
        match signal {
            Signal::Description(_) => self.candidates = 0,
            Signal::Candidate(candidate) if is_end(candidate) => {}
            Signal::Candidate(_) if self.candidates >= candidates_max => {
                let message = format!("At most {candidates_max} candidates a negotiation.");
                return Err(Refusal::new(ErrorCode::Limit, message));
            }
            Signal::Candidate(_) => self.candidates += 1,
        }
        Ok(())
    }
}

impl Room {
    pub(super) fn signal(
        &mut self,
        now: Instant,
        (from, to): (MemberId, MemberId),
        epoch: Epoch,
        signal: Signal,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        if from == to || !self.has(to) {
            return Err(Refusal::no_such_member(to));
        }
        if !self.topology.may_signal(from, to, epoch) {
            return Err(Refusal::stale());
        }
        check_size(&signal, &self.config.limits)?;
        self.introduce(out);
        let limits = &self.config.limits;
        let too_fast = |message| Refusal::new(ErrorCode::TooFast, message);
        let Some(sender) = self.roster.get_mut(from) else {
            return Ok(());
        };
        let pair = sender.pairs.entry(to);
        let pair = pair.or_insert_with(|| Pair::new(now, limits));
        if !pair.signals.take(now) {
            return Err(too_fast("Too many signals to one member in a short time."));
        }
        pair.count(&signal, limits.candidates)?;
        let message = ServerMessage::Signal {
            from,
            epoch,
            signal,
        };
        let event = Event::new(message);
        let Some(receiver) = self.roster.get_mut(to) else {
            return Ok(());
        };
        let is_here = receiver.is_here();
        if !receiver.tray.takes(now, (from, &event), is_here, limits) {
            let message =
                "They have not got what was sent to them before: wait a second and send it again.";
            return Err(too_fast(message));
        }
        receiver.tray.put(now, from, &event);
        receiver.tell_event(&event, out);
        Ok(())
    }
}

fn check_size(signal: &Signal, limits: &Limits) -> Result<(), Refusal> {
    let fits = match signal {
        Signal::Description(description) => description.sdp.len() <= limits.signal_bytes as usize,
        Signal::Candidate(candidate) => {
            let is_token = |text: &Option<String>| {
                let bytes = text.as_ref().map_or(0, String::len);
                bytes <= limits.token_bytes as usize
            };
            candidate.candidate.len() <= limits.candidate_bytes as usize
                && is_token(&candidate.sdp_mid)
                && is_token(&candidate.username_fragment)
        }
    };
    let too_large = || Refusal::new(ErrorCode::TooLarge, "The signal is too long.");
    fits.then_some(()).ok_or_else(too_large)
}

fn is_end(candidate: &Candidate) -> bool {
    candidate.candidate.is_empty()
}
