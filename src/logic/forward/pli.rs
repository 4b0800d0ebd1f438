//! Key-frame requests to a publisher: merged, paced, and repeated until the picture comes.

use std::time::{Duration, Instant};

/// At most one request per stream in this time.
const PACE: Duration = Duration::from_millis(500);
/// Requests at [`PACE`] before going on at [`PACE_SLOW`].
const HASTY_REQUESTS: u32 = 3;
/// Between requests that a publisher does not seem to hear.
const PACE_SLOW: Duration = Duration::from_secs(1);

/// How the publisher agreed to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBy {
    /// Picture loss indication (RFC 4585 §6.3.1).
    Pli,
    /// Full intra request (RFC 5104 §4.3.1), for who negotiated nothing else.
    Fir,
}

/// What to send to the publisher now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFrameRequest {
    /// A picture loss indication.
    Pli,
    /// A full intra request with its command sequence number.
    Fir {
        /// Counts the requests, so that the publisher knows a repetition of the packet from a new wish.
        sequence: u8,
    },
}

/// The requests for one received stream: everyone who waits for a key frame is served by the same one.
#[derive(Debug)]
pub struct KeyFrameRequests {
    by: RequestBy,
    fir_sequence: u8,
    asked_at: Option<Instant>,
    /// Requests since the last key frame.
    unanswered: u32,
    waiting: bool,
}

impl KeyFrameRequests {
    /// For a stream whose publisher agreed to be asked in this way.
    pub fn new(by: RequestBy) -> Self {
        Self {
            by,
            fir_sequence: 0,
            asked_at: None,
            unanswered: 0,
            waiting: false,
        }
    }

    /// Someone cannot go on without a key frame. Returns the request if it may go out at once.
    pub fn want(&mut self, now: Instant) -> Option<KeyFrameRequest> {
        self.waiting = true;
        self.handle_timeout(now)
    }

    /// The first packet of a key frame came: everyone who waited until now is served.
    pub fn key_frame_came(&mut self) {
        self.waiting = false;
        self.unanswered = 0;
    }

    /// Nobody waits any more: the viewers left, or the layer stopped.
    pub fn abandon(&mut self) {
        self.waiting = false;
        self.unanswered = 0;
    }

    /// Whether someone waits for a key frame.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// The request that is due, if any.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<KeyFrameRequest> {
        if !self.waiting || self.free_at().is_some_and(|free_at| now < free_at) {
            return None;
        }
        self.asked_at = Some(now);
        self.unanswered = self.unanswered.saturating_add(1);
        Some(self.request())
    }

    /// When the next request goes out, while someone waits.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let free_at = self.free_at().filter(|_| self.waiting)?;
        Some((free_at, "key-frame request"))
    }

    fn free_at(&self) -> Option<Instant> {
        let pace = if self.unanswered < HASTY_REQUESTS {
            PACE
        } else {
            PACE_SLOW
        };
        self.asked_at.map(|asked_at| asked_at + pace)
    }

    fn request(&mut self) -> KeyFrameRequest {
        match self.by {
            RequestBy::Pli => KeyFrameRequest::Pli,
            RequestBy::Fir => {
                let sequence = self.fir_sequence;
                self.fir_sequence = sequence.wrapping_add(1);
                KeyFrameRequest::Fir { sequence }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_first_wish_goes_out_at_once_and_the_next_ones_are_merged() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(RequestBy::Pli);
        assert_eq!(requests.want(start), Some(KeyFrameRequest::Pli));
        for milliseconds in [1, 100, 499] {
            assert_eq!(requests.want(at(start, milliseconds)), None);
        }
        assert_eq!(
            requests.poll_timeout().map(|(when, _)| when),
            Some(at(start, 500))
        );
        assert_eq!(
            requests.handle_timeout(at(start, 500)),
            Some(KeyFrameRequest::Pli)
        );
    }

    #[test]
    fn a_key_frame_serves_everyone_who_waited() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(RequestBy::Pli);
        requests.want(start);
        requests.want(at(start, 50));
        requests.key_frame_came();
        assert_eq!(requests.poll_timeout(), None);
        assert_eq!(requests.handle_timeout(at(start, 600)), None);
    }

    #[test]
    fn a_wish_after_the_key_frame_waits_for_its_turn_and_is_not_lost() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(RequestBy::Pli);
        requests.want(start);
        requests.key_frame_came();
        assert_eq!(requests.want(at(start, 200)), None);
        assert_eq!(
            requests.handle_timeout(at(start, 500)),
            Some(KeyFrameRequest::Pli)
        );
    }

    #[test]
    fn an_unheard_request_is_repeated_and_slows_down() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(RequestBy::Pli);
        let asked: Vec<u64> = (0..50)
            .map(|tick| tick * 100)
            .filter(|&milliseconds| {
                let now = at(start, milliseconds);
                match milliseconds {
                    0 => requests.want(now).is_some(),
                    _ => requests.handle_timeout(now).is_some(),
                }
            })
            .collect();
        assert_eq!(asked, [0, 500, 1000, 2000, 3000, 4000]);
    }

    #[test]
    fn nothing_is_asked_once_nobody_waits() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(RequestBy::Pli);
        requests.want(start);
        requests.abandon();
        assert!(!requests.is_waiting());
        assert_eq!(requests.handle_timeout(at(start, 5000)), None);
    }

    #[test]
    fn full_intra_requests_are_numbered_over_the_wrap() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(RequestBy::Fir);
        for round in 0..300u64 {
            let request = requests.want(at(start, round * 500));
            requests.key_frame_came();
            let sequence = (round % 256) as u8;
            assert_eq!(request, Some(KeyFrameRequest::Fir { sequence }));
        }
    }
}
