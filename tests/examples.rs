//! The examples do what their heads say: each runs as a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use motet::media::matroska::{Reader, repair};
use motet::media::ogg::{self, OggWriter};
use motet::media::verdict::Verdict;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

mod common;
use common::{Node, PATIENCE, run};

const EXAMPLES: [&str; 7] = [
    "echo",
    "embed",
    "listen",
    "load",
    "publish_file",
    "record",
    "whep_view",
];
/// Two seconds of 320x180 at 20 frames a second, with a key frame every second, by libvpx.
const PICTURE: &[u8] = include_bytes!("fixtures/recording/picture.ivf");
/// 20 ms of silence.
const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];
/// How long a file is sent in these tests.
const SENT: Duration = Duration::from_secs(5);

#[test]
fn every_example_says_how_it_is_used() {
    for example in EXAMPLES {
        let (code, output, _) = run(command(example).arg("--help"));
        assert_eq!(code, 0, "{example}");
        assert!(output.contains("Usage: "), "{example}: {output}");
    }
    let heads = std::fs::read_dir(root().join("examples")).unwrap();
    let heads = heads.map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in heads.filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let head = std::fs::read_to_string(&path).unwrap();
        assert!(head.starts_with("//! "), "{name}");
        assert!(head.contains(&format!("--example {name} --")), "{name}");
        assert!(EXAMPLES.contains(&name.as_str()), "{name} is not tried");
        seen += 1;
    }
    assert_eq!(seen, EXAMPLES.len());
}

#[test]
fn what_is_published_from_files_is_recorded_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&["--topology", "sfu", "--log", "error"]);
    let url = format!("ws://{}/ws", node.http);
    let mut recorder = Example::start(command("record").args([&url, "tea"]).arg(folder.path()));
    recorder.wait_for("recording");
    let files = Files::make(folder.path());
    let film = Example::start(publish(&url, &files).arg("--loop"));
    std::thread::sleep(SENT);
    film.interrupt();
    recorder.interrupt();
    let lines = recorder.rest();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains(": Vp8, ")),
        "{lines:?}"
    );

    let picture = find(folder.path(), "webm");
    let verdict = repair(&mut File::open(&picture).unwrap()).unwrap();
    assert_eq!(verdict, Verdict::Whole);
    let frames = frames(&picture);
    let sent: Vec<_> = ivf().collect();
    assert!(frames.len() > 60, "{} frames", frames.len());
    let first = sent.iter().position(|sent| *sent == frames[0].1).unwrap();
    for ((_, frame), number) in frames.iter().zip(first..) {
        assert!(*frame == sent[number % sent.len()], "frame {number}");
    }
    for pair in frames.windows(2) {
        let step = pair[1].0 - pair[0].0;
        assert!((49..=51).contains(&step), "{step} ms");
    }
    let sound = find(folder.path(), "ogg");
    let verdict = ogg::repair(&mut File::open(sound).unwrap()).unwrap();
    assert_eq!(verdict, Verdict::Whole);
}

#[test]
fn a_file_ends_by_itself_and_one_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&["--topology", "sfu", "--log", "error"]);
    let url = format!("ws://{}/ws", node.http);
    let files = Files::make(folder.path());
    let mut film = Example::start(&mut publish(&url, &files));
    let lines = film.rest();
    let count = ivf().count();
    let expected = format!("Vp8: {count} frames in ");
    assert!(
        lines.iter().any(|line| line.starts_with(&expected)),
        "{lines:?}"
    );
    assert!(film.process.wait().unwrap().success());

    let text = folder.path().join("film.txt");
    std::fs::write(&text, "no film").unwrap();
    let (code, _, errors) = run(command("publish_file").args([&url, "tea"]).arg(&text));
    assert_eq!(code, 1);
    assert!(
        errors.contains("film.txt: expected a file .ivf"),
        "{errors}"
    );
}

#[test]
fn the_program_around_a_node_sees_what_happens_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut embed = command("embed");
    embed.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
    let mut embed = Example::start(embed.current_dir(folder.path()));
    let url = embed.wait_for("http://").replace("http", "ws") + "/ws";
    let files = Files::make(folder.path());
    let film = Example::start(publish(&url, &files).arg("--loop"));
    embed.wait_for("tea: Opened");
    embed.wait_for("tea: Published");
    embed.wait_for("Vp8 of 320x180");
    film.interrupt();
    embed.wait_for("tea: Left");
    embed.interrupt();
    embed.wait_for("tea: Closed");
}

/// A running example.
struct Example {
    process: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { process, lines }
    }

    /// The next line with that text.
    fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("nobody says {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// As Ctrl-C does.
    fn interrupt(&self) {
        let pid = Pid::from_raw(self.process.id() as i32);
        kill(pid, Signal::SIGINT).unwrap();
    }

    /// Everything that it says until it ends.
    fn rest(&mut self) -> Vec<String> {
        let mut lines = vec![];
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            lines.push(line);
        }
        lines
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Files to be published.
struct Files {
    picture: PathBuf,
    sound: PathBuf,
}

impl Files {
    fn make(folder: &Path) -> Self {
        let films = folder.join("films");
        std::fs::create_dir(&films).unwrap();
        let (picture, sound) = (films.join("film.ivf"), films.join("film.opus"));
        std::fs::write(&picture, PICTURE).unwrap();
        let mut bytes = vec![];
        let mut writer = OggWriter::new(7, &mut bytes);
        for number in 0..100 {
            writer.write(20 * number, SILENCE, &mut bytes);
        }
        writer.finish(&mut bytes);
        std::fs::write(&sound, bytes).unwrap();
        Self { picture, sound }
    }
}

fn publish(url: &str, files: &Files) -> Command {
    let mut command = command("publish_file");
    command
        .args([url, "tea"])
        .args([&files.picture, &files.sound]);
    command
}

/// The example, built beside this test: whoever runs all tests has built it with them.
fn command(example: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(example);
    assert!(
        path.exists(),
        "cargo build --workspace --examples builds {example}"
    );
    Command::new(path)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn find(folder: &Path, extension: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.find(|path| path.extension().is_some_and(|kind| kind == extension));
    found.unwrap_or_else(|| panic!("there is no file .{extension}"))
}

/// Every frame of a file with its time in milliseconds.
fn frames(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let mut reader = Reader::open(File::open(path).unwrap()).unwrap();
    let mut frames = vec![];
    while let Some(cluster) = reader.next_cluster().unwrap() {
        frames.extend(cluster.into_iter().map(|frame| (frame.at_ms, frame.data)));
    }
    frames
}

/// The frames of the fixture (IVF: a header of 32 bytes, each frame behind its size and time).
fn ivf() -> impl Iterator<Item = Vec<u8>> {
    let mut rest = &PICTURE[32..];
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(12)?;
        let size = u32::from_le_bytes(head[..4].try_into().unwrap());
        let (frame, after) = after.split_at(size as usize);
        rest = after;
        Some(frame.to_vec())
    })
}
