//! `/api/session`: a cookie with which a browser reads files of recordings.
//!
//! A `<video>` sends no `Authorization`, and an address that holds the right to read would stay in
//! histories and logs. So the page shows the admin token once and gets a cookie for it: one that no script reads,
//! that no other site has sent, and that opens recordings and nothing else. Nothing is kept for it: it
//! is signed with the admin token, and another token makes it void.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::hmac;

use super::rest::Manager;
use crate::config::Settings;
use crate::io::server::Node;

const COOKIE: &str = "motet-recordings";
/// Where it is sent to, below the node's own path: files are there.
const PATH: &str = "/api/rooms";
/// A long day of listening.
const LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// `POST /api/session`: who manages the node gets the cookie.
pub(super) async fn open(
    _: Manager,
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
) -> Response {
    let until = unix_time() + LIFETIME;
    let value = signed(node.admin.secret.reveal().as_bytes(), until.as_secs());
    with_cookie(&value, LIFETIME, &headers, &node.settings)
}

/// `DELETE /api/session`: the browser forgets the cookie.
pub(super) async fn close(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    with_cookie("", Duration::ZERO, &headers, &node.settings)
}

/// Whether a request carries a cookie that was given out for this token and still holds.
pub(super) fn is_open(token: &[u8], headers: &HeaderMap) -> bool {
    let now = unix_time().as_secs();
    let cookies = headers.get_all(header::COOKIE).iter();
    cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .any(|value| is_signed(token, value, now))
}

fn with_cookie(
    value: &str,
    lifetime: Duration,
    headers: &HeaderMap,
    settings: &Settings,
) -> Response {
    // Browsers name the origin of every POST and DELETE, also behind a proxy that ends TLS.
    let origin = headers.get(header::ORIGIN);
    let is_secure = origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if is_secure { "; Secure" } else { "" };
    let (age, base) = (lifetime.as_secs(), &settings.base_path);
    let cookie = format!(
        "{COOKIE}={value}; Path={base}{PATH}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
    );
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// `<until>.<signature>`.
fn signed(token: &[u8], until_unix_seconds: u64) -> String {
    let signature = hmac::sign(&key(token), &statement(until_unix_seconds));
    let hex: String = signature
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{until_unix_seconds}.{hex}")
}

fn is_signed(token: &[u8], value: &str, now_unix_seconds: u64) -> bool {
    let read = || {
        let (until, signature) = value.split_once('.')?;
        Some((until.parse::<u64>().ok()?, bytes(signature)?))
    };
    read().is_some_and(|(until, signature)| {
        until > now_unix_seconds && hmac::verify(&key(token), &statement(until), &signature).is_ok()
    })
}

fn key(token: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token)
}

/// What is signed: the purpose, so that no other use of the token means the same.
fn statement(until_unix_seconds: u64) -> Vec<u8> {
    format!("reads recordings until {until_unix_seconds}").into_bytes()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TOKEN: &[u8] = b"0123456789abcdef";

    #[test]
    fn a_cookie_holds_for_its_token_and_its_time() {
        let good = signed(TOKEN, 2_000);
        let later = good.replace("2000.", "3000.");
        let short = &good[..good.len() - 2];
        for (token, value, now, expected) in [
            (TOKEN, good.as_str(), 1_999, true),
            (TOKEN, &good, 2_000, false),
            (b"0123456789abcdeX", &good, 1_999, false),
            (TOKEN, &later, 1_999, false),
            (TOKEN, short, 1_999, false),
            (TOKEN, "2000.", 1_999, false),
            (TOKEN, "2000.é", 1_999, false),
            (TOKEN, "", 1_999, false),
        ] {
            assert_eq!(is_signed(token, value, now), expected, "{value} at {now}");
        }
    }

    #[test]
    fn it_is_found_among_others() {
        let until = unix_time().as_secs() + 60;
        let good = signed(TOKEN, until);
        for (cookies, expected) in [
            (format!("a=b; {COOKIE}={good}; c=d"), true),
            (format!("{COOKIE}=old; {COOKIE}={good}"), true),
            (format!("x{COOKIE}={good}"), false),
            (format!("{COOKIE}x={good}"), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, cookies.parse().unwrap());
            assert_eq!(is_open(TOKEN, &headers), expected, "{cookies}");
        }
    }
}
