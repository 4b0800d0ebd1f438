//! The opening handshake of a WebSocket (RFC 6455 §4.2), and the socket behind it.
//!
//! Of our own, because a socket keeps the buffer of the longest frame that it ever sent: a newcomer's list of
//! five hundred members would stay with every one of them. So what is long goes out in fragments (§5.4).

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Sink, SinkExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ring::digest;
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message};

/// What a WebSocket holds while nothing comes; the usual 128 KiB would be most of an idle member.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes of one frame. Longer messages are sent in several.
pub(super) const FRAME_BYTES: usize = 8 * 1024;
/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A WebSocket of the node.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A client's part of the opening handshake.
#[derive(Debug)]
pub struct Handshake {
    key: HeaderValue,
    protocols: HeaderMap,
    on_upgrade: OnUpgrade,
}

/// This was not an opening handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHandshake;

impl IntoResponse for NoHandshake {
    fn into_response(self) -> Response {
        StatusCode::UPGRADE_REQUIRED.into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = NoHandshake;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoHandshake> {
        let is_right = parts.method == Method::GET
            && parts.version == Version::HTTP_11
            && names(&parts.headers, CONNECTION, "upgrade")
            && names(&parts.headers, UPGRADE, "websocket")
            && names(&parts.headers, SEC_WEBSOCKET_VERSION, "13");
        let key = parts.headers.get(SEC_WEBSOCKET_KEY).cloned();
        let (true, Some(key)) = (is_right, key) else {
            return Err(NoHandshake);
        };
        let on_upgrade = parts.extensions.remove().ok_or(NoHandshake)?;
        let asked = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let protocols = asked.map(|value| (SEC_WEBSOCKET_PROTOCOL, value.clone()));
        Ok(Handshake {
            key,
            protocols: protocols.collect(),
            on_upgrade,
        })
    }
}

impl Handshake {
    /// Whether the client asks for that subprotocol.
    pub fn asks_for(&self, protocol: &str) -> bool {
        let lists = self.protocols.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let mut asked = lists.flat_map(|list| list.as_bytes().split(|&byte| byte == b','));
        asked.any(|asked| asked.trim_ascii() == protocol.as_bytes())
    }

    /// Takes it: the response, after which the socket is open for messages of at most `bytes_max` bytes.
    pub fn accept<F>(
        self,
        protocol: Option<&'static str>,
        bytes_max: usize,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let config = WebSocketConfig::default()
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max))
            .read_buffer_size(READ_BUFFER_BYTES);
        tokio::spawn(async move {
            // Who is gone before the upgrade needs no socket.
            if let Ok(upgraded) = self.on_upgrade.await {
                let io = TokioIo::new(upgraded);
                serve(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await).await;
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept_of(self.key.as_bytes())) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(protocol) = protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        response
    }
}

/// Sends a text message; one that is longer than a frame in fragments, each of which is out before the next.
/// What is shorter need not be out yet: flush.
///
/// # Errors
/// If the socket fails.
pub async fn feed_text(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    text: String,
) -> Result<(), Error> {
    if text.len() <= FRAME_BYTES {
        return sink.feed(Message::text(text)).await;
    }
    let mut ends = Vec::new();
    while ends.last() != Some(&text.len()) {
        let begin = ends.last().copied().unwrap_or_default();
        let mut end = text.len().min(begin + FRAME_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        ends.push(end);
    }
    let whole = text.len();
    let (bytes, mut begin) = (Bytes::from(text), 0);
    for end in ends {
        let data = if begin == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let frame = Frame::message(bytes.slice(begin..end), OpCode::Data(data), end == whole);
        sink.send(Message::Frame(frame)).await?;
        begin = end;
    }
    Ok(())
}

/// Whether a list of tokens names one, in upper or lower case.
fn names(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let lists = headers.get_all(name).iter();
    let mut tokens = lists.flat_map(|list| list.as_bytes().split(|&byte| byte == b','));
    tokens.any(|named| named.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// RFC 6455 §4.2.2.
fn accept_of(key: &[u8]) -> String {
    let mut digest = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(GUID);
    STANDARD.encode(digest.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_key_of_the_standard_is_accepted_as_it_says() {
        let accept = accept_of(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn what_is_long_goes_out_in_frames_of_whole_characters() {
        for (text, frames) in [
            ("x".to_owned(), None),
            ("x".repeat(FRAME_BYTES), None),
            ("x".repeat(FRAME_BYTES + 1), Some(2)),
            ("\u{2603}".repeat(FRAME_BYTES), Some(4)),
        ] {
            let mut sink =
                Vec::new().sink_map_err(|never: std::convert::Infallible| match never {});
            feed_text(&mut sink, text.clone()).await.unwrap();
            let mut sent = String::new();
            let mut finals = Vec::new();
            for message in sink.get_ref() {
                match message {
                    Message::Text(whole) => sent.push_str(whole),
                    Message::Frame(frame) => {
                        sent.push_str(str::from_utf8(frame.payload()).unwrap());
                        finals.push(frame.header().is_final);
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(sent, text);
            assert_eq!(finals.len(), frames.unwrap_or_default());
            assert_eq!(
                finals.iter().position(|is_final| *is_final),
                frames.map(|count| count - 1)
            );
        }
    }
}
