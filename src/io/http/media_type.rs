//! Media types in requests (RFC 9110 §8.3.1): parameters that mean nothing do not change one.

use axum::http::{HeaderMap, header};

/// Whether the body is said to be of that type.
pub(super) fn is_body(headers: &HeaderMap, expected: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok());
    given.is_some_and(|given| essence(given).eq_ignore_ascii_case(expected))
}

/// Whether that type is asked for by name, and not as one of any.
pub(super) fn is_wanted(headers: &HeaderMap, wanted: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| essence(one).eq_ignore_ascii_case(wanted))
}

fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parameters_do_not_change_a_type() {
        for (given, expected) in [
            ("application/sdp", true),
            ("Application/SDP", true),
            ("application/sdp; charset=utf-8", true),
            ("application/sdp;charset=\"utf-8\"", true),
            (" application/sdp ;", true),
            ("application/sdpx", false),
            ("text/plain; a=application/sdp", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, given.parse().unwrap());
            assert_eq!(is_body(&headers, "application/sdp"), expected, "{given}");
        }
        assert!(!is_body(&HeaderMap::new(), "application/sdp"));
    }

    #[test]
    fn a_browser_asks_for_a_page_by_name() {
        for (accept, expected) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("application/json, text/html;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(is_wanted(&headers, "text/html"), expected, "{accept}");
        }
    }
}
