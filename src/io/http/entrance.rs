//! What holds for every request before its address is looked up, and for every answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::io::server::Node;

/// Refuses what is ambiguous, and takes the node's own path prefix and a slash at the end away. An answer that says
/// nothing else is never stored, and never taken for another type.
pub(super) async fn enter(
    State(node): State<Arc<Node>>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match check_target(request.version(), request.uri(), request.headers()) {
        Ok(()) => {
            if let Some(uri) = routed(&node.settings.base_path, request.uri()) {
                *request.uri_mut() = uri;
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

/// RFC 9112 §3.2 and §3.2.2: one host, and no other in the request line. Who reads the first of two and who reads the
/// last see different requests.
fn check_target(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let bad = |detail: &str| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes(),
        (None, _) if version <= Version::HTTP_10 => return Ok(()),
        (None, _) => return bad("A request of HTTP/1.1 needs a `Host`."),
        (Some(_), Some(_)) => return bad("A request has one `Host`."),
    };
    let is_host = match Authority::try_from(host) {
        Ok(authority) => !authority.as_str().contains('@'),
        Err(_) => host.is_empty(),
    };
    if !is_host {
        return bad("The `Host` is none.");
    }
    let is_own = |target: &Authority| target.as_str().as_bytes().eq_ignore_ascii_case(host);
    match uri.authority() {
        Some(target) if !is_own(target) => bad("This node is no proxy for others."),
        _ => Ok(()),
    }
}

/// The address as routes know it, if that is another: below the prefix, and without a slash at its end.
fn routed(base: &str, uri: &Uri) -> Option<Uri> {
    let path = routed_path(base, uri.path());
    if path == uri.path() && uri.authority().is_none() {
        return None;
    }
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(target).ok().map(Uri::from)
}

fn routed_path<'a>(base: &str, path: &'a str) -> &'a str {
    let below = path.strip_prefix(base);
    let path = match below.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some("") => "/",
        Some(rest) => rest,
        None => path,
    };
    match path.strip_suffix('/') {
        None | Some("") => path,
        Some(rest) => rest,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_slash_at_the_end_and_the_prefix_change_nothing() {
        for (base, path, expected) in [
            ("", "/", "/"),
            ("", "/check", "/check"),
            ("", "/check/", "/check"),
            ("", "/whip/room/", "/whip/room"),
            ("", "/r/a%2F/", "/r/a%2F"),
            ("", "//", "/"),
            ("/a", "/a", "/"),
            ("/a", "/a/", "/"),
            ("/a", "/a/ws", "/ws"),
            ("/a", "/a/r/b/", "/r/b"),
            ("/a", "/ws", "/ws"),
            ("/a", "/ab", "/ab"),
            ("/a/b", "/a/b/check/", "/check"),
            ("/a/b", "/a/check", "/a/check"),
        ] {
            assert_eq!(routed_path(base, path), expected, "{base} {path}");
        }
        let uri = Uri::from_static("http://a.example/a/ws/?b=c/");
        assert_eq!(routed("/a", &uri).unwrap(), "/ws?b=c/");
        assert_eq!(routed("/a", &Uri::from_static("/ws?b=c/")), None);
    }

    #[test]
    fn a_request_has_one_host() {
        let bad = Some(400);
        for (version, target, hosts, expected) in [
            (Version::HTTP_11, "/", &["a.example"][..], None),
            (Version::HTTP_11, "/", &["[2001:db8::7]:80"], None),
            (Version::HTTP_11, "/", &["a_b:80"], None),
            (Version::HTTP_11, "/", &[""], None),
            (Version::HTTP_10, "/", &[], None),
            (Version::HTTP_11, "/", &[], bad),
            (Version::HTTP_11, "/", &["a.example", "a.example"], bad),
            (Version::HTTP_11, "/", &["a.example", "b.example"], bad),
            (Version::HTTP_11, "/", &["a/b"], bad),
            (Version::HTTP_11, "/", &["a@b"], bad),
            (Version::HTTP_11, "/", &["a b"], bad),
            (Version::HTTP_11, "http://A.example/", &["a.example"], None),
            (Version::HTTP_11, "http://b.example/", &["a.example"], bad),
            (Version::HTTP_11, "http://a.example:1/", &["a.example"], bad),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            let checked = check_target(version, &target.parse().unwrap(), &headers);
            let got = checked.err().map(|problem| problem.status().as_u16());
            assert_eq!(got, expected, "{version:?} {target} {hosts:?}");
        }
    }
}
