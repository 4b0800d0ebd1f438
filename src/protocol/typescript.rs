//! The protocol as TypeScript types for the web client: written by the tests, kept in the repository.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use ts_rs::TS;

use super::client::*;
use super::reason::*;
use super::server::*;
use crate::ids::MemberId;

const HEAD: &str = "\
// The words on the wire of the WebSocket `/ws`, subprotocol `motet.v1`.
// Written by `cargo test` from src/protocol; changes by hand are lost.

/** A client's message, with the id that its answer is to carry. */
export type ClientFrame = { id?: number } & ClientMessage;

/** A message of the node; events carry their number, from 1 and without a gap. */
export type ServerFrame = { seq?: number } & ServerMessage;
";

const SOURCES: [&str; 3] = [
    include_str!("client.rs"),
    include_str!("server.rs"),
    include_str!("reason.rs"),
];

fn module() -> String {
    let declarations = [
        declare::<MemberId>(),
        declare_enum::<ClientMessage>(),
        declare_enum::<ServerMessage>(),
        declare_enum::<Signal>(),
        declare::<Description>(),
        declare_enum::<DescriptionKind>(),
        declare::<Candidate>(),
        declare_enum::<PairState>(),
        declare_enum::<Unreachable>(),
        declare_enum::<Strain>(),
        declare_enum::<Reaction>(),
        declare_enum::<Source>(),
        declare_enum::<Feed>(),
        declare::<Want>(),
        declare::<Member>(),
        declare_enum::<Role>(),
        declare_enum::<MemberKind>(),
        declare_enum::<Presence>(),
        declare_enum::<Reach>(),
        declare::<ResumeTicket>(),
        declare::<Rules>(),
        declare::<Knock>(),
        declare::<RecordingSign>(),
        declare_enum::<RecordingEnd>(),
        declare::<Published>(),
        declare_enum::<Mode>(),
        declare::<Topology>(),
        declare::<Why>(),
        declare_enum::<Cause>(),
        declare_enum::<PairPath>(),
        declare_enum::<PathReason>(),
        declare::<PathException>(),
        declare::<IceServer>(),
        declare::<ClientLimits>(),
        declare::<Seat>(),
        declare::<Undecodable>(),
        declare_enum::<PictureCodec>(),
        declare::<ChatLine>(),
        declare_enum::<ErrorCode>(),
        declare_enum::<Reason>(),
    ];
    let text = format!("{HEAD}{}", declarations.concat());
    // One-line comments on one line, fields on lines of their own, no space at an end.
    let text = text.replace("/**\n * ", "/** ").replace("\n */\n", " */\n");
    let text = text
        .replace(", \n/**", ",\n    /**")
        .replace("{ \n/**", "{\n    /**");
    text.lines().map(lay_out).collect()
}

/// A field under its comment is indented as that is.
fn lay_out(line: &str) -> String {
    let is_field = line.starts_with(char::is_alphanumeric) && !line.starts_with("export");
    let indent = if is_field { "    " } else { "" };
    format!("{indent}{}\n", line.trim_end())
}

fn declare<T: TS>() -> String {
    let docs = T::docs().unwrap_or_default();
    format!("\n{docs}export {}\n", T::decl())
}

/// A declaration with a line for each variant and the docs of the variant above it, which `ts_rs`
/// leaves out.
fn declare_enum<T: TS>() -> String {
    let mut text = declare::<T>();
    for (variant, docs) in variants(&T::name()) {
        let word = format!("\"{}{}\"", variant[..1].to_lowercase(), &variant[1..]);
        let heads = [format!("{{ \"type\": {word}"), format!("{{ {word}: "), word];
        for head in heads {
            let arm = [format!("= {head}"), format!("| {head}")];
            let Some(at) = arm.iter().find_map(|arm| text.find(arm.as_str())) else {
                continue;
            };
            let start = at + 2;
            let before = text[..at].trim_end();
            let equals = if text[at..].starts_with('=') {
                " ="
            } else {
                ""
            };
            text = format!("{before}{equals}\n  /** {docs} */\n  | {}", &text[start..]);
            break;
        }
    }
    text
}

/// The variants of an enum in the source, each with its docs.
fn variants(name: &str) -> Vec<(&'static str, String)> {
    let head = format!("pub enum {name} {{");
    let body = SOURCES.iter().find_map(|source| source.split_once(&head));
    let (_, body) = body.expect("an enum of the protocol");
    let (body, _) = body.split_once("\n}").expect("its end");
    let mut variants = Vec::new();
    let mut docs: Vec<&str> = Vec::new();
    for line in body.lines() {
        if let Some(doc) = line.strip_prefix("    /// ") {
            docs.push(doc);
        } else if let Some(rest) = line.strip_prefix("    ")
            && rest.starts_with(|c: char| c.is_ascii_uppercase())
        {
            let end = rest.find(|c: char| !c.is_alphanumeric());
            variants.push((&rest[..end.unwrap_or(rest.len())], docs.join(" ")));
            docs.clear();
        }
    }
    variants
}

#[test]
fn every_variant_is_declared_with_its_docs() {
    let module = module();
    for name in [
        "ClientMessage",
        "ServerMessage",
        "Signal",
        "Source",
        "Reaction",
        "Cause",
        "ErrorCode",
        "Reason",
    ] {
        let variants = variants(name);
        assert!(variants.len() > 1);
        for (variant, docs) in variants {
            let comment = format!("  /** {docs} */\n  | ");
            assert!(
                !docs.is_empty() && module.contains(&comment),
                "{name}::{variant}"
            );
        }
    }
}

#[test]
fn the_types_of_the_web_client_are_those_of_the_protocol() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/web/protocol.d.ts");
    let expected = module();
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed != expected {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/web")).unwrap();
        std::fs::write(path, expected).unwrap();
        panic!("web/protocol.d.ts was out of date and is written anew: commit it");
    }
}
