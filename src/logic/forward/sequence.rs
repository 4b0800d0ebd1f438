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
    /// First incoming number of the segment; positions count from it.
    start: u64,
    /// Positions up to the newest packet of the segment.
    length: u64,
    /// Outgoing number of the newest packet, or the one before it if that was left out.
    newest: u64,
    seen: Bits,
    left_out: Bits,
}

/// Where in its segment a packet comes.
enum Place {
    /// So many places after the newest.
    Ahead(u64),
    /// Among those that went already.
    Late,
}

impl SequenceMap {
    /// A map whose first packet gets the number `first`. Keep it below 2^15, so that the loss of the
    /// first packets cannot be taken for a wrap by the receiver (RFC 3711 §3.3.1).
    pub fn new(first: u16) -> Self {
        Self {
            start: 0,
            length: 0,
            newest: u64::from(first.max(1)) - 1,
            seen: Bits::default(),
            left_out: Bits::default(),
        }
    }

    /// Begins a segment at the incoming number `start`, which gets the next outgoing number.
    pub fn begin(&mut self, start: u64) {
        self.start = start;
        self.length = 0;
        self.seen = Bits::default();
        self.left_out = Bits::default();
    }

    /// The number for a packet that is forwarded.
    pub fn map(&mut self, incoming: u64) -> Result<Mapped, Refusal> {
        let (position, place) = self.place(incoming)?;
        let mapped = match place {
            Place::Ahead(ahead) => {
                self.advance(position, ahead);
                self.newest += ahead.min(WINDOW);
                Mapped {
                    sequence: self.newest,
                    newest: true,
                }
            }
            Place::Late => Mapped {
                sequence: self.kept_number(position),
                newest: false,
            },
        };
        self.seen.set(position);
        Ok(mapped)
    }

    /// Leaves a packet out on purpose. Where later packets went already, its number stays unused.
    pub fn leave_out(&mut self, incoming: u64) -> Result<(), Refusal> {
        let (position, place) = self.place(incoming)?;
        if let Place::Ahead(ahead) = place {
            self.advance(position, ahead);
            self.newest += ahead.min(WINDOW) - 1;
            self.left_out.set(position);
        }
        self.seen.set(position);
        Ok(())
    }

    /// The newest outgoing number.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    fn place(&self, incoming: u64) -> Result<(u64, Place), Refusal> {
        let position = incoming.checked_sub(self.start).ok_or(Refusal::TooOld)?;
        if position >= self.length {
            return Ok((
                position,
                Place::Ahead((position - self.length).saturating_add(1)),
            ));
        }
        if self.length - position > WINDOW {
            return Err(Refusal::TooOld);
        }
        if self.seen.get(position) {
            return Err(Refusal::Duplicate);
        }
        Ok((position, Place::Late))
    }

    fn advance(&mut self, position: u64, ahead: u64) {
        for passed in 0..ahead.min(WINDOW) {
            self.seen.clear(position - passed);
            self.left_out.clear(position - passed);
        }
        self.length = position.saturating_add(1);
    }

    fn kept_number(&self, position: u64) -> u64 {
        let left_out_since = (position + 1..self.length)
            .filter(|&later| self.left_out.get(later))
            .count() as u64;
        self.newest + left_out_since - (self.length - 1 - position)
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
            ("from zero", &[Begin(0), Forward(0, 100), Forward(1, 101)]),
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
