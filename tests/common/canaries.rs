//! Log canaries: what a node must never say at info or above. Every secret that a test hands out is noted here, and
//! whatever the node has logged is searched for it when the node is gone.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// From here on a secret is found anywhere in a line; shorter ones only as a value.
const UNMISTAKABLE: usize = 10;
/// Shorter ones are words of everyday, and numbers.
const LEN_MIN: usize = 3;
/// Fields of messages whose values are nobody's business.
const FIELDS: [&str; 10] = [
    "room",
    "name",
    "ownerKey",
    "token",
    "username",
    "credential",
    "text",
    "sdp",
    "candidate",
    "usernameFragment",
];
/// Lines of session descriptions that are.
const SDP_LINES: [&str; 3] = ["a=ice-pwd:", "a=ice-ufrag:", "a=fingerprint:sha-256 "];

/// What one node logs and must not. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Canaries(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// With what each is.
    secrets: BTreeMap<String, String>,
    log: Vec<String>,
    reader: Option<JoinHandle<()>>,
}

impl Canaries {
    /// Reads a log until its end, and passes it on to the test's own.
    pub fn listen(&self, log: impl Read + Send + 'static) {
        let canaries = self.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                eprintln!("{line}");
                canaries.0.lock().unwrap().log.push(line);
            }
        });
        self.0.lock().unwrap().reader = Some(reader);
    }

    /// A secret is handed out.
    pub fn keep(&self, what: &str, secret: &str) {
        let is_number = secret.bytes().all(|byte| byte.is_ascii_digit());
        if secret.len() >= LEN_MIN && !is_number {
            let mut state = self.0.lock().unwrap();
            state.secrets.insert(secret.to_owned(), what.to_owned());
        }
    }

    /// A client's address.
    pub fn keep_address(&self, address: SocketAddr) {
        self.keep("a client's address", &address.to_string());
    }

    /// A message went one way or the other.
    pub fn said(&self, message: &Value) {
        match message {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| match value.as_str() {
                Some(text) if key == "sdp" => self.keep_sdp(text),
                Some(text) if FIELDS.contains(&key.as_str()) => self.keep(key, text),
                _ => self.said(value),
            }),
            Value::Array(items) => items.iter().for_each(|item| self.said(item)),
            _ => {}
        }
    }

    fn keep_sdp(&self, sdp: &str) {
        let values = sdp.lines().flat_map(|line| {
            let found = SDP_LINES
                .iter()
                .filter_map(move |head| line.strip_prefix(head));
            found.map(str::trim)
        });
        values.for_each(|value| self.keep("of a session description", value));
    }

    /// What was logged so far.
    pub fn log(&self) -> Vec<String> {
        self.0.lock().unwrap().log.clone()
    }

    /// To be called when the log has ended, or is about to: what of it holds a secret.
    pub fn sung(&self) -> Vec<String> {
        let reader = self.0.lock().unwrap().reader.take();
        if let Some(reader) = reader {
            let _ = reader.join();
        }
        let state = self.0.lock().unwrap();
        let lines = state.log.iter().filter(|line| is_at_info(line));
        let found = lines.flat_map(|line| {
            let secrets = state.secrets.iter();
            let told = secrets.filter(|(secret, _)| holds(line, secret));
            told.map(move |(secret, what)| format!("{what} {secret:?} in: {line}"))
        });
        found.collect()
    }
}

/// Or above; what has no level is part of what has.
fn is_at_info(line: &str) -> bool {
    let below = [
        " DEBUG ",
        " TRACE ",
        r#""level":"DEBUG""#,
        r#""level":"TRACE""#,
    ];
    !below.iter().any(|level| line.contains(level))
}

fn holds(line: &str, secret: &str) -> bool {
    if secret.len() >= UNMISTAKABLE {
        return line.contains(secret);
    }
    // As a value: `name="Ada"`, `name=Ada`, `"name":"Ada"`.
    let quoted = [format!("=\"{secret}\""), format!(":\"{secret}\"")];
    let bare = format!("={secret}");
    let ends = line
        .match_indices(&bare)
        .map(|(at, found)| at + found.len());
    let is_bare = ends.map(|end| line[end..].chars().next());
    quoted.iter().any(|quoted| line.contains(quoted))
        || is_bare.flatten().any(|next| !next.is_alphanumeric())
        || line.ends_with(&bare)
}
