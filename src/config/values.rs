//! What a setting's text may be.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use motet_turn::Cidr;

/// One of a list, around which people put blanks.
pub(super) fn listed<T>(
    parse: fn(&str) -> Result<T, String>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| parse(text.trim())
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port, such as 0.0.0.0:8080 or [::1]:8080".to_owned()
    })
}

pub(super) fn ip_address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address, such as 192.0.2.7 or 2001:db8::7".to_owned())
}

pub(super) fn proxy(text: &str) -> Result<Cidr, String> {
    text.parse().map_err(|_| {
        "expected an IP address or a range, such as 192.0.2.7 or 10.0.0.0/8".to_owned()
    })
}

pub(super) fn public_address(text: &str) -> Result<IpAddr, String> {
    let address = ip_address(text)?;
    if address.is_unspecified() || address.is_multicast() {
        return Err("expected an address that browsers can send to".to_owned());
    }
    Ok(address)
}

/// A STUN server that this node asks, as host and port: it does so over UDP alone.
pub(super) fn stun_server(text: &str) -> Result<String, String> {
    let at = text.strip_prefix("stun:").unwrap_or(text);
    match port_of(at) {
        Some(Some(_)) => Ok(at.to_owned()),
        Some(None) => Ok(format!("{at}:{STUN_PORT}")),
        None => {
            Err("expected HOST:PORT or stun:HOST:PORT, such as stun.example.org:3478".to_owned())
        }
    }
}

/// A STUN server for browsers, as they take it (RFC 7064).
pub(super) fn stun_url(text: &str) -> Result<String, String> {
    let with_scheme = text
        .strip_prefix("stun:")
        .or_else(|| text.strip_prefix("stuns:"));
    match (port_of(with_scheme.unwrap_or(text)), with_scheme) {
        (Some(_), Some(_)) => Ok(text.to_owned()),
        (Some(_), None) => Ok(format!("stun:{text}")),
        (None, _) => Err(
            "expected HOST:PORT, stun:HOST:PORT or stuns:HOST:PORT, such as stun.example.org:3478"
                .to_owned(),
        ),
    }
}

/// RFC 8489 §14.
const STUN_PORT: u16 = 3478;

/// The port of a host that has one; `None` for what is no host, with or without a port.
fn port_of(text: &str) -> Option<Option<u16>> {
    let host_end = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text[host_end..].rfind(':') {
        Some(colon) => {
            let (host, port) = text.split_at(host_end + colon);
            (
                host,
                Some(port[1..].parse().ok().filter(|&port: &u16| port > 0)?),
            )
        }
        None => (text, None),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = !host.is_empty() && host.bytes().all(plain);
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_ipv6 = inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    (is_name || is_ipv6).then_some(port)
}

pub(super) fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let range: RangeInclusive<u16> = first.parse().ok()?..=last.parse().ok()?;
        (*range.start() > 0 && !range.is_empty()).then_some(range)
    });
    range.ok_or_else(|| "expected the first and the last port, such as 50000-50999".to_owned())
}

pub(super) fn cidr(text: &str) -> Result<Cidr, String> {
    text.parse().map_err(|_| {
        "expected addresses by their common bits, such as 192.168.0.0/16 or fd00::/8".to_owned()
    })
}

/// What the routes of the node begin with: a prefix that is one of them would hide it.
const ROUTES: [&str; 10] = [
    "api",
    "check",
    "health",
    "metrics",
    "r",
    "ready",
    "recordings",
    "whep",
    "whip",
    "ws",
];

/// A path with a slash in front and none behind; nothing for the root.
pub(super) fn base_path(text: &str) -> Result<String, String> {
    let path = text.trim_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_segment = |part: &str| {
        let is_dots = part.bytes().all(|byte| byte == b'.');
        !is_dots && part.bytes().all(plain)
    };
    if path.len() > BASE_PATH_BYTES_MAX || !path.split('/').all(is_segment) {
        return Err("expected a path of letters, digits and -._~, such as /motet".to_owned());
    }
    if path
        .split('/')
        .next()
        .is_some_and(|first| ROUTES.contains(&first))
    {
        return Err(format!(
            "expected a path that begins with none of the node's own: {}",
            ROUTES.join(", ")
        ));
    }
    Ok(format!("/{path}"))
}

/// Longer ones are a mistake.
const BASE_PATH_BYTES_MAX: usize = 200;

pub(super) fn origin(text: &str) -> Result<String, String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '*']) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err("expected an origin without a path, such as https://example.org".to_owned()),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|_| {
            "expected a level (error, warn, info, debug, trace) or module=level, with commas"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Settings;

    #[test]
    fn a_base_path_has_a_slash_in_front_and_none_behind() {
        for (text, expected) in [
            ("", Some("")),
            ("/", Some("")),
            ("/motet", Some("/motet")),
            ("motet/", Some("/motet")),
            ("/a/b.c~_-", Some("/a/b.c~_-")),
            ("/a//b", None),
            ("/a/../b", None),
            ("/a b", None),
            ("/a%20b", None),
            ("https://a.example/", None),
            ("/api/motet", None),
            ("/r", None),
        ] {
            assert_eq!(base_path(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_list_takes_blanks_around_its_commas() {
        for arg in crate::config::command().get_arguments() {
            if arg.get_value_delimiter().is_none() {
                continue;
            }
            let flag = arg.get_long().unwrap();
            let one = match arg.get_value_names().unwrap()[0].as_str() {
                "ADDRESS" => "192.0.2.7",
                "CIDR" => "10.0.0.0/8",
                "HOST:PORT" | "NAME" => "a.example",
                "https://HOST" => "https://a.example",
                other => panic!("--{flag} {other}: an example is missing"),
            };
            let given = format!("--{flag}= {one}, {one} ,{one}");
            let settings = Settings::load(["motet".into(), given.into()]);
            assert!(settings.is_ok(), "--{flag}: {settings:?}");
        }
    }

    #[test]
    fn stun_servers_are_named_in_the_same_forms() {
        for (text, url, server) in [
            ("a.example:1", Some("stun:a.example:1"), Some("a.example:1")),
            (
                "stun:a.example:1",
                Some("stun:a.example:1"),
                Some("a.example:1"),
            ),
            (
                "stun:a.example",
                Some("stun:a.example"),
                Some("a.example:3478"),
            ),
            ("a.example", Some("stun:a.example"), Some("a.example:3478")),
            ("192.0.2.7:1", Some("stun:192.0.2.7:1"), Some("192.0.2.7:1")),
            (
                "[2001:db8::7]:1",
                Some("stun:[2001:db8::7]:1"),
                Some("[2001:db8::7]:1"),
            ),
            (
                "stun:[2001:db8::7]",
                Some("stun:[2001:db8::7]"),
                Some("[2001:db8::7]:3478"),
            ),
            // Browsers speak it over TLS too; this node does not.
            ("stuns:a.example:1", Some("stuns:a.example:1"), None),
            ("stun://a.example", None, None),
            ("turn:a.example", None, None),
            ("a.example:0", None, None),
            ("a.example:x", None, None),
            ("2001:db8::7", None, None),
            ("[2001:db8::7", None, None),
            ("a b:1", None, None),
            ("stun:", None, None),
            ("", None, None),
        ] {
            assert_eq!(stun_url(text).ok().as_deref(), url, "{text}");
            assert_eq!(stun_server(text).ok().as_deref(), server, "{text}");
        }
    }
}
