//! What a viewer is told who offers nothing that can be served.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::endpoint::SDP;

/// 406 with what the node could send, as a session description: a viewer that speaks one of its
/// formats offers again. It carries no transport, as the node makes no offers of its own.
pub(super) fn response(why: &str) -> Response {
    let reason: String = why.chars().filter(|c| !c.is_control()).collect();
    let body = format!("{SESSION}i={reason}\r\n{MEDIA}");
    let content_type = HeaderValue::from_static(SDP);
    let mut response = (StatusCode::NOT_ACCEPTABLE, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

const SESSION: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\n";
const MEDIA: &str = "t=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n\
    a=rtcp-mux-only\r\na=rtpmap:111 opus/48000/2\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\n\
    a=rtcp-mux\r\na=rtcp-mux-only\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\n\
    a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
    a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\na=rtpmap:99 AV1/90000\r\n";
