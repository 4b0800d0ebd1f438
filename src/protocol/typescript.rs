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
";

fn declare<T: TS>() -> String {
    let docs = T::docs().unwrap_or_default();
    format!("\n{docs}export {}\n", T::decl())
}

fn module() -> String {
    let declarations = [
        declare::<MemberId>(),
        declare::<ClientFrame>(),
        declare::<ClientMessage>(),
        declare::<ServerFrame>(),
        declare::<ServerMessage>(),
        declare::<Signal>(),
        declare::<Description>(),
        declare::<DescriptionKind>(),
        declare::<Candidate>(),
        declare::<Source>(),
        declare::<Feed>(),
        declare::<Want>(),
        declare::<Member>(),
        declare::<Published>(),
        declare::<Mode>(),
        declare::<Topology>(),
        declare::<IceServer>(),
        declare::<ClientLimits>(),
        declare::<Seat>(),
        declare::<ChatLine>(),
        declare::<ErrorCode>(),
        declare::<Reason>(),
    ];
    format!("{HEAD}{}", declarations.concat())
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
