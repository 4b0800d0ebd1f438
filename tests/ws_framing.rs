//! Framing by RFC 6455, against the node itself: the cases of Autobahn|Testsuite that matter here, by its numbers.
//! Compression (12, 13) is not offered, and nothing of 1 MiB (9) is taken. The suite itself is run by
//! `scripts/autobahn.sh` where there is a Python 2.7.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use common::{Node, PATIENCE};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

// The first byte of a frame (RFC 6455 §5.2).
const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A client that writes what it likes.
struct Raw(TcpStream);

#[derive(Debug, PartialEq, Eq)]
struct Frame {
    first: u8,
    payload: Vec<u8>,
}

impl Raw {
    async fn open(node: &Node) -> Raw {
        let mut stream = TcpStream::connect(node.http).await.unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: motet.v1\r\n\r\n",
            node.http
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Raw(stream)
    }

    /// The node may have closed by then.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Byte by byte, as far as the operating system lets us.
    async fn drip(&mut self, bytes: &[u8]) {
        self.0.set_nodelay(true).unwrap();
        for byte in bytes {
            self.send(&[*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    /// The next frame; nothing at the end.
    async fn next(&mut self) -> Option<Frame> {
        let next = timeout(PATIENCE, self.read());
        next.await.expect("the node says something, or closes")
    }

    async fn read(&mut self) -> Option<Frame> {
        let first = self.0.read_u8().await.ok()?;
        let short = self.0.read_u8().await.ok()?;
        assert_eq!(short & 0x80, 0, "a server masks nothing");
        let len = match short {
            126 => self.0.read_u16().await.ok()?.into(),
            127 => self.0.read_u64().await.ok()?,
            short => short.into(),
        };
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame { first, payload })
    }

    async fn hear(&mut self) -> Value {
        let frame = self.next().await.expect("a message");
        assert_eq!(frame.first, FIN | TEXT, "{frame:?}");
        serde_json::from_slice(&frame.payload).unwrap()
    }

    /// Whether the node still understands what is said.
    async fn is_understood(&mut self) {
        self.send(&frame(FIN | TEXT, &question(4_242))).await;
        assert_eq!(self.hear().await["id"], 4_242);
    }

    /// The connection ends without an answer to anything; whether with a close frame, and its code.
    async fn ends(&mut self, what: &str) -> Option<u16> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            assert_eq!(frame.first, FIN | CLOSE, "{what}: {frame:?}");
            assert!(code.is_none(), "{what}: two close frames");
            code = Some(code_of(&frame.payload));
        }
        code
    }
}

/// Before `join` it is answered by an error with its id.
fn question(id: u32) -> Vec<u8> {
    json!({"type": "ping", "id": id}).to_string().into_bytes()
}

/// The same with so many bytes.
fn question_of(id: u32, len: usize) -> Vec<u8> {
    let mut text = question(id);
    assert!(text.len() <= len);
    text.resize(len, b' ');
    text
}

/// A masked frame, which says that it is so long and holds that.
fn frame_of(first: u8, len: u64, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(0x80 | len as u8),
        126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    let mask = MASK.into_iter().cycle();
    bytes.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_of(first, payload.len() as u64, payload)
}

fn code_of(payload: &[u8]) -> u16 {
    match payload {
        [] => 1005,
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        [_] => panic!("a close frame with half a code"),
    }
}

/// Every one of these, on a connection of its own, breaks it: the node does as if nothing had been said, but for a
/// close frame with one of these codes, if any.
async fn break_it(node: &Node, cases: Vec<(String, Vec<u8>)>, codes: &[u16]) {
    let ends = join_all(cases.into_iter().map(async |(what, bytes)| {
        let mut raw = Raw::open(node).await;
        raw.send(&bytes).await;
        // What comes after is not read any more.
        raw.send(&frame(FIN | TEXT, &question(1))).await;
        raw.send(&frame(FIN | PING, b"late")).await;
        let code = raw.ends(&what).await;
        assert!(
            code.is_none_or(|code| codes.contains(&code)),
            "{what}: {code:?}"
        );
    }));
    ends.await;
    Raw::open(node).await.is_understood().await;
}

#[tokio::test]
async fn messages_of_every_length_arrive() {
    let node = Node::start(&[]);
    let mut raw = Raw::open(&node).await;
    // 1.1.1 to 1.1.8: each way to write a length, at its ends.
    for (id, len) in [30, 125, 126, 127, 128, 65_535].into_iter().enumerate() {
        let id = id as u32;
        raw.send(&frame(FIN | TEXT, &question_of(id, len))).await;
        assert_eq!(raw.hear().await["id"], id, "{len} bytes");
    }
    raw.drip(&frame(FIN | TEXT, &question_of(7, 126))).await;
    assert_eq!(raw.hear().await["id"], 7);
    // 1.1.1 and 1.2: nothing, and what is not text, is an error and no more.
    for bytes in [
        frame(FIN | TEXT, b""),
        frame(FIN | BINARY, b""),
        frame(FIN | BINARY, &[0xff; 300]),
    ] {
        raw.send(&bytes).await;
        assert_eq!(raw.hear().await["code"], "malformed");
    }
    raw.is_understood().await;
}

#[tokio::test]
async fn pings_are_answered_with_what_they_held() {
    let node = Node::start(&[]);
    let mut raw = Raw::open(&node).await;
    // 2.1 to 2.4
    for payload in [
        vec![],
        b"Hello, world!".to_vec(),
        vec![0, 0xff, 0xfe, 0xfd],
        vec![0xfe; 125],
    ] {
        raw.send(&frame(FIN | PING, &payload)).await;
        assert_eq!(
            raw.next().await,
            Some(Frame {
                first: FIN | PONG,
                payload
            })
        );
    }
    // 2.6
    raw.drip(&frame(FIN | PING, &[0xfe; 125])).await;
    assert_eq!(raw.next().await.unwrap().payload, [0xfe; 125]);
    // 2.7 to 2.9: a pong that nobody asked for.
    raw.send(&frame(FIN | PONG, b"unasked")).await;
    raw.send(&frame(FIN | PING, b"asked")).await;
    assert_eq!(raw.next().await.unwrap().payload, b"asked");
    // 2.10: the last of many is answered; the others may be passed over (§5.5.3).
    let many: Vec<u8> = (0..10)
        .flat_map(|number| frame(FIN | PING, &[number]))
        .collect();
    raw.send(&many).await;
    while raw.next().await.unwrap().payload != [9] {}
    raw.is_understood().await;
    // 2.5
    break_it(
        &node,
        vec![("2.5".to_owned(), frame(FIN | PING, &[0xfe; 126]))],
        &[1002],
    )
    .await;
}

#[tokio::test]
async fn reserved_bits_and_opcodes_break_the_connection() {
    let node = Node::start(&[]);
    let mut cases = Vec::new();
    // 3.1 to 3.7
    for bits in 1..8u8 {
        for kind in [FIN | TEXT, FIN | BINARY, FIN | PING, FIN | CLOSE, TEXT] {
            let bytes = frame(bits << 4 | kind, &question(1));
            cases.push((format!("bits {bits} of {kind:#x}"), bytes));
        }
        let mut bytes = frame(TEXT, b"{");
        bytes.extend(frame(FIN | bits << 4 | CONTINUATION, b"}"));
        cases.push((format!("bits {bits} of a continuation"), bytes));
    }
    // 4.1 and 4.2
    for opcode in (3..8).chain(11..16) {
        cases.push((format!("opcode {opcode}"), frame(FIN | opcode, b"")));
        cases.push((
            format!("opcode {opcode} with something"),
            frame(FIN | opcode, &question(1)),
        ));
    }
    break_it(&node, cases, &[1002]).await;
}

#[tokio::test]
async fn fragments_make_a_message_and_control_frames_come_between() {
    let node = Node::start(&[]);
    let mut raw = Raw::open(&node).await;
    let text = question(5);
    let (left, right) = text.split_at(9);
    let three = |between: &[u8]| {
        let parts = [
            frame(TEXT, left),
            between.to_vec(),
            frame(FIN | CONTINUATION, right),
        ];
        parts.concat()
    };
    // 5.3 to 5.5
    raw.send(&three(b"")).await;
    assert_eq!(raw.hear().await["id"], 5);
    raw.drip(&three(b"")).await;
    assert_eq!(raw.hear().await["id"], 5);
    raw.send(&three(&frame(CONTINUATION, b""))).await;
    assert_eq!(raw.hear().await["id"], 5);
    let single: Vec<u8> = text
        .iter()
        .enumerate()
        .flat_map(|(at, byte)| frame(if at == 0 { TEXT } else { CONTINUATION }, &[*byte]))
        .chain(frame(FIN | CONTINUATION, b""))
        .collect();
    raw.send(&single).await;
    assert_eq!(raw.hear().await["id"], 5);
    // 5.6 to 5.8: a ping in the midst is answered before the message is there.
    raw.send(
        &three(&frame(FIN | PING, b"between"))
            [..frame(TEXT, left).len() + frame(FIN | PING, b"between").len()],
    )
    .await;
    assert_eq!(
        raw.next().await.unwrap(),
        Frame {
            first: FIN | PONG,
            payload: b"between".to_vec()
        }
    );
    raw.send(&frame(FIN | CONTINUATION, right)).await;
    assert_eq!(raw.hear().await["id"], 5);
    // 5.19 and 5.20
    let pings = [
        frame(FIN | PING, b"1"),
        frame(CONTINUATION, b" "),
        frame(FIN | PONG, b"2"),
    ]
    .concat();
    raw.send(&[frame(TEXT, &text), pings, frame(FIN | CONTINUATION, b" ")].concat())
        .await;
    assert_eq!(raw.next().await.unwrap().payload, b"1");
    assert_eq!(raw.hear().await["id"], 5);
    // 10.1.1
    let long = question_of(6, 65_000);
    let mut parts = long.chunks(1_300).peekable();
    let mut first = TEXT;
    while let Some(part) = parts.next() {
        let fin = if parts.peek().is_none() { FIN } else { 0 };
        raw.send(&frame(
            fin | std::mem::replace(&mut first, CONTINUATION),
            part,
        ))
        .await;
    }
    assert_eq!(raw.hear().await["id"], 6);
    raw.is_understood().await;
}

#[tokio::test]
async fn fragments_out_of_place_break_the_connection() {
    let node = Node::start(&[]);
    let whole = question(1);
    let cases = [
        ("5.1", frame(PING, b"half")),
        ("5.2", frame(PONG, b"half")),
        ("a close in halves", frame(CLOSE, &1_000u16.to_be_bytes())),
        ("5.9", frame(FIN | CONTINUATION, &whole)),
        ("5.12", frame(CONTINUATION, &whole)),
        (
            "5.15",
            [
                frame(TEXT, &whole),
                frame(FIN | CONTINUATION, b""),
                frame(CONTINUATION, b""),
            ]
            .concat(),
        ),
        (
            "5.18",
            [frame(TEXT, b"{"), frame(FIN | TEXT, &whole)].concat(),
        ),
        (
            "a binary within a text",
            [frame(TEXT, b"{"), frame(BINARY, b"}")].concat(),
        ),
    ];
    let answered = "5.15";
    let broken = cases
        .into_iter()
        .map(|(what, bytes)| (what.to_owned(), bytes));
    let (with_answer, without): (Vec<_>, Vec<_>) = broken.partition(|(what, _)| what == answered);
    break_it(&node, without, &[1002]).await;
    for (what, bytes) in with_answer {
        let mut raw = Raw::open(&node).await;
        raw.send(&bytes).await;
        // The message before was whole; whether its answer is out before the end is a matter of luck.
        while let Some(frame) = raw.next().await {
            let is_answer =
                frame.first == FIN | TEXT && frame.payload.starts_with(b"{\"type\":\"error\"");
            assert!(is_answer || frame.first == FIN | CLOSE, "{what}: {frame:?}");
        }
    }
}

#[tokio::test]
async fn text_is_valid_however_it_is_cut() {
    let node = Node::start(&[]);
    let name = "κόσμε 𝒜 é 한 \u{10ffff}";
    let join = json!({"type": "join", "id": 1, "room": "r", "name": "NAME"});
    let join = join.to_string().replace("NAME", name).into_bytes();
    // 6.2.1 to 6.2.4 and 6.3's valid half: in one, between characters, within them.
    for size in [join.len(), 7, 2, 1] {
        let mut raw = Raw::open(&node).await;
        let mut parts = join.chunks(size).peekable();
        let mut first = TEXT;
        while let Some(part) = parts.next() {
            let fin = if parts.peek().is_none() { FIN } else { 0 };
            raw.send(&frame(
                fin | std::mem::replace(&mut first, CONTINUATION),
                part,
            ))
            .await;
        }
        let joined = raw.hear().await;
        let members = joined["members"].as_array().unwrap();
        assert_eq!(members.last().unwrap()["name"], name, "parts of {size}");
        raw.send(&frame(FIN | TEXT, br#"{"type":"bye"}"#)).await;
        while raw.next().await.is_some() {}
    }
}

/// 6.3 to 6.21: truncated, overlong, surrogates, beyond Unicode, bytes that never occur.
#[tokio::test]
async fn text_that_is_not_utf_8_breaks_the_connection() {
    let node = Node::start(&[]);
    let mut cases = Vec::new();
    for wrong in [
        &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..],
        b"\x80",
        b"\xbf",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xc3",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf0\x9f\x92",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xfe",
        b"\xff",
    ] {
        let text = [b"\"", wrong, b"\""].concat();
        cases.push((format!("{wrong:x?}"), frame(FIN | TEXT, &text)));
        cases.push((format!("{wrong:x?} at the end"), frame(FIN | TEXT, wrong)));
        let parts = text.iter().enumerate();
        let parts =
            parts.flat_map(|(at, byte)| frame(if at == 0 { TEXT } else { CONTINUATION }, &[*byte]));
        let split = parts.chain(frame(FIN | CONTINUATION, b"")).collect();
        cases.push((format!("{wrong:x?} byte by byte"), split));
    }
    break_it(&node, cases, &[1007]).await;
}

#[tokio::test]
async fn a_close_is_answered_and_nothing_after_it() {
    let node = Node::start(&[]);
    let close =
        |code: u16, reason: &[u8]| frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat());
    // 7.1.1 to 7.1.6 and 7.3: what follows a close frame is nobody's concern.
    for (what, bytes, code) in [
        ("7.3.1", frame(FIN | CLOSE, b""), 1005),
        ("7.3.3", close(1000, b""), 1000),
        ("7.3.4", close(1000, "Hello, wörld!".as_bytes()), 1000),
        ("7.3.5", close(1000, &[b'*'; 123]), 1000),
        ("7.1.2", [close(1000, b""), close(1000, b"")].concat(), 1000),
        (
            "7.1.3",
            [close(1000, b""), frame(FIN | PING, b"late")].concat(),
            1000,
        ),
        (
            "7.1.4",
            [close(1000, b""), frame(FIN | TEXT, &question(1))].concat(),
            1000,
        ),
        (
            "7.1.5",
            [
                frame(TEXT, b"{"),
                close(1000, b""),
                frame(FIN | CONTINUATION, b"}"),
            ]
            .concat(),
            1000,
        ),
    ] {
        let mut raw = Raw::open(&node).await;
        raw.send(&bytes).await;
        assert_eq!(raw.ends(what).await, Some(code), "{what}");
    }
    // 7.7
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        let mut raw = Raw::open(&node).await;
        raw.send(&close(code, b"")).await;
        assert_eq!(raw.ends("a valid code").await, Some(code), "{code}");
    }
    Raw::open(&node).await.is_understood().await;
}

#[tokio::test]
async fn a_close_that_is_none_breaks_the_connection() {
    let node = Node::start(&[]);
    let close =
        |code: u16, reason: &[u8]| frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat());
    let mut cases = vec![
        ("7.3.2".to_owned(), frame(FIN | CLOSE, &[3])),
        ("7.3.6".to_owned(), close(1000, &[b'*'; 124])),
        ("7.5.1".to_owned(), close(1000, b"\xce\xba\xed\xa0\x80")),
    ];
    // 7.9
    for code in [0, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999] {
        cases.push((format!("code {code}"), close(code, b"")));
    }
    break_it(&node, cases, &[1002, 1007]).await;
}

/// RFC 6455 §5.1 and §5.2, which the suite cannot try: it is a client that keeps to them.
#[tokio::test]
async fn frames_without_a_mask_or_of_no_possible_length_break_the_connection() {
    let node = Node::start(&[]);
    let bare = |first: u8, payload: &[u8]| [&[first, payload.len() as u8], payload].concat();
    let cases = [
        ("a text without a mask", bare(FIN | TEXT, &question(1))),
        ("a ping without a mask", bare(FIN | PING, b"")),
        ("a close without a mask", bare(FIN | CLOSE, b"")),
        (
            "the highest bit of a length",
            frame_of(FIN | TEXT, 1 << 63, b""),
        ),
        ("all bits of a length", frame_of(FIN | TEXT, u64::MAX, b"")),
    ];
    let cases = cases.map(|(what, bytes)| (what.to_owned(), bytes)).to_vec();
    let (short, long): (Vec<_>, Vec<_>) = cases
        .into_iter()
        .partition(|(what, _)| what.contains("mask"));
    break_it(&node, short, &[1002]).await;
    for (what, bytes) in long {
        let mut raw = Raw::open(&node).await;
        raw.send(&bytes).await;
        // Longer than any message may be: told, and closed.
        while let Some(frame) = raw.next().await {
            let is_goodbye =
                frame.first == FIN | CLOSE || frame.payload.starts_with(br#"{"type":"bye""#);
            assert!(is_goodbye, "{what}: {frame:?}");
        }
    }
}
