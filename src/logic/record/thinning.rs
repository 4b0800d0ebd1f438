//! What is left out when a disk is too slow.

use std::collections::BTreeSet;

/// Decides frame by frame what still goes to a writer that does not keep up.
///
/// Pictures give way first and come back with a key frame; sound goes on as long as there is any
/// room at all.
#[derive(Debug, Default)]
pub struct Thinning {
    /// Tracks that wait for a key frame.
    cut: BTreeSet<u32>,
}

/// How full the writer's queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Bytes that wait.
    pub bytes: usize,
    /// The most that may wait.
    pub bytes_max: usize,
}

impl Thinning {
    /// Whether a frame goes to the writer.
    pub fn admits(&mut self, track: u32, is_picture: bool, key: bool, fill: Fill) -> bool {
        if !is_picture {
            return fill.bytes < fill.bytes_max;
        }
        // Half of the queue is for sound, and for pictures that come back there must be room to stay.
        let allowed = match self.cut.contains(&track) {
            true if !key => return false,
            true => fill.bytes_max / 4,
            false => fill.bytes_max / 2,
        };
        if fill.bytes < allowed {
            self.cut.remove(&track);
            return true;
        }
        self.cut.insert(track);
        false
    }

    /// The track is no more.
    pub fn forget(&mut self, track: u32) {
        self.cut.remove(&track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_give_way_first_and_come_back_with_a_key_frame() {
        let mut thinning = Thinning::default();
        let mut admits = |is_picture, key, bytes| {
            let bytes_max = 100;
            thinning.admits(1, is_picture, key, Fill { bytes, bytes_max })
        };
        assert!(admits(true, false, 49));
        assert!(!admits(true, false, 50));
        assert!(admits(false, true, 99));
        assert!(!admits(false, true, 100));
        assert!(!admits(true, false, 0), "its reference is missing");
        assert!(!admits(true, true, 30), "it would not stay");
        assert!(admits(true, true, 20));
        assert!(admits(true, false, 49));
    }
}
