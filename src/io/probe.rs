//! Asks a running node on this machine whether it takes joins: `motet --check`, for containers; and
//! whether there is one at all.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::listening;
use crate::config::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/ready` of the node with these settings: where the flags say, where it says itself that it listens, or
/// where variables, file and defaults have it.
///
/// # Errors
/// One line that says why it is not ready.
pub fn check(settings: &Settings) -> Result<(), String> {
    let left = match settings.is_listen_flag {
        true => None,
        false => listening::find(&settings.tls.data_dir),
    };
    let address = nearest(left.unwrap_or(settings.http_listen));
    let answer =
        ask(address, "/ready").map_err(|error| format!("no answer from {address}: {error}"))?;
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("the node at {address} is not ready: {status:?}")),
    }
}

/// Whether a node listens there, by its `/health`. It answers this machine over http, with TLS on too.
pub fn is_node(http_listen: SocketAddr) -> bool {
    let answer = ask(nearest(http_listen), "/health").unwrap_or_default();
    let is_good = answer.starts_with("HTTP/1.1 200 ");
    is_good && answer.ends_with("\r\n\r\nok\n")
}

/// Whether the metrics of a node are there, on a port of their own.
pub fn has_metrics(metrics_listen: SocketAddr) -> bool {
    let answer = ask(nearest(metrics_listen), "/metrics").unwrap_or_default();
    answer.starts_with("HTTP/1.1 200 ") && answer.contains("motet_")
}

fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn nearest(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // Where there is no IPv6, [::] is served as 0.0.0.0, and [::] takes IPv4 too.
        IpAddr::V6(ip) if ip == Ipv6Addr::UNSPECIFIED => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
