//! Sequence numbers of a leg: continuous outside, whatever comes inside.
//!
//! A segment is the stretch of packets that one stream gets to send on the leg. Within a segment the
//! publisher's gaps stay (so that a viewer asks for what was lost), packets left out on purpose leave
//! none, and a late packet gets the number that was kept for it. No number is ever given twice: it is
//! the nonce of the packet's encryption (RFC 3711 §9.1).

/// How far behind the newest a packet may come and still be forwarded, in packets. A larger hole in
/// the publisher's numbers is shortened to this.
pub const WINDOW: u64 = 1024;

/// The number of a forwarded packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// The outgoing number, extended: its low 16 bits go into the header, the rest is the rollover
    /// counter of SRTP.
    pub sequence: u64,
    /// No later packet of the segment went before.
    pub newest: bool,
}

/// Why a packet gets no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is from before the segment began, or more than [`WINDOW`] behind.
    TooOld,
    /// It was judged already.
    Duplicate,
}

/// Incoming numbers (extended) to outgoing ones (extended), over any number of segments.
#[derive(Debug, Clone)]
pub struct SequenceMap {
    /// First incoming number of the segment.
    start: u64,
    /// Newest incoming number of the segment, or the one before `start`.
    edge: u64,
    /// Outgoing number that belongs to `edge`, or was the last one before it if `edge` was left out.
    edge_out: u64,
    seen: Bits,
    left_out: Bits,
}

impl SequenceMap {
    /// A map whose first packet gets the number `first`. Keep it below 2^15, so that the loss of the
    /// first packets cannot be taken for a wrap by the receiver (RFC 3711 §3.3.1).
    pub fn new(first: u16) -> Self {
        Self {
            start: 0,
            edge: u64::MAX,
            edge_out: u64::from(first.max(1)) - 1,
            seen: Bits::default(),
            left_out: Bits::default(),
        }
    }

    /// Begins a segment at the incoming number `start`, which gets the next outgoing number.
    pub fn begin(&mut self, start: u64) {
        self.start = start;
        self.edge = start.wrapping_sub(1);
        self.seen.clear_all();
        self.left_out.clear_all();
    }

    /// The number for a packet that is forwarded.
    pub fn map(&mut self, incoming: u64) -> Result<Mapped, Refusal> {
        let ahead = self.place(incoming)?;
        let sequence = if ahead > 0 {
            self.advance(incoming, ahead);
            self.edge_out += ahead.min(WINDOW);
            self.edge_out
        } else {
            self.kept_number(incoming)
        };
        self.seen.set(incoming);
        Ok(Mapped {
            sequence,
            newest: ahead > 0,
        })
    }

    /// Leaves a packet out on purpose. Where later packets went already, its number stays unused.
    pub fn leave_out(&mut self, incoming: u64) -> Result<(), Refusal> {
        let ahead = self.place(incoming)?;
        if ahead > 0 {
            self.advance(incoming, ahead);
            self.edge_out += ahead.min(WINDOW) - 1;
            self.left_out.set(incoming);
        }
        self.seen.set(incoming);
        Ok(())
    }

    /// The newest outgoing number.
    pub fn newest(&self) -> u64 {
        self.edge_out
    }

    /// How far ahead of the newest a number is: 0 if it is one of the past that may still come.
    fn place(&self, incoming: u64) -> Result<u64, Refusal> {
        if incoming < self.start {
            return Err(Refusal::TooOld);
        }
        let ahead = incoming.wrapping_sub(self.edge) as i64;
        if ahead > 0 {
            return Ok(ahead as u64);
        }
        if ahead.unsigned_abs() >= WINDOW {
            return Err(Refusal::TooOld);
        }
        if self.seen.get(incoming) {
            return Err(Refusal::Duplicate);
        }
        Ok(0)
    }

    fn advance(&mut self, incoming: u64, ahead: u64) {
        for passed in 0..ahead.min(WINDOW) {
            self.seen.clear(incoming - passed);
            self.left_out.clear(incoming - passed);
        }
        self.edge = incoming;
    }

    fn kept_number(&self, incoming: u64) -> u64 {
        let left_out_since = (incoming + 1..=self.edge)
            .filter(|&later| self.left_out.get(later))
            .count() as u64;
        self.edge_out - (self.edge - incoming) + left_out_since
    }
}

/// One bit for each of the last [`WINDOW`] incoming numbers.
#[derive(Debug, Clone, Default)]
struct Bits([u64; (WINDOW / 64) as usize]);

impl Bits {
    fn get(&self, number: u64) -> bool {
        let (word, bit) = place_of(number);
        self.0[word] & bit != 0
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = place_of(number);
        self.0[word] |= bit;
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = place_of(number);
        self.0[word] &= !bit;
    }

    fn clear_all(&mut self) {
        *self = Self::default();
    }
}

fn place_of(number: u64) -> (usize, u64) {
    let number = number % WINDOW;
    ((number / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of a table: what comes in, and the outgoing number or what becomes of it.
    enum Step {
        Begin(u64),
        Forward(u64, u64),
        LeaveOut(u64),
        TooOld(u64),
        Duplicate(u64),
    }
    use Step::*;

    fn run(name: &str, steps: &[Step]) {
        let mut map = SequenceMap::new(100);
        for (index, step) in steps.iter().enumerate() {
            let at = format!("{name}, step {index}");
            match *step {
                Begin(start) => map.begin(start),
                Forward(incoming, out) => {
                    assert_eq!(map.map(incoming).map(|m| m.sequence), Ok(out), "{at}");
                }
                LeaveOut(incoming) => assert_eq!(map.leave_out(incoming), Ok(()), "{at}"),
                TooOld(incoming) => assert_eq!(map.map(incoming), Err(Refusal::TooOld), "{at}"),
                Duplicate(incoming) => {
                    assert_eq!(map.map(incoming), Err(Refusal::Duplicate), "{at}");
                }
            }
        }
    }

    #[test]
    fn numbers() {
        let cases: &[(&str, &[Step])] = &[
            (
                "in order",
                &[Begin(7), Forward(7, 100), Forward(8, 101), Forward(9, 102)],
            ),
            (
                "from zero",
                &[Begin(0), Forward(0, 100), Forward(1, 101), TooOld(u64::MAX)],
            ),
            (
                "a loss stays a gap",
                &[Begin(7), Forward(7, 100), Forward(10, 103)],
            ),
            (
                "late packets fill their gaps",
                &[
                    Begin(7),
                    Forward(7, 100),
                    Forward(10, 103),
                    Forward(9, 102),
                    Forward(8, 101),
                ],
            ),
            (
                "left out without a gap",
                &[
                    Begin(7),
                    Forward(7, 100),
                    LeaveOut(8),
                    LeaveOut(9),
                    Forward(10, 101),
                ],
            ),
            (
                "late before and after a packet left out",
                &[
                    Begin(7),
                    Forward(7, 100),
                    LeaveOut(9),
                    Forward(11, 103),
                    Forward(8, 101),
                    Forward(10, 102),
                    Duplicate(9),
                ],
            ),
            (
                "left out at the edge, then a late one",
                &[
                    Begin(7),
                    Forward(7, 100),
                    LeaveOut(9),
                    Forward(8, 101),
                    Forward(10, 102),
                ],
            ),
            (
                "left out too late keeps its number unused",
                &[
                    Begin(7),
                    Forward(7, 100),
                    Forward(9, 102),
                    LeaveOut(8),
                    Duplicate(8),
                    Forward(10, 103),
                ],
            ),
            (
                "the first left out",
                &[Begin(7), LeaveOut(7), Forward(8, 100)],
            ),
            (
                "duplicates",
                &[
                    Begin(7),
                    Forward(7, 100),
                    Duplicate(7),
                    Forward(8, 101),
                    Duplicate(7),
                    Duplicate(8),
                ],
            ),
            (
                "a second segment goes on by one and forgets the first",
                &[
                    Begin(7),
                    Forward(7, 100),
                    Forward(8, 101),
                    Begin(5000),
                    TooOld(4999),
                    Forward(5000, 102),
                    TooOld(9),
                ],
            ),
            (
                "back to the first stream, later",
                &[
                    Begin(7),
                    Forward(7, 100),
                    Begin(900),
                    Forward(900, 101),
                    Begin(12),
                    TooOld(8),
                    Forward(12, 102),
                ],
            ),
            (
                "over the 16-bit wrap",
                &[
                    Begin(65_000),
                    Forward(65_000, 100),
                    Forward(66_000, 1_100),
                    Forward(65_900, 1_000),
                ],
            ),
            (
                "a huge hole is shortened, and nothing from inside it collides",
                &[
                    Begin(0),
                    Forward(0, 100),
                    Forward(50_000, 1_124),
                    Forward(49_999, 1_123),
                    TooOld(48_976),
                    Forward(48_977, 101),
                ],
            ),
            (
                "far behind",
                &[
                    Begin(0),
                    Forward(0, 100),
                    Forward(1_024, 1_124),
                    TooOld(0),
                    Forward(1, 101),
                ],
            ),
        ];
        for (name, steps) in cases {
            run(name, steps);
        }
    }

    #[test]
    fn only_the_head_is_newest() {
        let mut map = SequenceMap::new(1);
        map.begin(10);
        let newest = [10, 12, 11, 13].map(|incoming| map.map(incoming).map(|m| m.newest));
        assert_eq!(newest, [Ok(true), Ok(true), Ok(false), Ok(true)]);
        assert_eq!(map.newest(), 4);
    }
}
