//! What other members sent to one member alone, and that may still be on its way.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::logic::limits::Limits;
use crate::protocol::event::Event;

/// All of them together leave this many shares of a queue to the room.
const SHARES_MAX: usize = 3;

/// Of one receiver. It keeps nothing alive: what was sent and acknowledged is gone by itself. Its size is
/// bounded by the shares, as each message has a least weight.
#[derive(Debug, Default)]
pub(super) struct Tray(Vec<Parcel>);

#[derive(Debug)]
struct Parcel {
    from: MemberId,
    sent: Instant,
    bytes: usize,
    event: Weak<Event>,
}

impl Tray {
    /// Whether something of that weight still fits from that member, to a receiver who is there, or whose
    /// WebSocket is waited for. A first message of any size does.
    pub(super) fn takes(
        &mut self,
        now: Instant,
        (from, event): (MemberId, &Event),
        is_here: bool,
        limits: &Limits,
    ) -> bool {
        let patience = Duration::from_secs(limits.signal_seconds.into());
        self.0.retain(|parcel| {
            let may_be_on_its_way = !is_here || now < parcel.sent + patience;
            may_be_on_its_way && parcel.event.strong_count() > 0
        });
        let fits = |held: usize, shares: usize| {
            held == 0 || held + event.text_bytes() <= shares * limits.share_bytes()
        };
        let theirs = self.0.iter().filter(|parcel| parcel.from == from);
        fits(theirs.map(|parcel| parcel.bytes).sum(), 1)
            && fits(self.0.iter().map(|parcel| parcel.bytes).sum(), SHARES_MAX)
    }

    pub(super) fn put(&mut self, now: Instant, from: MemberId, event: &Arc<Event>) {
        self.0.push(Parcel {
            from,
            sent: now,
            bytes: event.text_bytes(),
            event: Arc::downgrade(event),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::server::ServerMessage;

    fn event(members: usize) -> Arc<Event> {
        let members = vec![MemberId(1); members];
        Event::new(ServerMessage::Speakers { members })
    }

    #[test]
    fn nobody_holds_more_than_a_share_and_all_together_leave_one() {
        let limits = Limits {
            outgoing_queue_bytes: 40_000,
            ..Limits::default()
        };
        let now = Instant::now();
        let mut tray = Tray::default();
        let mut kept = Vec::new();
        let mut put = |tray: &mut Tray, from: u64, event: Arc<Event>| {
            let fits = tray.takes(now, (MemberId(from), &event), true, &limits);
            if fits {
                tray.put(now, MemberId(from), &event);
                kept.push(event);
            }
            fits
        };
        assert!(put(&mut tray, 1, event(2_000)), "any size at first");
        assert!(!put(&mut tray, 1, event(1)));
        assert!(!put(&mut tray, 2, event(1)), "there is no share left");
        kept.clear();
        let mut put = |from: u64| {
            let event = event(200);
            let fits = tray.takes(now, (MemberId(from), &event), true, &limits);
            if fits {
                tray.put(now, MemberId(from), &event);
                kept.push(event);
            }
            fits
        };
        let counts = [1, 2, 3, 4, 5].map(|from| (0..9).filter(|_| put(from)).count());
        assert_eq!(counts, [2, 2, 2, 2, 0]);
    }

    #[test]
    fn what_never_is_acknowledged_is_forgotten_while_the_receiver_is_there() {
        let limits = Limits::default();
        let start = Instant::now();
        let large = event(4_090);
        for (seconds, is_here, expected) in [
            (14, true, false),
            (15, true, true),
            (15, false, false),
            (600, false, false),
        ] {
            let mut tray = Tray::default();
            tray.put(start, MemberId(1), &large);
            let now = start + Duration::from_secs(seconds);
            let takes = tray.takes(now, (MemberId(1), &event(1)), is_here, &limits);
            assert_eq!(takes, expected, "{seconds} {is_here}");
        }
    }
}
