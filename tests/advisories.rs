//! Keeps `docs/advisories.md` true: every test that it names exists. And what of it can be read in the sources
//! alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What others were hit by is more than this.
const ROWS_MIN: usize = 100;

/// One line of the tables.
struct Row<'a> {
    told_in: &'a str,
    product: &'a str,
    fault: &'a str,
    /// Files, each with the tests in it.
    shown_by: Vec<(&'a str, Vec<&'a str>)>,
}

#[test]
fn every_test_that_is_named_exists() {
    let page = read("docs/advisories.md");
    let rows = rows(&page);
    assert!(rows.len() >= ROWS_MIN, "{} rows", rows.len());
    let mut missing = Vec::new();
    for row in &rows {
        let line = format!("{} | {}", row.told_in, row.fault);
        assert!(
            row.told_in.contains("](https://"),
            "where it is told: {line}"
        );
        assert!(!row.product.is_empty() && !row.fault.is_empty(), "{line}");
        assert!(!row.shown_by.is_empty(), "no test: {line}");
        for (file, tests) in &row.shown_by {
            assert!(!tests.is_empty(), "no test in {file}: {line}");
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            let is_there = |test: &&&str| has_test(file, &source, test);
            let absent = tests.iter().filter(|test| !is_there(test));
            missing.extend(absent.map(|test| format!("{file}: {test}")));
        }
    }
    assert!(missing.is_empty(), "not there: {missing:#?}");
}

#[test]
fn a_page_is_read_as_it_is_written() {
    let page = "text\n\n| Told in | Product | What went wrong | Shown by |\n|---|---|---|---|\n\
        | [a](https://a) | b | c `d` | `e/f.rs` `one`, `two`; `g.test.mjs` `three, with words` |\n";
    let found = rows(page);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].shown_by,
        [
            ("e/f.rs", vec!["one", "two"]),
            ("g.test.mjs", vec!["three, with words"])
        ]
    );
    assert!(has_test("f.rs", "#[test]\nfn one() {", "one"));
    assert!(!has_test("f.rs", "#[test]\nfn one_more() {", "one"));
    assert!(!has_test("f.rs", "fn one() {", "one"));
    assert!(has_test("f.mjs", "test('one, or two', ", "one, or two"));
}

/// No codec is linked, and no SCTP: what is not there has no faults.
#[test]
fn nothing_here_decodes_media_nor_speaks_sctp() {
    let linked = linked_crates();
    assert!(linked.contains("rtc-dtls") && linked.len() > 100);
    for absent in [
        "openh264",
        "vpx",
        "vpx-sys",
        "libvpx",
        "dav1d",
        "rav1e",
        "aom",
        "ffmpeg",
        "ffmpeg-sys",
        "gstreamer",
        "opus",
        "audiopus",
        "libopus",
        "usrsctp",
        "rtc-sctp",
        "rtc-datachannel",
        "sctp",
        "webrtc-sctp",
        "image",
        "matroska",
        "ogg",
        "mp4",
    ] {
        assert!(!linked.contains(absent), "{absent}");
    }
    let kinds = ["openh264", "libvpx", "ffmpeg", "gstreamer", "sctp"];
    let suspect = linked
        .iter()
        .find(|name| kinds.iter().any(|kind| name.contains(kind)));
    assert_eq!(suspect, None);
}

/// A name that strangers chose (in a candidate, a path, a header) is never looked up: the files in which names
/// are looked up at all know none but those of the settings.
#[test]
fn names_are_looked_up_where_the_settings_say_them() {
    let looks_up = [
        "lookup_host",
        "to_socket_addrs",
        "ToSocketAddrs",
        "getaddrinfo",
        "TcpStream::connect(",
    ];
    let mut found = Vec::new();
    for (path, source) in sources(&["src", "turn/src"]) {
        let code = without_tests(&source);
        if looks_up.iter().any(|word| code.contains(word)) {
            found.push(path);
        }
    }
    let known = |path: &&String| {
        let by_name = ["src/io/public_address.rs", "src/io/tls/acme_client.rs"];
        path.starts_with("src/io/doctor/") || by_name.contains(&path.as_str())
    };
    let others: Vec<_> = found.iter().filter(|path| !known(path)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(found.iter().any(|path| path == "src/io/public_address.rs"));
}

/// Whoever measures how long an answer takes learns nothing of a secret: none is compared by `==`.
#[test]
fn secrets_are_compared_in_constant_time() {
    for (file, by) in [
        ("src/io/http/access.rs", "black_box"),
        ("src/logic/room/resume.rs", "black_box"),
        ("src/protocol/owner_key.rs", "black_box"),
        ("src/io/http/session.rs", "hmac::verify"),
        ("turn/src/nonce.rs", "constant_time_eq"),
        ("turn/src/stun.rs", "constant_time_eq"),
        ("src/media/srtp/transform.rs", "constant_time_eq"),
    ] {
        assert!(without_tests(&read(file)).contains(by), "{file}");
    }
    let compared = [
        "admin_token == ",
        "password == ",
        "secret == ",
        "key.0 == ",
        "reveal() == ",
        "bearer == ",
    ];
    for (path, source) in sources(&["src", "turn/src"]) {
        let code = without_tests(&source);
        let line = code
            .lines()
            .find(|line| compared.iter().any(|word| line.contains(word)));
        assert_eq!(line, None, "{path}");
    }
}

/// Names and chat get into the page as text: nothing of the page makes markup or code of a string.
#[test]
fn the_page_writes_no_markup() {
    let mut seen = 0;
    for (path, source) in sources(&["web"]) {
        if !path.ends_with(".js") && !path.ends_with(".html") {
            continue;
        }
        seen += 1;
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "setHTML",
            "createContextualFragment",
            "DOMParser",
            "srcdoc",
            "eval(",
            "new Function",
            "javascript:",
            "setTimeout('",
            "setTimeout(\"",
            "onclick=",
            "onerror=",
            "onload=",
            "__proto__",
        ] {
            assert!(!source.contains(word), "{path}: {word}");
        }
    }
    assert!(seen > 50, "{seen} files");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The lines of all tables, but for their heads.
fn rows(page: &str) -> Vec<Row<'_>> {
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let cells = lines.filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let cells: [&str; 4] = cells.try_into().ok()?;
        Some(cells)
    });
    cells
        .filter(|[told_in, ..]: &[&str; 4]| *told_in != "Told in")
        .map(|[told_in, product, fault, shown_by]| Row {
            told_in,
            product,
            fault,
            shown_by: tests_of(shown_by),
        })
        .collect()
}

/// What stands in backticks: a file, then the tests in it.
fn tests_of(cell: &str) -> Vec<(&str, Vec<&str>)> {
    let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
    for word in cell.split('`').skip(1).step_by(2) {
        match files.last_mut() {
            _ if word.ends_with(".rs") || word.ends_with(".mjs") => files.push((word, Vec::new())),
            Some((_, tests)) => tests.push(word),
            None => panic!("a test of no file: {word}"),
        }
    }
    files
}

/// A Rust test by its function, within a macro of properties too; another one by its title.
fn has_test(file: &str, source: &str, test: &str) -> bool {
    if file.ends_with(".mjs") {
        return ['\'', '"', '`']
            .iter()
            .any(|quote| source.contains(&format!("test({quote}{test}{quote}")));
    }
    let function = format!("fn {test}(");
    let Some(at) = source.find(&function) else {
        return false;
    };
    // The attribute stands right above, perhaps over others.
    let before = source[..at].trim_end();
    let head = before.rsplit("\n\n").next().unwrap_or_default();
    head.contains("test]") || head.contains("test(")
}

/// Files below these folders, by their path from the root.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "tests" && name != "node_modules" {
                    folders.push(path);
                }
            } else if let Ok(source) = fs::read_to_string(&path)
                && name != "tests.rs"
            {
                let path = path.strip_prefix(root()).unwrap();
                found.push((path.to_string_lossy().into_owned(), source));
            }
        }
    }
    found
}

fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Every crate that a release may be linked with, by the lock file: those of the tests are left out.
fn linked_crates() -> BTreeSet<String> {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let mut next: Vec<String> = ["Cargo.toml", "turn/Cargo.toml"]
        .iter()
        .flat_map(|manifest| {
            let manifest: toml::Table = read(manifest).parse().unwrap();
            let names = manifest["dependencies"].as_table().unwrap().keys();
            names.cloned().collect::<Vec<_>>()
        })
        .filter(|name| name != "motet-turn")
        .collect();
    let mut linked = BTreeSet::new();
    while let Some(name) = next.pop() {
        let name = name.split(' ').next().unwrap_or_default().to_owned();
        if !linked.insert(name.clone()) {
            continue;
        }
        let same = packages
            .iter()
            .filter(|package| package["name"].as_str() == Some(&name));
        let needed = same.filter_map(|package| package.get("dependencies")?.as_array());
        next.extend(
            needed
                .flatten()
                .filter_map(|one| one.as_str().map(str::to_owned)),
        );
    }
    linked
}
