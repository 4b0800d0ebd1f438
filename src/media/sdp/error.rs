//! Why an offer, or a line of it, was not accepted.

use super::{MEDIA_LINES_MAX, OFFER_BYTES_MAX, OFFER_TEXT_LINES_MAX, SEATS_MAX, SENDING_LINES_MAX};

/// Why an offer as a whole cannot be answered: sentences for whoever wrote the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Too many bytes or lines of text.
    #[error(
        "the offer is longer than {OFFER_BYTES_MAX} bytes or {OFFER_TEXT_LINES_MAX} lines; \
         offer fewer codecs or fewer seats"
    )]
    TooLong,
    /// Too many m-lines.
    #[error("the offer has more than {MEDIA_LINES_MAX} m-lines")]
    TooManyLines,
    /// More seats than a connection may have.
    #[error("the offer asks for more than {SEATS_MAX} seats (recvonly lines of one kind)")]
    TooManySeats,
    /// More lines that the client sends on than a connection may have.
    #[error(
        "the offer has more than {SENDING_LINES_MAX} m-lines to send on; stop those that are not \
         used any more, or keep a line and replace its track"
    )]
    TooManySendingLines,
    /// The connection has given every SSRC away once.
    #[error("the connection has no SSRC left to give: start a new connection")]
    SsrcsUsedUp,
    /// Not a session description.
    #[error("line {line} of the offer: {problem}")]
    Syntax {
        /// Of the text, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No m-line at all.
    #[error("the offer has no m-line: add a track or a transceiver before making it")]
    NoMedia,
    /// Not one m-line can be used.
    #[error("no m-line of the offer can be used; the first of them: {0}")]
    NothingUsable(Refusal),
    /// One of several m-lines has no mid.
    #[error("m-line {index} has no a=mid, which a line among several needs")]
    NoMid {
        /// Of the m-line, from 0.
        index: usize,
    },
    /// Two m-lines of one name.
    #[error("two m-lines have the mid `{0}`")]
    DuplicateMid(String),
    /// Several m-lines, each with a transport of its own.
    #[error("several m-lines need to share one transport: offer a=group:BUNDLE with their mids")]
    NoBundle,
    /// ICE credentials absent, or not of the lengths of RFC 8839 §5.4.
    #[error("the offer needs an a=ice-ufrag of 4 to 256 and an a=ice-pwd of 22 to 256 characters")]
    NoIceCredentials,
    /// No certificate to expect.
    #[error(
        "the offer needs an a=fingerprint by sha-256, sha-384 or sha-512: media is encrypted \
         by DTLS-SRTP only"
    )]
    NoFingerprint,
    /// Another certificate than before on one connection.
    #[error("the fingerprint is not the one of the earlier offer: start a new connection")]
    OtherFingerprint,
    /// The client will only be the DTLS server.
    #[error(
        "the offer says a=setup:{0}, but the node is the passive side of DTLS itself: \
         offer a=setup:actpass or a=setup:active (ffmpeg: -whip_flags dtls_active)"
    )]
    Setup(String),
    /// Not the offer of the connection that was answered before.
    #[error(
        "m-line {index} is not what it was in the earlier offer: m-lines stay, in their order, \
         for the life of a connection"
    )]
    LinesChanged {
        /// Of the m-line, from 0.
        index: usize,
    },
}

/// Why one m-line was answered with port 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client stopped it (port 0 in the offer).
    #[error("it is stopped (port 0)")]
    Stopped,
    /// Neither audio nor video.
    #[error("it is neither audio nor video")]
    NotMedia,
    /// Not RTP secured by DTLS-SRTP.
    #[error("its protocol is not UDP/TLS/RTP/SAVPF or alike")]
    Protocol,
    /// RTCP would need a port of its own.
    #[error("it has no a=rtcp-mux")]
    NoRtcpMux,
    /// Its transport is not the bundled one.
    #[error("it is not in the BUNDLE group")]
    NotBundled,
    /// None of its formats is forwarded here.
    #[error(
        "it has no codec that the node forwards: Opus, VP8, VP9 profile 0, H264 constrained \
         baseline with packetization-mode=1, AV1 profile 0"
    )]
    NoCodec,
}
