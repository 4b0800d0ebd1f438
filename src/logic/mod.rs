//! Decides: membership, mesh or SFU, admission, what is forwarded to whom. Pure: time is an argument.

pub mod forward;
pub mod guesses;
pub mod household;
pub mod limits;
pub mod lobby;
pub mod names;
pub mod owner_keys;
pub mod record;
pub mod reflexive;
pub mod room;
pub mod titles;
pub mod topology;
pub mod viewpoint;
