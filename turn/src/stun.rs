//! The STUN message format (RFC 8489 §5, §14): a view of a received message that trusts nothing,
//! and a writer of answers.

use std::net::SocketAddr;

use rtc_crypto::{CryptoError, HmacAlgorithm, constant_time_eq};
use rtc_stun::fingerprint::fingerprint_value;

use crate::xor_address;

/// Message types: method Binding (RFC 8489 §18.2) in each class.
pub const BINDING_REQUEST: u16 = 0x0001;
/// A successful answer to a Binding request.
pub const BINDING_SUCCESS: u16 = 0x0101;
/// An error as an answer to a Binding request.
pub const BINDING_ERROR: u16 = 0x0111;

/// Attribute types (RFC 8489 §18.3).
pub const USERNAME: u16 = 0x0006;
/// HMAC-SHA1 over everything before it.
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
/// Why not.
pub const ERROR_CODE: u16 = 0x0009;
/// Which attributes were not understood.
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
/// For whom a name and password hold.
pub const REALM: u16 = 0x0014;
/// What the server wants to see again, to know that a request is fresh.
pub const NONCE: u16 = 0x0015;
/// HMAC-SHA256 over everything before it.
pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
/// How the client made its key from the password.
pub const PASSWORD_ALGORITHM: u16 = 0x001D;
/// The user's name, hashed; not supported here.
pub const USERHASH: u16 = 0x001E;
/// How a key may be made from the password.
pub const PASSWORD_ALGORITHMS: u16 = 0x8002;
/// The source as the server sees it.
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// CRC-32 over everything before it.
pub const FINGERPRINT: u16 = 0x8028;
/// How much the other side likes a pair (RFC 8445 §16.1).
pub const PRIORITY: u16 = 0x0024;
/// The other side nominates the pair (RFC 8445 §16.1).
pub const USE_CANDIDATE: u16 = 0x0025;
/// The other side believes that we control (RFC 8445 §16.1).
pub const ICE_CONTROLLED: u16 = 0x8029;
/// The other side controls (RFC 8445 §16.1).
pub const ICE_CONTROLLING: u16 = 0x802A;

/// Unknown attributes that are named in one answer; further ones go unnamed.
pub const UNKNOWN_ATTRIBUTES_MAX: usize = 16;

pub(crate) const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
pub(crate) const HEADER_LEN: usize = 20;
const ATTRIBUTE_HEADER_LEN: usize = 4;
/// The most that the length field can say of attributes, which all end on a multiple of four.
const LENGTH_MAX: usize = 65_532;
const INTEGRITY_LEN: usize = 20;
const INTEGRITY_SHA256_LEN: usize = 32;
const FINGERPRINT_LEN: usize = 4;

/// The bytes are not one whole STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed STUN message")]
pub struct Malformed;

/// A well-formed message, as received in one datagram.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    transaction: &'a [u8; 12],
    /// Where the first MESSAGE-INTEGRITY begins.
    integrity_at: Option<usize>,
    /// Where the first MESSAGE-INTEGRITY-SHA256 begins.
    integrity_sha256_at: Option<usize>,
    /// Where FINGERPRINT begins; it is the last attribute.
    fingerprint_at: Option<usize>,
}

impl<'a> Message<'a> {
    /// Walks the whole message once: header, cookie, and every attribute with its padding.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if anything does not fit, or bytes are left over.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, attributes) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Malformed)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] & 0xC0 != 0 || header[4..8] != MAGIC_COOKIE || length != attributes.len() {
            return Err(Malformed);
        }
        let mut message = Message {
            bytes,
            transaction: bytes[8..].first_chunk().ok_or(Malformed)?,
            integrity_at: None,
            integrity_sha256_at: None,
            fingerprint_at: None,
        };
        let mut at = HEADER_LEN;
        while at < bytes.len() {
            let (kind, _, next) = attribute_at(bytes, at).ok_or(Malformed)?;
            match kind {
                // Nothing comes behind FINGERPRINT (RFC 8489 §14.7).
                FINGERPRINT if next == bytes.len() => message.fingerprint_at = Some(at),
                FINGERPRINT => return Err(Malformed),
                // Behind MESSAGE-INTEGRITY-SHA256 only FINGERPRINT counts (RFC 8489 §14.6).
                MESSAGE_INTEGRITY
                    if message.integrity_at.is_none() && message.integrity_sha256_at.is_none() =>
                {
                    message.integrity_at = Some(at);
                }
                MESSAGE_INTEGRITY_SHA256 if message.integrity_sha256_at.is_none() => {
                    message.integrity_sha256_at = Some(at);
                }
                _ => {}
            }
            at = next;
        }
        Ok(message)
    }

    /// The message type: class and method.
    pub fn kind(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    /// All of it, as it came.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The transaction id.
    pub fn transaction(&self) -> &'a [u8; 12] {
        self.transaction
    }

    /// The value of the first attribute of a type. What stands behind MESSAGE-INTEGRITY or
    /// MESSAGE-INTEGRITY-SHA256 is not covered by it and is ignored (RFC 8489 §14.5, §14.6).
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes()
            .find(|&(found, _)| found == kind)
            .map(|(_, value)| value)
    }

    /// Types of attributes that must be understood (RFC 8489 §14) and are not in `known`, at most
    /// [`UNKNOWN_ATTRIBUTES_MAX`].
    pub fn unknown_required(&self, known: &[u16]) -> Vec<u16> {
        self.attributes()
            .map(|(kind, _)| kind)
            .filter(|kind| *kind < 0x8000 && !known.contains(kind))
            .take(UNKNOWN_ATTRIBUTES_MAX)
            .collect()
    }

    /// There is a MESSAGE-INTEGRITY.
    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// MESSAGE-INTEGRITY is there and was made with `key`.
    pub fn integrity_fits(&self, key: &[u8]) -> bool {
        let Some(at) = self.integrity_at else {
            return false;
        };
        let end = at + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN;
        self.mac_fits(HmacAlgorithm::Sha1, key, at, end)
    }

    /// There is a MESSAGE-INTEGRITY-SHA256.
    pub fn has_integrity_sha256(&self) -> bool {
        self.integrity_sha256_at.is_some()
    }

    /// MESSAGE-INTEGRITY-SHA256 is there, in its full length, and was made with `key`.
    pub fn integrity_sha256_fits(&self, key: &[u8]) -> bool {
        let Some(at) = self.integrity_sha256_at else {
            return false;
        };
        let end = at + ATTRIBUTE_HEADER_LEN + INTEGRITY_SHA256_LEN;
        self.mac_fits(HmacAlgorithm::Sha256, key, at, end)
    }

    fn mac_fits(&self, algorithm: HmacAlgorithm, key: &[u8], at: usize, end: usize) -> bool {
        let Some((_, value, _)) = attribute_at(self.bytes, at) else {
            return false;
        };
        // The length field counts up to and with the integrity (RFC 8489 §14.5).
        let length = ((end - HEADER_LEN) as u16).to_be_bytes();
        let covered = [&self.bytes[..2], &length, &self.bytes[4..at]];
        match algorithm {
            HmacAlgorithm::Sha1 => hmac::<INTEGRITY_LEN>(algorithm, key, &covered)
                .is_ok_and(|expected| constant_time_eq(&expected, value)),
            _ => hmac::<INTEGRITY_SHA256_LEN>(algorithm, key, &covered)
                .is_ok_and(|expected| constant_time_eq(&expected, value)),
        }
    }

    /// There is a FINGERPRINT.
    pub fn has_fingerprint(&self) -> bool {
        self.fingerprint_at.is_some()
    }

    /// FINGERPRINT is there and fits.
    pub fn fingerprint_fits(&self) -> bool {
        let Some(at) = self.fingerprint_at else {
            return false;
        };
        let expected = fingerprint_value(&self.bytes[..at]).to_be_bytes();
        attribute_at(self.bytes, at).is_some_and(|(_, value, _)| value == expected)
    }

    /// Attributes before any integrity, or all if there is none, without FINGERPRINT: type and value.
    pub fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let bytes = self.bytes;
        let end = self.integrity_at.or(self.integrity_sha256_at);
        let end = end.or(self.fingerprint_at).unwrap_or(bytes.len());
        let mut at = HEADER_LEN;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (kind, value, next) = attribute_at(bytes, at)?;
            at = next;
            Some((kind, value))
        })
    }
}

/// Type, value and end of the attribute at `at`.
fn attribute_at(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let (header, rest) = bytes
        .get(at..)?
        .split_first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let padded = len.next_multiple_of(4);
    let value = rest.get(..padded)?.get(..len)?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    Some((kind, value, at + ATTRIBUTE_HEADER_LEN + padded))
}

/// Writes one message at the end of a buffer; it is whole after every attribute.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// A message of type `kind` without attributes.
    pub fn new(out: &'a mut Vec<u8>, kind: u16, transaction: &[u8; 12]) -> Self {
        let start = out.len();
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC_COOKIE);
        out.extend_from_slice(transaction);
        Writer { out, start }
    }

    /// Appends an attribute. One with which the message would be longer than it can say (65,532 bytes
    /// behind its head) is left out.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let padded = value.len().next_multiple_of(4);
        let length = self.out.len() - self.start - HEADER_LEN + ATTRIBUTE_HEADER_LEN + padded;
        if length <= LENGTH_MAX {
            self.out.extend_from_slice(&kind.to_be_bytes());
            self.out
                .extend_from_slice(&(value.len() as u16).to_be_bytes());
            self.out.extend_from_slice(value);
            self.out.extend_from_slice(&[0; 3][..padded - value.len()]);
        }
        self.set_length(0);
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2); an IPv4-mapped address is written as IPv4.
    pub fn xor_mapped_address(&mut self, address: SocketAddr) {
        self.xor_address(XOR_MAPPED_ADDRESS, address);
    }

    /// An attribute of type `kind` in the form of XOR-MAPPED-ADDRESS.
    pub fn xor_address(&mut self, kind: u16, address: SocketAddr) {
        let mut transaction = [0; 12];
        transaction.copy_from_slice(&self.out[self.start + 8..self.start + HEADER_LEN]);
        let (value, len) = xor_address::write(address, &transaction);
        self.attribute(kind, &value[..len]);
    }

    /// ERROR-CODE (RFC 8489 §14.8) without a reason phrase.
    pub fn error(&mut self, code: u16) {
        self.attribute(ERROR_CODE, &[0, 0, (code / 100) as u8, (code % 100) as u8]);
    }

    /// UNKNOWN-ATTRIBUTES (RFC 8489 §14.9).
    pub fn unknown_attributes(&mut self, kinds: &[u16]) {
        let value: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        self.attribute(UNKNOWN_ATTRIBUTES, &value);
    }

    /// MESSAGE-INTEGRITY over what was written so far.
    ///
    /// # Errors
    ///
    /// If the cryptography lacks HMAC-SHA1; nothing is appended then.
    pub fn integrity(&mut self, key: &[u8]) -> Result<(), CryptoError> {
        self.set_length(ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN);
        let value = hmac::<INTEGRITY_LEN>(HmacAlgorithm::Sha1, key, &[&self.out[self.start..]]);
        self.set_length(0);
        self.attribute(MESSAGE_INTEGRITY, &value?);
        Ok(())
    }

    /// MESSAGE-INTEGRITY-SHA256 over what was written so far, in its full length.
    ///
    /// # Errors
    ///
    /// If the cryptography lacks HMAC-SHA256; nothing is appended then.
    pub fn integrity_sha256(&mut self, key: &[u8]) -> Result<(), CryptoError> {
        self.set_length(ATTRIBUTE_HEADER_LEN + INTEGRITY_SHA256_LEN);
        let value =
            hmac::<INTEGRITY_SHA256_LEN>(HmacAlgorithm::Sha256, key, &[&self.out[self.start..]]);
        self.set_length(0);
        self.attribute(MESSAGE_INTEGRITY_SHA256, &value?);
        Ok(())
    }

    /// FINGERPRINT over what was written so far; the last attribute.
    pub fn fingerprint(&mut self) {
        self.set_length(ATTRIBUTE_HEADER_LEN + FINGERPRINT_LEN);
        let value = fingerprint_value(&self.out[self.start..]);
        self.attribute(FINGERPRINT, &value.to_be_bytes());
    }

    /// Writes the length field: what is there and `more` bytes.
    fn set_length(&mut self, more: usize) {
        let length = (self.out.len() - self.start - HEADER_LEN + more) as u16;
        self.out[self.start + 2..self.start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

fn hmac<const LEN: usize>(
    algorithm: HmacAlgorithm,
    key: &[u8],
    parts: &[&[u8]],
) -> Result<[u8; LEN], CryptoError> {
    let provider = rtc_crypto::default_provider()?;
    let mut mac = provider.crypto().new_hmac(algorithm, key)?;
    let mut tag = [0; LEN];
    mac.sign(parts, &mut tag)?;
    Ok(tag)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    /// Of RFC 5769 §2.
    const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
    const TRANSACTION: [u8; 12] = [
        0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: String = hex.split_whitespace().collect();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    /// RFC 5769 §2.1.
    fn sample_request() -> Vec<u8> {
        bytes(
            "00010058 2112a442 b7e7a701 bc34d686 fa87dfae
             80220010 5354554e 20746573 7420636c 69656e74
             00240004 6e0001ff 80290008 932ff9b1 51263b36
             00060009 6576746a 3a683676 59202020
             00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
             80280004 e57a3bcf",
        )
    }

    /// RFC 5769 §2.2 and §2.3.
    fn sample_answers() -> [(Vec<u8>, SocketAddr); 2] {
        [
            (
                bytes(
                    "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
                     8022000b 74657374 20766563 746f7220
                     00200008 0001a147 e112a643
                     00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
                     80280004 c07d4c96",
                ),
                "192.0.2.1:32853".parse().unwrap(),
            ),
            (
                bytes(
                    "01010048 2112a442 b7e7a701 bc34d686 fa87dfae
                     8022000b 74657374 20766563 746f7220
                     00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
                     00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
                     80280004 c8fb0b4c",
                ),
                "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
                    .parse()
                    .unwrap(),
            ),
        ]
    }

    #[test]
    fn the_sample_request_of_rfc_5769() {
        let request = sample_request();
        let message = Message::parse(&request).unwrap();
        assert_eq!(message.kind(), BINDING_REQUEST);
        assert_eq!(message.transaction(), &TRANSACTION);
        assert_eq!(message.attribute(USERNAME), Some(&b"evtj:h6vY"[..]));
        assert_eq!(message.attribute(PRIORITY), Some(&[0x6e, 0, 1, 0xff][..]));
        assert!(message.integrity_fits(PASSWORD) && message.fingerprint_fits());
        assert!(!message.integrity_fits(b"another"));
        assert_eq!(message.unknown_required(&[USERNAME]), [PRIORITY]);
    }

    #[test]
    fn the_sample_answers_of_rfc_5769() {
        for (answer, address) in sample_answers() {
            let message = Message::parse(&answer).unwrap();
            assert_eq!(message.kind(), BINDING_SUCCESS);
            assert!(message.integrity_fits(PASSWORD) && message.fingerprint_fits());
            let mut out = vec![];
            Writer::new(&mut out, BINDING_SUCCESS, &TRANSACTION).xor_mapped_address(address);
            let written = Message::parse(&out).unwrap();
            assert_eq!(
                written.attribute(XOR_MAPPED_ADDRESS),
                message.attribute(XOR_MAPPED_ADDRESS)
            );
        }
    }

    /// RFC 5769 §2.4: long-term credentials. The user's name is "Matrix" in Katakana; the password
    /// after SASLprep is "TheMatrIX", the realm "example.org".
    #[test]
    fn the_long_term_sample_of_rfc_5769() {
        let request = bytes(
            "00010060 2112a442 78ad3433 c6ad72c0 29da412e
             00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
             0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
             0014000b 6578616d 706c652e 6f726700
             00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666",
        );
        let message = Message::parse(&request).unwrap();
        assert_eq!(message.attribute(USERNAME), Some("マトリックス".as_bytes()));
        assert_eq!(message.attribute(REALM), Some(&b"example.org"[..]));
        let key = crate::credentials::long_term_key(
            crate::credentials::Algorithm::Md5,
            "マトリックス".as_bytes(),
            "example.org",
            b"TheMatrIX",
        );
        assert!(message.integrity_fits(&key));
        assert!(!message.integrity_fits(b"another"));
    }

    #[test]
    fn integrity_with_sha256_covers_what_stands_before_it() {
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        writer.attribute(USERNAME, b"a:b");
        writer.integrity(PASSWORD).unwrap();
        writer.integrity_sha256(PASSWORD).unwrap();
        writer.fingerprint();
        let fits = |bytes: &[u8]| {
            Message::parse(bytes).is_ok_and(|message| {
                message.integrity_sha256_fits(PASSWORD) && message.fingerprint_fits()
            })
        };
        assert!(fits(&bytes));
        assert!(Message::parse(&bytes).unwrap().integrity_fits(PASSWORD));
        for bit in 0..8 * bytes.len() {
            let mut tampered = bytes.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            assert!(!fits(&tampered), "bit {bit}");
        }
    }

    #[test]
    fn a_shortened_or_overtaken_integrity_is_not_believed() {
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        writer.integrity_sha256(PASSWORD).unwrap();
        let short = &bytes[HEADER_LEN + 4..HEADER_LEN + 20].to_vec();
        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        writer.attribute(MESSAGE_INTEGRITY_SHA256, short);
        let second = bytes.split_off(HEADER_LEN + 36);
        let message = Message::parse(&second).unwrap();
        assert!(message.has_integrity_sha256() && !message.integrity_sha256_fits(PASSWORD));

        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        writer.integrity_sha256(PASSWORD).unwrap();
        writer.integrity(PASSWORD).unwrap();
        let overtaken = bytes.split_off(HEADER_LEN + 36);
        assert!(!Message::parse(&overtaken).unwrap().has_integrity());
    }

    #[test]
    fn every_bit_of_a_message_is_covered() {
        let request = sample_request();
        for bit in 0..8 * request.len() {
            let mut tampered = request.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let fits = Message::parse(&tampered).is_ok_and(|message| {
                message.integrity_fits(PASSWORD) && message.fingerprint_fits()
            });
            assert!(!fits, "bit {bit}");
        }
    }

    #[test]
    fn what_stands_behind_the_integrity_is_not_believed() {
        let mut bytes = vec![9];
        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        writer.attribute(USERNAME, b"a:b");
        writer.integrity(PASSWORD).unwrap();
        writer.attribute(USE_CANDIDATE, &[]);
        writer.fingerprint();
        let message = Message::parse(&bytes[1..]).unwrap();
        assert!(message.integrity_fits(PASSWORD) && message.fingerprint_fits());
        assert_eq!(message.attribute(USERNAME), Some(&b"a:b"[..]));
        assert_eq!(message.attribute(USE_CANDIDATE), None);
    }

    /// Nothing that was in the buffer before leaves with an answer.
    #[test]
    fn padding_is_zero() {
        let mut out = vec![0xaa; 4_096];
        for len in 0..9 {
            out.fill(0xaa);
            out.clear();
            let mut writer = Writer::new(&mut out, BINDING_SUCCESS, &TRANSACTION);
            writer.attribute(REALM, &[7; 9][..len]);
            let written = &out[HEADER_LEN + ATTRIBUTE_HEADER_LEN..];
            assert_eq!(written.len(), len.next_multiple_of(4));
            assert!(written[len..].iter().all(|&byte| byte == 0), "{written:?}");
        }
    }

    #[test]
    fn a_message_never_says_less_than_it_is() {
        for (lens, kept) in [
            (&[65_528, 0][..], 1),
            (&[65_529], 0),
            (&[70_000], 0),
            (&[40_000, 40_000, 9], 2),
            (&[65_500, 24, 4], 2),
        ] {
            let mut out = vec![];
            let mut writer = Writer::new(&mut out, BINDING_SUCCESS, &TRANSACTION);
            for &len in lens {
                writer.attribute(REALM, &vec![7; len]);
            }
            let message = Message::parse(&out).unwrap();
            assert_eq!(message.attributes().count(), kept, "{lens:?}");
        }
    }

    #[test]
    fn nothing_stands_behind_the_fingerprint() {
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        writer.fingerprint();
        writer.attribute(USERNAME, b"a:b");
        assert_eq!(Message::parse(&bytes).err(), Some(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(message) = Message::parse(&bytes) {
                message.integrity_fits(PASSWORD);
            }
        }

        #[test]
        fn changed_messages_are_survived(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            len in 0usize..108,
        ) {
            let mut bytes = sample_request();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            for bytes in [&bytes[..], &bytes[..len]] {
                if let Ok(message) = Message::parse(bytes) {
                    message.integrity_fits(PASSWORD);
                    message.fingerprint_fits();
                    message.unknown_required(&[]);
                    message.attribute(USERNAME);
                }
            }
        }

        #[test]
        fn the_reference_reads_what_is_written(
            values in prop::collection::vec((0x8000u16..0x8020, prop::collection::vec(any::<u8>(), 0..50)), 0..8),
            key in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let mut bytes = vec![];
            let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
            for (kind, value) in &values {
                writer.attribute(*kind, value);
            }
            writer.integrity(&key).unwrap();
            writer.fingerprint();
            let provider = rtc_crypto::default_provider().unwrap();
            let mut message = rtc_stun::message::Message::new();
            message.unmarshal_binary(&bytes).unwrap();
            rtc_stun::fingerprint::FINGERPRINT.check(&message).unwrap();
            let check = rtc_stun::integrity::MessageIntegrity::check;
            check(&mut message, &key, provider.crypto()).unwrap();
            prop_assert_eq!(message.attributes.0.len(), values.len() + 2);
            let ours = Message::parse(&bytes).unwrap();
            prop_assert!(ours.integrity_fits(&key) && ours.fingerprint_fits());
        }
    }
}
