//! From where a request comes, if proxies stand in between.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::Settings;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of this node.
#[derive(Debug)]
pub struct Proxies {
    settings: Arc<Settings>,
    /// What one of them says cannot be read: told once.
    told: Once,
}

impl Proxies {
    /// Those of the settings.
    pub fn new(settings: &Arc<Settings>) -> Self {
        Self {
            settings: Arc::clone(settings),
            told: Once::new(),
        }
    }

    /// The address that a request counts for: the peer's, or what trusted proxies say of it. Each
    /// proxy appends whom it talked to: the last one that is no trusted proxy is the client, and what
    /// stands before it anybody may have written. `X-Forwarded-For` is read, or else `Forwarded`
    /// (RFC 7239).
    pub fn client_address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.ip().to_canonical();
        if !self.settings.trusts(peer) {
            return peer;
        }
        let header = match headers.contains_key(X_FORWARDED_FOR) {
            true => X_FORWARDED_FOR,
            false => header::FORWARDED,
        };
        let mut nearest = peer;
        for hop in hops(headers, &header) {
            let Some(address) = hop.as_deref().and_then(read_node) else {
                self.tell_once(&header);
                return nearest;
            };
            nearest = address;
            if !self.settings.trusts(address) {
                return address;
            }
        }
        nearest
    }

    /// All who come by such a proxy share one address's limits, and nobody would know why.
    fn tell_once(&self, header: &HeaderName) {
        self.told.call_once(|| {
            tracing::warn!(
                %header,
                "a trusted proxy's header is no list of addresses: who comes by it shares the limits \
                 of the proxy's address"
            );
        });
    }
}

/// Whom the proxies talked to, the last first; nothing where that cannot be read.
fn hops(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<String>> {
    let lines = headers.get_all(name).iter().rev();
    lines.flat_map(move |line| {
        let line = line.to_str().unwrap_or_default();
        let hops: Vec<_> = match *name == header::FORWARDED {
            true => split(line, ',').rev().map(forwarded_for).collect(),
            false => line.rsplit(',').map(|hop| Some(hop.to_owned())).collect(),
        };
        hops
    })
}

/// The `for` of one element (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<String> {
    split(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_for = name.trim().eq_ignore_ascii_case("for");
        is_for.then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl DoubleEndedIterator<Item = &str> {
    let mut is_quoted = false;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, letter) in text.char_indices() {
        is_quoted ^= letter == '"';
        if letter == separator && !is_quoted {
            parts.push(&text[start..at]);
            start = at + letter.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts.into_iter()
}

/// An address, which may have a port behind it and, with IPv6, brackets around it (RFC 7239 §6).
fn read_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    let address = address.or_else(|| {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(IpAddr::V6(inner.parse().ok()?))
    });
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const XFF: &str = "x-forwarded-for";
    const RFC: &str = "forwarded";

    fn address(trusted: &[&str], peer: &str, pairs: &[(&'static str, &str)]) -> String {
        let trusted = ["--trusted-proxy", &trusted.join(",")];
        let flags = match trusted[1].is_empty() {
            true => &[][..],
            false => &trusted,
        };
        let arguments = ["motet"].iter().chain(flags);
        let settings = Settings::load(arguments.map(|argument| (*argument).into())).unwrap();
        let proxies = Proxies::new(&Arc::new(settings));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 5);
        proxies.client_address(peer, &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let claim = (XFF, "198.51.100.1, 192.0.2.7");
        for (trusted, peer, expected) in [
            (&["127.0.0.1"][..], "127.0.0.1", "192.0.2.7"),
            (&["127.0.0.1"], "::ffff:127.0.0.1", "192.0.2.7"),
            (&["127.0.0.1"], "127.0.0.2", "127.0.0.2"),
            (&["127.0.0.0/8"], "127.0.0.2", "192.0.2.7"),
            (&["10.0.0.0/8", "fd00::/8"], "fd00::5", "192.0.2.7"),
            (&["10.0.0.0/8"], "11.0.0.1", "11.0.0.1"),
            (&[], "127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(address(trusted, peer, &[claim]), expected, "{peer}");
        }
    }

    #[test]
    fn the_last_who_is_no_trusted_proxy_is_the_client() {
        let trusted = ["127.0.0.1", "10.0.0.0/8"];
        for (pairs, expected) in [
            (&[][..], "127.0.0.1"),
            (&[(XFF, "192.0.2.7")], "192.0.2.7"),
            (&[(XFF, "192.0.2.7, 10.0.0.1, 10.0.0.2")], "192.0.2.7"),
            (&[(XFF, "6.6.6.6,192.0.2.7,10.0.0.1")], "192.0.2.7"),
            (&[(XFF, "6.6.6.6"), (XFF, "192.0.2.7")], "192.0.2.7"),
            (&[(XFF, "192.0.2.7"), (XFF, "10.0.0.1")], "192.0.2.7"),
            (&[(XFF, "10.0.0.9, 10.0.0.1")], "10.0.0.9"),
            (&[(XFF, "192.0.2.7:567")], "192.0.2.7"),
            (&[(XFF, "2001:db8::7")], "2001:db8::7"),
            (&[(XFF, "[2001:db8::7]")], "2001:db8::7"),
            (&[(XFF, "[2001:db8::7]:567, 10.0.0.1:80")], "2001:db8::7"),
            (&[(XFF, "::ffff:192.0.2.7")], "192.0.2.7"),
            (&[(XFF, "unknown")], "127.0.0.1"),
            (&[(XFF, "")], "127.0.0.1"),
            (&[(XFF, "192.0.2.7, unknown, 10.0.0.1")], "10.0.0.1"),
            (&[(RFC, "for=192.0.2.7")], "192.0.2.7"),
            (
                &[(RFC, "for=6.6.6.6, for=192.0.2.7;proto=http;by=10.0.0.1")],
                "192.0.2.7",
            ),
            (
                &[(RFC, "For=\"[2001:db8::7]:4711\", by=x;for=10.0.0.1")],
                "2001:db8::7",
            ),
            (&[(RFC, "for=\"a,b\", for=192.0.2.7")], "192.0.2.7"),
            (&[(RFC, "for=_hidden")], "127.0.0.1"),
            (&[(RFC, "proto=https")], "127.0.0.1"),
            (&[(RFC, "for=6.6.6.6"), (XFF, "192.0.2.7")], "192.0.2.7"),
        ] {
            assert_eq!(address(&trusted, "127.0.0.1", pairs), expected, "{pairs:?}");
        }
    }
}
