//! A client's end of a peer connection, without I/O. Two kinds: the one of [`crate::rtc_peer`] is a whole
//! WebRTC stack that somebody else wrote; the one of [`crate::light`] does only what the node needs to see
//! and costs a tenth.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use motet::logic::forward::extension::Extension;
use rtp::header::EXTENSION_PROFILE_ONE_BYTE;
use rtp::packet::Packet;

/// What a connection tells its browser.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// ICE and DTLS are up.
    Connected,
    /// The other side is gone, or never came.
    Closed,
    /// Media came in, retransmissions unwrapped.
    Media(Packet),
    /// A key frame is asked for on one of the sent SSRCs.
    KeyFrameWanted(u32),
}

/// What a connection is to carry.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// SSRC of the microphone, if there is one.
    pub microphone: Option<u32>,
    /// SSRCs of the camera's simulcast layers, lowest first; one means no simulcast; none no camera.
    pub camera: Vec<u32>,
    /// Seats: one audio and one video m-line each.
    pub seats: usize,
}

/// The names of simulcast layers, lowest first.
pub const RIDS: [&str; 3] = ["q", "h", "f"];

/// Packets of an SSRC that carry its mid and rid; browsers stop after the first receiver report.
pub const NAMED_PACKETS: u32 = 100;

/// Says in a packet which m-line and which simulcast layer it belongs to, where that was negotiated.
pub fn name_packet(
    packet: &mut Packet,
    id: impl Fn(Extension) -> Option<u8>,
    mid: &str,
    rid: Option<&str>,
) {
    for (extension, name) in [(Extension::Mid, Some(mid)), (Extension::Rid, rid)] {
        if let (Some(id), Some(name)) = (id(extension), name) {
            packet.header.extension = true;
            packet.header.extension_profile = EXTENSION_PROFILE_ONE_BYTE;
            let name = Bytes::copy_from_slice(name.as_bytes());
            packet.header.set_extension(id, name).unwrap();
        }
    }
}

/// See the module. Every call that takes `now` may leave datagrams, events and a new timeout behind.
pub trait Connection {
    /// The first offer. Own m-lines come first (microphone, then camera), then the seats, audio before video.
    fn offer(&mut self, now: Instant) -> String;
    /// The other side's answer.
    fn accept(&mut self, now: Instant, answer: &str);
    /// Seals and sends media on an SSRC of the layout.
    fn send(&mut self, now: Instant, packet: Packet);
    /// Asks for a key frame on a received SSRC (RFC 4585 §6.3.1).
    fn request_key_frame(&mut self, now: Instant, ssrc: u32);
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&mut self) -> Option<Instant>;
    fn poll_datagram(&mut self) -> Option<(SocketAddr, Bytes)>;
    /// Packets that it did not take for sending.
    fn refused(&self) -> u64 {
        0
    }
    fn poll_event(&mut self) -> Option<ConnectionEvent>;
}
