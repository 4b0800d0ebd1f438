//! Decides: membership, mesh or SFU, admission, what is forwarded to whom. Pure: time is an argument.

pub mod forward;
