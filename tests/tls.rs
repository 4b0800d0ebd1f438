//! TLS on the one TCP port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use common::{ADMIN_TOKEN, Client, Node, handshake, motet, run};
use motet::io::tls::certificate::{Pem, make};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[tokio::test]
async fn the_page_and_the_websocket_are_served_with_a_certificate_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let node = self_signed(data.path(), &[]);
    let own = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
    let page = get(&own, &format!("https://localhost:{}/", node.http.port())).await;
    let page = page.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.headers().contains_key("strict-transport-security"));
    let page = get(&own, &format!("https://{}/r/room", node.http))
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("<html"));

    let stream = tls(&node, &own, &[b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let request = handshake(&node, &[("sec-websocket-protocol", "motet.v1")]);
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let join = json!({"type": "join", "id": 1, "room": "tls", "name": "Ada"});
    send(&mut socket, &join).await;
    assert_eq!(hear(&mut socket).await["type"], "joined");

    drop(node);
    let again = self_signed(data.path(), &[]);
    let kept = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
    assert_eq!(own, kept, "the certificate outlives a restart");
    let health = format!("https://{}/health", again.http);
    assert!(get(&own, &health).await.is_ok());
    drop(again);
    let named = self_signed(data.path(), &["--domain", "meet.example"]);
    let made = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
    assert_ne!(own, made, "a name that it lacks makes a new one");
    drop(named);
}

#[tokio::test]
async fn plain_http_says_where_https_is() {
    let data = tempfile::tempdir().unwrap();
    let node = self_signed(data.path(), &[]);
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap();
    for path in ["/", "/r/room?a=b", "/api/rooms", "/ws"] {
        let answer = client.get(node.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT, "{path}");
        let expected = format!("https://{}{path}", node.http);
        assert_eq!(answer.headers()["location"], expected.as_str());
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
    for path in ["/health", "/ready", "/metrics"] {
        let answer = client.get(node.url(path)).bearer_auth(ADMIN_TOKEN);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let listen = node.http.to_string();
    let (code, _, errors) = run(motet().args(["--check", "--http-listen", &listen]));
    assert_eq!((code, errors.as_str()), (0, ""));
}

#[tokio::test]
async fn a_trusted_proxy_may_stay_with_http() {
    let data = tempfile::tempdir().unwrap();
    let node = self_signed(data.path(), &["--trusted-proxy", "127.0.0.1"]);
    let page = reqwest::get(node.url("/")).await.unwrap();
    assert_eq!(
        (page.status(), page.url().scheme()),
        (StatusCode::OK, "http")
    );
    Client::join(&node, "proxied", "Ada").await;
}

#[tokio::test]
async fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [pem(), pem()];
    write(folder.path(), &first.chain, &first.key);
    let node = from_files(folder.path());
    let url = format!("https://localhost:{}/health", node.http.port());
    let answer = get(&first.chain, &url).await.unwrap();
    assert_eq!(
        answer.headers()["strict-transport-security"],
        "max-age=15552000"
    );

    for (chain, key) in [(&b"broken"[..], &first.key), (&second.chain, &first.key)] {
        write(folder.path(), chain, key);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(get(&first.chain, &url).await.is_ok(), "the old one stays");
        assert!(get(&second.chain, &url).await.is_err());
    }

    write(folder.path(), &second.chain, &second.key);
    let deadline = Instant::now() + common::PATIENCE;
    while get(&second.chain, &url).await.is_err() {
        assert!(Instant::now() < deadline, "the new one is in use");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(get(&first.chain, &url).await.is_err());
}

#[test]
fn a_certificate_that_is_not_right_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [pem(), pem()];
    let cert = folder.path().join("cert.pem");
    for (chain, key, expected) in [
        (
            &first.chain,
            &second.key,
            "the key is not the certificate's",
        ),
        (
            &first.key,
            &first.key,
            "there is no certificate in the file",
        ),
    ] {
        write(folder.path(), chain, key);
        let (code, _, errors) = run(motet()
            .args(["--http-listen", "127.0.0.1:0", "--media-port", "0"])
            .args(["--tls", "files", "--tls-cert"])
            .arg(&cert)
            .arg("--tls-key")
            .arg(folder.path().join("key.pem")));
        let said = format!("motet: {}: {expected}\n", cert.display());
        assert_eq!((code, errors), (1, said));
    }
}

#[tokio::test]
async fn an_authority_that_is_away_does_not_keep_the_node_from_starting() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let flags = ["--tls", "acme", "--domain", "localhost", "--data", path];
    let away = ["--acme-directory", "https://127.0.0.1:1/directory"];
    let node = Node::start(&[&flags[..], &away].concat());
    let answer = reqwest::get(node.url("/ready")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    // It shows something meanwhile, and nobody is told to trust it.
    let error = tls(&node, &pem().chain, &[]).await.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn who_does_not_finish_a_tls_handshake_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let node = self_signed(data.path(), &[]);
    let waits = [&[0x16][..], &[0x16, 3, 1, 2, 0, 1]].map(|bytes| {
        let address = node.http;
        tokio::spawn(async move { closed_after(address, bytes).await })
    });
    for wait in waits {
        let waited = wait.await.unwrap();
        assert!((9..15).contains(&waited.as_secs()), "{waited:?}");
    }
}

/// A hello in many records is one; a goodbye amid a handshake is the end of it.
#[tokio::test]
async fn a_hello_in_many_records_is_understood_and_a_goodbye_behind_it_is_the_end() {
    let data = tempfile::tempdir().unwrap();
    let node = self_signed(data.path(), &[]);
    let own = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
    let config = Arc::new(trusting(&own, &[b"http/1.1"]));
    let address = node.http;
    let talk = move || {
        let begin = || {
            let name = ServerName::try_from("localhost").unwrap();
            let mut client = rustls::ClientConnection::new(config.clone(), name).unwrap();
            let mut hello = vec![];
            client.write_tls(&mut hello).unwrap();
            let stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
            (client, hello, stream)
        };
        let (mut client, hello, mut stream) = begin();
        let (head, body) = hello.split_at(5);
        for piece in body.chunks(16) {
            let length = (piece.len() as u16).to_be_bytes();
            stream
                .write_all(&[&head[..3], &length, piece].concat())
                .unwrap();
        }
        while client.is_handshaking() {
            client.complete_io(&mut stream).unwrap();
        }
        assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));

        let (_, hello, mut stream) = begin();
        let goodbye = [21, 3, 3, 0, 2, 1, 0];
        stream.write_all(&[&hello[..], &goodbye].concat()).unwrap();
        let end = stream.read_to_end(&mut vec![]);
        let is_silent = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!end.is_err_and(is_silent), "it is kept open");
    };
    tokio::task::spawn_blocking(talk).await.unwrap();
    let health = get(&own, &format!("https://{address}/health")).await;
    assert_eq!(health.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn what_nothing_here_speaks_is_closed_at_once() {
    let data = tempfile::tempdir().unwrap();
    let plain = Node::start(&[]);
    let secure = self_signed(data.path(), &[]);
    let no_cookie = [0, 1, 0, 0, 0, 0, 0, 0];
    for (node, bytes) in [
        (&plain, &no_cookie[..]),
        (&plain, &[0x80, 1, 2, 3]),
        (&plain, &[0x16, 3, 1]),
        (&secure, &[0x80, 1, 2, 3]),
        (&secure, &[0x16, b'G', b'E', b'T', b' ', b'/']),
    ] {
        let waited = closed_after(node.http, bytes).await;
        assert!(waited < Duration::from_secs(3), "{bytes:?}: {waited:?}");
    }
    let own = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
    for (alpn, bytes) in [
        (&[&b"stun.turn"[..]][..], &no_cookie[..]),
        (&[], &[0, 100, 0, 1]),
        (&[], &[0x16, 3]),
    ] {
        let mut stream = tls(&secure, &own, alpn).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), alpn.first().copied());
        let begun = Instant::now();
        let _ = stream.write_all(bytes).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{alpn:?} {bytes:?}"
        );
    }
    assert!(
        tls(&secure, &own, &[b"h2"]).await.is_err(),
        "h2 is not offered"
    );
}

#[tokio::test]
async fn one_address_cannot_take_every_tls_connection() {
    let data = tempfile::tempdir().unwrap();
    let node = self_signed(data.path(), &["--max-connections-per-address", "1"]);
    let own = std::fs::read(data.path().join("self-signed/cert.pem")).unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(tls(&node, &own, &[b"http/1.1"]).await.unwrap());
    }
    assert!(tls(&node, &own, &[b"http/1.1"]).await.is_err());
    held.pop();
    let deadline = Instant::now() + common::PATIENCE;
    while tls(&node, &own, &[b"http/1.1"]).await.is_err() {
        assert!(Instant::now() < deadline, "a place comes free");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn self_signed(data: &Path, flags: &[&str]) -> Node {
    let data = data.to_str().unwrap();
    let own = ["--tls", "self-signed", "--data", data];
    Node::start(&[&own[..], flags].concat())
}

fn from_files(folder: &Path) -> Node {
    let path = |name| folder.join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    Node::start(&["--tls", "files", "--tls-cert", &cert, "--tls-key", &key])
}

fn write(folder: &Path, chain: &[u8], key: &[u8]) {
    std::fs::write(folder.join("cert.pem"), chain).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
}

fn pem() -> Pem {
    let day = Duration::from_secs(86_400);
    make(&["localhost".to_owned()], day, SystemTime::now()).unwrap()
}

/// Trusts that certificate alone.
fn trusting(root: &[u8], alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

async fn get(root: &[u8], url: &str) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder().use_preconfigured_tls(trusting(root, &[]));
    client.build().unwrap().get(url).send().await
}

async fn tls(node: &Node, root: &[u8], alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(trusting(root, alpn)));
    let stream = TcpStream::connect(node.http).await?;
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, stream).await
}

/// How long the node keeps a connection on which nothing but these bytes comes.
async fn closed_after(address: std::net::SocketAddr, bytes: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let begun = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    begun.elapsed()
}

type Socket = tokio_tungstenite::WebSocketStream<TlsStream<TcpStream>>;

async fn send(socket: &mut Socket, message: &serde_json::Value) {
    use futures_util::SinkExt;
    let text = tokio_tungstenite::tungstenite::Message::text(message.to_string());
    socket.send(text).await.unwrap();
}

async fn hear(socket: &mut Socket) -> serde_json::Value {
    use futures_util::StreamExt;
    let message = tokio::time::timeout(common::PATIENCE, socket.next()).await;
    let message = message.unwrap().unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}
