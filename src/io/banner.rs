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
    let scheme = if server.tls().is_some() {
        "https"
    } else {
        "http"
    };
    let base = server.base_path();
    let _ = writeln!(text, "  Open     {}{base}", local_url(scheme, http));
    for url in other_urls(scheme, http) {
        let _ = writeln!(text, "           {url}{base}");
    }
    let media = server.media().first().map_or(0, SocketAddr::port);
    let _ = writeln!(
        text,
        "  Ports    TCP {} (page, signaling), UDP {media} (media)",
        http.port()
    );
    let _ = writeln!(text, "  Media    {}", list(server.advertised()));
    if let Some(file) = server.token_file() {
        let _ = writeln!(text, "  API      with the token in {}", file.display());
    }
    if let Some(metrics) = server.metrics() {
        let _ = writeln!(text, "  Metrics  http://{metrics}/metrics");
    }
    if let Some(fingerprint) = server.tls().and_then(|tls| tls.fingerprint.as_ref()) {
        let _ = writeln!(
            text,
            "\nBrowsers warn of the node's own certificate, once each. Its SHA-256 fingerprint:\n\
             {fingerprint}"
        );
    }
    if server.tls().is_none() && !http.ip().is_loopback() {
        text.push_str(
            "\nBrowsers open a camera only on https or on localhost: for other machines, start\n\
             with --tls self-signed, files or acme, or put a TLS proxy in front of the TCP port.\n",
        );
    }
    let _ = writeln!(
        text,
        "\nlistening http={http} media={}{}",
        list(server.media()),
        server
            .metrics()
            .map(|at| format!(" metrics={at}"))
            .unwrap_or_default()
    );
    text
}

fn local_url(scheme: &str, http: SocketAddr) -> String {
    if http.ip().is_unspecified() || http.ip().is_loopback() {
        return format!("{scheme}://localhost:{}", http.port());
    }
    format!("{scheme}://{http}")
}

fn other_urls(scheme: &str, http: SocketAddr) -> Vec<String> {
    if !http.ip().is_unspecified() {
        return Vec::new();
    }
    let reachable = |ip: &IpAddr| http.is_ipv6() || ip.is_ipv4();
    let addresses = interface_addresses().into_iter().filter(reachable);
    let url = |ip| format!("{scheme}://{}", SocketAddr::new(ip, http.port()));
    addresses.take(SHOWN_MAX).map(url).collect()
}

fn list(addresses: &[SocketAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(",")
}
