//! With TLS on, plain http only says where https is, and https asks to be kept to.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::config::{Settings, TlsMode};
use crate::io::server::Node;

/// Half a year (RFC 6797 §6.1.1): long enough for a page that is opened now and then.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=15552000");

/// How a request came to the node.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Whether it came inside TLS.
    pub is_tls: bool,
    /// The address of this machine that it came to.
    pub local: Option<SocketAddr>,
}

/// Redirects what did not come by https and should, and marks what did.
pub(super) async fn guard(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let mode = node.settings.tls.mode;
    let arrival = request.extensions().get::<Arrival>().copied();
    let Some(arrival) = arrival.filter(|_| mode != TlsMode::Off) else {
        return next.run(request).await;
    };
    if !arrival.is_tls && !may_be_plain(&node.settings, &arrival, &request) {
        return redirect(&node.settings.base_path, &request);
    }
    let mut response = next.run(request).await;
    // RFC 6797 §7.2: never over http; and a warning that cannot be clicked away helps nobody.
    if arrival.is_tls && mode != TlsMode::SelfSigned {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// Questions of this machine about the node's health, and what a trusted TLS proxy passes on.
fn may_be_plain(settings: &Settings, arrival: &Arrival, request: &Request) -> bool {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
        return false;
    };
    let peer = peer.ip().to_canonical();
    let is_own = |local: SocketAddr| local.ip().to_canonical() == peer;
    let is_here = peer.is_loopback() || arrival.local.is_some_and(is_own);
    let is_health = matches!(request.uri().path(), "/health" | "/ready" | "/metrics");
    (is_here && is_health) || settings.trusts(peer)
}

fn redirect(base: &str, request: &Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let location = authority(request.headers())
        .and_then(|host| HeaderValue::from_str(&format!("https://{host}{base}{path}")).ok());
    let Some(location) = location else {
        let detail = "This node answers https alone.";
        return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
    };
    // Both keep the method (RFC 9110 §15.4.8, §15.4.9); RFC 9725 §4.5 knows of the first.
    let is_session = path.starts_with("/whip/") || path.starts_with("/whep/");
    let status = match is_session {
        true => StatusCode::TEMPORARY_REDIRECT,
        false => StatusCode::PERMANENT_REDIRECT,
    };
    let mut response = status.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The host and port of the request. The port stays, as it carries both; that of http goes.
fn authority(headers: &HeaderMap) -> Option<String> {
    let name = super::access::host_name(headers)?;
    let host = headers.get(header::HOST)?.to_str().ok()?;
    match host[name.len()..].strip_prefix(':') {
        None | Some("" | "80") => Some(name.to_owned()),
        Some(port) => Some(format!("{name}:{}", port.parse::<u16>().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_redirect_goes_to_the_same_host() {
        for (host, expected) in [
            ("localhost:8443", Some("localhost:8443")),
            ("meet.example.org", Some("meet.example.org")),
            ("meet.example.org:80", Some("meet.example.org")),
            ("[2001:db8::7]:8443", Some("[2001:db8::7]:8443")),
            ("[2001:db8::7]", Some("[2001:db8::7]")),
            ("a/b", None),
            ("a:b", None),
            ("a:1@evil.example", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            assert_eq!(authority(&headers).as_deref(), expected, "{host}");
        }
    }
}
