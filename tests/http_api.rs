//! `/api`, `/health`, `/ready`, `/metrics`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ADMIN_TOKEN, Client, Node, admin, handshake};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn request(method: &str, node: &Node, path: &str) -> RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    admin().request(method, node.url(path))
}

fn stranger(method: &str, node: &Node, path: &str) -> RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    reqwest::Client::new().request(method, node.url(path))
}

async fn problem(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let kind = response.headers()["content-type"].clone();
    assert_eq!(kind, "application/problem+json");
    let status = response.status().as_u16();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| detail.ends_with('.')),
        "{problem}"
    );
    (status, problem)
}

#[tokio::test]
async fn a_room_is_made_listed_shown_and_ended() {
    let node = Node::start(&[]);
    let made = request("POST", &node, "/api/rooms").json(&json!({"name": "Café du Nord"}));
    let made = made.send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, "/api/rooms/Caf%C3%A9%20du%20Nord");
    assert_eq!(made.json::<Value>().await.unwrap()["name"], "Café du Nord");

    let again =
        request("POST", &node, "/api/rooms").json(&json!({"name": " Cafe\u{301} du Nord "}));
    assert_eq!(problem(again).await.0, 409);

    let rooms: Value = request("GET", &node, "/api/rooms")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(rooms.as_array().unwrap().len(), 1);
    let (mut ada, _) = Client::join(&node, "Café du Nord", "Ada").await;
    let room: Value = request("GET", &node, &location)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(room["members"][0]["name"], "Ada");

    let ended = request("DELETE", &node, &location).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let (last, close) = ada.hear_end().await;
    assert_eq!(last.unwrap()["reason"], "roomClosed");
    assert_eq!(u16::from(close.unwrap().code), 4002);
    assert_eq!(problem(request("GET", &node, &location)).await.0, 404);
    assert_eq!(problem(request("DELETE", &node, &location)).await.0, 404);
}

#[tokio::test]
async fn every_room_has_an_address_that_leads_back() {
    let node = Node::start(&[]);
    let names = [
        "...",
        "..a",
        "%2e%2e",
        "%2F",
        "a b",
        "a+b",
        "?",
        "#a",
        "a&b=c",
        ";",
        "100%",
        "é",
        "日本",
        "👨\u{200D}👩\u{200D}👧",
        "~!*'()",
        "<b>",
        "\"",
        "|^`{}[]",
    ];
    for name in names {
        let made = request("POST", &node, "/api/rooms").json(&json!({"name": name}));
        let made = made.send().await.unwrap();
        assert_eq!(made.status(), StatusCode::CREATED, "{name}");
        let location = made.headers()["location"].to_str().unwrap().to_owned();
        let shown = request("GET", &node, &location).send().await.unwrap();
        assert_eq!(shown.json::<Value>().await.unwrap()["name"], name);
        let segment = location.strip_prefix("/api/rooms/").unwrap();
        let page = stranger("GET", &node, &format!("/r/{segment}")).send();
        assert_eq!(page.await.unwrap().status(), StatusCode::OK, "{name}");
        let offer = stranger("POST", &node, &format!("/whip/{segment}"))
            .header("content-type", "application/sdp")
            .body("v=0");
        let refused = problem(offer).await;
        assert!([400, 422].contains(&refused.0), "{name}: {refused:?}");
    }
    for name in [".", "..", "a/b", "/", "a\\b", "\u{200B}.."] {
        let made = request("POST", &node, "/api/rooms").json(&json!({"name": name}));
        let (status, problem) = problem(made).await;
        assert_eq!(status, 400, "{name}");
        assert!(problem["detail"].as_str().unwrap().contains("address"));
    }
}

#[tokio::test]
async fn a_room_without_a_name_gets_one() {
    let node = Node::start(&[]);
    let mut names = Vec::new();
    for _ in 0..2 {
        let made = request("POST", &node, "/api/rooms").send().await.unwrap();
        assert_eq!(made.status(), StatusCode::CREATED);
        let room: Value = made.json().await.unwrap();
        names.push(room["name"].as_str().unwrap().to_owned());
    }
    assert_ne!(names[0], names[1]);
    assert_eq!(names[0].split('-').count(), 3, "{names:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let node = Node::start(&["--max-rooms", "1"]);
    let post = || request("POST", &node, "/api/rooms");
    let json_text =
        |text: &'static str| post().header("content-type", "application/json").body(text);
    for (request, status) in [
        (request("GET", &node, "/api/rooms/none"), 404),
        (request("GET", &node, "/api/rooms/%00"), 404),
        (request("GET", &node, "/api/nothing"), 404),
        (request("PUT", &node, "/api/rooms"), 405),
        (request("POST", &node, "/api/rooms/none"), 405),
        (json_text("{"), 400),
        (json_text("{\"nom\": \"x\"}"), 400),
        (json_text("{\"name\": \"\"}"), 400),
        (
            post().body("name=x").header("content-type", "text/plain"),
            415,
        ),
        (request("GET", &node, "/ws"), 426),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(problem(request).await.0, status, "{shown}");
    }
    let refused = request("PUT", &node, "/api/rooms").send().await.unwrap();
    assert!(
        refused.headers()["allow"]
            .to_str()
            .unwrap()
            .contains("POST")
    );
    let large = json_text("{}")
        .body(vec![b' '; 100_000])
        .send()
        .await
        .unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    post().send().await.unwrap();
    assert_eq!(problem(post()).await.0, 503);
}

/// What only whoever manages the node may ask.
const MANAGED: [(&str, &str); 6] = [
    ("GET", "/api/rooms"),
    ("POST", "/api/rooms"),
    ("GET", "/api/rooms/a"),
    ("DELETE", "/api/rooms/a"),
    ("GET", "/api/stats"),
    ("GET", "/metrics"),
];

#[tokio::test]
async fn strangers_see_that_the_node_lives_and_no_more() {
    let node = Node::start(&[]);
    for path in ["/health", "/ready"] {
        let response = stranger("GET", &node, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    for (method, path) in MANAGED {
        let shown = format!("{method} {path}");
        let local = stranger(method, &node, path).header("host", "localhost");
        assert_eq!(problem(local).await.0, 401, "{shown}");
        let wrong = stranger(method, &node, path).bearer_auth("0123456789abcdef-wrong");
        assert_eq!(problem(wrong).await.0, 401, "{shown}");
        let admin = stranger(method, &node, path).bearer_auth(ADMIN_TOKEN);
        let status = admin.send().await.unwrap().status();
        assert!(status != 401 && status != 403, "{shown}");
    }
    let page = request("POST", &node, "/api/rooms").header("origin", "https://evil.example");
    assert_eq!(problem(page).await.0, 403);
}

#[tokio::test]
async fn the_token_is_in_a_file_of_the_data_folder_and_nowhere_else() {
    let data = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = common::motet();
        command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
        command.args(["--media-ip", "127.0.0.1", "--log", "trace"]);
        command.env("MOTET_DATA_DIR", data.path());
        // Set to nothing is as not set.
        command.env("MOTET_ADMIN_TOKEN", "");
        let log = std::fs::File::create(data.path().join("log")).unwrap();
        command.stderr(log);
        Node::spawn(command)
    };
    let file = data.path().join("admin-token");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let node = start();
        let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        let asked = stranger("GET", &node, "/api/rooms").bearer_auth(&token);
        assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
        let without = stranger("GET", &node, "/api/rooms");
        assert_eq!(problem(without).await.0, 401);
        let log = std::fs::read_to_string(data.path().join("log")).unwrap();
        assert!(!log.contains(&token), "{log}");
        tokens.push(token);
    }
    assert_eq!(tokens[0], tokens[1], "another start, the same token");
}

#[tokio::test]
async fn metrics_may_have_a_port_of_their_own() {
    let node = Node::start(&["--metrics-listen", "127.0.0.1:0"]);
    let metrics = node
        .said
        .split(' ')
        .find_map(|word| word.strip_prefix("metrics="));
    let metrics = format!("http://{}", metrics.unwrap());
    let get = |path: &str| reqwest::get(format!("{metrics}{path}"));
    let page = get("/metrics").await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("motet_rooms 0"));
    for (method, path) in MANAGED {
        if path != "/metrics" {
            let answer = get(path).await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
    for path in ["/", "/ws", "/health", "/whip/a"] {
        let status = get(path).await.unwrap().status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(problem(stranger("GET", &node, "/metrics")).await.0, 401);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let node = Node::start(&[]);
    let (_ada, _) = Client::join(&node, "room", "Ada").await;
    let response = request("GET", &node, "/metrics").send().await.unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let page = response.text().await.unwrap();
    for line in [
        "motet_rooms 1",
        "motet_members 1",
        "motet_joins_total 1",
        "motet_websockets 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }
    let stats: Value = request("GET", &node, "/api/stats")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(stats["members"], 1);
}

#[tokio::test]
async fn answers_are_not_stored_and_not_taken_for_another_type() {
    let node = Node::start(&[]);
    for (answer, cached) in [
        (request("GET", &node, "/api/rooms"), "no-store"),
        (request("POST", &node, "/api/rooms"), "no-store"),
        (request("GET", &node, "/api/nothing"), "no-store"),
        (request("PUT", &node, "/api/rooms"), "no-store"),
        (stranger("GET", &node, "/api/rooms"), "no-store"),
        (stranger("POST", &node, "/whip/room"), "no-store"),
        (request("GET", &node, "/metrics"), "no-store"),
        (request("GET", &node, "/health"), "no-store"),
        (request("GET", &node, "/ws"), "no-store"),
        (request("GET", &node, "/"), "no-cache"),
    ] {
        let answer = answer.send().await.unwrap();
        let headers = answer.headers();
        let url = answer.url();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{url}");
        assert_eq!(headers["cache-control"], cached, "{url}");
    }
}

#[tokio::test]
async fn a_request_for_two_hosts_is_none() {
    let node = Node::start(&[]);
    for (head, status) in [
        ("GET /health HTTP/1.1\r\nHost: a.example\r\n", 200),
        (
            "GET http://a.example/health HTTP/1.1\r\nHost: a.example\r\n",
            200,
        ),
        ("GET /health HTTP/1.0\r\n", 200),
        ("GET /health HTTP/1.1\r\n", 400),
        (
            "GET /health HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n",
            400,
        ),
        (
            "GET /health HTTP/1.1\r\nHost: a.example\r\nhost: a.example\r\n",
            400,
        ),
        (
            "GET http://b.example/health HTTP/1.1\r\nHost: a.example\r\n",
            400,
        ),
        ("GET /health HTTP/1.1\r\nHost: a.example/b\r\n", 400),
    ] {
        let mut stream = tokio::net::TcpStream::connect(node.http).await.unwrap();
        let text = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let expected = format!(" {status} ");
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.contains(&expected), "{head:?}: {line}");
    }
}

#[tokio::test]
async fn a_name_that_a_stranger_can_have_opens_no_websocket_over_http() {
    let node = Node::start(&["--domain", "meet.example"]);
    for (host, origin, is_open) in [
        ("evil.example", Some("http://evil.example"), false),
        ("evil.example", None, true),
        ("evil.example", Some("https://evil.example"), true),
        ("meet.example", Some("http://meet.example"), true),
        ("nas.local:8080", Some("http://nas.local:8080"), true),
    ] {
        let mut headers = vec![("sec-websocket-protocol", "motet.v1"), ("host", host)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let opened = Client::open(handshake(&node, &headers)).await;
        assert_eq!(opened.is_ok(), is_open, "{host} {origin:?}");
    }
}
