//! The manual of the protocol names every word of it, and its examples are what it says they are.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use motet::protocol::client::ClientFrame;
use motet::protocol::server::ServerFrame;
use serde_json::{Deserializer, Value};

const MANUAL: &str = include_str!("../docs/protocol.md");
const TYPES: &str = include_str!("../web/protocol.d.ts");

#[test]
fn every_word_is_named() {
    let words: BTreeSet<&str> = TYPES.lines().filter_map(alternative).collect();
    assert!(words.len() > 50, "{words:?}");
    let missing: Vec<&&str> = words
        .iter()
        .filter(|word| !MANUAL.contains(&format!("`{word}`")))
        .collect();
    assert!(missing.is_empty(), "not in the manual: {missing:?}");
}

#[test]
fn every_message_has_an_example() {
    for (side, union) in [("client", "ClientMessage"), ("node", "ServerMessage")] {
        let shown = examples(side);
        let shown: BTreeSet<&str> = shown
            .iter()
            .filter_map(|value| value["type"].as_str())
            .collect();
        let messages = messages(union);
        assert!(messages.len() > 20, "{messages:?}");
        let missing: Vec<&&str> = messages.difference(&shown).collect();
        assert!(missing.is_empty(), "{side}: no example of {missing:?}");
        let unnamed: Vec<&&str> = messages
            .iter()
            .filter(|message| !MANUAL.contains(&format!("`{message}`")))
            .collect();
        assert!(unnamed.is_empty(), "{side}: {unnamed:?} is only shown");
    }
}

#[test]
fn every_example_of_a_client_is_read_as_it_is_written() {
    for example in examples("client") {
        let frame = ClientFrame::parse(&example.to_string());
        let frame = frame.unwrap_or_else(|error| panic!("{example}: {error}"));
        let again: Value = serde_json::from_str(&frame.to_json()).unwrap();
        assert_eq!(again["type"], example["type"]);
    }
}

#[test]
fn every_example_of_the_node_is_something_that_it_can_say() {
    for example in examples("node") {
        let frame = serde_json::from_value(example.clone());
        let frame: ServerFrame = frame.unwrap_or_else(|error| panic!("{example}: {error}"));
        let again: Value = serde_json::from_str(&frame.to_json()).unwrap();
        assert_eq!(again, example);
    }
}

/// An answer has no place in the sequence of events, and an event has one.
#[test]
fn examples_of_events_are_numbered() {
    let answers = [
        "ok",
        "error",
        "joined",
        "waiting",
        "resumed",
        "answer",
        "pong",
        // What of it was missed is in `resumed`.
        "iceServers",
    ];
    for example in examples("node") {
        let kind = example["type"].as_str().unwrap();
        let is_answer = answers.contains(&kind);
        assert_eq!(example["seq"].is_null(), is_answer, "{example}");
    }
}

#[test]
fn every_heading_in_the_contents_exists() {
    for (at, link) in MANUAL.match_indices("](#") {
        let anchor = MANUAL[at + link.len()..].split(')').next().unwrap();
        let exists = MANUAL
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .any(|line| anchor_of(line.trim_start_matches('#').trim()) == anchor);
        assert!(exists, "there is no heading {anchor:?}");
    }
}

fn anchor_of(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The messages in the code blocks that are marked as this side's.
fn examples(side: &str) -> Vec<Value> {
    let mark = format!("```json {side}\n");
    let mut examples = Vec::new();
    for (at, _) in MANUAL.match_indices(&mark) {
        let block = MANUAL[at + mark.len()..].split("```").next().unwrap();
        for value in Deserializer::from_str(block).into_iter::<Value>() {
            examples.push(value.unwrap_or_else(|error| panic!("{error}: {block}")));
        }
    }
    examples
}

/// `word` of a line `| "word"`: an alternative that is a word by itself.
fn alternative(line: &str) -> Option<&str> {
    let word = line.trim().strip_prefix("| \"")?;
    word.trim_end_matches(';').strip_suffix('"')
}

/// The tags of a union of messages.
fn messages(union: &str) -> BTreeSet<&'static str> {
    let start = format!("export type {union} =");
    let (_, rest) = TYPES.split_once(&start).expect("the union");
    let body = rest.split("\nexport ").next().unwrap();
    let tag = "| { \"type\": \"";
    let tags = body
        .match_indices(tag)
        .map(|(at, _)| &body[at + tag.len()..]);
    tags.map(|rest| rest.split('"').next().unwrap()).collect()
}
