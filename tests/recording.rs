//! A room is recorded: real frames from a client of another make, files on a real disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use motet::media::matroska::repair;
use motet::media::ogg;
use motet::media::verdict::Verdict;
use motet::protocol::server::{RecordingEnd, ServerMessage};
use serde_json::{Value, json};
use tempfile::TempDir;

mod common;
mod studio;
#[path = "../examples/support/mod.rs"]
mod support;

use studio::film::{SILENCE, pictures};
use studio::{Bend, Loss, ROOM, Recorded, Studio};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_holds_every_frame_at_its_time_and_everyone_knows_of_it() {
    let studio = Studio::open(&[]);
    let mut ada = studio.enter("Ada", Loss::None).await;
    let (status, begun) = studio.post(&json!({})).await;
    assert_eq!(status, 201, "{begun}");
    let id = begun["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.hear_of_recording().await, (Some(id.clone()), None));
    assert_eq!(
        studio.post(&json!({})).await.0,
        409,
        "it is recorded already"
    );
    let late = studio.enter("Bob", Loss::Everything).await;
    let ServerMessage::Joined { recording, .. } = &late.client.joined else {
        unreachable!("it joined");
    };
    assert_eq!(recording.as_ref().map(|sign| &sign.id), Some(&id));

    tokio::time::sleep(Duration::from_secs(4)).await;
    let status = studio.delete(&format!("/{id}")).await;
    assert_eq!(status, 204);
    assert_eq!(
        ada.hear_of_recording().await,
        (None, Some(RecordingEnd::Stopped))
    );
    assert_eq!(studio.delete("").await, 404, "it is not recorded any more");
    let one = studio
        .http
        .get(studio.url(&format!("/{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(one.json::<Value>().await.unwrap()["id"], json!(id));
    let none = studio.http.get(studio.url("/0")).send().await.unwrap();
    assert_eq!(none.status().as_u16(), 404);

    let manifest = studio.ended().await;
    assert_eq!(manifest["ended"], "stopped");
    assert_eq!(manifest["room"], ROOM);
    assert_eq!(manifest["members"][0]["name"], "Ada");
    let duration = manifest["durationMs"].as_u64().unwrap();
    assert!((4_000..6_000).contains(&duration), "{duration}");
    let picture = studio.file(&manifest, "camera");
    let sound = studio.file(&manifest, "microphone");
    assert_eq!(
        (
            picture.record["width"].as_u64(),
            picture.record["height"].as_u64()
        ),
        (Some(320), Some(180))
    );
    let frames = picture.blocks();
    assert!(frames.len() > 60, "{} frames", frames.len());
    let sent: Vec<_> = pictures().collect();
    let first = sent
        .iter()
        .position(|sent| *sent == frames[0].data)
        .unwrap();
    for (frame, number) in frames.iter().zip(first..) {
        assert!(
            frame.data == sent[number % sent.len()],
            "frame {number} is another"
        );
    }
    for pair in frames.windows(2) {
        // A report may move a track by 5 ms.
        let step = pair[1].at_ms - pair[0].at_ms;
        assert!(step.abs_diff(50) <= 6, "{step} ms");
    }
    let sounds = sound.blocks();
    assert!(sounds.iter().all(|block| block.data == SILENCE));
    assert!(sounds.len() > 150, "{} packets of sound", sounds.len());
    // Both began at once, and the picture at its first key frame.
    let begin = |file: &Recorded| file.record["atMs"].as_u64().unwrap();
    assert!(begin(&picture).abs_diff(begin(&sound)) < 1_300);
    assert!(studio.folder(&manifest).join("speakers.vtt").exists());

    let manifest = studio.merged().await;
    assert_eq!(manifest["roomFile"], "room.webm");
    let room = studio.folder(&manifest).join("room.webm");
    let verdict = repair(&mut File::open(&room).unwrap()).unwrap();
    assert_eq!(verdict, Verdict::Whole);
    let bytes = std::fs::read(room).unwrap();
    let record = Value::Null;
    let all = Recorded { record, bytes }.blocks();
    assert_eq!(all.len(), frames.len() + sounds.len());
    assert!(all.is_sorted_by_key(|block| block.at_ms));
    studio.keep("whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_arrives_is_a_gap_and_no_broken_picture() {
    let studio = Studio::open(&[]);
    let _ada = studio.enter("Ada", Loss::EveryFiftieth).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(studio.delete("").await, 204);
    let manifest = studio.ended().await;
    let track = studio.track(&manifest, "camera");
    let gaps = track["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|gap| gap["cause"] == "lost"), "{track}");
    let sent: BTreeSet<_> = pictures().collect();
    let frames = studio.file(&manifest, "camera").blocks();
    assert!(
        frames.iter().all(|frame| sent.contains(&frame.data)),
        "a frame is broken"
    );
    for gap in gaps {
        let after = gap["toMs"].as_u64().unwrap()
            - studio.file(&manifest, "camera").record["atMs"]
                .as_u64()
                .unwrap();
        let frame = frames.iter().find(|frame| frame.at_ms == after).unwrap();
        assert!(frame.key, "the picture comes back with a key frame");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_as_long_as_it_took_whatever_its_publishers_say_of_their_clocks() {
    let studio = Studio::open(&["--topology", "sfu"]);
    let rooms = studio.http.post(studio.node.url("/api/rooms"));
    let made = rooms.json(&json!({"name": ROOM, "record": true})).send();
    assert_eq!(made.await.unwrap().status().as_u16(), 201);
    let bends = [
        Bend::Nothing,
        Bend::Ahead,
        Bend::Growing,
        Bend::Zero,
        Bend::Wall,
        Bend::Timestamps,
        Bend::Numbers,
    ];
    let mut people = Vec::new();
    for bend in bends {
        let name = format!("{bend:?}");
        people.push(studio.enter_bent(&name, Loss::None, bend).await);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(studio.delete("").await, 204);
    let manifest = studio.ended().await;
    let until_ms = manifest["durationMs"].as_u64().unwrap();
    for track in manifest["tracks"].as_array().unwrap() {
        let mut members = manifest["members"].as_array().unwrap().iter();
        let member = members
            .find(|one| one["member"] == track["member"])
            .unwrap();
        let source = track["source"].as_str().unwrap();
        let what = format!("{} of {}", source, member["name"]);
        assert_eq!(track["files"].as_array().unwrap().len(), 1, "{what}");
        let file = studio.read(&manifest, track["files"][0].clone(), source);
        let begun_ms = file.record["atMs"].as_u64().unwrap();
        let blocks = file.blocks();
        let last_ms = begun_ms + blocks.last().unwrap().at_ms;
        // What was sent last may still be on its way through the jitter buffer.
        assert!(last_ms <= until_ms + 100, "{what}: {last_ms} of {until_ms}");
        assert!(
            until_ms - last_ms.min(until_ms) < 1_500,
            "{what}: {last_ms} of {until_ms}"
        );
        let frame_ms = if source == "camera" { 50 } else { 20 };
        let sent_ms = blocks.len() as u64 * frame_ms;
        let length_ms = last_ms - begun_ms + frame_ms;
        // Pictures come back with a key frame, of which there is one a second.
        let missing_ms = if member["name"] == "Numbers" {
            3_500
        } else {
            300
        };
        assert!(
            length_ms + 300 >= sent_ms,
            "{what}: {sent_ms} ms in {length_ms}"
        );
        assert!(
            length_ms <= sent_ms + missing_ms,
            "{what}: {sent_ms} ms in {length_ms}"
        );
    }
    let stats = studio.http.get(studio.node.url("/api/stats")).send();
    let stats: Value = stats.await.unwrap().json().await.unwrap();
    assert!(
        stats["reportsDisbelieved"].as_u64().unwrap() > 100,
        "{stats}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_alone_is_kept_as_ogg() {
    let studio = Studio::open(&[]);
    let _ada = studio.enter("Ada", Loss::None).await;
    let (status, _) = studio
        .post(&json!({"audioOnly": true, "layout": "tracks"}))
        .await;
    assert_eq!(status, 201);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(studio.delete("").await, 204);
    let manifest = studio.ended().await;
    assert_eq!(manifest["tracks"].as_array().unwrap().len(), 1);
    let name = studio.track(&manifest, "microphone")["files"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(name.ends_with(".ogg"));
    let path = studio.folder(&manifest).join(name);
    let verdict = ogg::repair(&mut File::open(path).unwrap()).unwrap();
    assert_eq!(verdict, Verdict::Whole);
    studio.keep("sound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_refused() {
    let mesh = Studio::open(&["--topology", "mesh"]);
    assert_eq!(mesh.post(&json!({})).await.0, 404, "nobody is there");
    let (_ada, _) = common::Client::join(&mesh.node, ROOM, "Ada").await;
    assert_eq!(mesh.post(&json!({})).await.0, 409);
    assert_eq!(mesh.post(&json!({"video": true})).await.0, 400);
    assert_eq!(mesh.list().await, json!([]));
    assert_eq!(mesh.delete("").await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_record_guests_do_not_and_media_moves_to_the_node_meanwhile() {
    let studio = Studio::open(&[]);
    let mut owner = common::Client::connect(&studio.node).await;
    let join = json!({"type": "join", "room": ROOM, "name": "Ada", "ownerKey": "0123456789abcdef"});
    owner.say(join).await;
    owner.hear_type("joined").await;
    let (mut guest, _) = common::Client::join(&studio.node, ROOM, "Bob").await;
    guest
        .say(json!({"type": "record", "id": 2, "active": true}))
        .await;
    assert_eq!(guest.hear_type("error").await["code"], "forbidden");
    owner
        .say(json!({"type": "record", "id": 2, "active": true}))
        .await;
    let id = guest.hear_type("recording").await["recording"]["id"].clone();
    assert!(id.is_string());
    let switch = guest.hear_type("switch").await;
    assert_eq!(
        (&switch["mode"], &switch["why"]["cause"]),
        (&json!("sfu"), &json!("recording"))
    );
    owner
        .say(json!({"type": "record", "id": 3, "active": false}))
        .await;
    assert_eq!(guest.hear_type("recording").await["ended"], "stopped");
    assert_eq!(studio.ended().await["id"], id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_may_not_begin_is_refused_with_what_helps() {
    let record = async |flags: &[&str]| {
        let studio = Studio::open(flags);
        let mut owner = common::Client::connect(&studio.node).await;
        let join =
            json!({"type": "join", "room": ROOM, "name": "Ada", "ownerKey": "0123456789abcdef"});
        owner.say(join).await;
        owner.hear_type("joined").await;
        let mut said = Vec::new();
        for active in [true, true, false, true] {
            let id = said.len() + 2;
            owner
                .say(json!({"type": "record", "id": id, "active": active}))
                .await;
            let answer = loop {
                let answer = owner.hear().await;
                if answer["id"] == id {
                    break answer;
                }
            };
            let code = answer["code"].as_str().unwrap_or("ok").to_owned();
            said.push(code);
        }
        let admin = studio.post(&json!({})).await;
        let stats = studio.http.get(studio.node.url("/api/stats")).send();
        let stats: Value = stats.await.unwrap().json().await.unwrap();
        let refused = stats["recordingsRefused"].as_u64().unwrap();
        (said, admin.0, admin.1["detail"].clone(), refused)
    };
    let (said, admin, _, refused) = record(&[]).await;
    assert_eq!(said, ["ok", "ok", "ok", "tooFast"]);
    assert_eq!(
        (admin, refused),
        (201, 1),
        "who runs the node need not wait"
    );
    let (said, admin, _, refused) = record(&["--recording", "admin"]).await;
    assert_eq!(said, ["forbidden", "forbidden", "ok", "forbidden"]);
    assert_eq!((admin, refused), (201, 3));
    let (said, admin, detail, _) = record(&["--recording", "off"]).await;
    assert_eq!(said, ["forbidden", "forbidden", "ok", "forbidden"]);
    assert_eq!(admin, 403);
    assert!(detail.as_str().unwrap().contains("--recording"), "{detail}");
    let (said, admin, detail, _) = record(&["--recordings-max-bytes", "0"]).await;
    assert_eq!(said, ["limit", "limit", "ok", "limit"]);
    assert_eq!(admin, 507);
    let detail = detail.as_str().unwrap();
    assert!(detail.contains("--recordings-max-bytes"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_over_the_same_folder_ends_and_leaves_the_recording_alone() {
    let studio = Studio::open(&[]);
    let mut ada = studio.enter("Ada", Loss::None).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    ada.hear_of_recording().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut second = common::motet();
    second.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
    second.args(["--media-ip", "127.0.0.1", "--data-dir"]);
    second.arg(studio.data.path());
    let (code, output, errors) = common::run(&mut second);
    let process = format!("motet: another node (process {})", studio.node.pid());
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(errors.starts_with(&process), "{errors}");
    assert!(
        errors.contains("--data-dir") && errors.lines().count() == 1,
        "{errors}"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(studio.delete("").await, 204);
    let manifest = studio.ended().await;
    assert_eq!(manifest["ended"], "stopped");
    // Whole: a file is read as one that needs no repair.
    let sounds = studio.file(&manifest, "microphone").blocks();
    assert!(sounds.len() > 150, "{} packets of sound", sounds.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_vanishes_ends_the_recording_and_not_the_call() {
    let studio = Studio::open(&[]);
    let mut ada = studio.enter("Ada", Loss::None).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    ada.hear_of_recording().await;
    // Until there is something to vanish.
    while studio.list().await[0]["tracks"][1]["files"][0].is_null() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::remove_dir_all(studio.data.path()).unwrap();
    let ended = ada.hear_of_recording().await;
    assert_eq!(ended, (None, Some(RecordingEnd::DiskFailed)));
    assert!(*ada.client.connected.borrow(), "the call goes on");
    let stats = studio.http.get(studio.node.url("/api/stats")).send();
    let stats: Value = stats.await.unwrap().json().await.unwrap();
    assert_eq!(
        (&stats["recordings"], &stats["connectedPeers"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(
        studio.post(&json!({})).await.0,
        201,
        "and can be recorded again"
    );
}

/// Only root can make a small disk; for others there is nothing to see here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_recording_with_what_there_is() {
    let Some(disk) = SmallDisk::mount("1m") else {
        eprintln!("a small disk cannot be mounted here");
        return;
    };
    let space = [
        "--recordings-max-bytes",
        "100%",
        "--recordings-min-free",
        "0",
    ];
    let studio = Studio::open_on(disk.0, &space);
    let mut ada = studio.enter("Ada", Loss::None).await;
    // Most of it is taken already.
    std::fs::write(studio.data.path().join("other"), vec![0; 780_000]).unwrap();
    assert_eq!(studio.post(&json!({})).await.0, 201);
    ada.hear_of_recording().await;
    let ended = ada.hear_of_recording().await;
    assert_eq!(ended, (None, Some(RecordingEnd::DiskFull)));
    assert!(*ada.client.connected.borrow(), "the call goes on");
    let manifest = studio.ended().await;
    assert_eq!(manifest["ended"], "diskFull");
    assert!(studio.file(&manifest, "camera").blocks().len() > 20);
    studio.keep("full");
    umount(studio.data.path());
}

/// A disk in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = mount.arg(folder.path()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

fn umount(folder: &Path) {
    let mut umount = std::process::Command::new("umount");
    assert!(umount.arg("-l").arg(folder).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_can_be_recorded_from_its_beginning() {
    let studio = Studio::open(&[]);
    let rooms = studio.http.post(studio.node.url("/api/rooms"));
    let made = rooms
        .json(&json!({"name": ROOM, "record": true}))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status().as_u16(), 201);
    let room: Value = made.json().await.unwrap();
    let (_ada, joined) = common::Client::join(&studio.node, ROOM, "Ada").await;
    assert_eq!(joined["recording"], room["recording"]);
    assert_eq!(joined["topology"]["mode"], "sfu");
    let gone = studio
        .http
        .delete(studio.node.url(&format!("/api/rooms/{ROOM}")));
    assert_eq!(gone.send().await.unwrap().status().as_u16(), 204);
    assert_eq!(studio.ended().await["ended"], "roomClosed");
}
