//! `Link` headers that tell of ICE servers (RFC 9725 §4.6, RFC 8288).

use axum::http::HeaderValue;

use crate::protocol::server::IceServer;

/// One header for each URL.
///
/// The node's own servers over UDP are left out, as in the web client: Chromium hands every packet
/// from a STUN server's address to its STUN client, and this one's media live at the same address.
pub(super) fn links(servers: &[IceServer], is_own: impl Fn(&str) -> bool) -> Vec<HeaderValue> {
    let links = servers.iter().flat_map(|server| {
        let urls = server.urls.iter();
        let urls = urls.filter(|url| !is_own(url) || url.ends_with("?transport=tcp"));
        urls.map(|url| link(url, server))
    });
    links
        .filter_map(|link| HeaderValue::from_str(&link).ok())
        .collect()
}

fn link(url: &str, server: &IceServer) -> String {
    let mut link = format!("<{url}>; rel=\"ice-server\"");
    if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
        link.push_str(&format!(
            "; username={}; credential={}; credential-type=\"password\"",
            quoted(username),
            quoted(credential)
        ));
    }
    link
}

/// RFC 9110 §5.6.4.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_url_is_told_with_its_credentials() {
        let stun = IceServer {
            urls: vec!["stun:here:1".into(), "stun:other:1".into()],
            username: None,
            credential: None,
        };
        let turn = IceServer {
            urls: vec![
                "turn:here:1?transport=udp".into(),
                "turn:here:2?transport=tcp".into(),
            ],
            username: Some("a:\"b".into()),
            credential: Some("c\\d".into()),
        };
        let told = links(&[stun, turn], |url| url.contains("here"));
        assert_eq!(
            told,
            [
                "<stun:other:1>; rel=\"ice-server\"",
                "<turn:here:2?transport=tcp>; rel=\"ice-server\"; username=\"a:\\\"b\"; \
                 credential=\"c\\\\d\"; credential-type=\"password\"",
            ]
        );
    }
}
