//! Who may do what: holders of the admin token manage the node; pages of its own origin open the
//! WebSocket. No address is a right.

use std::net::Ipv6Addr;
use std::sync::Once;

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use super::{names, session};
use crate::config::{Secret, Settings};

/// Whether this request may read and change what the API shows.
///
/// # Errors
/// 401 without the token, 403 for a page of another origin.
pub(super) fn check_manager(token: &Secret, headers: &HeaderMap) -> Result<(), Problem> {
    if is_cross_site(headers) {
        let detail = "Pages of other origins may not use the API.";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let given = bearer(headers);
    if given.is_some_and(|given| equal(token.reveal().as_bytes(), given.as_bytes())) {
        return Ok(());
    }
    let detail = match given {
        Some(_) => "This is not the admin token.",
        None => {
            "The API asks for `Authorization: Bearer <token>`: the token is in the file admin-token of \
             the node's data folder, unless --admin-token sets another."
        }
    };
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
}

/// Whether this request may read files of recordings: a manager's, or one of a browser that was given
/// a cookie for that.
///
/// # Errors
/// As [`check_manager`].
pub(super) fn check_reader(token: &Secret, headers: &HeaderMap) -> Result<(), Problem> {
    if !is_cross_site(headers) && session::is_open(token.reveal().as_bytes(), headers) {
        return Ok(());
    }
    check_manager(token, headers)
}

/// Whether a page of the request's origin may open the WebSocket. Clients that are not browsers
/// send no origin.
///
/// A page can be of this node's origin and still a stranger's: its name was made to mean the node's address after
/// it was loaded (DNS rebinding), so that it reaches a node which its author cannot. Over https the certificate
/// says whose name it is. Over http the name must be one that no stranger can have, or one of `--domain`.
///
/// # Errors
/// 403 for a page of another origin that is not allowed.
pub(super) fn check_origin(settings: &Settings, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
    if settings.allow_origin.contains(&origin) {
        return Ok(());
    }
    if !is_same_origin(&origin, headers) {
        let detail = "Pages of this origin may not connect; --allow-origin lets them.";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let host = host_name(headers).unwrap_or_default();
    let is_domain = |domain: &String| domain.eq_ignore_ascii_case(host);
    if origin.starts_with("https://")
        || names::is_local(host)
        || settings.tls.domains.iter().any(is_domain)
    {
        return Ok(());
    }
    REBOUND.call_once(|| {
        tracing::warn!(
            origin,
            "a page was refused: over plain http anybody can give this node that name; --allow-origin lets it in, \
             and https does without that"
        );
    });
    let detail = "Over plain http this node is reached by its address or a name of the local network; \
        --allow-origin lets pages of other names connect, and https does without that.";
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// Said once: whoever rebinds names can do so often.
static REBOUND: Once = Once::new();

/// The name or address by which the client reached this node: from the `Host` header, without the
/// port; nothing if it is not one.
pub(super) fn host_name(headers: &HeaderMap) -> Option<&str> {
    let host = host(headers)?;
    let name = match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next()?,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = !name.is_empty() && name.len() <= 253 && name.bytes().all(plain);
    (is_name || is_bracketed(name)).then_some(name)
}

/// The port by which the client reached this node; nothing if it is the scheme's own.
pub(super) fn host_port(headers: &HeaderMap) -> Option<u16> {
    let behind = &host(headers)?[host_name(headers)?.len()..];
    behind.strip_prefix(':')?.parse().ok()
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is_bracketed(name: &str) -> bool {
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
}

/// A page that a browser loaded from elsewhere. `Sec-Fetch-Site` covers what carries no `Origin`.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    if let Some(origin) = origin {
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        return !is_same_origin(&origin, headers);
    }
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_same_origin(origin: &str, headers: &HeaderMap) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = host(headers).map(str::to_ascii_lowercase);
    authority.is_some() && authority == host.as_deref()
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Takes the same time wherever the two differ.
pub(super) fn equal(expected: &[u8], given: &[u8]) -> bool {
    let mut difference = u8::from(expected.len() != given.len());
    for (index, byte) in given.iter().enumerate() {
        difference |= byte ^ expected.get(index).copied().unwrap_or(!byte);
    }
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use axum::http::HeaderName;

    const TOKEN: &str = "0123456789abcdef";

    fn settings(arguments: &[&str]) -> Settings {
        let arguments = ["motet"].iter().chain(arguments);
        Settings::load(arguments.map(|argument| (*argument).into())).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_token_manages_and_nothing_else() {
        let secret = Secret::new(TOKEN).unwrap();
        let bearer = format!("Bearer {TOKEN}");
        let token = ("authorization", bearer.as_str());
        let local = ("host", "localhost:8080");
        for (pairs, status) in [
            (vec![local, token], None),
            (vec![("host", "node.example"), token], None),
            (vec![token], None),
            (
                vec![local, ("authorization", "bearer 0123456789abcdef")],
                None,
            ),
            (
                vec![local, token, ("origin", "http://localhost:8080")],
                None,
            ),
            (vec![local, token, ("sec-fetch-site", "none")], None),
            (vec![], Some(401)),
            (vec![local], Some(401)),
            (vec![local, ("origin", "http://localhost:8080")], Some(401)),
            (
                vec![local, ("authorization", "Bearer 0123456789abcdeX")],
                Some(401),
            ),
            (
                vec![local, ("authorization", "Bearer 0123456789abcdef0")],
                Some(401),
            ),
            (
                vec![local, ("authorization", "Bearer 0123456789abcde")],
                Some(401),
            ),
            (vec![local, ("authorization", "Bearer ")], Some(401)),
            (
                vec![local, ("authorization", "Basic 0123456789abcdef")],
                Some(401),
            ),
            (
                vec![local, token, ("origin", "http://evil.example")],
                Some(403),
            ),
            (vec![local, token, ("origin", "null")], Some(403)),
            (
                vec![local, token, ("sec-fetch-site", "cross-site")],
                Some(403),
            ),
        ] {
            let outcome = check_manager(&secret, &headers(&pairs));
            let got = outcome.err().map(|problem| problem.status().as_u16());
            assert_eq!(got, status, "{pairs:?}");
        }
    }

    #[test]
    fn a_page_connects_to_its_own_node() {
        let flags = [
            "--allow-origin",
            "https://Friend.example,http://plain.example",
        ];
        let named = ["--domain", "meet.example"];
        let settings = settings(&[&flags[..], &named].concat());
        for (pairs, allowed) in [
            // Over http a name that strangers can have may be theirs.
            (
                vec![
                    ("host", "evil.example:80"),
                    ("origin", "http://evil.example:80"),
                ],
                false,
            ),
            (
                vec![
                    ("host", "localhost.evil.example"),
                    ("origin", "http://localhost.evil.example"),
                ],
                false,
            ),
            (
                vec![("host", "evil.example"), ("origin", "ws://evil.example")],
                false,
            ),
            (vec![("host", "evil.example")], true),
            (
                vec![("host", "nas:8080"), ("origin", "http://nas:8080")],
                true,
            ),
            (
                vec![("host", "nas.local"), ("origin", "http://nas.local")],
                true,
            ),
            (
                vec![
                    ("host", "192.168.0.7:8080"),
                    ("origin", "http://192.168.0.7:8080"),
                ],
                true,
            ),
            (
                vec![("host", "[::1]:8080"), ("origin", "http://[::1]:8080")],
                true,
            ),
            (
                vec![("host", "Meet.example"), ("origin", "http://meet.example")],
                true,
            ),
            (
                vec![
                    ("host", "plain.example"),
                    ("origin", "http://plain.example"),
                ],
                true,
            ),
            (vec![("host", "node.example")], true),
            (
                vec![("host", "node.example"), ("origin", "https://node.example")],
                true,
            ),
            (
                vec![
                    ("host", "Node.example:444"),
                    ("origin", "https://node.example:444"),
                ],
                true,
            ),
            (
                vec![
                    ("host", "node.example"),
                    ("origin", "https://node.example:444"),
                ],
                false,
            ),
            (
                vec![
                    ("host", "node.example"),
                    ("origin", "https://friend.example"),
                ],
                true,
            ),
            (
                vec![("host", "node.example"), ("origin", "https://evil.example")],
                false,
            ),
            (vec![("host", "node.example"), ("origin", "null")], false),
            (vec![("origin", "https://node.example")], false),
        ] {
            let outcome = check_origin(&settings, &headers(&pairs));
            assert_eq!(outcome.is_ok(), allowed, "{pairs:?}");
        }
    }

    #[test]
    fn a_host_header_becomes_a_name_or_nothing() {
        for (host, expected) in [
            ("localhost:8080", Some("localhost")),
            ("node.example", Some("node.example")),
            ("192.0.2.7:80", Some("192.0.2.7")),
            ("[2001:db8::7]:8080", Some("[2001:db8::7]")),
            ("[2001:db8::7", None),
            ("[x]:1", None),
            ("a b", None),
            ("node.example?transport=tcp", None),
            (":8080", None),
        ] {
            assert_eq!(host_name(&headers(&[("host", host)])), expected, "{host}");
        }
    }
}
