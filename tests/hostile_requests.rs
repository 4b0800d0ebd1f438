//! HTTP requests that no client of good will sends: what proxies and servers have disagreed about, and what
//! costs a server more than who sends it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use common::{Node, PATIENCE, motet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What comes back on one connection for these bytes, until it ends.
async fn ask(node: &Node, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(node.http).await.unwrap();
    // The node may have answered and closed before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length) = tokio::time::timeout(PATIENCE, stream.read(&mut piece))
        .await
        .expect("the connection ends")
    {
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<&str> {
    let lines = answer.split("HTTP/1.1 ").skip(1);
    lines.map(|line| &line[..3.min(line.len())]).collect()
}

/// Where one request ends is never a matter of opinion: what is ambiguous is refused, and what follows it on
/// the connection is not taken for another request.
#[tokio::test]
async fn where_a_request_ends_is_no_matter_of_opinion() {
    let node = Node::start(&[]);
    let smuggled = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (what, fields, body) in [
        (
            "two lengths",
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "abcd",
        ),
        ("a signed length", "Content-Length: +3\r\n", "abc"),
        ("a list of lengths", "Content-Length: 3, 4\r\n", "abcd"),
        (
            "a length that is no number",
            "Content-Length: 0x3\r\n",
            "abc",
        ),
        (
            "a length beyond 64 bits",
            "Content-Length: 18446744073709551617\r\n",
            "a",
        ),
        (
            "not chunked at last",
            "Transfer-Encoding: chunked, identity\r\n",
            "0\r\n\r\n",
        ),
        (
            "an encoding that there is not",
            "Transfer-Encoding: xchunked\r\n",
            "0\r\n\r\n",
        ),
        (
            "two encodings",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "0\r\n\r\n",
        ),
        (
            "a chunk beyond 64 bits",
            "Transfer-Encoding: chunked\r\n",
            "10000000000000001\r\na\r\n0\r\n\r\n",
        ),
        (
            "a chunk of no size",
            "Transfer-Encoding: chunked\r\n",
            "x\r\na\r\n0\r\n\r\n",
        ),
        ("a space before the colon", "Content-Length : 3\r\n", "abc"),
        ("a folded line", "A: b\r\n Content-Length: 3\r\n", "abc"),
        (
            "a bare line feed in a value",
            "A: b\nContent-Length: 3\rx\r\n",
            "abc",
        ),
    ] {
        let request = format!(
            "POST /whip/room HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\n{fields}\r\n{body}{smuggled}"
        );
        let answer = ask(&node, request.as_bytes()).await;
        let found = statuses(&answer);
        let is_refused = matches!(found[..], [] | ["400"] | ["413"]);
        assert!(is_refused, "{what}: {found:?}");
    }
    // A body that a proxy counts by its chunks is not counted by a length that says otherwise.
    let both = format!(
        "POST /whip/room HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{smuggled}\r\n0\r\n\r\n",
        smuggled.len()
    );
    let answer = ask(&node, both.as_bytes()).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    // A body behind a GET is no request.
    let hidden = format!(
        "GET /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{smuggled}",
        smuggled.len()
    );
    let answer = ask(&node, hidden.as_bytes()).await;
    assert_eq!(statuses(&answer), ["404"], "{answer}");
}

/// Heads that never end, or hold more than a browser says, are answered before they are all there.
#[tokio::test]
async fn heads_without_end_are_refused() {
    let node = Node::start(&[]);
    let begin = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let many: String = (0..5_000)
        .map(|number| format!("a{number}: b\r\n"))
        .collect();
    let long = "x".repeat(2_000_000);
    for (what, request) in [
        ("many fields", format!("{begin}{many}\r\n")),
        ("a long field", format!("{begin}a: {long}\r\n\r\n")),
        ("a field without end", format!("{begin}a: {long}")),
        (
            "a long name of a field",
            format!("{begin}{long}: a\r\n\r\n"),
        ),
        (
            "a long path",
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ),
        (
            "a long method",
            format!("{long} / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ),
    ] {
        let answer = ask(&node, request.as_bytes()).await;
        let found = statuses(&answer);
        let is_refused = matches!(found[..], [] | ["400"] | ["414"] | ["431"]);
        assert!(is_refused, "{what}: {found:?}");
    }
    let health = reqwest::get(node.url("/health")).await.unwrap();
    assert!(health.status().is_success());
}

/// No body is read to its end before it is known to be short enough.
#[tokio::test]
async fn bodies_without_end_are_refused() {
    let node = Node::start(&[]);
    let line = "a=x\r\n".repeat(3_000);
    let chunk = format!("{:x}\r\n{line}\r\n", line.len());
    for (what, fields, body) in [
        (
            "told in advance",
            "Content-Length: 99999999999\r\n",
            line.repeat(30),
        ),
        (
            "in chunks",
            "Transfer-Encoding: chunked\r\n",
            chunk.repeat(200),
        ),
    ] {
        for path in ["/whip/room", "/whep/room"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\n{fields}\r\n{body}"
            );
            let answer = ask(&node, request.as_bytes()).await;
            let found = statuses(&answer);
            assert!(
                matches!(found[..], [] | ["413"]),
                "{what} {path}: {found:?}"
            );
        }
    }
}

/// Compressed messages would have to be bounded twice. None are taken: the node agrees on no extension, and
/// a frame that says it is compressed ends the connection (`ws_abuse.rs`, reserved bits).
#[tokio::test]
async fn compression_is_never_agreed_on() {
    let node = Node::start(&[]);
    for offered in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_max_window_bits=8",
        "x-webkit-deflate-frame",
    ] {
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: motet.v1\r\n\
             Sec-WebSocket-Extensions: {offered}\r\n\r\n",
            node.http
        );
        let mut stream = TcpStream::connect(node.http).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{head}");
        assert!(!head.contains("extensions"), "{head}");
    }
    // What a proxy or a browser would unpack is not packed either.
    let page = reqwest::Client::new()
        .post(node.url("/whip/room"))
        .header("content-type", "application/sdp")
        .header("content-encoding", "gzip")
        .body(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0])
        .send();
    assert!(page.await.unwrap().status().is_client_error());
}

/// Whatever strangers send, a line of the log is a line of the node's own: no escape sequences for the
/// terminal, and no line breaks within what is quoted.
#[tokio::test]
async fn nobody_writes_into_the_log() {
    let mut command = motet();
    command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
    command.args(["--media-ip", "127.0.0.1", "--log", "debug"]);
    command.args(["--drain-seconds", "0"]);
    let mut node = Node::spawn(command);
    let marked = "\u{1b}[31mmark\u{7}\r\n2026-01-01 forged INFO mark";
    let escaped = "%1b%5b31mmark%0d%0a2026-01-01%20forged";
    for path in ["/whip", "/whep", "/r", "/api/rooms"] {
        let request = format!(
            "POST {path}/{escaped}?name={escaped} HTTP/1.1\r\nHost: a\r\nUser-Agent: mark\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{marked}",
            marked.len()
        );
        ask(&node, request.as_bytes()).await;
    }
    let raw = "GET /\x1b[31mmark HTTP/1.1\r\nHost: \x1b[31mmark\r\nConnection: close\r\n\r\n";
    ask(&node, raw.as_bytes()).await;
    let mut client = common::Client::connect(&node).await;
    for message in [
        serde_json::json!({"type": "join", "room": marked, "name": marked}),
        serde_json::json!({"type": marked}),
        serde_json::json!({"type": "join", "room": "log", "name": "Ada"}),
        serde_json::json!({"type": "offer", "id": 9, "epoch": 0, "fresh": true,
            "sdp": format!("v=0\r\n{marked}")}),
    ] {
        client.say(message).await;
    }
    while client.hear().await["id"] != 9 {}
    node.terminate();
    node.wait();
    // Waits for the end of the log.
    node.canaries.sung();
    let log = node.canaries.log().join("\n");
    assert!(log.lines().count() > 3, "{log}");
    assert!(!log.contains(['\u{1b}', '\u{7}']), "{log}");
    let forged = log
        .lines()
        .find(|line| line.starts_with("2026-01-01 forged"));
    assert_eq!(forged, None);
}

/// What a request says never comes back as something that a browser would run.
#[tokio::test]
async fn no_answer_is_a_script_of_the_one_who_asks() {
    let node = Node::start(&[]);
    let client = common::admin();
    let mark = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/health?callback={mark}"),
        format!("/api/rooms?callback={mark}"),
        format!("/api/rooms/{mark}?callback={mark}"),
        format!("/{mark}"),
        format!("/r/{mark}"),
        format!("/whip/{mark}?name={mark}"),
        format!("/whep/{mark}?member={mark}"),
    ] {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            let request = client.request(method.clone(), node.url(&path));
            let request = request
                .header("content-type", "application/sdp")
                .body("<script>");
            let answer = request.send().await.unwrap();
            let kind = answer.headers().get("content-type");
            let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
            let text = answer.text().await.unwrap();
            let is_page = kind.starts_with("text/html") || kind.contains("javascript");
            let says_it = text.contains("<script>alert") || text.contains("callback");
            assert!(!(is_page && says_it), "{method} {path}: {kind}\n{text}");
        }
    }
}

/// Neither methods nor names that somebody makes up become labels: the page for monitoring is as long as before.
#[tokio::test]
async fn strangers_add_no_series_to_the_metrics() {
    let node = Node::start(&[]);
    let client = common::admin();
    let series = async || {
        let page = client.get(node.url("/metrics")).send().await.unwrap();
        let page = page.text().await.unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = series().await;
    assert!(before.len() > 30, "{before:?}");
    for number in 0..20 {
        let path = format!("/made-up-{number}\"}}?a=%0Amotet_made_up%201");
        let request = format!(
            "MADEUP{number} {path} HTTP/1.1\r\nHost: made-up-{number}\r\nConnection: close\r\n\r\n"
        );
        ask(&node, request.as_bytes()).await;
        let name = format!("made up {number}\"}} 1");
        let (mut ada, _) = common::Client::join(&node, &name, &name).await;
        ada.say(serde_json::json!({"type": "madeUp", "id": 1}))
            .await;
        ada.hear_type("error").await;
    }
    assert_eq!(before, series().await);
}
