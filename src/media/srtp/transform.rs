//! The two ciphers over whole packets, in place; keys derived, indices given.

use bytes::{BufMut, BytesMut};
use rtc_crypto::{
    AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CryptoError, HmacAlgorithm, Mac, RTCCrypto,
    StreamCipher, StreamCipherAlgorithm, constant_time_eq,
};

use super::{MasterKey, Profile, SrtpError};

/// Header of an RTCP packet that stays in the clear: up to and with the sender's SSRC.
pub(super) const RTCP_HEADER_LEN: usize = 8;
/// E bit and index of SRTCP, in bytes.
pub(super) const RTCP_INDEX_LEN: usize = 4;
/// The E bit: this packet is encrypted (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;
/// HMAC-SHA1 before truncation, in bytes.
const HMAC_LEN: usize = 20;

/// Labels of the key derivation (RFC 3711 §4.3.2): the key; the others follow it.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Stream {
    Rtp = 0,
    Rtcp = 3,
}

/// Session keys for one direction of SRTP or of SRTCP.
pub(super) enum Transform {
    Gcm {
        cipher: Box<dyn AeadCipher>,
        salt: [u8; 12],
    },
    Cm {
        cipher: Box<dyn StreamCipher>,
        mac: Box<dyn Mac>,
        salt: [u8; 14],
    },
}

impl Transform {
    /// Derives the session keys (RFC 3711 §4.3, RFC 7714 §11).
    pub(super) fn derive(
        crypto: &dyn RTCCrypto,
        profile: Profile,
        master: &MasterKey,
        stream: Stream,
    ) -> Result<Self, SrtpError> {
        let (mut key, mut auth_key, mut salt) = ([0; 16], [0; HMAC_LEN], [0; 14]);
        derive(crypto, master, stream as u8, &mut key)?;
        derive(crypto, master, stream as u8 + 1, &mut auth_key)?;
        derive(crypto, master, stream as u8 + 2, &mut salt)?;
        Ok(Self::new(crypto, profile, &key, &auth_key, &salt)?)
    }

    fn new(
        crypto: &dyn RTCCrypto,
        profile: Profile,
        key: &[u8; 16],
        auth_key: &[u8; HMAC_LEN],
        salt: &[u8; 14],
    ) -> Result<Self, CryptoError> {
        Ok(match profile {
            Profile::AeadAes128Gcm => Transform::Gcm {
                cipher: crypto.new_aead(AeadAlgorithm::Aes128Gcm, key)?,
                salt: std::array::from_fn(|at| salt[at]),
            },
            Profile::Aes128CmSha1_80 => Transform::Cm {
                cipher: crypto.new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, key)?,
                mac: crypto.new_hmac(HmacAlgorithm::Sha1, auth_key)?,
                salt: *salt,
            },
        })
    }

    /// Seals `bytes[start..]`, of which `header_len` bytes stay in the clear, and appends the tag.
    pub(super) fn seal_rtp(
        &mut self,
        ssrc: u32,
        index: u64,
        bytes: &mut Vec<u8>,
        start: usize,
        header_len: usize,
    ) -> Result<(), SrtpError> {
        let (header, payload) = bytes[start..].split_at_mut(header_len);
        match self {
            Transform::Gcm { cipher, salt } => {
                let mut tag = [0; Profile::AeadAes128Gcm.tag_len()];
                cipher.seal_in_place(&gcm_iv(salt, ssrc, index), header, payload, &mut tag)?;
                bytes.extend_from_slice(&tag);
            }
            Transform::Cm { cipher, mac, salt } => {
                cipher.apply_keystream(&cm_iv(salt, ssrc, index), payload)?;
                let tag = cm_tag(mac.as_mut(), &bytes[start..], rollover(index))?;
                bytes.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// Opens an SRTP packet of at least `header_len` and a tag.
    pub(super) fn open_rtp(
        &mut self,
        ssrc: u32,
        index: u64,
        packet: &[u8],
        header_len: usize,
    ) -> Result<BytesMut, SrtpError> {
        match self {
            Transform::Gcm { cipher, salt } => {
                let (sealed, tag) = split_tag(packet, Profile::AeadAes128Gcm)?;
                let mut opened = BytesMut::from(sealed);
                let (header, payload) = opened.split_at_mut(header_len);
                let iv = gcm_iv(salt, ssrc, index);
                cipher
                    .open_in_place(&iv, header, payload, tag)
                    .map_err(|_| SrtpError::Forged)?;
                Ok(opened)
            }
            Transform::Cm { cipher, mac, salt } => {
                let (sealed, tag) = split_tag(packet, Profile::Aes128CmSha1_80)?;
                let expected = cm_tag(mac.as_mut(), sealed, rollover(index))?;
                if !constant_time_eq(&expected, tag) {
                    return Err(SrtpError::Forged);
                }
                let mut opened = BytesMut::from(sealed);
                cipher.apply_keystream(&cm_iv(salt, ssrc, index), &mut opened[header_len..])?;
                Ok(opened)
            }
        }
    }

    /// Seals the RTCP packet `bytes[start..]` and appends index and tag, in the profile's order
    /// (RFC 3711 §3.4, RFC 7714 §9.1).
    pub(super) fn seal_rtcp(
        &mut self,
        ssrc: u32,
        index: u32,
        bytes: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), SrtpError> {
        let word = (index | ENCRYPTED).to_be_bytes();
        let (header, payload) = bytes[start..].split_at_mut(RTCP_HEADER_LEN);
        match self {
            Transform::Gcm { cipher, salt } => {
                let mut tag = [0; Profile::AeadAes128Gcm.tag_len()];
                let iv = gcm_iv(salt, ssrc, index.into());
                cipher.seal_in_place(&iv, &rtcp_aad(header, word), payload, &mut tag)?;
                bytes.extend_from_slice(&tag);
                bytes.extend_from_slice(&word);
            }
            Transform::Cm { cipher, mac, salt } => {
                cipher.apply_keystream(&cm_iv(salt, ssrc, index.into()), payload)?;
                let tag = cm_tag(mac.as_mut(), &bytes[start..], word)?;
                bytes.extend_from_slice(&word);
                bytes.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// The index of an SRTCP packet, which is in the clear.
    ///
    /// # Errors
    ///
    /// [`SrtpError::TooShort`], or [`SrtpError::NotEncrypted`] without the E bit: WebRTC leaves
    /// no SRTCP in the clear (RFC 8827 §6.5).
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Result<u32, SrtpError> {
        let behind = match self {
            Transform::Gcm { .. } => 0,
            Transform::Cm { .. } => Profile::Aes128CmSha1_80.tag_len(),
        };
        let word = packet
            .len()
            .checked_sub(behind)
            .and_then(|end| packet.get(..end))
            .and_then(|packet| packet.last_chunk())
            .map(|&word| u32::from_be_bytes(word))
            .ok_or(SrtpError::TooShort)?;
        match word & ENCRYPTED {
            0 => Err(SrtpError::NotEncrypted),
            _ => Ok(word & !ENCRYPTED),
        }
    }

    /// Opens an SRTCP packet of at least a header, an index and a tag.
    pub(super) fn open_rtcp(
        &mut self,
        ssrc: u32,
        index: u32,
        packet: &[u8],
    ) -> Result<BytesMut, SrtpError> {
        let word = (index | ENCRYPTED).to_be_bytes();
        match self {
            Transform::Gcm { cipher, salt } => {
                let sealed = &packet[..packet.len() - RTCP_INDEX_LEN];
                let (sealed, tag) = split_tag(sealed, Profile::AeadAes128Gcm)?;
                let mut opened = BytesMut::from(sealed);
                let (header, payload) = opened.split_at_mut(RTCP_HEADER_LEN);
                let iv = gcm_iv(salt, ssrc, index.into());
                cipher
                    .open_in_place(&iv, &rtcp_aad(header, word), payload, tag)
                    .map_err(|_| SrtpError::Forged)?;
                Ok(opened)
            }
            Transform::Cm { cipher, mac, salt } => {
                let (sealed, tag) = split_tag(packet, Profile::Aes128CmSha1_80)?;
                let sealed = &sealed[..sealed.len() - RTCP_INDEX_LEN];
                let expected = cm_tag(mac.as_mut(), sealed, word)?;
                if !constant_time_eq(&expected, tag) {
                    return Err(SrtpError::Forged);
                }
                let mut opened = BytesMut::from(sealed);
                let iv = cm_iv(salt, ssrc, index.into());
                cipher.apply_keystream(&iv, &mut opened[RTCP_HEADER_LEN..])?;
                Ok(opened)
            }
        }
    }
}

/// One session key (RFC 3711 §4.3.1, key derivation rate 0) with AES-CM as the function (§4.3.3).
fn derive(
    crypto: &dyn RTCCrypto,
    master: &MasterKey,
    label: u8,
    out: &mut [u8],
) -> Result<(), CryptoError> {
    for (counter, chunk) in (0u8..).zip(out.chunks_mut(16)) {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&master.salt);
        block[7] ^= label;
        block[15] = counter;
        crypto.block_encrypt(BlockCipherAlgorithm::Aes128, &master.key, &mut block)?;
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    Ok(())
}

/// RFC 7714 §8.1 and §9.1: the 48 bits at the end are rollover counter and sequence number, or the
/// SRTCP index.
fn gcm_iv(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let mut iv = [0; 12];
    iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
    iv[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    std::array::from_fn(|at| iv[at] ^ salt[at])
}

/// RFC 3711 §4.1.1; the last 16 bits count blocks.
fn cm_iv(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[4..8].copy_from_slice(&ssrc.to_be_bytes());
    iv[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
    std::array::from_fn(|at| iv[at] ^ salt.get(at).unwrap_or(&0))
}

/// RFC 3711 §4.2: over the packet and what follows it, the rollover counter or the SRTCP index.
fn cm_tag(
    mac: &mut dyn Mac,
    packet: &[u8],
    behind: [u8; 4],
) -> Result<[u8; Profile::Aes128CmSha1_80.tag_len()], CryptoError> {
    let mut tag = [0; HMAC_LEN];
    mac.sign(&[packet, &behind], &mut tag)?;
    Ok(std::array::from_fn(|at| tag[at]))
}

fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// RFC 7714 §9.2: the clear header and the ESRTCP word.
fn rtcp_aad(header: &[u8], word: [u8; 4]) -> [u8; RTCP_HEADER_LEN + RTCP_INDEX_LEN] {
    let mut aad = [0; RTCP_HEADER_LEN + RTCP_INDEX_LEN];
    let mut rest = aad.as_mut_slice();
    rest.put_slice(header);
    rest.put_slice(&word);
    aad
}

fn split_tag(packet: &[u8], profile: Profile) -> Result<(&[u8], &[u8]), SrtpError> {
    packet
        .len()
        .checked_sub(profile.tag_len())
        .map(|end| packet.split_at(end))
        .ok_or(SrtpError::TooShort)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: String = hex.split_whitespace().collect();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn array<const N: usize>(hex: &str) -> [u8; N] {
        bytes(hex).try_into().unwrap()
    }

    #[test]
    fn session_keys_of_rfc_3711_b_3() {
        let provider = rtc_crypto::default_provider().unwrap();
        let master = MasterKey {
            key: array("E1F97A0D3E018BE0D64FA32C06DE4139"),
            salt: array("0EC675AD498AFEEBB6960B3AABE6"),
        };
        let cases = [
            (0, "C61E7A93744F39EE10734AFE3FF7A087"),
            (2, "30CBBC08863D8C85D49DB34A9AE1"),
            (
                1,
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2DC68",
            ),
        ];
        for (label, expected) in cases {
            let expected = bytes(expected);
            let mut key = vec![0; expected.len()];
            derive(provider.crypto(), &master, label, &mut key).unwrap();
            assert_eq!(key, expected, "label {label}");
        }
    }

    #[test]
    fn keystream_of_rfc_3711_b_2() {
        let provider = rtc_crypto::default_provider().unwrap();
        let key = array::<16>("2B7E151628AED2A6ABF7158809CF4F3C");
        let iv = cm_iv(&array("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"), 0, 0);
        let mut keystream = [0; 48];
        provider
            .crypto()
            .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &key)
            .unwrap()
            .apply_keystream(&iv, &mut keystream)
            .unwrap();
        let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                        41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(keystream.to_vec(), bytes(expected));
    }

    fn gcm_of_rfc_7714_16() -> Transform {
        let provider = rtc_crypto::default_provider().unwrap();
        Transform::new(
            provider.crypto(),
            Profile::AeadAes128Gcm,
            &array("000102030405060708090a0b0c0d0e0f"),
            &[0; HMAC_LEN],
            &array("517569642070726f2071756f 0000"),
        )
        .unwrap()
    }

    #[test]
    fn srtp_of_rfc_7714_16_1_1() {
        let plain = bytes(
            "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
             69736120 696e2070 61727465 73207472 6573",
        );
        let sealed = bytes(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
             0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        let mut gcm = gcm_of_rfc_7714_16();
        let mut packet = plain.clone();
        gcm.seal_rtp(0x5501a0b2, 0xf17b, &mut packet, 0, 12)
            .unwrap();
        assert_eq!(packet, sealed);
        let opened = gcm.open_rtp(0x5501a0b2, 0xf17b, &sealed, 12).unwrap();
        assert_eq!(opened.to_vec(), plain);
    }

    #[test]
    fn srtcp_of_rfc_7714_17_1() {
        let plain = bytes(
            "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
             deadbeef deadbeef deadbeef deadbeef deadbeef",
        );
        let sealed = bytes(
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
             c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
             45d9eade 800005d4",
        );
        let mut gcm = gcm_of_rfc_7714_16();
        let mut packet = plain.clone();
        gcm.seal_rtcp(0x4d617273, 0x5d4, &mut packet, 0).unwrap();
        assert_eq!(packet, sealed);
        assert_eq!(gcm.rtcp_index(&sealed), Ok(0x5d4));
        let opened = gcm.open_rtcp(0x4d617273, 0x5d4, &sealed).unwrap();
        assert_eq!(opened.to_vec(), plain);
    }
}
