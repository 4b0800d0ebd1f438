//! `/api`, `/health`, `/ready`, `/metrics`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Client, Node};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef-admin";

fn request(method: &str, node: &Node, path: &str) -> RequestBuilder {
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

#[tokio::test]
async fn strangers_see_that_the_node_lives_and_no_more() {
    let node = Node::start(&["--admin-token", TOKEN]);
    let stranger = |method: &str, path: &str| {
        request(method, &node, path).header("x-forwarded-for", "192.0.2.7")
    };
    for path in ["/health", "/ready"] {
        let response = stranger("GET", path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    for (method, path) in [
        ("GET", "/api/rooms"),
        ("POST", "/api/rooms"),
        ("GET", "/api/rooms/a"),
        ("DELETE", "/api/rooms/a"),
        ("GET", "/api/stats"),
        ("GET", "/metrics"),
    ] {
        assert_eq!(
            problem(stranger(method, path)).await.0,
            403,
            "{method} {path}"
        );
        let wrong = stranger(method, path).bearer_auth("0123456789abcdef-wrong");
        assert_eq!(problem(wrong).await.0, 401, "{method} {path}");
        let admin = stranger(method, path)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        assert!(
            admin.status() != 401 && admin.status() != 403,
            "{method} {path}"
        );
    }
    let page = request("POST", &node, "/api/rooms").header("origin", "https://evil.example");
    assert_eq!(problem(page).await.0, 403);
    let rebound = request("GET", &node, "/api/rooms").header("host", "evil.example");
    assert_eq!(problem(rebound).await.0, 403);
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
