//! ICE-lite (RFC 8445 §2.5): answers checks, never sends any.

use std::time::Instant;

use rand::rngs::StdRng;

use crate::ids::Path;
use crate::media::egress::SendArena;

/// One side's username fragment and password (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Tells whose check it is.
    pub ufrag: String,
    /// Keys the message integrity.
    pub password: String,
}

impl Credentials {
    /// New ones: 48 and 144 random bits.
    pub fn random(_rng: &mut StdRng) -> Self {
        todo!()
    }
}

/// The username fragment of ours that a Binding request is for: the part of USERNAME before the
/// colon. Nothing is verified yet.
pub fn local_ufrag(_message: &[u8]) -> Option<&str> {
    todo!()
}

/// What a valid check changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The path was not in the validated set before.
    pub new_path: bool,
    /// The path to send by has changed to this one.
    pub selected: bool,
    /// A restart is complete: the old credentials are gone.
    pub restarted: bool,
    /// This path left the validated set to make room.
    pub evicted: Option<Path>,
}

/// Why a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Not a STUN Binding request.
    #[error("not a binding request")]
    NotABindingRequest,
}

/// Whether the peer still consents to be sent to (RFC 7675).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Alive,
    /// No valid check for 30 s.
    Gone,
}

/// The lite side of one ICE session.
pub struct IceLite {}

impl IceLite {
    /// Waits for checks.
    pub fn new(_now: Instant, _local: Credentials, _remote: Credentials) -> Self {
        todo!()
    }

    /// Takes a STUN message; a valid check is answered into `out`.
    pub fn handle(
        &mut self,
        _now: Instant,
        _path: Path,
        _message: &[u8],
        _out: &mut SendArena,
    ) -> Result<Checked, CheckError> {
        todo!()
    }

    /// New credentials beside the old ones, until a check with the new ones nominates a path.
    pub fn restart(&mut self, _local: Credentials, _remote: Credentials) {
        todo!()
    }

    /// The username fragments that must route here.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// A valid check came over this path less than 30 s ago.
    pub fn is_validated(&self, _path: &Path) -> bool {
        todo!()
    }

    /// The path to send by.
    pub fn selected(&self) -> Option<Path> {
        todo!()
    }

    /// Drops paths without a check for 30 s into `removed`.
    pub fn handle_timeout(&mut self, _now: Instant, _removed: &mut Vec<Path>) -> Consent {
        todo!()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        todo!()
    }
}
