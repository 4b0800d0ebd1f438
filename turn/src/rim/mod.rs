//! Sockets around the machine.
