//! Many frames in one piece of memory.

/// Frames end to end.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    /// Appends one.
    pub fn push(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.ends.push(self.bytes.len());
    }

    /// Appends one behind something of the same frame.
    pub fn push_behind(&mut self, head: &[u8], frame: &[u8]) {
        self.bytes.extend_from_slice(head);
        self.push(frame);
    }

    /// All of them as they follow each other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Leaves none.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&end| {
            let frame = self.bytes.get(start..end);
            start = end;
            frame
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut frames = Frames::default();
        assert!(frames.is_empty());
        for frame in [&b"one"[..], b"", b"three"] {
            frames.push(frame);
        }
        frames.push_behind(b"fo", b"ur");
        let found: Vec<_> = frames.iter().collect();
        assert_eq!(found, [&b"one"[..], b"", b"three", b"four"]);
        assert_eq!(frames.bytes(), b"onethreefour");
        frames.clear();
        assert!(frames.is_empty() && frames.iter().next().is_none());
    }
}
