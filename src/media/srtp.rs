//! SRTP and SRTCP (RFC 3711, RFC 7714): what comes in is opened, what goes out is sealed in place.

mod streams;
mod transform;
mod window;

use bytes::BytesMut;
use rtc_crypto::CryptoError;

pub use streams::{STREAMS_MAX, WINDOWS_MAX};
use streams::{Streams, Unheard};
use transform::{RTCP_HEADER_LEN, RTCP_INDEX_LEN, Stream, Transform};
use window::{INDEX_MAX, IndexWindow, Refused};

/// SRTCP indices end here (RFC 3711 §3.4).
const RTCP_INDEX_MAX: u32 = (1 << 31) - 1;
/// An RTP header without contributing sources and extensions, in bytes.
const RTP_HEADER_LEN_MIN: usize = 12;

/// How packets are protected (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AES_128_CM_HMAC_SHA1_80`.
    Aes128CmSha1_80,
}

impl Profile {
    /// The authentication tag that each packet grows by, in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Profile::AeadAes128Gcm => 16,
            Profile::Aes128CmSha1_80 => 10,
        }
    }

    /// The master salt, in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Profile::AeadAes128Gcm => 12,
            Profile::Aes128CmSha1_80 => 14,
        }
    }

    /// Keys and salts of both directions together, as exported by DTLS, in bytes.
    pub const fn keying_material_len(self) -> usize {
        2 * (MasterKey::KEY_LEN + self.salt_len())
    }
}

/// A master key with its salt; a 12-byte salt is followed by zeros, as the key derivation wants it
/// (RFC 7714 §11).
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    /// The key.
    pub key: [u8; MasterKey::KEY_LEN],
    /// The salt.
    pub salt: [u8; 14],
}

impl MasterKey {
    /// The key, in bytes.
    pub const KEY_LEN: usize = 16;
}

/// The master keys of both directions.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    /// How packets are protected.
    pub profile: Profile,
    /// Seals what we send.
    pub local: MasterKey,
    /// Opens what we receive.
    pub remote: MasterKey,
}

impl SrtpKeys {
    /// The keys of the DTLS server in what the association exports: client key, server key,
    /// client salt, server salt (RFC 5764 §4.2). `None` unless the length fits the profile.
    pub fn of_server(profile: Profile, material: &[u8]) -> Option<Self> {
        if material.len() != profile.keying_material_len() {
            return None;
        }
        let (client_key, rest) = material.split_first_chunk()?;
        let (server_key, salts) = rest.split_first_chunk()?;
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        let master = |key: &[u8; MasterKey::KEY_LEN], salt: &[u8]| MasterKey {
            key: *key,
            salt: std::array::from_fn(|at| salt.get(at).copied().unwrap_or(0)),
        };
        Some(SrtpKeys {
            profile,
            local: master(server_key, server_salt),
            remote: master(client_key, client_salt),
        })
    }
}

impl std::fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SrtpKeys({:?})", self.profile)
    }
}

/// Why a packet was not opened or not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Not RTP version 2, or shorter than its own header.
    #[error("the packet is malformed")]
    Malformed,
    /// Too short for a header, an index and a tag.
    #[error("the packet is too short")]
    TooShort,
    /// The tag does not fit.
    #[error("the packet is forged")]
    Forged,
    /// This index was opened or sealed before.
    #[error("the packet was seen before")]
    Repeated,
    /// Further behind than the window reaches.
    #[error("the packet is too old")]
    TooOld,
    /// SRTCP in the clear.
    #[error("the packet is not encrypted")]
    NotEncrypted,
    /// It is of yet another stream, and one peer may have no more of them on one connection.
    #[error("the peer has used too many streams")]
    TooManyStreams,
    /// The packet's SSRC is not the stream's.
    #[error("the packet belongs to another stream")]
    WrongStream,
    /// 2^48 RTP or 2^31 RTCP packets were sealed with these keys.
    #[error("the keys are used up")]
    KeysUsedUp,
    /// The cryptography refused.
    #[error("the cryptography failed")]
    Crypto,
}

impl From<CryptoError> for SrtpError {
    fn from(_: CryptoError) -> Self {
        SrtpError::Crypto
    }
}

impl From<Unheard> for SrtpError {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::Index(refused) => refused.into(),
            Unheard::TooMany => SrtpError::TooManyStreams,
        }
    }
}

impl From<Refused> for SrtpError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Used => SrtpError::Repeated,
            Refused::Old => SrtpError::TooOld,
        }
    }
}

/// The length of the header of an RTP packet in bytes, contributing sources and extensions
/// included; `None` if it is not RTP version 2 or does not fit the packet.
pub fn rtp_header_len(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut len = RTP_HEADER_LEN_MIN + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        let words = packet.get(len + 2..)?.first_chunk()?;
        len += 4 + 4 * usize::from(u16::from_be_bytes(*words));
    }
    (first >> 6 == 2 && len <= packet.len()).then_some(len)
}

/// Opens what one peer sends.
pub struct Opener {
    profile: Profile,
    rtp: Transform,
    rtcp: Transform,
    rtp_streams: Streams,
    rtcp_streams: Streams,
}

impl Opener {
    /// Derives the session keys of the other side.
    ///
    /// # Errors
    ///
    /// [`SrtpError::Crypto`] if the cryptography lacks the cipher.
    pub fn new(keys: &SrtpKeys) -> Result<Self, SrtpError> {
        let [rtp, rtcp] = transforms(keys.profile, &keys.remote)?;
        Ok(Opener {
            profile: keys.profile,
            rtp,
            rtcp,
            rtp_streams: Streams::default(),
            rtcp_streams: Streams::default(),
        })
    }

    /// Opens an SRTP packet into one new buffer: header and payload.
    ///
    /// # Errors
    ///
    /// [`SrtpError`]; nothing has changed then, so forged packets leave no trace.
    pub fn open_rtp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        let header_len = rtp_header_len(packet).ok_or(SrtpError::Malformed)?;
        if packet.len() < header_len + self.profile.tag_len() {
            return Err(SrtpError::TooShort);
        }
        let (ssrc, sequence) = (be32(packet, 8), be16(packet, 2));
        let index = self.rtp_streams.estimate(ssrc, sequence);
        self.rtp_streams.check(ssrc, index)?;
        let opened = self.rtp.open_rtp(ssrc, index, packet, header_len)?;
        self.rtp_streams.accept(ssrc, index);
        Ok(opened)
    }

    /// Opens an SRTCP packet into one new buffer.
    ///
    /// # Errors
    ///
    /// [`SrtpError`]; nothing has changed then.
    pub fn open_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        if packet.len() < RTCP_HEADER_LEN + RTCP_INDEX_LEN + self.profile.tag_len() {
            return Err(SrtpError::TooShort);
        }
        let ssrc = be32(packet, 4);
        let index = self.rtcp.rtcp_index(packet)?;
        self.rtcp_streams.check(ssrc, index.into())?;
        let opened = self.rtcp.open_rtcp(ssrc, index, packet)?;
        self.rtcp_streams.accept(ssrc, index.into());
        Ok(opened)
    }
}

/// Where one outgoing stream stands: one per leg, and one per retransmission stream of a leg.
///
/// It refuses to seal one sequence number twice, because with GCM two packets under one nonce give
/// the authentication key away (RFC 7714 §8.4).
#[derive(Debug, Clone)]
pub struct StreamState {
    ssrc: u32,
    window: IndexWindow,
}

impl StreamState {
    /// A stream that has sent nothing. Start it below sequence number 2^15, so that a receiver
    /// that misses the first packets does not miss a rollover with them.
    pub fn new(ssrc: u32) -> Self {
        StreamState {
            ssrc,
            window: IndexWindow::default(),
        }
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    fn index(&self, sequence: u16) -> Result<u64, SrtpError> {
        let index = u64::try_from(self.window.estimate(sequence)).map_err(|_| SrtpError::TooOld)?;
        if index > INDEX_MAX {
            return Err(SrtpError::KeysUsedUp);
        }
        self.window.check(index)?;
        Ok(index)
    }
}

/// Seals what one peer receives.
pub struct Sealer {
    profile: Profile,
    rtp: Transform,
    rtcp: Transform,
    /// Of the last SRTCP packet, over all senders: unique per sender is enough, and so it is.
    rtcp_index: u32,
}

impl Sealer {
    /// Derives our session keys.
    ///
    /// # Errors
    ///
    /// [`SrtpError::Crypto`] if the cryptography lacks the cipher.
    pub fn new(keys: &SrtpKeys) -> Result<Self, SrtpError> {
        let [rtp, rtcp] = transforms(keys.profile, &keys.local)?;
        Ok(Sealer {
            profile: keys.profile,
            rtp,
            rtcp,
            rtcp_index: 0,
        })
    }

    /// Bytes that an RTP packet grows by.
    pub fn rtp_overhead(&self) -> usize {
        self.profile.tag_len()
    }

    /// Bytes that an RTCP packet grows by.
    pub fn rtcp_overhead(&self) -> usize {
        self.profile.tag_len() + RTCP_INDEX_LEN
    }

    /// Seals the RTP packet `arena[start..]` in place and appends the tag; the first `header_len`
    /// bytes stay in the clear. Allocates only what `arena` grows by.
    ///
    /// # Errors
    ///
    /// [`SrtpError::TooOld`] and [`SrtpError::Repeated`] for a sequence number that the stream is
    /// done with; [`SrtpError::Malformed`] and [`SrtpError::WrongStream`] are the caller's mistakes.
    /// The packet must not be sent then.
    pub fn seal_rtp(
        &mut self,
        stream: &mut StreamState,
        arena: &mut Vec<u8>,
        start: usize,
        header_len: usize,
    ) -> Result<(), SrtpError> {
        let packet = arena.get(start..).unwrap_or_default();
        if header_len < RTP_HEADER_LEN_MIN || packet.len() < header_len {
            return Err(SrtpError::Malformed);
        }
        if be32(packet, 8) != stream.ssrc {
            return Err(SrtpError::WrongStream);
        }
        let index = stream.index(be16(packet, 2))?;
        stream.window.accept(index);
        self.rtp
            .seal_rtp(stream.ssrc, index, arena, start, header_len)
    }

    /// Seals the (compound) RTCP packet `arena[start..]` in place; appends index and tag.
    ///
    /// # Errors
    ///
    /// [`SrtpError::Malformed`] if it has no sender, [`SrtpError::KeysUsedUp`] after 2^31 packets.
    pub fn seal_rtcp(&mut self, arena: &mut Vec<u8>, start: usize) -> Result<(), SrtpError> {
        let packet = arena.get(start..).unwrap_or_default();
        if packet.len() < RTCP_HEADER_LEN {
            return Err(SrtpError::Malformed);
        }
        if self.rtcp_index == RTCP_INDEX_MAX {
            return Err(SrtpError::KeysUsedUp);
        }
        self.rtcp_index += 1;
        let ssrc = be32(packet, 4);
        self.rtcp.seal_rtcp(ssrc, self.rtcp_index, arena, start)
    }
}

fn transforms(profile: Profile, master: &MasterKey) -> Result<[Transform; 2], SrtpError> {
    let provider = rtc_crypto::default_provider()?;
    let derive = |stream| Transform::derive(provider.crypto(), profile, master, stream);
    Ok([derive(Stream::Rtp)?, derive(Stream::Rtcp)?])
}

/// Callers have checked the length.
fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Callers have checked the length.
fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const PROFILES: [Profile; 2] = [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80];

    /// A sealer and the opener at the other end.
    fn ends(profile: Profile) -> (Sealer, Opener) {
        let material: Vec<u8> = (0..profile.keying_material_len() as u8).collect();
        let keys = SrtpKeys::of_server(profile, &material).unwrap();
        let theirs = SrtpKeys {
            profile,
            local: keys.remote.clone(),
            remote: keys.local.clone(),
        };
        (Sealer::new(&keys).unwrap(), Opener::new(&theirs).unwrap())
    }

    fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 9]);
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend_from_slice(b"a picture");
        packet
    }

    fn sealed(sealer: &mut Sealer, stream: &mut StreamState, sequence: u16) -> Vec<u8> {
        let mut packet = rtp(stream.ssrc(), sequence);
        sealer.seal_rtp(stream, &mut packet, 0, 12).unwrap();
        packet
    }

    #[test]
    fn keys_are_split_in_the_order_of_rfc_5764() {
        let material: Vec<u8> = (0..60).collect();
        let keys = SrtpKeys::of_server(Profile::Aes128CmSha1_80, &material).unwrap();
        assert_eq!(keys.remote.key[..], material[0..16]);
        assert_eq!(keys.local.key[..], material[16..32]);
        assert_eq!(keys.remote.salt[..], material[32..46]);
        assert_eq!(keys.local.salt[..], material[46..60]);
        let keys = SrtpKeys::of_server(Profile::AeadAes128Gcm, &material[..56]).unwrap();
        assert_eq!(keys.remote.salt[..12], material[32..44]);
        assert_eq!(keys.local.salt[..12], material[44..56]);
        assert_eq!(keys.local.salt[12..], [0, 0]);
        assert_eq!(SrtpKeys::of_server(Profile::AeadAes128Gcm, &material), None);
    }

    #[test]
    fn header_lengths() {
        let mut with_sources = vec![0x82; 12];
        with_sources.extend_from_slice(&[0; 8]);
        let mut with_extension = vec![0x90; 12];
        with_extension.extend_from_slice(&[0xBE, 0xDE, 0, 1, 0x10, 0, 0, 0]);
        let cases: [(&[u8], Option<usize>); 8] = [
            (&[], None),
            (&[0x80; 11], None),
            (&[0x80; 12], Some(12)),
            (&[0x40; 12], None),
            (&with_sources, Some(20)),
            (&with_sources[..19], None),
            (&with_extension, Some(20)),
            (&with_extension[..15], None),
        ];
        for (packet, len) in cases {
            assert_eq!(rtp_header_len(packet), len, "{packet:?}");
        }
    }

    #[test]
    fn what_is_sealed_opens_once() {
        for profile in PROFILES {
            let (mut sealer, mut opener) = ends(profile);
            let packet = sealed(&mut sealer, &mut StreamState::new(7), 100);
            assert_eq!(packet.len(), rtp(7, 100).len() + sealer.rtp_overhead());
            assert_eq!(opener.open_rtp(&packet).unwrap(), rtp(7, 100)[..]);
            assert_eq!(opener.open_rtp(&packet), Err(SrtpError::Repeated));
        }
    }

    #[test]
    fn one_sequence_number_is_sealed_once() {
        for profile in PROFILES {
            let (mut sealer, _) = ends(profile);
            let mut stream = StreamState::new(7);
            sealed(&mut sealer, &mut stream, 5);
            let mut again = |sequence, ssrc| {
                let mut packet = rtp(ssrc, sequence);
                sealer.seal_rtp(&mut stream, &mut packet, 0, 12)
            };
            assert_eq!(again(5, 7), Err(SrtpError::Repeated));
            assert_eq!(again(65_530, 7), Err(SrtpError::TooOld));
            assert_eq!(again(2000, 7), Ok(()));
            assert_eq!(again(900, 7), Err(SrtpError::TooOld));
            assert_eq!(again(2001, 8), Err(SrtpError::WrongStream));
        }
    }

    #[test]
    fn every_bit_of_a_packet_is_authenticated() {
        for profile in PROFILES {
            let (mut sealer, mut opener) = ends(profile);
            let packet = sealed(&mut sealer, &mut StreamState::new(7), 100);
            let mut rtcp = b"\x80\xc9\x00\x01\x00\x00\x00\x07rest".to_vec();
            sealer.seal_rtcp(&mut rtcp, 0).unwrap();
            for bit in 0..8 * packet.len() {
                let mut tampered = packet.clone();
                tampered[bit / 8] ^= 1 << (bit % 8);
                assert!(opener.open_rtp(&tampered).is_err(), "bit {bit}");
            }
            for bit in 0..8 * rtcp.len() {
                let mut tampered = rtcp.clone();
                tampered[bit / 8] ^= 1 << (bit % 8);
                assert!(opener.open_rtcp(&tampered).is_err(), "bit {bit}");
            }
            assert!(opener.rtp_streams.is_empty(), "a forgery left a trace");
            assert!(opener.open_rtp(&packet).is_ok());
            assert!(opener.open_rtcp(&rtcp).is_ok());
            assert_eq!(opener.open_rtcp(&rtcp), Err(SrtpError::Repeated));
        }
    }

    #[test]
    fn truncated_packets_are_refused() {
        for profile in PROFILES {
            let (mut sealer, mut opener) = ends(profile);
            let packet = sealed(&mut sealer, &mut StreamState::new(7), 100);
            for len in 0..packet.len() {
                assert!(opener.open_rtp(&packet[..len]).is_err(), "{len} bytes");
                assert!(opener.open_rtcp(&packet[..len]).is_err(), "{len} bytes");
            }
        }
    }

    #[test]
    fn an_old_packet_cannot_be_replayed_however_many_streams_came_since() {
        for profile in PROFILES {
            let (mut sealer, mut opener) = ends(profile);
            let first = sealed(&mut sealer, &mut StreamState::new(0), 1);
            opener.open_rtp(&first).unwrap();
            for ssrc in 1..=WINDOWS_MAX as u32 {
                let packet = sealed(&mut sealer, &mut StreamState::new(ssrc), 1);
                opener.open_rtp(&packet).unwrap();
            }
            assert_eq!(opener.open_rtp(&first), Err(SrtpError::Repeated));
        }
    }

    #[test]
    fn used_up_keys_seal_no_more() {
        let (mut sealer, _) = ends(Profile::AeadAes128Gcm);
        sealer.rtcp_index = RTCP_INDEX_MAX - 1;
        let report = b"\x80\xc9\x00\x01\x00\x00\x00\x07".to_vec();
        assert_eq!(sealer.seal_rtcp(&mut report.clone(), 0), Ok(()));
        assert_eq!(
            sealer.seal_rtcp(&mut report.clone(), 0),
            Err(SrtpError::KeysUsedUp)
        );
        let mut stream = StreamState::new(7);
        stream.window.accept(INDEX_MAX);
        let result = sealer.seal_rtp(&mut stream, &mut rtp(7, 0), 0, 12);
        assert_eq!(result, Err(SrtpError::KeysUsedUp));
    }
}
