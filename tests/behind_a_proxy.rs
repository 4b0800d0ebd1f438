//! A node that others reach through something on its own machine: nginx, or what passes on TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use common::{Node, PATIENCE, admin};
use reqwest::{Client, Method};
use tempfile::TempDir;

/// nginx over a configuration of its own, until it is dropped.
struct Nginx {
    process: Child,
    http: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it on a free port with these locations. `None`, and a word on it, where there is no nginx.
    fn start(locations: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let http = listener.local_addr().unwrap();
        drop(listener);
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places = places.map(|name| format!("{name}_temp_path {name};"));
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;\n\
             events {{}}\n\
             http {{\n access_log off;\n {}\n server {{\n listen {http};\n {locations}\n }}\n}}\n",
            places.join(" ")
        );
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf"]);
        let process = match command.spawn() {
            Ok(process) => process,
            Err(error) => {
                println!("skipped: nginx is not installed ({error})");
                return None;
            }
        };
        let nginx = Self {
            process,
            http,
            _folder: folder,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(http).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What stunnel, haproxy in TCP mode and `ssh -R` do: every connection comes from this machine.
async fn tunnel(to: SocketAddr) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    at
}

/// Every call of the API is refused to who calls the node localhost, and taken with the token.
async fn is_closed_to_strangers(at: SocketAddr, shown: &str) {
    for (method, path) in [
        (Method::GET, "/api/rooms"),
        (Method::POST, "/api/rooms"),
        (Method::GET, "/api/stats"),
        (Method::GET, "/api/recordings"),
        (Method::DELETE, "/api/rooms/a"),
        (Method::POST, "/api/rooms/a/recordings"),
        (Method::GET, "/api/rooms/a/forwards"),
        (Method::POST, "/api/session"),
        (Method::GET, "/metrics"),
    ] {
        for host in ["localhost", "localhost:8080", "127.0.0.1", "[::1]"] {
            let url = format!("http://{at}{path}");
            let stranger = Client::new().request(method.clone(), &url);
            let answer = stranger.header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path} as {host}, {shown}");
            assert!(answer.headers().contains_key("www-authenticate"));
            let manager = admin().request(method.clone(), &url).header("host", host);
            let status = manager.send().await.unwrap().status().as_u16();
            assert!(![401, 403].contains(&status), "{method} {path}: {status}");
        }
    }
    for path in ["/health", "/ready"] {
        let answer = reqwest::get(format!("http://{at}{path}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}, {shown}");
    }
}

#[tokio::test]
async fn no_address_is_a_right() {
    for flags in [&[][..], &["--trusted-proxy", "127.0.0.1"]] {
        let node = Node::start(flags);
        is_closed_to_strangers(node.http, "without anything between").await;
        is_closed_to_strangers(tunnel(node.http).await, "through a tunnel").await;
        let passing = format!(
            "location / {{ proxy_pass http://{}; proxy_set_header Host $http_host; }}",
            node.http
        );
        if let Some(nginx) = Nginx::start(&passing) {
            is_closed_to_strangers(nginx.http, "through nginx").await;
        }
    }
}
