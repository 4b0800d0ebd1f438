//! A STUN server as a pure machine.
