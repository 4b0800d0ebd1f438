//! The SDP answerer: the one way in for every client. A pure function from an offer to an answer
//! and to what was agreed on in it (RFC 3264, RFC 8829, RFC 9429).
//!
//! The client always offers and the node always answers, ICE-lite and DTLS-passive, with all media
//! in one BUNDLE. A line that the client sends on is a [`PublishLine`]; a line that it only receives
//! on is half a *seat*, a [`SeatLine`], with SSRCs that never change.
//!
//! Session descriptions are read by a line reader of our own (`read`): an offer that holds one odd
//! line must still be answered, and the cost must be linear in its length whatever it holds.

mod answer;
mod error;
mod formats;
mod h264;
mod negotiated;
mod outline;
mod read;
mod simulcast;
mod ssrcs;
mod transport;
mod write;

use std::net::SocketAddr;

use rand::rngs::StdRng;

pub use answer::Offer;
pub use error::{AnswerError, Refusal};
pub use negotiated::{Feedback, Line, Negotiated, PublishLine, Remote, SeatLine, StreamSsrcs};
pub use outline::{OutlinedLine, outline};

/// Longest offer that is read, in bytes.
pub const OFFER_BYTES_MAX: usize = 256 * 1024;
/// Most text lines in an offer that is read: three times what 25 seats take in Chromium.
pub const OFFER_TEXT_LINES_MAX: usize = 16 * 1024;
/// Most m-lines in an offer that is answered: 25 seats, a few of the client's own, some stopped.
pub const MEDIA_LINES_MAX: usize = 64;
/// Most seats on one connection; an offer with more is refused.
pub const SEATS_MAX: u16 = 25;
/// Most m-lines that a client sends on at a time; an offer with more is refused. Each holds the
/// last second of every layer.
pub const SENDING_LINES_MAX: usize = 8;
/// Most simulcast layers taken of one m-line; the ones after that are left out of the answer.
pub const LAYERS_MAX: usize = 3;
/// Most streams of one m-line that are known by SSRC; the ones after that are passed over, to be
/// found by their mid.
pub const STREAMS_MAX: usize = 8;

/// The node's side of one connection.
#[derive(Debug, Clone, Copy)]
pub struct LocalSide<'a> {
    /// ICE username fragment.
    pub ufrag: &'a str,
    /// ICE password.
    pub password: &'a str,
    /// SHA-256 of the DTLS certificate, `AA:BB:…`.
    pub fingerprint: &'a str,
    /// UDP host candidates, most preferred first.
    pub candidates: &'a [SocketAddr],
    /// Passive TCP candidates (RFC 6544), which stand behind all of UDP.
    pub tcp_candidates: &'a [SocketAddr],
    /// How often ICE was restarted on this connection.
    pub restarts: u32,
}

/// Answers an offer: the answer's text, and what it means.
///
/// `previous` is what the last offer on the same connection came to. An offer that restarts ICE
/// needs new credentials in `local`: where that can happen, use [`Offer::read`],
/// [`Offer::restarts_ice`] and [`Offer::answer`] one by one.
///
/// # Errors
/// What makes the whole offer unanswerable. A single line that cannot be used is not an error: it
/// is answered with port 0 and reported as [`Line::Refused`].
pub fn answer(
    offer: &str,
    local: &LocalSide<'_>,
    previous: Option<&Negotiated>,
    rng: &mut StdRng,
) -> Result<(String, Negotiated), AnswerError> {
    Offer::read(offer)?.answer(local, previous, rng)
}
