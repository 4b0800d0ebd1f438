//! A node that others reach through something on its own machine: nginx, or what passes on TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Client as Person, Node, PATIENCE, admin};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const OFFER: &str = include_str!("fixtures/offers/ffmpeg-9.0.2-whip-active.sdp");

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
        let http = free_port();
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
        let process = spawned(command)?;
        let nginx = Self {
            process,
            http,
            _folder: folder,
        };
        await_port(http);
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Caddy over a Caddyfile, until it is dropped.
struct Caddy {
    process: Child,
    http: SocketAddr,
    _folder: TempDir,
}

impl Caddy {
    /// Starts it on a free port with what stands inside a site. `None`, and a word on it, where there is no Caddy.
    fn start(site: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let http = free_port();
        let file = folder.path().join("Caddyfile");
        let text = format!("{{\n admin off\n auto_https off\n}}\nhttp://{http} {{\n{site}\n}}\n");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("caddy");
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file);
        command.env("HOME", folder.path()).stderr(Stdio::null());
        let process = spawned(command)?;
        let caddy = Self {
            process,
            http,
            _folder: folder,
        };
        await_port(http);
        Some(caddy)
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn spawned(mut command: Command) -> Option<Child> {
    match command.spawn() {
        Ok(process) => Some(process),
        Err(error) => {
            println!(
                "skipped: {:?} is not installed ({error})",
                command.get_program()
            );
            None
        }
    }
}

fn await_port(at: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(at).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {at}");
        std::thread::sleep(Duration::from_millis(20));
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

/// What stands in the README between the line that begins so and the one that ends the block with as many blanks.
fn from_the_readme(begin: &str) -> String {
    let readme = include_str!("../README.md");
    let mut lines = readme.lines().skip_while(|line| line.trim() != begin);
    let first = lines
        .next()
        .unwrap_or_else(|| panic!("the README has {begin}"));
    let end = first.replace(first.trim_start(), "}");
    let mut text = format!("{first}\n");
    for line in lines {
        text = text + line + "\n";
        if line == end {
            break;
        }
    }
    text
}

/// Pages, files, WebSocket, WHIP and API are there below that path, and what they name is too.
async fn is_whole(proxy: SocketAddr, below: &str) {
    let url = |path: &str| format!("http://{proxy}{below}{path}");
    let get = async |path: &str| Client::new().get(url(path)).send().await.unwrap();
    let mut files = 0;
    for path in [
        "/",
        "/r/room",
        "/r/room/",
        "/check",
        "/check/",
        "/recordings",
    ] {
        let page = get(path).await;
        assert_eq!(page.status(), 200, "{path}");
        let page = page.text().await.unwrap();
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in page.match_indices(attribute) {
                let rest = &page[at + attribute.len()..];
                let file = &rest[..rest.find('"').unwrap()];
                let file = file.strip_prefix(below).unwrap_or_else(|| panic!("{file}"));
                assert_eq!(get(file).await.status(), 200, "{file}");
                files += 1;
            }
        }
    }
    assert!(files > 20, "{files} files");
    let manifest: Value = get("/manifest.webmanifest").await.json().await.unwrap();
    let manifest_url = reqwest::Url::parse(&url("/manifest.webmanifest")).unwrap();
    for relative in ["/start_url", "/scope", "/icons/0/src", "/shortcuts/0/url"] {
        let named = manifest.pointer(relative).and_then(Value::as_str).unwrap();
        let named = manifest_url.join(named).unwrap();
        assert!(named.path().starts_with(&format!("{below}/")), "{named}");
        let there = reqwest::get(named.clone()).await.unwrap();
        assert_eq!(there.status(), 200, "{named}");
    }

    let mut handshake = format!("ws://{proxy}{below}/ws")
        .into_client_request()
        .unwrap();
    for (name, value) in [
        ("sec-websocket-protocol", "motet.v1".to_owned()),
        ("origin", format!("http://{proxy}")),
    ] {
        let headers = handshake.headers_mut();
        headers.insert(name, value.parse().unwrap());
    }
    let mut ada = Person::open(handshake).await.expect("the WebSocket opens");
    ada.say(json!({"type": "join", "id": 1, "room": "room", "name": "Ada"}))
        .await;
    assert_eq!(ada.hear().await["type"], "joined");

    let offer = Client::new()
        .post(url("/whip/room/?name=Studio"))
        .body(OFFER);
    let offer = offer.header("content-type", "application/sdp; charset=utf-8");
    let made = offer.send().await.unwrap();
    assert_eq!(made.status(), 201);
    let session = location(&made);
    assert!(
        session.starts_with(&format!("{below}/whip/room/")),
        "{session}"
    );
    let session = format!("http://{proxy}{session}");
    assert_eq!(reqwest::get(&session).await.unwrap().status(), 204);
    ada.hear_type("member").await;
    let ended = Client::new().delete(&session).send().await.unwrap();
    assert_eq!(ended.status(), 200);

    let made = admin().post(url("/api/rooms/")).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let room = format!("http://{proxy}{}", location(&made));
    let shown = admin().get(room).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    let session = admin().post(url("/api/session")).send().await.unwrap();
    let cookie = session.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains(&format!("; Path={below}/api/rooms;")),
        "{cookie}"
    );
}

fn location(answer: &reqwest::Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

const BELOW: [&str; 4] = ["--trusted-proxy", "127.0.0.1", "--base-path", "/motet"];

#[tokio::test]
async fn all_of_it_is_there_behind_nginx_as_the_readme_has_it() {
    let passing = from_the_readme("location / {");
    let prefixed = from_the_readme("location /motet/ {");
    let stripping = "proxy_pass http://127.0.0.1:8080/;";
    assert!(prefixed.contains(stripping), "{prefixed}");
    let keeping = prefixed.replace(stripping, "proxy_pass http://127.0.0.1:8080;");
    for (locations, flags, below) in [
        (&passing, &BELOW[..2], ""),
        (&prefixed, &BELOW[..], "/motet"),
        (&keeping, &BELOW[..], "/motet"),
    ] {
        let node = Node::start(flags);
        let locations = locations.replace("127.0.0.1:8080", &node.http.to_string());
        let Some(nginx) = Nginx::start(&locations) else {
            return;
        };
        is_whole(nginx.http, below).await;
        let page = reqwest::get(node.url("/check")).await.unwrap();
        assert_eq!(page.status(), 200, "past the proxy");
    }
}

#[tokio::test]
async fn all_of_it_is_there_behind_caddy_as_the_readme_has_it() {
    let passing = "reverse_proxy 127.0.0.1:8080";
    let readme = from_the_readme("meet.example.org {");
    assert!(readme.contains(passing), "{readme}");
    let prefixed = from_the_readme("handle_path /motet/* {");
    for (site, flags, below) in [
        (passing, &BELOW[..2], ""),
        (&prefixed, &BELOW[..], "/motet"),
    ] {
        let node = Node::start(flags);
        let site = site.replace("127.0.0.1:8080", &node.http.to_string());
        let Some(caddy) = Caddy::start(&site) else {
            return;
        };
        is_whole(caddy.http, below).await;
    }
}
