//! The SDP answerer.
