//! What RFC 9725 (WHIP) and draft-ietf-wish-whep ask of a server, line by line over real HTTP. Prints
//! a table of all of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::json;

mod common;
mod listing;
mod over_http;

use listing::Table;
use over_http::Side;

const OFFER: &str = include_str!("fixtures/offers/ffmpeg-9.0.2-whip-active.sdp");
const PASSIVE: &str = include_str!("fixtures/offers/ffmpeg-9.0.2-whip-passive.sdp");
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const TOKEN: &str = "0123456789abcdef";
/// Longer than the node waits for a client that never comes up.
const EXPIRY: Duration = Duration::from_secs(45);

fn viewing() -> String {
    OFFER.replace("a=sendonly", "a=recvonly")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or("none")
}

fn lists(headers: &HeaderMap, name: &str, item: &str) -> bool {
    let mut items = text(headers, name).split(',').map(str::trim);
    items.any(|other| other.eq_ignore_ascii_case(item))
}

fn is_problem(headers: &HeaderMap) -> bool {
    text(headers, "content-type") == "application/problem+json"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_the_list() {
    let mut table = Table::default();
    let side = Side::start(&[]);
    let silent = side.begin("/whip/silent", OFFER).await.0;
    let began = Instant::now();
    creation(&side, &mut table).await;
    refused_offers(&side, &mut table).await;
    viewers(&side, &mut table).await;
    profiles(&side, &mut table).await;
    without_a_picture(&side, &mut table).await;
    reading_and_preflights(&side, &mut table).await;
    trickling(&side, &mut table).await;
    restarts(&side, &mut table).await;
    deleting(&side, &mut table).await;
    tokens(&mut table).await;
    origins(&side, &mut table).await;
    overload_and_redirects(&mut table).await;
    expiry(&side, &silent, began, &mut table).await;
    table.print();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_room_tells_no_viewer_who_publishes() {
    let side = Side::start(&[]);
    let mut owner = common::Client::connect(&side.node).await;
    let key = "an-owner's-key-of-some-length";
    let join = json!({"type": "join", "id": 1, "room": "locked", "name": "Ada", "ownerKey": key});
    owner.say(join).await;
    owner.hear_type("joined").await;
    side.begin("/whip/locked?name=Studio", OFFER).await;
    owner
        .say(json!({"type": "lock", "locked": true, "id": 2}))
        .await;
    owner.hear_type("ok").await;
    let mut answers = Vec::new();
    for query in ["", "?member=Studio", "?member=Nobody", "?wait"] {
        let path = format!("/whep/locked{query}");
        let answer = side.offer(&path, &viewing()).await;
        answers.push((answer.status().as_u16(), answer.text().await.unwrap()));
    }
    assert_eq!(answers[0].0, 403, "{answers:?}");
    assert!(answers.iter().all(|one| one == &answers[0]), "{answers:?}");
    for said in [
        json!({"type": "lock", "locked": false, "id": 3}),
        json!({"type": "lobby", "enabled": true, "id": 4}),
    ] {
        owner.say(said).await;
        owner.hear_type("ok").await;
    }
    // Where newcomers wait, so does who asks for somebody that is not there.
    let offer = viewing();
    let asked = side.offer("/whep/locked?member=Nobody", &offer);
    let denied = async {
        let knocks = owner.hear_type("knocks").await;
        let member = &knocks["waiting"][0]["member"];
        owner.say(json!({"type": "deny", "member": member})).await;
    };
    let (answer, ()) = tokio::join!(asked, denied);
    assert_eq!(answer.status(), 403);
}

async fn creation(side: &Side, table: &mut Table) {
    let response = side.offer("/whip/made?name=Studio", OFFER).await;
    let headers = response.headers().clone();
    let location = text(&headers, "location").to_owned();
    let etag = text(&headers, "etag").to_owned();
    table.row("WHIP POST", 201, response.status().as_u16());
    table.row(
        "WHIP POST: Content-Type",
        SDP,
        text(&headers, "content-type"),
    );
    let answer = response.text().await.unwrap();
    let length = answer.len().to_string();
    table.row(
        "WHIP POST: Content-Length",
        length,
        text(&headers, "content-length"),
    );
    table.is(
        "WHIP POST: not chunked",
        !headers.contains_key("transfer-encoding"),
    );
    table.is("WHIP POST: Location", location.starts_with("/whip/made/"));
    let secret = location.rsplit('/').next().unwrap();
    let is_random = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    table.is("session URL of 128 random bits", is_random);
    let other = side.begin("/whip/made", OFFER).await.0;
    table.is("another session has another URL", other != location);
    let is_strong = etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"');
    table.is("ETag strong and quoted", is_strong);
    table.is("answer: host candidate", answer.contains(" typ host\r\n"));
    table.is(
        "answer: all candidates",
        answer.contains("a=end-of-candidates\r\n"),
    );
    let port = format!(" {} typ host", side.node.media[0].port());
    table.is(
        "answer: candidate of the media port",
        answer.contains(&port),
    );
    let count = |line: &str| answer.lines().filter(|other| *other == line).count();
    table.row("answer: recvonly", 2, count("a=recvonly"));
    table.row("answer: rtcp-mux-only", 2, count("a=rtcp-mux-only"));
    table.row("answer: setup:passive", 2, count("a=setup:passive"));
    let links: Vec<&str> = headers
        .get_all("link")
        .iter()
        .map(|it| it.to_str().unwrap())
        .collect();
    table.is(
        "Link: rel ice-server",
        links.iter().any(|link| link.contains("rel=\"ice-server\"")),
    );
    let has = |part: &str| {
        links
            .iter()
            .any(|link| link.starts_with("<turn:") && link.contains(part))
    };
    table.is("Link: username", has("username=\""));
    table.is("Link: credential", has("credential=\""));
    table.is("Link: credential-type", has("credential-type=\"password\""));
    table.row("a session is a member", 2, side.members("made").await);
    // OkHttp and .NET add the first to every text. The type has no parameters (RFC 8866 §8.1): none means anything,
    // and RFC 9725 §4.2 asks for the type alone.
    for content_type in [
        "application/sdp; charset=utf-8",
        "application/sdp;charset=UTF-8",
        "Application/SDP ; a=\"b;c\"",
    ] {
        let request = side.ask(Method::POST, "/whip/typed").body(OFFER);
        let request = request.header("content-type", content_type);
        let status = request.send().await.unwrap().status().as_u16();
        table.row(&format!("content type {content_type:?}"), 201, status);
    }
    // As people paste it; the session's URL is the same.
    let slashed = side.begin("/whip/slashed/", OFFER).await.0;
    table.is(
        "WHIP POST with a slash at the end",
        slashed.starts_with("/whip/slashed/") && !slashed.contains("//"),
    );
    let shown = side.send(Method::GET, &format!("{slashed}/")).await;
    table.row(
        "session with a slash at the end",
        204,
        shown.status().as_u16(),
    );
    let both = side
        .offer("/whip/both", &OFFER.replace("sendonly", "sendrecv"))
        .await;
    let answer = both.text().await.unwrap();
    table.is(
        "WHIP sendrecv is answered recvonly",
        answer.contains("a=recvonly\r\n"),
    );
    let layered = layered();
    let simulcast = side
        .offer("/whip/layers", &layered)
        .await
        .text()
        .await
        .unwrap();
    table.is(
        "WHIP simulcast",
        simulcast.contains("a=simulcast:recv q;h;f\r\n"),
    );
}

/// ffmpeg's offer with three layers, as a browser would have it.
fn layered() -> String {
    let mid = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n\
        a=rid:q send\na=rid:h send\na=rid:f send\na=simulcast:send q;h;f\n";
    let mut layered: String = OFFER
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    let at = layered.find("a=ssrc-group").unwrap();
    layered.truncate(at);
    layered + mid
}

async fn refused_offers(side: &Side, table: &mut Table) {
    for content_type in [
        "text/plain",
        "application/json",
        "application/trickle-ice-sdpfrag",
        "",
    ] {
        let request = side.ask(Method::POST, "/whip/refused").body(OFFER);
        let request = match content_type {
            "" => request,
            other => request.header("content-type", other),
        };
        let response = request.send().await.unwrap();
        let name = format!("content type {content_type:?}");
        table.row(&name, 415, response.status().as_u16());
    }
    let two = OFFER
        .replace(
            "m=video 9 UDP/TLS/RTP/SAVPF 106 105",
            "m=audio 9 UDP/TLS/RTP/SAVPF 106",
        )
        .replace("H264/90000", "opus/48000/2");
    for (name, expected, offer) in [
        ("WHIP empty", 400, String::new()),
        ("WHIP no SDP", 400, "hello".to_owned()),
        ("WHIP without m-lines", 400, "v=0\r\ns=-\r\n".to_owned()),
        (
            "WHIP without a fingerprint",
            400,
            OFFER.replace("a=fingerprint", "a=x"),
        ),
        (
            "WHIP without ICE credentials",
            400,
            OFFER.replace("a=ice-ufrag", "a=x"),
        ),
        ("WHIP without BUNDLE", 400, OFFER.replace("a=group", "a=x")),
        ("WHIP recvonly", 422, viewing()),
        ("WHIP inactive", 422, OFFER.replace("sendonly", "inactive")),
        ("WHIP two tracks of a kind", 422, two),
        ("WHIP setup:passive", 422, PASSIVE.to_owned()),
        (
            "WHIP a codec that is not known",
            422,
            OFFER.replace("H264/90000", "H265/90000"),
        ),
        (
            "WHIP too long",
            413,
            format!("{OFFER}{}", "a=x\r\n".repeat(60_000)),
        ),
    ] {
        let response = side.offer("/whip/refused", &offer).await;
        let is_problem = is_problem(response.headers());
        table.row(name, expected, response.status().as_u16());
        table.is(&format!("{name}: problem+json"), is_problem);
    }
    let passive = side
        .offer("/whip/refused", PASSIVE)
        .await
        .text()
        .await
        .unwrap();
    table.is(
        "setup:passive is told what helps",
        passive.contains("dtls_active"),
    );
    for (name, path) in [
        ("a room's name that cannot be", "/whip/%20"),
        ("a member's name that cannot be", "/whip/refused?name=%20"),
    ] {
        let response = side.offer(path, OFFER).await;
        table.row(name, 400, response.status().as_u16());
    }
    let room = side.room("refused").await;
    table.row("what was refused left no room", 404, room.status().as_u16());
}

async fn viewers(side: &Side, table: &mut Table) {
    let response = side.offer("/whep/nobody", &viewing()).await;
    table.row(
        "WHEP where nobody publishes",
        409,
        response.status().as_u16(),
    );
    table.is(
        "WHEP 409: Retry-After",
        response.headers().contains_key("retry-after"),
    );
    table.is("WHEP 409: problem+json", is_problem(response.headers()));
    let waiting = side.offer("/whep/nobody?wait", &viewing()).await;
    table.row("WHEP that waits", 201, waiting.status().as_u16());

    let response = side.offer("/whep/made", &viewing()).await;
    let headers = response.headers().clone();
    table.row("WHEP POST", 201, response.status().as_u16());
    table.row(
        "WHEP POST: Content-Type",
        SDP,
        text(&headers, "content-type"),
    );
    table.is(
        "WHEP POST: Location",
        text(&headers, "location").starts_with("/whep/made/"),
    );
    table.is("WHEP POST: ETag", text(&headers, "etag").starts_with('"'));
    table.is("WHEP POST: Link", headers.contains_key("link"));
    let answer = response.text().await.unwrap();
    let sendonly = answer.lines().filter(|line| *line == "a=sendonly").count();
    table.row("WHEP answer: sendonly", 2, sendonly);
    let streams = answer
        .lines()
        .filter(|line| line.starts_with("a=msid:seat-0 "));
    table.row("WHEP answer: one MediaStream", 2, streams.count());
    for (name, offer) in [
        (
            "WHEP sendrecv is answered sendonly",
            OFFER.replace("sendonly", "sendrecv"),
        ),
        (
            "WHEP without a direction likewise",
            OFFER.replace("a=sendonly", "a=x"),
        ),
    ] {
        let answer = side.offer("/whep/made", &offer).await.text().await.unwrap();
        let sendonly = answer.lines().filter(|line| *line == "a=sendonly").count();
        table.row(name, 2, sendonly);
    }
    let named = side.offer("/whep/made?member=Studio", &viewing()).await;
    table.row("WHEP ?member= of a publisher", 201, named.status().as_u16());
    let named = side.offer("/whep/made?member=Nobody", &viewing()).await;
    table.row("WHEP ?member= of nobody", 409, named.status().as_u16());
    for (name, expected, offer) in [
        ("WHEP sendonly", 422, OFFER.to_owned()),
        ("WHEP inactive", 422, OFFER.replace("sendonly", "inactive")),
        ("WHEP no SDP", 400, "hello".to_owned()),
        (
            "WHEP setup:passive",
            422,
            PASSIVE.replace("sendonly", "recvonly"),
        ),
    ] {
        let response = side.offer("/whep/made", &offer).await;
        table.row(name, expected, response.status().as_u16());
    }
    let response = side
        .offer("/whep/made", &viewing().replace("H264/90000", "H265/90000"))
        .await;
    table.row(
        "WHEP without a codec of the node",
        406,
        response.status().as_u16(),
    );
    table.row(
        "WHEP 406: Content-Type",
        SDP,
        text(response.headers(), "content-type"),
    );
    let counter = response.text().await.unwrap();
    table.is(
        "WHEP 406: counter-offer",
        counter.starts_with("v=0") && counter.contains("VP8/90000"),
    );
    let plain = side
        .ask(Method::POST, "/whep/made")
        .body(viewing())
        .send()
        .await
        .unwrap();
    table.row("WHEP without a content type", 415, plain.status().as_u16());
}

/// ffmpeg's offer, or a viewer's, with these parameters of H264.
fn with_h264(offer: &str, parameters: &str) -> String {
    let is_other = |line: &&str| !line.starts_with("a=fmtp:106 ");
    let others = offer.lines().map(str::trim_end).filter(is_other);
    let mut text: String = others.map(|line| format!("{line}\r\n")).collect();
    if !parameters.is_empty() {
        text = text.replace(
            "a=rtpmap:106 H264/90000\r\n",
            &format!("a=rtpmap:106 H264/90000\r\na=fmtp:106 {parameters}\r\n"),
        );
    }
    text
}

const HIGH: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f";

/// RFC 6184 §8.1: what is inferred of H264, and which viewers can decode what is sent.
async fn profiles(side: &Side, table: &mut Table) {
    for (name, parameters) in [
        ("without fmtp", ""),
        ("without a profile", "packetization-mode=1"),
        ("without a mode", "profile-level-id=42e01f"),
        ("Main", "packetization-mode=1;profile-level-id=4d001f"),
        ("High", HIGH),
    ] {
        let room = name.replace(' ', "-");
        let (whip, whep) = (format!("/whip/h264-{room}"), format!("/whep/h264-{room}"));
        let response = side.offer(&whip, &with_h264(OFFER, parameters)).await;
        let status = response.status().as_u16();
        table.row(&format!("WHIP H264 {name}"), 201, status);
        let answer = response.text().await.unwrap();
        let echoed = answer
            .lines()
            .find_map(|line| line.strip_prefix("a=fmtp:106 "));
        let title = format!("WHIP H264 {name}: answered parameters");
        table.row(&title, parameters, echoed.unwrap_or_default());
        let viewer = with_h264(&viewing(), parameters);
        let status = side.offer(&whep, &viewer).await.status().as_u16();
        table.row(&format!("WHEP of the same H264 {name}"), 201, status);
        let status = side.offer(&whep, &viewing()).await.status().as_u16();
        let expected = if matches!(name, "Main" | "High") {
            406
        } else {
            201
        };
        table.row(
            &format!("WHEP H264 {name}, baseline offered"),
            expected,
            status,
        );
    }
    let response = side.offer("/whep/h264-High", &viewing()).await;
    let counter = response.text().await.unwrap();
    let (_, video) = counter.split_once("m=video").unwrap();
    table.is(
        "WHEP 406: what would do, and nothing else",
        video.contains("profile-level-id=64") && !video.contains("VP8"),
    );
    let (sound, _) = viewing()
        .split_once("m=video")
        .map(|(head, _)| (head.to_owned(), ()))
        .unwrap();
    let sound = sound.replace("BUNDLE 0 1", "BUNDLE 0");
    let response = side.offer("/whep/h264-High", &sound).await;
    table.row("WHEP of the sound alone", 201, response.status().as_u16());
}

/// A `<video>` waits for the first frame of a picture that it was promised, with the sound too.
async fn without_a_picture(side: &Side, table: &mut Table) {
    let (sound, _) = OFFER.split_once("m=video").unwrap();
    let radio = side
        .begin("/whip/radio", &sound.replace("BUNDLE 0 1", "BUNDLE 0"))
        .await
        .0;
    let directions = |answer: &str| -> String {
        let names = ["a=sendonly", "a=inactive"];
        let said = answer.lines().filter(|line| names.contains(line));
        said.collect::<Vec<_>>().join(" ")
    };
    for path in ["/whep/radio", "/whep/radio?member=WHIP", "/whep/radio?wait"] {
        let answer = side.offer(path, &viewing()).await.text().await.unwrap();
        let name = format!("{path}: no picture");
        table.row(&name, "a=sendonly a=inactive", directions(&answer));
    }
    let keeps = side.begin("/whep/radio", &viewing()).await.0;
    let restarts = side.begin("/whep/radio?restart", &viewing()).await.0;
    side.begin("/whip/radio?name=Camera", OFFER).await;
    let answer = side
        .offer("/whep/radio", &viewing())
        .await
        .text()
        .await
        .unwrap();
    table.row(
        "a picture has come",
        "a=sendonly a=sendonly",
        directions(&answer),
    );
    let answer = side.offer("/whep/radio?member=WHIP", &viewing()).await;
    let answer = answer.text().await.unwrap();
    table.row(
        "but not of whom is viewed",
        "a=sendonly a=inactive",
        directions(&answer),
    );
    let mut status = 0;
    for _ in 0..50 {
        status = side.send(Method::GET, &restarts).await.status().as_u16();
        if status == 404 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    table.row(
        "a session with ?restart is over when a picture comes",
        404,
        status,
    );
    let status = side.send(Method::GET, &keeps).await.status().as_u16();
    table.row("one without goes on", 204, status);
    side.send(Method::DELETE, &radio).await;
}

async fn reading_and_preflights(side: &Side, table: &mut Table) {
    for (way, session) in [
        ("whip", side.begin("/whip/read", OFFER).await.0),
        ("whep", side.begin("/whep/read", &viewing()).await.0),
    ] {
        let endpoint = format!("/{way}/read");
        for (what, path) in [("endpoint", &endpoint), ("session", &session)] {
            let response = side.send(Method::GET, path).await;
            table.row(
                &format!("{way} GET {what}"),
                204,
                response.status().as_u16(),
            );
            let body = response.bytes().await.unwrap();
            table.row(&format!("{way} GET {what}: bytes"), 0, body.len());
            let head = side.send(Method::HEAD, path).await;
            table.is(&format!("{way} HEAD {what}"), head.status().is_success());
            for method in [Method::PUT, Method::from_bytes(b"BREW").unwrap()] {
                let response = side.send(method.clone(), path).await;
                table.row(
                    &format!("{way} {method} {what}"),
                    405,
                    response.status().as_u16(),
                );
            }
            let preflight = side
                .ask(Method::OPTIONS, path)
                .header("origin", "https://other.example");
            let preflight = preflight.header("access-control-request-method", "POST");
            let preflight =
                preflight.header("access-control-request-headers", "authorization,link");
            let response = preflight.send().await.unwrap();
            let headers = response.headers();
            let name = format!("{way} OPTIONS {what}");
            table.row(&name, 200, response.status().as_u16());
            let allows = |name: &str, item: &str| lists(headers, name, item);
            table.is(
                &format!("{name}: origin"),
                text(headers, "access-control-allow-origin") == "*",
            );
            let verbs = ["POST", "PATCH", "DELETE", "OPTIONS"];
            table.is(
                &format!("{name}: methods"),
                verbs
                    .iter()
                    .all(|verb| allows("access-control-allow-methods", verb)),
            );
            let asked = ["Authorization", "Content-Type", "If-Match", "ETag"];
            table.is(
                &format!("{name}: headers by name"),
                asked
                    .iter()
                    .all(|one| allows("access-control-allow-headers", one)),
            );
            let told = ["Location", "ETag", "Link", "Access-Control-Allow-Methods"];
            table.is(
                &format!("{name}: exposed"),
                told.iter()
                    .all(|one| allows("access-control-expose-headers", one)),
            );
            table.is(&format!("{name}: no Link"), !headers.contains_key("link"));
            let accept = match what {
                "endpoint" => ("accept-post", SDP),
                _ => ("accept-patch", FRAGMENT),
            };
            table.row(
                &format!("{name}: {}", accept.0),
                accept.1,
                text(headers, accept.0),
            );
        }
    }
    let head = side.send(Method::HEAD, "/whep/read").await;
    table.row(
        "WHEP HEAD: Content-Type",
        SDP,
        text(head.headers(), "content-type"),
    );
    let missing = side.send(Method::GET, "/whip/read/0123").await;
    table.row("GET of no session", 404, missing.status().as_u16());
    table.row(
        "a refusal can be read by pages",
        "*",
        text(missing.headers(), "access-control-allow-origin"),
    );
}

const CANDIDATES: &str = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
    a=ice-ufrag:ced2dce4\r\na=ice-pwd:74bc04f3ab24e35f4c9e347d5fbb17f6\r\n\
    a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n";

async fn trickling(side: &Side, table: &mut Table) {
    let (path, etag) = side.begin("/whip/trickle", OFFER).await;
    let tag = Some(etag.as_str());
    let response = side.patch(&path, tag, CANDIDATES).await;
    table.row("PATCH of a candidate", 204, response.status().as_u16());
    table.is(
        "PATCH of a candidate: no ETag",
        !response.headers().contains_key("etag"),
    );
    table.row(
        "PATCH of a candidate: bytes",
        0,
        response.bytes().await.unwrap().len(),
    );
    let local = CANDIDATES.replace("192.0.2.1", "2c1f4a1e-7d8b-4f6e.local");
    for (name, expected, if_match, fragment) in [
        ("PATCH of a .local candidate", 204, tag, local),
        (
            "PATCH of an unknown transport",
            204,
            tag,
            CANDIDATES.replace("udp", "sctp"),
        ),
        (
            "PATCH of an unknown type",
            204,
            tag,
            CANDIDATES.replace("typ host", "typ new"),
        ),
        (
            "PATCH of the end of candidates",
            204,
            tag,
            format!("{CANDIDATES}a=end-of-candidates\r\n"),
        ),
        (
            "PATCH with If-Match *, same credentials",
            204,
            Some("*"),
            CANDIDATES.to_owned(),
        ),
        ("PATCH without If-Match", 428, None, CANDIDATES.to_owned()),
        (
            "PATCH with another ETag",
            412,
            Some("\"stale\""),
            CANDIDATES.to_owned(),
        ),
        (
            "PATCH with a weak ETag",
            412,
            Some("W/\"stale\""),
            CANDIDATES.to_owned(),
        ),
        ("PATCH of no fragment", 400, tag, "hello".to_owned()),
        ("PATCH of nothing", 400, tag, String::new()),
        (
            "PATCH of half a candidate",
            400,
            tag,
            "a=candidate:1 1 udp\r\n".to_owned(),
        ),
    ] {
        let response = side.patch(&path, if_match, &fragment).await;
        table.row(name, expected, response.status().as_u16());
    }
    let wrong = side.ask(Method::PATCH, &path).header("content-type", SDP);
    let wrong = wrong
        .header("if-match", &etag)
        .body(CANDIDATES)
        .send()
        .await
        .unwrap();
    table.row(
        "PATCH of another content type",
        415,
        wrong.status().as_u16(),
    );
    let missing = side.patch("/whip/trickle/0123", tag, CANDIDATES).await;
    table.row("PATCH of no session", 404, missing.status().as_u16());
    let elsewhere = path.replace("/whip/", "/whep/");
    let elsewhere = side.patch(&elsewhere, tag, CANDIDATES).await;
    table.row(
        "PATCH at the other endpoint",
        404,
        elsewhere.status().as_u16(),
    );
}

fn restart(ufrag: &str) -> String {
    format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n{}",
        "a=end-of-candidates\r\n"
    )
}

async fn restarts(side: &Side, table: &mut Table) {
    let (path, first) = side.begin("/whip/restart", OFFER).await;
    let failed = side
        .patch(&path, Some("*"), "a=ice-ufrag:ab\r\na=ice-pwd:short\r\n")
        .await;
    table.row("ICE restart that cannot be", 400, failed.status().as_u16());
    let after = side.patch(&path, Some(&first), CANDIDATES).await;
    table.row(
        "a failed restart keeps the session",
        204,
        after.status().as_u16(),
    );
    let response = side.patch(&path, Some("*"), &restart("ysXw")).await;
    let second = text(response.headers(), "etag").to_owned();
    table.row("ICE restart", 200, response.status().as_u16());
    table.row(
        "ICE restart: Content-Type",
        FRAGMENT,
        text(response.headers(), "content-type"),
    );
    table.is(
        "ICE restart: new ETag",
        second.starts_with('"') && second != first,
    );
    let fragment = response.text().await.unwrap();
    let says = |name: &str| fragment.lines().any(|line| line.starts_with(name));
    for name in [
        "a=ice-lite",
        "a=ice-ufrag:",
        "a=ice-pwd:",
        "a=candidate:",
        "m=audio",
        "a=mid:0",
    ] {
        table.is(&format!("ICE restart: {name}"), says(name));
    }
    let stale = side.patch(&path, Some(&first), CANDIDATES).await;
    table.row(
        "PATCH with the ETag of before",
        412,
        stale.status().as_u16(),
    );
    let own = CANDIDATES.replace("ced2dce4", "ysXw");
    let own = own.replace(
        "74bc04f3ab24e35f4c9e347d5fbb17f6",
        "vw5LmwG4y/e6dPP/zAP9Gp5k",
    );
    let next = side.patch(&path, Some(&second), &own).await;
    table.row("PATCH after the restart", 204, next.status().as_u16());
    let quoted = side.patch(&path, Some("\"*\""), &restart("third")).await;
    table.row(
        "ICE restart with the RFC's quoted star",
        200,
        quoted.status().as_u16(),
    );
    let (viewer, _) = side.begin("/whep/restart", &viewing()).await;
    let viewer = side.patch(&viewer, Some("*"), &restart("ysXw")).await;
    table.row("WHEP ICE restart", 200, viewer.status().as_u16());
}

async fn deleting(side: &Side, table: &mut Table) {
    let (path, _) = side.begin("/whip/gone", OFFER).await;
    let (other, _) = side.begin("/whip/gone", OFFER).await;
    let request = side
        .ask(Method::DELETE, &path)
        .header("if-match", "\"whatever\"");
    let response = request.send().await.unwrap();
    table.row(
        "DELETE whatever the If-Match",
        200,
        response.status().as_u16(),
    );
    table.row("DELETE: the member is gone", 1, side.members("gone").await);
    let again = side.send(Method::DELETE, &path).await;
    table.row("DELETE again", 404, again.status().as_u16());
    table.is("DELETE again: problem+json", is_problem(again.headers()));
    let patched = side.patch(&path, Some("*"), CANDIDATES).await;
    table.row("PATCH after DELETE", 404, patched.status().as_u16());
    let last = side.send(Method::DELETE, &other).await;
    table.row("DELETE of the other", 200, last.status().as_u16());
}

async fn tokens(table: &mut Table) {
    let side = Side::start(&["--whip-token", TOKEN, "--whep-token", TOKEN]);
    let bearer = format!("Bearer {TOKEN}");
    for (name, expected, authorization) in [
        ("no token", 401, None),
        ("another token", 401, Some("Bearer 0123456789abcdeX")),
        (
            "another scheme",
            401,
            Some("Basic MDEyMzQ1Njc4OWFiY2RlZg=="),
        ),
        ("the token", 201, Some(bearer.as_str())),
        (
            "the token, scheme in lower case",
            201,
            Some("bearer 0123456789abcdef"),
        ),
    ] {
        let request = side.post("/whip/token", OFFER);
        let request = match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        let response = request.send().await.unwrap();
        table.row(name, expected, response.status().as_u16());
        if expected == 401 {
            let challenge = text(response.headers(), "www-authenticate");
            let is_challenge = challenge.starts_with("Bearer realm=");
            table.is(&format!("{name}: WWW-Authenticate"), is_challenge);
            table.is(
                &format!("{name}: problem+json"),
                is_problem(response.headers()),
            );
        }
    }
    let request = side
        .post("/whip/token", OFFER)
        .header("authorization", &bearer);
    let session = request.send().await.unwrap().headers()["location"]
        .to_str()
        .unwrap()
        .to_owned();
    for method in [Method::PATCH, Method::DELETE] {
        let response = side.send(method.clone(), &session).await;
        table.row(
            &format!("{method} without the token"),
            401,
            response.status().as_u16(),
        );
    }
    let viewer = side.offer("/whep/token", &viewing()).await;
    table.row("WHEP without the token", 401, viewer.status().as_u16());
    for path in ["/whip/token", session.as_str()] {
        let preflight = side.send(Method::OPTIONS, path).await;
        table.row(
            "a preflight needs no token",
            200,
            preflight.status().as_u16(),
        );
    }
    let foreign = side
        .post("/whip/token", OFFER)
        .header("origin", "https://other.example");
    let foreign = foreign
        .header("authorization", &bearer)
        .send()
        .await
        .unwrap();
    table.row(
        "a page of elsewhere with the token",
        201,
        foreign.status().as_u16(),
    );
    let ended = side
        .ask(Method::DELETE, &session)
        .header("authorization", &bearer);
    table.row(
        "DELETE with the token",
        200,
        ended.send().await.unwrap().status().as_u16(),
    );
}

async fn origins(side: &Side, table: &mut Table) {
    let foreign = side
        .post("/whip/origin", OFFER)
        .header("origin", "https://other.example");
    let response = foreign.send().await.unwrap();
    table.row(
        "a page of elsewhere where no token is asked",
        403,
        response.status().as_u16(),
    );
    let own = format!("http://{}", side.node.http);
    let own = side
        .post("/whip/origin", OFFER)
        .header("origin", own)
        .send()
        .await
        .unwrap();
    table.row("a page of the node's own", 201, own.status().as_u16());
}

async fn overload_and_redirects(table: &mut Table) {
    let full = Side::start(&["--max-rooms", "1"]);
    full.begin("/whip/one", OFFER).await;
    let response = full.offer("/whip/two", OFFER).await;
    table.row("a node that is full", 503, response.status().as_u16());
    table.is(
        "503: Retry-After",
        response.headers().contains_key("retry-after"),
    );
    table.is("503: problem+json", is_problem(response.headers()));
    let crowded = Side::start(&["--max-connections-per-address", "1"]);
    crowded.begin("/whip/one", OFFER).await;
    let response = crowded.offer("/whip/one", OFFER).await;
    table.row(
        "too many sessions of one address",
        429,
        response.status().as_u16(),
    );
    table.is(
        "429: Retry-After",
        response.headers().contains_key("retry-after"),
    );
    let mesh = Side::start(&["--topology", "mesh"]);
    let response = mesh.offer("/whip/one", OFFER).await;
    table.row("a node without an SFU", 403, response.status().as_u16());

    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let secure = Side::start(&["--tls", "self-signed", "--data-dir", folder]);
    for path in ["/whip/one", "/whep/one"] {
        let response = secure.offer(path, OFFER).await;
        table.row(&format!("{path} by http"), 307, response.status().as_u16());
        let expected = format!("https://{}{path}", secure.node.http);
        table.row(
            &format!("{path}: Location"),
            expected,
            text(response.headers(), "location"),
        );
    }
}

async fn expiry(side: &Side, session: &str, began: Instant, table: &mut Table) {
    let mut status = StatusCode::NO_CONTENT;
    while began.elapsed() < EXPIRY && status != StatusCode::NOT_FOUND {
        tokio::time::sleep(Duration::from_millis(500)).await;
        status = side.send(Method::GET, session).await.status();
    }
    table.row("a session without ICE consent ends", 404, status.as_u16());
    let is_late = began.elapsed() > Duration::from_secs(25);
    table.is("and not before its time", is_late);
}
