//! What is left out when who takes it, a disk or a program, is too slow.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much waits: for the disk, of all recordings, or for a program, of one tap. Added to by those who
/// record, taken from by the one who writes or reads. Nobody waits for the other.
#[derive(Debug, Clone)]
pub struct Backlog {
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl Backlog {
    /// Nothing waits, of so many bytes that may.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Arc::default(),
            bytes_max,
        }
    }

    /// So many bytes wait from now on.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes are written.
    pub fn take(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// So many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn is_below(&self, quarters: usize) -> bool {
        self.bytes() < self.bytes_max / 4 * quarters
    }
}

/// Decides frame by frame what of one recording still goes to a writer that does not keep up.
///
/// Pictures give way first and come back with a key frame; sound goes on as long as there is any
/// room at all.
#[derive(Debug)]
pub struct Thinning {
    backlog: Backlog,
    /// Tracks of which something was left out since their last frame.
    cut: BTreeSet<u32>,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It goes to the writer.
    In,
    /// So does it, and before it something was left out.
    BackIn,
    /// It is left out.
    Out,
}

impl Thinning {
    /// Nothing is left out yet.
    pub fn new(backlog: Backlog) -> Self {
        let cut = BTreeSet::new();
        Self { backlog, cut }
    }

    /// Whether a frame goes to the writer.
    pub fn admit(&mut self, track: u32, is_picture: bool, key: bool) -> Admission {
        let was_cut = self.cut.contains(&track);
        // Half of the queue is for sound, and for pictures that come back there must be room to stay.
        let is_in = match (is_picture, was_cut) {
            (false, _) => self.backlog.is_below(4),
            (true, false) => self.backlog.is_below(2),
            (true, true) => key && self.backlog.is_below(1),
        };
        match (is_in, was_cut) {
            (true, true) => {
                self.cut.remove(&track);
                Admission::BackIn
            }
            (true, false) => Admission::In,
            (false, _) => {
                self.cut.insert(track);
                Admission::Out
            }
        }
    }

    /// Whether a track waits only for a key frame to come back.
    pub fn could_return(&self, track: u32) -> bool {
        self.cut.contains(&track) && self.backlog.is_below(1)
    }

    /// Whether something is left out now.
    pub fn is_active(&self) -> bool {
        !self.cut.is_empty()
    }

    /// The track is no more.
    pub fn forget(&mut self, track: u32) {
        self.cut.remove(&track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a hundred bytes; what waits is set before every frame.
    struct Bench {
        backlog: Backlog,
        thinning: Thinning,
        waiting: usize,
    }

    impl Bench {
        fn new() -> Self {
            let backlog = Backlog::new(100);
            let thinning = Thinning::new(backlog.clone());
            let waiting = 0;
            Self {
                backlog,
                thinning,
                waiting,
            }
        }

        fn wait(&mut self, bytes: usize) {
            self.backlog.add(bytes);
            self.backlog.take(self.waiting);
            self.waiting = bytes;
        }

        fn picture(&mut self, key: bool, bytes: usize) -> Admission {
            self.wait(bytes);
            self.thinning.admit(1, true, key)
        }

        fn sound(&mut self, bytes: usize) -> Admission {
            self.wait(bytes);
            self.thinning.admit(2, false, true)
        }
    }

    #[test]
    fn pictures_give_way_first_and_come_back_with_a_key_frame() {
        use Admission::{BackIn, In, Out};
        let mut bench = Bench::new();
        assert_eq!(bench.picture(false, 49), In);
        assert_eq!(bench.picture(false, 50), Out);
        assert_eq!(bench.sound(99), In);
        assert_eq!(bench.sound(100), Out);
        assert_eq!(bench.sound(99), BackIn, "sound needs no key frame");
        assert_eq!(bench.sound(99), In);
        assert_eq!(bench.picture(false, 0), Out, "its reference is missing");
        assert_eq!(bench.picture(true, 30), Out, "it would not stay");
        assert!(bench.thinning.is_active());
        assert_eq!(bench.picture(true, 20), BackIn);
        assert!(!bench.thinning.is_active());
        assert_eq!(bench.picture(false, 49), In);
    }

    #[test]
    fn a_picture_is_asked_for_once_there_is_room() {
        let mut bench = Bench::new();
        assert!(!bench.thinning.could_return(1), "nothing is left out");
        bench.picture(false, 60);
        assert!(!bench.thinning.could_return(1));
        bench.wait(20);
        assert!(bench.thinning.could_return(1));
        bench.thinning.forget(1);
        assert!(!bench.thinning.could_return(1) && !bench.thinning.is_active());
    }
}
