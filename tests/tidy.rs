//! The house keeps to its own rules: what each floor must not name, how long files are, what may
//! not stay behind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 1_000;

/// What no floor below `io/` names: sockets, files, threads, locks, the clock, chance.
const NO_IO: [&str; 25] = [
    "tokio",
    "axum",
    "hyper",
    "mio",
    "socket2",
    "nix",
    "tungstenite",
    "clap",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "std::sync::mpsc",
    "Instant::now",
    "SystemTime",
    "rand::rng",
    "rand::random",
    "rand::thread_rng",
];

/// The stacks that only `media/` names.
const NO_STACKS: [&str; 11] = [
    "webrtc",
    "rtc",
    "rtc_dtls",
    "rtc_srtp",
    "rtc_sctp",
    "rtc_stun",
    "rtc_sdp",
    "rtc_ice",
    "rtc_shared",
    "rtc_crypto",
    "interceptor",
];

struct Floor {
    path: &'static str,
    never: &'static [&'static [&'static str]],
}

const FLOORS: [Floor; 5] = [
    Floor {
        path: "src/ids.rs",
        never: &[
            &NO_IO,
            &NO_STACKS,
            &[
                "crate::protocol",
                "crate::logic",
                "crate::media",
                "crate::io",
                "crate::config",
            ],
        ],
    },
    Floor {
        path: "src/protocol",
        never: &[
            &NO_IO,
            &NO_STACKS,
            &[
                "rtp",
                "rtc_rtcp",
                "crate::logic",
                "crate::media",
                "crate::io",
                "crate::config",
            ],
        ],
    },
    Floor {
        path: "src/logic",
        never: &[
            &NO_IO,
            &NO_STACKS,
            &["crate::media", "crate::io", "crate::config"],
        ],
    },
    Floor {
        path: "src/doctor",
        never: &[
            &NO_IO,
            &NO_STACKS,
            &["crate::media", "crate::io", "crate::config"],
        ],
    },
    Floor {
        path: "src/media",
        never: &[&NO_IO, &["webrtc", "rtc", "crate::io", "crate::config"]],
    },
];

#[test]
fn no_floor_names_what_it_must_not() {
    let mut findings = Vec::new();
    let tests: Vec<PathBuf> = files_under("src", &["rs"])
        .iter()
        .flat_map(|file| test_files(file, &code_of(&read(file))))
        .collect();
    for floor in &FLOORS {
        let files = files_under(floor.path, &["rs"]);
        let of_tests = |file: &PathBuf| {
            tests
                .iter()
                .any(|test| file == test || file.starts_with(test.with_extension("")))
        };
        for file in files.into_iter().filter(|file| !of_tests(file)) {
            let code = without_tests(&code_of(&read(&file)));
            for forbidden in floor.never.iter().copied().flatten() {
                if names(&code, forbidden) {
                    findings.push(format!("{} names {forbidden}", file.display()));
                }
            }
            if code.contains("clippy::disallowed") {
                findings.push(format!("{} lifts a ban", file.display()));
            }
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn files_are_short_enough_to_be_read() {
    let too_long: Vec<String> = all_files(&["rs", "js", "css"])
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn nothing_unfinished_stays_behind() {
    let findings: Vec<String> = all_files(&["rs"])
        .into_iter()
        .flat_map(|file| {
            let found = unfinished(&code_of(&read(&file)));
            found
                .into_iter()
                .map(move |what| format!("{}: {what}", file.display()))
        })
        .collect();
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let kinds = [
        "rs",
        "js",
        "ts",
        "css",
        "html",
        "json",
        "md",
        "toml",
        "sh",
        "yml",
        "run",
        "Dockerfile",
    ];
    let findings: Vec<String> = all_files(&kinds)
        .into_iter()
        .filter_map(|file| {
            let path = machine_path(&read(&file))?;
            Some(format!("{} names {path}", file.display()))
        })
        .collect();
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn the_readme_lists_every_setting() {
    let Ok(readme) = std::fs::read_to_string(root().join("README.md")) else {
        // Nothing to compare with before the first release has its page.
        assert!(
            !root().join("CHANGELOG.md").exists(),
            "a CHANGELOG without a README"
        );
        return;
    };
    assert!(
        root().join("CHANGELOG.md").exists(),
        "CHANGELOG.md is missing"
    );
    let missing: Vec<String> = motet::config::command()
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .filter(|long| !matches!(*long, "help" | "version"))
        .map(|long| format!("--{long}"))
        .filter(|flag| !lists(&readme, flag))
        .collect();
    assert!(missing.is_empty(), "README.md does not list {missing:?}");
}

/// Whether the text has the flag as a word of its own.
fn lists(text: &str, flag: &str) -> bool {
    text.match_indices(flag).any(|(at, _)| {
        let next = text[at + flag.len()..].chars().next();
        !next.is_some_and(|c| c.is_alphanumeric() || c == '-')
    })
}

fn unfinished(code: &str) -> Vec<&'static str> {
    ["todo!", "unimplemented!", "#[ignore", "dbg!"]
        .into_iter()
        .filter(|what| code.contains(what))
        .collect()
}

fn machine_path(text: &str) -> Option<&'static str> {
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tmp/", "wt/"),
        concat!("/tmp/", "brief"),
    ];
    let starts_a_path = |at: usize| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*'))
    };
    paths
        .into_iter()
        .find(|path| text.match_indices(path).any(|(at, _)| starts_a_path(at)))
}

/// Whether the code names that path, or something in it: written out, or in a `use` with braces.
fn names(code: &str, path: &str) -> bool {
    let dense: String = code
        .split("::")
        .map(str::trim)
        .collect::<Vec<_>>()
        .join("::");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let written = dense.match_indices(path).any(|(at, _)| {
        let before = dense[..at].chars().next_back();
        let after = &dense[at + path.len()..];
        let begins = !before
            .is_some_and(|c| is_word(c) || c == ':' && !path.starts_with(char::is_uppercase));
        let ends = !after.starts_with(is_word);
        // A crate's name is only a crate's name in front of `::`, or in a `use`.
        begins
            && ends
            && (path.contains("::")
                || path.starts_with(char::is_uppercase)
                || after.starts_with("::"))
    });
    written
        || used_paths(&dense)
            .iter()
            .any(|used| used == path || used.starts_with(&format!("{path}::")))
}

/// Every path that a `use` brings in, with its braces written out.
fn used_paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (at, _) in code.match_indices("use ") {
        let starts = code[..at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() && c != '_');
        if let (true, Some(end)) = (starts, code[at..].find(';')) {
            let tree: String = code[at + 4..at + end]
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            expand("", &tree, &mut paths);
        }
    }
    paths
}

fn expand(prefix: &str, tree: &str, paths: &mut BTreeSet<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        paths.insert(
            format!("{prefix}{name}")
                .trim_end_matches("::self")
                .to_owned(),
        );
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inner = tree[open + 1..].trim_end();
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    for branch in split_top_level(inner) {
        expand(&prefix, branch, paths);
    }
}

fn split_top_level(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The source less its comments and the insides of its strings and characters.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped_length(rest, code.chars().next_back());
        if skipped > 0 {
            code.push(' ');
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// The bytes of the comment, text or character that begins here; 0 if none does.
fn skipped_length(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if !in_word && (rest.starts_with("r\"") || rest.starts_with("r#")) {
        return raw_text_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"').unwrap_or(rest.len());
    }
    if rest.starts_with('\'') {
        // A lifetime has no closing quote near by.
        return quoted_length(rest, '\'')
            .filter(|length| is_character(&rest[..*length]))
            .unwrap_or(0);
    }
    0
}

fn is_character(quoted: &str) -> bool {
    quoted.starts_with("'\\") || quoted.chars().count() == 3
}

fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn raw_text_length(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = 2 + hashes;
    rest[inside..]
        .find(&end)
        .map_or(rest.len(), |at| inside + at + end.len())
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Tests may read the clock; they are at the end of a file.
fn without_tests(code: &str) -> String {
    let end = test_modules(code)
        .into_iter()
        .find(|(_, rest)| rest.starts_with('{'));
    let end = end.map_or(code.len(), |(_, rest)| code.len() - rest.len());
    code[..end].to_owned()
}

/// The test modules that have a file of their own, as declared in `file`.
fn test_files(file: &Path, code: &str) -> Vec<PathBuf> {
    let is_folder = file
        .file_name()
        .is_some_and(|name| name == "mod.rs" || name == "lib.rs");
    let folder = match is_folder {
        true => file.parent().map(Path::to_owned).unwrap_or_default(),
        false => file.with_extension(""),
    };
    let declared = test_modules(code)
        .into_iter()
        .filter(|(_, rest)| rest.starts_with(';'));
    declared
        .map(|(name, _)| folder.join(format!("{name}.rs")))
        .collect()
}

/// The names of the modules under `#[cfg(test)]`, each with the code behind its name.
fn test_modules(code: &str) -> Vec<(&str, &str)> {
    let mark = "#[cfg(test)]";
    let modules = code.match_indices(mark).filter_map(|(at, _)| {
        let rest = code[at + mark.len()..].trim_start();
        let rest = rest.strip_prefix("pub(crate) ").unwrap_or(rest);
        let rest = rest.strip_prefix("mod ")?;
        let (name, _) = rest.split_once(['{', ';'])?;
        Some((name.trim(), &rest[name.len()..]))
    });
    modules.collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn all_files(kinds: &[&str]) -> Vec<PathBuf> {
    files_under("", kinds)
}

/// The files of these kinds (or of these names), relative to the root, sorted.
fn files_under(path: &str, kinds: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root().join(path), kinds, &mut files);
    files.sort();
    files
}

fn collect(path: &Path, kinds: &[&str], files: &mut Vec<PathBuf>) {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if path.is_dir() {
        if matches!(name, "target" | "node_modules" | ".git" | "out") {
            return;
        }
        let entries = std::fs::read_dir(path).expect("a folder of the house");
        entries
            .flatten()
            .for_each(|entry| collect(&entry.path(), kinds, files));
        return;
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    if extension.is_some_and(|extension| kinds.contains(&extension)) || kinds.contains(&name) {
        let relative = path.strip_prefix(root()).expect("below the root");
        files.push(relative.to_owned());
    }
}

mod checker {
    use super::*;

    #[test]
    fn finds_what_a_floor_names() {
        for (code, path, expected) in [
            ("use tokio::net::UdpSocket;", "tokio", true),
            ("use ::tokio;", "tokio", false),
            ("use tokio;", "tokio", true),
            ("fn f() { tokio :: spawn(x) }", "tokio", true),
            ("fn f(tokio: u8) { g(tokio) }", "tokio", false),
            ("use my_tokio::net;", "tokio", false),
            ("use std::{fs, io};", "std::fs", true),
            (
                "use std::{collections::BTreeMap, thread::{self, sleep}};",
                "std::thread",
                true,
            ),
            (
                "use std::net::{IpAddr, UdpSocket};",
                "std::net::UdpSocket",
                true,
            ),
            (
                "use std::net::{IpAddr, SocketAddr};",
                "std::net::UdpSocket",
                false,
            ),
            ("use std::fs as files;", "std::fs", true),
            ("let f = std::fs::read(p);", "std::fs", true),
            ("let now = Instant::now();", "Instant::now", true),
            ("let now = std::time::Instant::now();", "Instant::now", true),
            ("let now = MyInstant::now();", "Instant::now", false),
            ("use crate::io::rim::Rim;", "crate::io", true),
            ("use crate::iota::Rim;", "crate::io", false),
            ("use crate::{ids::Path, io::rim};", "crate::io", true),
            ("use rtc_sdp::Session;", "rtc", false),
            ("use rtc::Peer;", "rtc", true),
        ] {
            assert_eq!(names(&code_of(code), path), expected, "{path} in {code}");
        }
    }

    #[test]
    fn does_not_look_into_comments_and_texts() {
        for source in [
            "// tokio::spawn",
            "/* outer /* tokio::spawn */ still tokio::spawn */",
            "let s = \"tokio::spawn\";",
            "let s = \"quote \\\" tokio::spawn\";",
            "let s = r#\"a \" tokio::spawn\"#;",
            "let c = '\"'; // tokio::spawn \"",
            "let c = '\\''; // tokio::spawn",
            "//! tokio::spawn\nfn f<'a>(x: &'a str) {}",
        ] {
            assert!(!names(&code_of(source), "tokio"), "{source}");
        }
        for source in [
            "let c = '\"'; tokio::spawn(x)",
            "fn f<'a>() { tokio::spawn('a') }",
        ] {
            assert!(names(&code_of(source), "tokio"), "{source}");
        }
    }

    #[test]
    fn leaves_tests_out() {
        let code = "fn f() {}\n#[cfg(test)]\nmod tests { use tokio::spawn; }";
        assert!(!names(&without_tests(code), "tokio"));
        let code = "#[cfg(test)]\nuse a::b;\nfn f() { tokio::spawn(x) }";
        assert!(names(&without_tests(code), "tokio"));
        let code = "#[cfg(test)]\nmod typescript;\nfn f() { tokio::spawn(x) }";
        assert!(names(&without_tests(code), "tokio"));
        for (file, expected) in [
            ("src/a/mod.rs", "src/a/typescript.rs"),
            ("src/a/b.rs", "src/a/b/typescript.rs"),
            ("src/lib.rs", "src/typescript.rs"),
        ] {
            assert_eq!(test_files(Path::new(file), code), [Path::new(expected)]);
        }
    }

    #[test]
    fn finds_what_is_unfinished() {
        assert_eq!(unfinished(&code_of("fn f() { todo!() }")), ["todo!"]);
        assert_eq!(
            unfinished(&code_of("#[ignore = \"slow\"]\nfn f() {}")),
            ["#[ignore"]
        );
        assert!(unfinished(&code_of("// todo!()\nlet s = \"unimplemented!\";")).is_empty());
    }

    #[test]
    fn finds_paths_of_a_machine() {
        let work = concat!("/wo", "rk/");
        assert!(machine_path(&format!("see {work}main")).is_some());
        assert!(machine_path(&format!("\"{work}x\"")).is_some());
        assert!(
            machine_path(&format!("https://example.org{work}x").replace("org", "org/a")).is_none()
        );
        assert!(machine_path("/var/lib/motet").is_none());
    }

    #[test]
    fn finds_a_flag_as_a_word() {
        assert!(lists("| `--stun` | … |", "--stun"));
        assert!(!lists("--stun-server", "--stun"));
        assert!(!lists("nothing", "--stun"));
    }
}
