//! The `motet` binary.
fn main() {}
