//! Secrets are not to be guessed over HTTP.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::access::bearer;
use super::problem::Problem;
use super::rest::internal;
use crate::io::server::Node;
use crate::logic::household::Household;

/// As [`throttled`], for a request of which nothing has been taken yet.
///
/// # Errors
/// As there.
pub(super) fn guarded(
    node: &Node,
    parts: &Parts,
    check: impl FnOnce() -> Result<(), Problem>,
) -> Result<(), Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.ok_or_else(|| internal("the peer is not known"))?.0;
    throttled(node, (peer, &parts.headers), check)
}

/// Does a check of a request's token, unless its household has been wrong too often.
///
/// # Errors
/// 429 for a token that is not even looked at; else what the check says.
pub(super) fn throttled(
    node: &Node,
    (peer, headers): (SocketAddr, &HeaderMap),
    check: impl FnOnce() -> Result<(), Problem>,
) -> Result<(), Problem> {
    if bearer(headers).is_none() {
        return check();
    }
    let household = Household::of(node.proxies.client_address(peer, headers));
    let waiting = node.guesses().check(Instant::now(), household);
    waiting.map_err(|wait| {
        let seconds = wait.as_secs_f64().ceil() as u64;
        let detail = format!("Too many wrong tokens from your address; try again in {seconds} s.");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).with_retry_after(seconds)
    })?;
    let checked = check();
    let is_wrong = |problem: &Problem| problem.status() == StatusCode::UNAUTHORIZED;
    if checked.as_ref().is_err_and(is_wrong) {
        node.rim.counters.wrong_tokens.add(1);
        node.guesses().failed(Instant::now(), household);
    }
    checked
}
