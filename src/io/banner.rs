//! What the node prints when it has started.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use super::listen::interface_addresses;
use super::server::RunningServer;

/// Addresses of the local network that are shown at most.
const SHOWN_MAX: usize = 4;

/// What to open, what must be reachable, and one line for programs.
pub fn banner(server: &RunningServer) -> String {
    let http = server.http();
    let mut text = format!("Motet {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  Open     {}", local_url(http));
    for url in other_urls(http) {
        let _ = writeln!(text, "           {url}");
    }
    let media = server.media().first().map_or(0, SocketAddr::port);
    let _ = writeln!(
        text,
        "  Ports    TCP {} (page, signaling), UDP {media} (media)",
        http.port()
    );
    let _ = writeln!(text, "  Media    {}", list(server.advertised()));
    if !http.ip().is_loopback() {
        text.push_str(
            "\nBrowsers open a camera only on https or on localhost: for other machines, put a TLS\n\
             proxy in front of the TCP port.\n",
        );
    }
    let _ = writeln!(
        text,
        "\nlistening http={http} media={}",
        list(server.media())
    );
    text
}

fn local_url(http: SocketAddr) -> String {
    if http.ip().is_unspecified() || http.ip().is_loopback() {
        return format!("http://localhost:{}", http.port());
    }
    format!("http://{http}")
}

fn other_urls(http: SocketAddr) -> Vec<String> {
    if !http.ip().is_unspecified() {
        return Vec::new();
    }
    let reachable = |ip: &IpAddr| http.is_ipv6() || ip.is_ipv4();
    let addresses = interface_addresses().into_iter().filter(reachable);
    let url = |ip| format!("http://{}", SocketAddr::new(ip, http.port()));
    addresses.take(SHOWN_MAX).map(url).collect()
}

fn list(addresses: &[SocketAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(",")
}
