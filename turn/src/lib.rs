//! STUN and TURN servers (RFC 8489, RFC 8656) as pure machines: datagrams in, commands and routes
//! out, no sockets and no clock. They know nothing of rooms.
//!
//! [`Server`] is the TURN server: it makes allocations for clients that prove their
//! [`credentials`], and says of every payload where it goes. [`stream`] cuts TCP and TLS streams into
//! messages. [`binding`] answers Binding requests alone, so that a client learns its address from
//! outside. The message format in [`stun`] serves ICE too.
//!
//! With the feature `rim` there are sockets around it.

mod address;
pub mod binding;
mod bucket;
mod challenges;
pub mod channel_data;
mod cidr;
pub mod credentials;
mod nonce;
pub mod quota;
mod random;
#[cfg(feature = "rim")]
pub mod rim;
pub mod server;
pub mod stream;
pub mod stun;
pub mod words;
mod xor_address;

pub use address::Policy;
pub use binding::{answer_binding, binding_request, mapped_address};
pub use cidr::{Cidr, NotACidr};
pub use quota::{Ceiling, Quota};
pub use server::{
    ClientSocket, Command, Config, Counters, Family, Frame, PeerSocket, RelayPort, Route, Server,
    Transport,
};
