//! SRTP and SRTCP (RFC 3711, RFC 7714).

use bytes::BytesMut;

/// How packets are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// RFC 7714: authenticated encryption, 16-byte tag.
    AeadAes128Gcm,
    /// RFC 3711 §4: counter mode with an 80-bit tag.
    Aes128CmSha1_80,
}

/// Master keys and salts of one DTLS association.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    /// How packets are protected.
    pub profile: Profile,
    /// Our master key.
    pub local_key: [u8; 16],
    /// Our master salt: 12 or 14 bytes.
    pub local_salt: Vec<u8>,
    /// The other side's master key.
    pub remote_key: [u8; 16],
    /// The other side's master salt.
    pub remote_salt: Vec<u8>,
}

impl std::fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SrtpKeys({:?})", self.profile)
    }
}

/// Why a packet was not opened or sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Too short for its own header and the tag.
    #[error("the packet is too short")]
    TooShort,
}

/// Opens what one peer sends.
pub struct Opener {}

impl Opener {
    /// Derives the session keys of the other side.
    pub fn new(_keys: &SrtpKeys) -> Result<Self, SrtpError> {
        todo!()
    }

    /// Opens an SRTP packet.
    pub fn open_rtp(&mut self, _packet: &[u8]) -> Result<BytesMut, SrtpError> {
        todo!()
    }

    /// Opens an SRTCP packet.
    pub fn open_rtcp(&mut self, _packet: &[u8]) -> Result<BytesMut, SrtpError> {
        todo!()
    }
}

/// Where one outgoing stream stands: one per leg, and one per retransmission stream of a leg.
#[derive(Debug, Clone)]
pub struct StreamState {}

impl StreamState {
    /// A stream that has sent nothing.
    pub fn new(_ssrc: u32) -> Self {
        todo!()
    }
}

/// Seals what one peer receives.
pub struct Sealer {}

impl Sealer {
    /// Derives our session keys.
    pub fn new(_keys: &SrtpKeys) -> Result<Self, SrtpError> {
        todo!()
    }

    /// Seals the RTP packet at `arena[start..]`, whose header is `header_len` bytes, in place.
    pub fn seal_rtp(
        &mut self,
        _stream: &mut StreamState,
        _arena: &mut Vec<u8>,
        _start: usize,
        _header_len: usize,
    ) -> Result<(), SrtpError> {
        todo!()
    }

    /// Seals the RTCP packet at `arena[start..]` in place.
    pub fn seal_rtcp(&mut self, _arena: &mut Vec<u8>, _start: usize) -> Result<(), SrtpError> {
        todo!()
    }
}
