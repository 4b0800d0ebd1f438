//! The words on the wire of the WebSocket `/ws`, subprotocol `motet.v1`.
//!
//! JSON, one message a frame, a `type` tag, camelCase fields, unknown fields refused. A request
//! carries an `id` beside its `type` and is answered by `ok` or `error` (or `joined`, `answer`)
//! with the same `id`; events carry a `seq` that counts up by one per member.

pub mod client;
pub mod event;
pub mod owner_key;
mod parse;
pub mod reason;
pub mod server;

pub use parse::ParseError;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod typescript;

/// The WebSocket subprotocol that names this version of the protocol.
pub const SUBPROTOCOL: &str = "motet.v1";
