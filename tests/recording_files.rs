//! What was recorded is listed, read by ranges, saved and removed over HTTP, by those who may.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use common::{ADMIN_TOKEN, Node};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

mod common;

const CAMERA: &str = "track-1-camera-1.webm";
/// More than one piece of what is read at once.
const CAMERA_BYTES: usize = 300_000;

/// A node with recordings of a former run.
struct Archive {
    node: Node,
    data: TempDir,
    http: reqwest::Client,
}

impl Archive {
    fn open(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        for (id, room, began) in [
            ("aaa1", "choir", 10),
            ("aaa2", "Café", 30),
            ("aaa3", "choir", 20),
        ] {
            put(data.path(), id, room, began);
        }
        let folder = ["--data-dir", data.path().to_str().unwrap()];
        let node = Node::start(&[&folder, flags].concat());
        let http = common::admin();
        Self { node, data, http }
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.data.path().join("recordings").join(id)
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.node.url(path))
    }

    /// Without the token.
    fn ask_as_stranger(&self, method: Method, path: &str) -> RequestBuilder {
        reqwest::Client::new().request(method, self.node.url(path))
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }
}

fn put(data: &Path, id: &str, room: &str, began_unix_ms: u64) {
    let folder = data.join("recordings").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = json!({
        "id": id, "room": room, "beganUnixMs": began_unix_ms, "beganRoomMs": 0, "durationMs": 2_000,
        "ended": "stopped", "layout": "tracks",
        "members": [{"member": "0000000000002", "name": "Ada"}],
        "tracks": [{
            "track": 1, "member": "0000000000002", "source": "camera", "gaps": [],
            "files": [{"name": CAMERA, "codec": "vp8", "atMs": 30, "durationMs": 1_900,
                "bytes": CAMERA_BYTES}],
        }],
        "speech": [],
    });
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    std::fs::write(folder.join("speakers.vtt"), "WEBVTT\n").unwrap();
    std::fs::write(folder.join("notes.txt"), "nobody's business").unwrap();
    std::fs::write(folder.join(CAMERA), camera()).unwrap();
}

fn camera() -> Vec<u8> {
    (0..CAMERA_BYTES).map(|at| (at % 251) as u8).collect()
}

fn file(name: &str) -> String {
    format!("/api/rooms/choir/recordings/aaa1/files/{name}")
}

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_part_of_a_file_can_be_had() {
    let archive = Archive::open(&[]);
    let whole = archive.get(&file(CAMERA)).await;
    assert_eq!(whole.status(), 200);
    for (name, value) in [
        ("content-type", "video/webm"),
        ("content-length", "300000"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", ""),
    ] {
        assert_eq!(header(&whole, name), value, "{name}");
    }
    assert!(header(&whole, "content-security-policy").contains("default-src 'none'"));
    let tag = header(&whole, "etag");
    assert!(whole.bytes().await.unwrap() == camera(), "the same bytes");
    for (range, status, content_range, bytes) in [
        ("bytes=0-", 206, "bytes 0-299999/300000", 0..300_000),
        (
            "bytes=1000-1009",
            206,
            "bytes 1000-1009/300000",
            1_000..1_010,
        ),
        (
            "bytes=120000-280000",
            206,
            "bytes 120000-280000/300000",
            120_000..280_001,
        ),
        (
            "bytes=-5",
            206,
            "bytes 299995-299999/300000",
            299_995..300_000,
        ),
        ("bytes=0-1,5-6", 200, "", 0..300_000),
    ] {
        let asked = archive
            .ask(Method::GET, &file(CAMERA))
            .header("range", range);
        let answer = asked.header("if-range", &tag).send().await.unwrap();
        assert_eq!(answer.status(), status, "{range}");
        assert_eq!(header(&answer, "content-range"), content_range);
        assert_eq!(header(&answer, "content-length"), bytes.len().to_string());
        assert!(answer.bytes().await.unwrap() == camera()[bytes], "{range}");
    }
    let beyond = archive
        .ask(Method::GET, &file(CAMERA))
        .header("range", "bytes=300000-");
    let beyond = beyond.send().await.unwrap();
    assert_eq!(
        (
            beyond.status().as_u16(),
            header(&beyond, "content-range").as_str()
        ),
        (416, "bytes */300000")
    );
    let head = archive
        .ask(Method::HEAD, &file(CAMERA))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            head.status().as_u16(),
            header(&head, "content-length").as_str()
        ),
        (200, "300000")
    );
    let known = archive
        .ask(Method::GET, &file(CAMERA))
        .header("if-none-match", &tag);
    assert_eq!(known.send().await.unwrap().status(), 304);
    std::fs::write(archive.folder("aaa1").join(CAMERA), "changed").unwrap();
    let asked = archive
        .ask(Method::GET, &file(CAMERA))
        .header("range", "bytes=2-3");
    let changed = asked.header("if-range", &tag).send().await.unwrap();
    assert_eq!(
        changed.text().await.unwrap(),
        "changed",
        "not a part of another file"
    );
}

#[tokio::test]
async fn a_file_is_saved_under_a_name_that_says_what_it_is() {
    let archive = Archive::open(&[]);
    let path = format!("/api/rooms/Caf%C3%A9/recordings/aaa2/files/{CAMERA}?download");
    let saved = archive.get(&path).await;
    assert_eq!(
        header(&saved, "content-disposition"),
        "attachment; filename=\"Caf_ 1970-01-01 00-00 Ada camera.webm\"; \
            filename*=UTF-8''Caf%C3%A9%201970-01-01%2000-00%20Ada%20camera.webm"
    );
    let subtitles = archive.get(&file("speakers.vtt")).await;
    assert_eq!(
        header(&subtitles, "content-type"),
        "text/vtt; charset=utf-8"
    );
    assert_eq!(subtitles.text().await.unwrap(), "WEBVTT\n");
}

#[tokio::test]
async fn nothing_is_served_that_no_manifest_names() {
    let archive = Archive::open(&[]);
    for path in [
        file("notes.txt"),
        file(".reserve"),
        file("..%2Faaa2%2Fmanifest.json"),
        file("%2Fetc%2Fpasswd"),
        file(""),
        "/api/rooms/choir/recordings/aaa2/files/manifest.json".to_owned(),
        "/api/rooms/choir/recordings/../recordings/files/manifest.json".to_owned(),
        "/api/rooms/choir/recordings/..%2Frecordings%2Faaa1/files/manifest.json".to_owned(),
        "/api/rooms/choir/recordings/%2E/files/manifest.json".to_owned(),
    ] {
        assert_eq!(archive.get(&path).await.status(), 404, "{path}");
    }
    assert_eq!(archive.get(&file("manifest.json")).await.status(), 200);
}

/// A folder of recordings may come from anywhere: out of an archive, or from a disk that others write to too.
#[tokio::test]
async fn a_manifest_leads_nowhere_else() {
    let data = tempfile::tempdir().unwrap();
    let recordings = data.path().join("recordings");
    let secret = data.path().join("secret.webm");
    std::fs::write(&secret, "somebody else's").unwrap();
    let absolute = secret.to_str().unwrap().to_owned();
    let names = [
        "../../secret.webm",
        &absolute,
        "linked.webm",
        ".reserve",
        "a/../../../secret.webm",
    ];
    let all = |layout: &str, number: usize, name: &str| {
        let id = format!("{layout}{number}");
        put(data.path(), &id, "choir", 1);
        let path = recordings.join(&id).join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        manifest["tracks"][0]["files"][0]["name"] = json!(name);
        manifest["roomFile"] = json!(name);
        if layout == "room" {
            // It ended, and awaits to be one file; what that was made of would be removed.
            manifest["layout"] = json!("room");
            manifest.as_object_mut().unwrap().remove("roomFile");
        } else {
            // It did not end: it would be repaired, and what is none of a recording would be removed.
            manifest.as_object_mut().unwrap().remove("ended");
            manifest.as_object_mut().unwrap().remove("durationMs");
        }
        std::fs::write(path, manifest.to_string()).unwrap();
        std::os::unix::fs::symlink(&secret, recordings.join(&id).join("linked.webm")).unwrap();
        id
    };
    let mut ids = Vec::new();
    for (number, name) in names.iter().enumerate() {
        ids.push((all("tracks", number, name), *name));
        ids.push((all("room", number, name), *name));
    }
    put(data.path(), "good", "choir", 2);
    let folder = ["--data-dir", data.path().to_str().unwrap()];
    let node = Node::start(&folder);
    let http = common::admin();
    let get = async |path: String| http.get(node.url(&path)).send().await.unwrap();
    let deadline = std::time::Instant::now() + common::PATIENCE;
    // The good one is there once the others have been looked at.
    while get(format!("/api/rooms/choir/recordings/good/files/{CAMERA}"))
        .await
        .status()
        != 200
    {
        assert!(
            std::time::Instant::now() < deadline,
            "recordings are served"
        );
    }
    for (id, name) in &ids {
        for asked in [name.replace('/', "%2F"), "linked.webm".to_owned()] {
            let path = format!("/api/rooms/choir/recordings/{id}/files/{asked}");
            assert_eq!(get(path.clone()).await.status(), 404, "{path}");
        }
    }
    drop(node);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "somebody else's");
    let left = |id: &str| {
        recordings
            .join(id)
            .join("linked.webm")
            .symlink_metadata()
            .is_ok()
    };
    assert!(ids.iter().all(|(id, _)| left(id)));
}

#[tokio::test]
async fn all_rooms_recordings_are_listed_newest_first_and_by_the_page() {
    let archive = Archive::open(&[]);
    let all = archive.json("/api/recordings").await;
    let ids = |list: &Value| -> Vec<String> {
        let list = list["recordings"].as_array().unwrap().iter();
        list.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&all), ["aaa2", "aaa3", "aaa1"]);
    assert_eq!(all["next"], Value::Null);
    let newest = &all["recordings"][0];
    assert_eq!(
        (
            &newest["room"],
            &newest["bytes"],
            &newest["members"],
            &newest["files"][0]["name"]
        ),
        (
            &json!("Café"),
            &json!(CAMERA_BYTES),
            &json!(["Ada"]),
            &json!(CAMERA)
        )
    );
    let first = archive.json("/api/recordings?limit=2").await;
    assert_eq!(ids(&first), ["aaa2", "aaa3"]);
    let next = first["next"].as_str().unwrap();
    let second = archive
        .json(&format!("/api/recordings?limit=2&after={next}"))
        .await;
    assert_eq!(
        (ids(&second), &second["next"]),
        (vec!["aaa1".to_owned()], &Value::Null)
    );
    for query in ["limit=x", "after=x", "page=2"] {
        let refused = archive.get(&format!("/api/recordings?{query}")).await;
        assert_eq!(
            header(&refused, "content-type"),
            "application/problem+json",
            "{query}"
        );
        assert_eq!(refused.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn a_recording_that_is_over_can_be_removed() {
    let archive = Archive::open(&[]);
    for (path, status) in [
        ("/api/rooms/hall/recordings/aaa1", 404),
        ("/api/rooms/choir/recordings/aaa9", 404),
        ("/api/rooms/choir/recordings/..%2Faaa1", 404),
        ("/api/rooms/choir/recordings/aaa1", 204),
        ("/api/rooms/choir/recordings/aaa1", 404),
    ] {
        let gone = archive.ask(Method::DELETE, path).send().await.unwrap();
        assert_eq!(gone.status(), status, "{path}");
    }
    assert!(!archive.folder("aaa1").exists() && archive.folder("aaa3").exists());
    assert_eq!(archive.get(&file(CAMERA)).await.status(), 404);
    let list = archive.json("/api/recordings").await;
    assert_eq!(list["recordings"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn strangers_see_nothing_and_a_cookie_reads_files_alone() {
    let archive = Archive::open(&[]);
    let removal = "/api/rooms/choir/recordings/aaa1";
    for (method, path) in [
        (Method::GET, "/api/recordings"),
        (Method::GET, &file(CAMERA)),
        (Method::POST, "/api/session"),
        (Method::DELETE, removal),
    ] {
        let stranger = archive.ask_as_stranger(method, path).send().await.unwrap();
        assert_eq!(stranger.status(), 401, "{path}");
    }
    let opened = archive
        .ask_as_stranger(Method::POST, "/api/session")
        .bearer_auth(ADMIN_TOKEN);
    let opened = opened
        .header("origin", archive.node.url(""))
        .send()
        .await
        .unwrap();
    assert_eq!(opened.status(), 204);
    let given = header(&opened, "set-cookie");
    for part in [
        "HttpOnly",
        "SameSite=Strict",
        "Path=/api/rooms",
        "Max-Age=43200",
    ] {
        assert!(given.contains(part), "{given}");
    }
    assert!(
        !given.contains(ADMIN_TOKEN) && !given.contains("Secure"),
        "{given}"
    );
    let cookie = given.split(';').next().unwrap();
    for (method, path, more, status) in [
        (Method::GET, file(CAMERA), None, 200),
        (
            Method::GET,
            file(CAMERA),
            Some(("sec-fetch-site", "cross-site")),
            403,
        ),
        (
            Method::GET,
            file(CAMERA),
            Some(("cookie", "motet-recordings=1.ab")),
            401,
        ),
        (Method::GET, "/api/recordings".to_owned(), None, 401),
        (Method::DELETE, removal.to_owned(), None, 401),
    ] {
        let asked = archive.ask_as_stranger(method, &path);
        let asked = match more {
            Some(("cookie", value)) => asked.header("cookie", value),
            Some((name, value)) => asked.header("cookie", cookie).header(name, value),
            None => asked.header("cookie", cookie),
        };
        assert_eq!(
            asked.send().await.unwrap().status(),
            status,
            "{path} {more:?}"
        );
    }
    let closed = archive
        .ask_as_stranger(Method::DELETE, "/api/session")
        .send()
        .await
        .unwrap();
    assert!(header(&closed, "set-cookie").starts_with("motet-recordings=; "));
    let wrong = archive
        .ask_as_stranger(Method::POST, "/api/session")
        .bearer_auth("nobody's token");
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let unnamed = archive
        .ask(Method::POST, "/api/session")
        .header("origin", "http://evil.example");
    assert_eq!(unnamed.send().await.unwrap().status(), 403);
}
