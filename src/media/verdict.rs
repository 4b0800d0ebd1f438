//! What a file of a recording needs so that it plays to its end.

/// What a file needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it was finished.
    Whole,
    /// To be deleted: it was never begun, there is nothing whole in it, or it is not ours.
    Empty,
    /// This.
    Repair(Repair),
}

/// What makes a file whole, to be done in this order.
#[derive(Debug, PartialEq, Eq)]
pub struct Repair {
    /// Cut it to this many bytes.
    pub keep: u64,
    /// Append this.
    pub append: Vec<u8>,
    /// Write this over what is there.
    pub patches: Vec<Patch>,
    /// How long it is, in milliseconds.
    pub duration_ms: u64,
}

/// Bytes to be written over what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// From the beginning of the file.
    pub at: u64,
    /// What.
    pub bytes: Vec<u8>,
}
