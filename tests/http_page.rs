//! The web client, as the node serves it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Node;
use reqwest::{Response, StatusCode};

async fn get(node: &Node, path: &str) -> Response {
    reqwest::get(node.url(path)).await.unwrap()
}

#[tokio::test]
async fn the_page_is_served_at_the_root_and_for_every_room() {
    let node = Node::start(&[]);
    let root = get(&node, "/").await;
    assert_eq!(root.status(), StatusCode::OK);
    assert_eq!(root.headers()["content-type"], "text/html; charset=utf-8");
    let tag = root.headers()["etag"].clone();
    for path in ["/r/room", "/r/Caf%C3%A9%20du%20Nord", "/r/room?name=Ada"] {
        let page = get(&node, path).await;
        assert_eq!(
            (page.status(), &page.headers()["etag"]),
            (StatusCode::OK, &tag),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_page_of_a_kiosk_says_that_it_is_one_and_no_other_does() {
    let mut tags = Vec::new();
    for (flags, is_kiosk) in [
        (&[][..], false),
        (&["--kiosk"][..], true),
        (&["--kiosk=off"][..], false),
    ] {
        let node = Node::start(flags);
        let page = get(&node, "/r/room").await;
        tags.push(page.headers()["etag"].clone());
        let text = page.text().await.unwrap();
        assert_eq!(
            text.contains("<html lang=\"en\" data-kiosk>"),
            is_kiosk,
            "{flags:?}"
        );
        let other = get(&node, "/check").await.text().await.unwrap();
        assert!(!other.contains("data-kiosk"));
    }
    assert!(tags[0] != tags[1] && tags[0] == tags[2], "{tags:?}");
}

#[tokio::test]
async fn every_file_that_the_page_needs_is_served_with_its_type() {
    let node = Node::start(&[]);
    let root = get(&node, "/").await.text().await.unwrap();
    let mut page = root;
    for other in ["/check", "/recordings"] {
        page += &get(&node, other).await.text().await.unwrap();
    }
    for script in ["/main.js", "/check.js", "/recordings.js"] {
        assert!(page.contains(script), "{script}");
    }
    let mut seen = 0;
    for attribute in ["src=\"/", "href=\"/"] {
        for (at, _) in page.match_indices(attribute) {
            let rest = &page[at + attribute.len() - 1..];
            let path = &rest[..rest.find(['"', '#']).unwrap()];
            if path == "/" {
                continue;
            }
            let file = get(&node, path).await;
            assert_eq!(file.status(), StatusCode::OK, "{path}");
            let expected = match path.rsplit('.').next().unwrap() {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                "png" => "image/png",
                "webmanifest" => "application/manifest+json",
                other => panic!("a type that is not served: {other}"),
            };
            assert_eq!(file.headers()["content-type"], expected, "{path}");
            seen += 1;
        }
    }
    assert!(seen >= 2, "the page has a script and a style sheet");
}

#[tokio::test]
async fn files_are_asked_for_again_but_not_sent_again() {
    let node = Node::start(&[]);
    let page = get(&node, "/").await;
    assert_eq!(page.headers()["cache-control"], "no-cache");
    let tag = page.headers()["etag"].to_str().unwrap().to_owned();
    let weak = format!("\"other\", W/{tag}");
    let client = reqwest::Client::new();
    for (known, status) in [
        (tag.as_str(), 304),
        (weak.as_str(), 304),
        ("*", 304),
        ("\"other\"", 200),
    ] {
        let again = client
            .get(node.url("/"))
            .header("if-none-match", known)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status().as_u16(), status, "{known}");
        assert!(again.headers().contains_key("content-security-policy"));
    }
}

#[tokio::test]
async fn the_page_may_use_camera_and_microphone_and_nothing_from_elsewhere() {
    let node = Node::start(&[]);
    let page = get(&node, "/").await;
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    for part in [
        "default-src 'self'",
        "script-src 'self'",
        "connect-src 'self' ws: wss:",
        "object-src 'none'",
    ] {
        assert!(policy.contains(part), "{part}");
    }
    assert!(!policy.contains("unsafe"));
    for part in [
        "camera=(self)",
        "microphone=(self)",
        "display-capture=(self)",
    ] {
        assert!(header("permissions-policy").contains(part), "{part}");
    }
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
}

/// Whoever clicks on a page clicks on what they see.
#[tokio::test]
async fn no_other_page_shows_it_in_a_frame() {
    let node = Node::start(&[]);
    for path in ["/", "/r/room", "/check", "/recordings"] {
        let page = get(&node, path).await;
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(policy.contains("base-uri 'none'"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn only_what_a_browser_needs_is_served() {
    let node = Node::start(&[]);
    for path in [
        "/jsconfig.json",
        "/protocol.d.ts",
        "/package.json",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/nothing.js",
        "/r/a/b",
    ] {
        let response = get(&node, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let node = Node::start(&[]);
    for path in ["/r/room", "/check", "/recordings", "/health", "/main.js"] {
        let without = get(&node, path).await;
        let with = get(&node, &format!("{path}/")).await;
        assert_eq!(with.status(), StatusCode::OK, "{path}");
        assert_eq!(with.headers().get("etag"), without.headers().get("etag"));
        assert_eq!(with.text().await.unwrap(), without.text().await.unwrap());
    }
    let rooms = common::admin().get(node.url("/api/rooms/"));
    assert_eq!(rooms.send().await.unwrap().status(), StatusCode::OK);
    let made = common::admin().post(node.url("/api/rooms/"));
    assert_eq!(made.send().await.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test]
async fn people_who_come_to_a_wrong_address_get_a_page() {
    let node = Node::start(&["--base-path", "/motet"]);
    let client = reqwest::Client::new();
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (path, accept, kind) in [
        ("/nothing", browser, "text/html; charset=utf-8"),
        ("/r/a/b", browser, "text/html; charset=utf-8"),
        ("/nothing", "*/*", "application/problem+json"),
        ("/nothing", "application/json", "application/problem+json"),
        ("/api/nothing", browser, "application/problem+json"),
        ("/whip/a/b/c", browser, "application/problem+json"),
    ] {
        let request = client.get(node.url(path)).header("accept", accept);
        let answer = request.header("if-none-match", "*").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], kind, "{path}");
        let text = answer.text().await.unwrap();
        if kind.starts_with("text/html") {
            assert!(text.contains("There is nothing here"), "{text}");
            assert!(text.contains("href=\"/motet/\""), "{text}");
        }
    }
}

#[tokio::test]
async fn what_browsers_and_robots_ask_for_unasked_is_there() {
    let node = Node::start(&[]);
    let icon = get(&node, "/favicon.ico").await;
    assert_eq!(icon.headers()["content-type"], "image/x-icon");
    let icon = icon.bytes().await.unwrap();
    assert_eq!(&icon[..6], [0, 0, 1, 0, 1, 0], "one icon");
    assert_eq!(&icon[22..30], b"\x89PNG\r\n\x1a\n");
    let robots = get(&node, "/robots.txt").await;
    assert_eq!(
        robots.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    let robots = robots.text().await.unwrap();
    assert!(robots.contains("Disallow: /r/\n"), "{robots}");
}
