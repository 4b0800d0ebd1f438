//! Negotiation between two members of a mesh: passed on, never understood.

use crate::ids::MemberId;
use crate::protocol::client::{Candidate, Epoch, Signal};
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::ServerMessage;

use super::{Refusal, Room, RoomEffect};

impl Room {
    pub(super) fn signal(
        &mut self,
        from: MemberId,
        to: MemberId,
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
        self.check_size(&signal)?;
        self.count(from, to, &signal)?;
        if let Some(receiver) = self.roster.get_mut(to) {
            let message = ServerMessage::Signal {
                from,
                epoch,
                signal,
            };
            receiver.tell(message, out);
        }
        Ok(())
    }

    fn check_size(&self, signal: &Signal) -> Result<(), Refusal> {
        let limits = &self.config.limits;
        let fits = match signal {
            Signal::Description(description) => description.sdp.len() <= limits.sdp_bytes as usize,
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

    /// Candidates are counted from one description to the next; the end of candidates is free.
    fn count(&mut self, from: MemberId, to: MemberId, signal: &Signal) -> Result<(), Refusal> {
        let candidates_max = self.config.limits.candidates;
        let Some(sender) = self.roster.get_mut(from) else {
            return Ok(());
        };
        match signal {
            Signal::Description(_) => {
                sender.candidates.remove(&to);
            }
            Signal::Candidate(candidate) if is_end(candidate) => {}
            Signal::Candidate(_) => {
                let count = sender.candidates.entry(to).or_default();
                if *count >= candidates_max {
                    let message = format!("At most {candidates_max} candidates a negotiation.");
                    return Err(Refusal::new(ErrorCode::Limit, message));
                }
                *count += 1;
            }
        }
        Ok(())
    }
}

fn is_end(candidate: &Candidate) -> bool {
    candidate.candidate.is_empty()
}
