//! A node that records is killed at any moment. Every file opens afterwards, two seconds are missing at
//! most, and the next start makes all of them whole: with a duration, and with cues to seek by.
//!
//! `KILLS=50` kills more often than usual, `SEED=…` at the same moments as another time;
//! `KEEP_RECORDINGS=folder` keeps the files for other tools.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

mod common;
mod studio;
#[path = "../examples/support/mod.rs"]
mod support;

use studio::{Loss, PATIENCE, Recorded, Studio};

const KILLS: u64 = 4;
/// Nodes that are killed beside each other.
const AT_ONCE: usize = 3;
const MOMENT_MS: Range<u64> = 100..8_000;
/// How long after its start a node may be killed again, while it repairs.
const AGAIN_MS: Range<u64> = 0..60;
const MISSING_MAX: Duration = Duration::from_secs(2);

/// When a node is killed.
#[derive(Debug, Clone, Copy)]
struct Kill {
    number: u64,
    after: Duration,
    /// And once more, that long after its next start.
    again: Option<Duration>,
}

/// What was missing afterwards of sound and picture.
#[derive(Debug)]
struct Missing {
    sound: Duration,
    picture: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_node_is_killed_its_recording_lacks_two_seconds_at_most() {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed: u64 = variable("SEED").unwrap_or_else(rand::random);
    let kills: u64 = variable("KILLS").unwrap_or(KILLS);
    eprintln!("SEED={seed} KILLS={kills}");
    let mut rng = StdRng::seed_from_u64(seed);
    let ms = Duration::from_millis;
    let kills: Vec<Kill> = (0..kills)
        .map(|number| Kill {
            number,
            after: ms(rng.random_range(MOMENT_MS)),
            again: rng.random_bool(0.3).then(|| ms(rng.random_range(AGAIN_MS))),
        })
        .collect();
    let missing: Vec<Missing> = stream::iter(kills)
        .map(kill)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let most = |of: fn(&Missing) -> Duration| missing.iter().map(of).max().unwrap_or_default();
    let (sound, picture) = (most(|one| one.sound), most(|one| one.picture));
    eprintln!(
        "{} kills: {sound:?} of sound and {picture:?} of a picture missing at most",
        missing.len()
    );
    assert!(sound.max(picture) < MISSING_MAX);
}

async fn kill(kill: Kill) -> Missing {
    let mut studio = Studio::open(&[]);
    let ada = studio.enter("Ada", Loss::None).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    let began = Instant::now();
    tokio::time::sleep(kill.after).await;
    studio.kill();
    let recorded = began.elapsed();
    // What came before it nobody could have decoded.
    let keys = ada.keys.lock().unwrap().clone();
    let key = keys.into_iter().find(|key| *key >= began);
    let pictured = key.map_or(Duration::ZERO, |key| key - began).min(recorded);
    drop(ada);
    if let Some(again) = kill.again {
        studio.start_and_kill(again).await;
    }
    studio.reopen();
    let manifest = repaired(&studio).await;
    let missing = Missing {
        sound: missing(&studio, &manifest, "microphone", Duration::ZERO..recorded),
        picture: missing(&studio, &manifest, "camera", pictured..recorded),
    };
    let Kill {
        number,
        after,
        again,
    } = kill;
    let (sound, picture) = (missing.sound, missing.picture);
    eprintln!(
        "{number}: killed after {after:?}, again {again:?}: {sound:?} of sound and {picture:?} of the picture missing"
    );
    if let Some(name) = manifest["roomFile"].as_str() {
        let path = studio.folder(&manifest).join(name);
        check(&path, &std::fs::read(&path).unwrap());
    }
    studio.keep(&format!("kill-{}", kill.number));
    missing
}

/// The manifest, once it is over and merged if there is anything to merge.
async fn repaired(studio: &Studio) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = studio.list().await;
        let manifest = &list[0];
        let tracks = manifest["tracks"].as_array();
        let has_files = tracks.is_some_and(|tracks| {
            let mut files = tracks.iter().flat_map(|track| track["files"].as_array());
            files.any(|files| !files.is_empty())
        });
        let is_merged = !has_files || manifest["roomFile"].is_string();
        if manifest["ended"].is_string() && is_merged {
            assert_eq!(manifest["ended"], "interrupted");
            assert_eq!(list.as_array().unwrap().len(), 1);
            return manifest.clone();
        }
        assert!(Instant::now() < deadline, "it is not repaired: {list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How much of a track is missing of what was published in that time, up to the kill; its files are whole.
fn missing(
    studio: &Studio,
    manifest: &Value,
    source: &str,
    published: Range<Duration>,
) -> Duration {
    let tracks = manifest["tracks"].as_array().unwrap().iter();
    let files = tracks
        .filter(|track| track["source"] == source)
        .flat_map(|track| track["files"].as_array().unwrap());
    let mut until_ms = 0;
    for record in files {
        let path = studio
            .folder(manifest)
            .join(record["name"].as_str().unwrap());
        let file = studio.file(manifest, source);
        check(&path, &file.bytes);
        let blocks = file.blocks();
        for pair in blocks.windows(2) {
            let step = pair[1].at_ms - pair[0].at_ms;
            assert!(step <= 100, "{source}: nothing for {step} ms in the middle");
        }
        let begin = record["atMs"].as_u64().unwrap();
        until_ms = begin + blocks.last().map_or(0, |last| last.at_ms);
        let said = begin + record["durationMs"].as_u64().unwrap();
        assert!(
            said.abs_diff(until_ms) <= 60,
            "{source}: {said} ms, not {until_ms} ms"
        );
    }
    let until = published.start.max(Duration::from_millis(until_ms));
    published.end.saturating_sub(until)
}

/// A file knows how long it is and has cues that lead to clusters; and ffmpeg, where there is one, decodes
/// it to its end without a complaint.
fn check(path: &Path, bytes: &[u8]) {
    let record = Value::Null;
    let file = Recorded {
        record,
        bytes: bytes.to_vec(),
    };
    assert!(
        file.duration_ms().is_some_and(|ms| ms >= 0.0),
        "{path:?} has a duration"
    );
    let cues = file.cues();
    assert!(!cues.is_empty(), "{path:?} has cues");
    let clusters = file.clusters();
    for (at_ms, position) in cues {
        let cluster = clusters.iter().find(|cluster| cluster.0 == position);
        let (_, begins_ms) = cluster.unwrap_or_else(|| panic!("{path:?}: a cue leads nowhere"));
        assert!(*begins_ms <= at_ms, "{path:?}: a cue leads behind its time");
    }
    let decoded = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(path)
        // In the file's own unit of time: in frames of a rate that it guesses, two can be one.
        .args(["-map", "0", "-enc_time_base", "-1", "-f", "null", "-"])
        .output();
    if let Ok(decoded) = decoded {
        let said = String::from_utf8_lossy(&decoded.stderr);
        assert!(
            decoded.status.success() && said.is_empty(),
            "{path:?}: {said}"
        );
    }
}
