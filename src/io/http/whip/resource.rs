//! What can be done with a session at its URL.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::caller::{Caller, SessionId, not_found};
use super::endpoint::Body;
use super::sessions::{Handle, Patched, Request};
use crate::io::http::problem::Problem;

/// RFC 8840 §9.
pub(super) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Bytes of a fragment. Beyond: 413.
const FRAGMENT_BYTES_MAX: usize = 64 * 1024;

/// `GET`: there is one, and nothing to show of it (RFC 9725 §4.1).
pub(super) async fn show(caller: Caller, session: SessionId) -> Result<StatusCode, Problem> {
    find(&caller, &session).map(|_| StatusCode::NO_CONTENT)
}

/// `OPTIONS`: asks for no token, as preflights carry none.
pub(super) async fn options() -> Response {
    let accept = HeaderName::from_static("accept-patch");
    (StatusCode::OK, [(accept, FRAGMENT)]).into_response()
}

/// `PATCH`: candidates that came later, or an ICE restart.
pub(super) async fn patch(
    caller: Caller,
    session: SessionId,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.check()?;
    let handle = find(&caller, &session)?;
    caller.check_content_type(FRAGMENT, "accept-patch")?;
    if body.len() > FRAGMENT_BYTES_MAX {
        let detail = "The fragment is too long.";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let if_match = caller.header(header::IF_MATCH).map(str::to_owned);
    let (reply, answer) = oneshot::channel();
    let request = Request::Patch {
        if_match,
        body,
        reply,
    };
    handle
        .requests
        .send(request)
        .await
        .map_err(|_| not_found())?;
    match answer.await.map_err(|_| not_found())?? {
        Patched::Trickled => Ok(StatusCode::NO_CONTENT.into_response()),
        Patched::Restarted { etag, fragment } => {
            let content_type = HeaderValue::from_static(FRAGMENT);
            let mut response = fragment.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, content_type);
            if let Ok(etag) = HeaderValue::from_str(&etag) {
                headers.insert(header::ETAG, etag);
            }
            Ok(response)
        }
    }
}

/// `DELETE`: ends the session, whatever `If-Match` says (RFC 9725 §4.3.1). It is over when this is
/// answered.
pub(super) async fn delete(caller: Caller, session: SessionId) -> Result<StatusCode, Problem> {
    caller.check()?;
    let handle = find(&caller, &session)?;
    caller.sessions.remove(&session.0).ok_or_else(not_found)?;
    let (reply, ended) = oneshot::channel();
    if handle.requests.send(Request::End { reply }).await.is_ok() {
        // Its task drops the other end without a word.
        let _ = ended.await;
    }
    Ok(StatusCode::OK)
}

fn find(caller: &Caller, session: &SessionId) -> Result<Handle, Problem> {
    let found = caller.sessions.find(caller.way, &caller.room, &session.0);
    found.ok_or_else(not_found)
}
