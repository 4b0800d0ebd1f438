//! What a connection may cost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::time::{Duration, Instant};

use common::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn who_does_not_finish_a_request_is_closed() {
    let node = Node::start(&[]);
    let body_missing = format!(
        "POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 9\r\n\r\n{{",
        common::ADMIN_TOKEN
    );
    let answered = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let begun = Instant::now();
    let texts = ["", "GET / HTTP/1.1\r\nHost: a", &body_missing, answered].map(str::to_owned);
    let waits = texts.map(|text| {
        let address = node.http;
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            (text, answer, begun.elapsed())
        })
    });
    for wait in waits {
        let (text, answer, waited) = wait.await.unwrap();
        assert!((9..25).contains(&waited.as_secs()), "{text:?}: {waited:?}");
        if text == body_missing {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        }
    }
}

#[tokio::test]
async fn one_address_cannot_take_every_connection() {
    let node = Node::start(&["--max-connections-per-address", "1"]);
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(TcpStream::connect(node.http).await.unwrap());
    }
    let deadline = Instant::now() + common::PATIENCE;
    loop {
        let open = held.iter().filter(|stream| is_open(stream)).count();
        if open == 4 {
            return;
        }
        assert!(Instant::now() < deadline, "{open} connections are open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_open(stream: &TcpStream) -> bool {
    let error = stream.try_read(&mut [0]).err();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}
