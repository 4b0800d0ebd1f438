//! Who asks, for which room, and whether they may.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Path, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Way;
use super::sessions::Sessions;
use crate::config::Secret;
use crate::io::http::access::{self, bearer, equal};
use crate::io::http::media_type;
use crate::io::http::problem::Problem;
use crate::io::http::throttle::throttled;
use crate::io::server::Node;

/// RFC 6750 §3: at least one parameter beside the scheme.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"motet\"");
/// RFC 6750 §3.1.
const CHALLENGE_AGAIN: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"motet\", error=\"invalid_token\"");

/// A request as far as all of WHIP and WHEP has in common.
pub(super) struct Caller {
    pub(super) node: Arc<Node>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) way: Way,
    /// As in the path, not checked.
    pub(super) room: String,
    pub(super) peer: SocketAddr,
    pub(super) headers: HeaderMap,
}

impl FromRequestParts<Arc<Node>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let internal = || {
            let detail = "The request lost its way.";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.ok_or_else(internal)?.0;
        let sessions = parts.extensions.get::<Arc<Sessions>>();
        let sessions = sessions.ok_or_else(internal)?.clone();
        let params = RawPathParams::from_request_parts(parts, node).await;
        let params = params.map_err(|_| not_found())?;
        let room = params.iter().find(|(name, _)| *name == "room");
        let room = room.ok_or_else(internal)?.1.to_owned();
        let way = match parts.uri.path().starts_with("/whep/") {
            true => Way::Whep,
            false => Way::Whip,
        };
        Ok(Caller {
            node: Arc::clone(node),
            sessions,
            way,
            room,
            peer,
            headers: parts.headers.clone(),
        })
    }
}

impl Caller {
    /// Whether they may publish or view here: with the token, where one is set. Without one it is as
    /// with the WebSocket: pages of other origins must be allowed by name.
    ///
    /// # Errors
    /// 401 without the token, 429 after too many wrong ones, 403 for a page of another origin.
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.token() {
            Some(token) => {
                let from = (self.peer, &self.headers);
                throttled(&self.node, from, || self.check_token(token))
            }
            None => access::check_origin(&self.node.settings, &self.headers),
        }
    }

    /// One header of the request, as text.
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body must be of that media type. It has no parameters (RFC 8866 §8.1, RFC 8840 §9), so those that
    /// clients add mean nothing.
    ///
    /// # Errors
    /// 415, with what is right in `Accept-Post` or `Accept-Patch`.
    pub(super) fn check_content_type(
        &self,
        expected: &'static str,
        accept: &'static str,
    ) -> Result<(), Problem> {
        if media_type::is_body(&self.headers, expected) {
            return Ok(());
        }
        let detail = format!("The body must be {expected}.");
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        let accept = header::HeaderName::from_static(accept);
        Err(problem.with(accept, HeaderValue::from_static(expected)))
    }

    fn token(&self) -> Option<&Secret> {
        let settings = &self.node.settings.whip;
        match self.way {
            Way::Whip => settings.whip_token.as_ref(),
            Way::Whep => settings.whep_token.as_ref(),
        }
    }

    fn check_token(&self, token: &Secret) -> Result<(), Problem> {
        let given = bearer(&self.headers);
        if given.is_some_and(|given| equal(token.reveal().as_bytes(), given.as_bytes())) {
            return Ok(());
        }
        let (detail, challenge) = match given {
            Some(_) => ("This is not the token.", CHALLENGE_AGAIN),
            None => (
                "This node asks for `Authorization: Bearer <token>`.",
                CHALLENGE,
            ),
        };
        let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
        Err(problem.with(header::WWW_AUTHENTICATE, challenge))
    }
}

/// Nothing is at that address.
pub(super) fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is no such session.")
}

/// The id of the session that a request is about.
pub(super) struct SessionId(pub(super) String);

impl FromRequestParts<Arc<Node>> for SessionId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, node).await;
        let Path((_, session)) = path.map_err(|_| not_found())?;
        Ok(SessionId(session))
    }
}
