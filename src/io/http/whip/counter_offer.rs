//! What a viewer is told who offers nothing that can be served.

use std::fmt::Write;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::endpoint::SDP;
use crate::protocol::server::PictureCodec;

/// What the node can send, whoever publishes.
pub(super) const ALL: [PictureCodec; 6] = [
    PictureCodec::Vp8,
    PictureCodec::H264,
    PictureCodec::Vp9,
    PictureCodec::Av1,
    PictureCodec::H264Main,
    PictureCodec::H264High,
];

/// 406 with what could be sent, as a session description: a viewer that speaks one of its
/// formats offers again. It carries no transport, as the node makes no offers of its own.
pub(super) fn response(why: &str, codecs: &[PictureCodec]) -> Response {
    let content_type = HeaderValue::from_static(SDP);
    let mut response = (StatusCode::NOT_ACCEPTABLE, body(why, codecs)).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn body(why: &str, codecs: &[PictureCodec]) -> String {
    let reason: String = why.chars().filter(|c| !c.is_control()).collect();
    let numbered = || (96..).zip(codecs);
    let numbers: String = numbered().map(|(number, _)| format!(" {number}")).collect();
    let mut text =
        format!("{SESSION}i={reason}\r\n{AUDIO}m=video 9 UDP/TLS/RTP/SAVPF{numbers}\r\n{VIDEO}");
    for (number, codec) in numbered() {
        let (encoding, parameters) = format_of(*codec);
        // Writing to a String does not fail.
        let _ = write!(text, "a=rtpmap:{number} {encoding}/90000\r\n");
        if !parameters.is_empty() {
            let _ = write!(text, "a=fmtp:{number} {parameters}\r\n");
        }
    }
    text
}

const SESSION: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\n";
const AUDIO: &str = "t=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n\
    a=rtcp-mux-only\r\na=rtpmap:111 opus/48000/2\r\n";
const VIDEO: &str =
    "c=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\na=rtcp-mux-only\r\n";

fn format_of(codec: PictureCodec) -> (&'static str, &'static str) {
    match codec {
        PictureCodec::Vp8 => ("VP8", ""),
        PictureCodec::Vp9 => ("VP9", "profile-id=0"),
        PictureCodec::Av1 => ("AV1", ""),
        PictureCodec::H264 => (
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
        PictureCodec::H264Main => (
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f",
        ),
        PictureCodec::H264High => (
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_that_would_do_are_named() {
        let text = body("No\r\nway.", &[PictureCodec::H264High]);
        assert!(text.contains("\r\ni=Noway.\r\n"));
        let (_, video) = text.split_once("m=video ").unwrap_or_default();
        assert!(video.starts_with("9 UDP/TLS/RTP/SAVPF 96\r\n"));
        assert!(video.contains("profile-level-id=64001f\r\n") && !video.contains("VP8"));
    }
}
