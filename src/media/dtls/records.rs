//! What of a datagram may reach the DTLS stack: it answers some plaintext with a fatal alert and
//! keeps some without a bound, so that both are sorted out before it.

/// Records that may be spent on one handshake, retransmissions and fragments included; further
/// ones are dropped. A browser needs about ten.
pub(super) const HANDSHAKE_RECORDS_MAX: usize = 256;
/// Longest handshake message, in bytes; a certificate chain of four RSA-4096 certificates fits.
const MESSAGE_LEN_MAX: usize = 16_384;
/// Longest encrypted handshake record, in bytes; Finished, the only one in place, has 40.
const ENCRYPTED_HANDSHAKE_LEN_MAX: usize = 256;
const RECORD_HEADER_LEN: usize = 13;
const FRAGMENT_HEADER_LEN: usize = 12;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Where the association stands, as far as it matters to what may come in.
#[derive(Debug, Default)]
pub(super) struct Gate {
    records: usize,
    pub(super) connected: bool,
}

impl Gate {
    /// The records of a datagram that may pass, laid end to end. What follows a record that does
    /// not fit its datagram is dropped with it (RFC 6347 §4.1.2.7).
    pub(super) fn admit(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut admitted = Vec::with_capacity(datagram.len());
        for record in records(datagram) {
            if self.admits(&record) {
                admitted.extend_from_slice(record.bytes);
            }
        }
        admitted
    }

    fn admits(&mut self, record: &Record<'_>) -> bool {
        let known = match (record.epoch, record.kind) {
            (0, HANDSHAKE) => fragments(record.body).is_some(),
            (0, CHANGE_CIPHER_SPEC) => record.body == [1],
            // Alerts and data in the clear could be anyone's.
            (0, _) => false,
            (1, HANDSHAKE) => record.body.len() <= ENCRYPTED_HANDSHAKE_LEN_MAX,
            (1, ALERT) => true,
            (1, APPLICATION_DATA) => self.connected,
            _ => false,
        };
        if !known {
            return false;
        }
        if !self.connected || record.kind == HANDSHAKE {
            self.records += 1;
        }
        self.records <= HANDSHAKE_RECORDS_MAX || (self.connected && record.kind != HANDSHAKE)
    }
}

/// One record (RFC 6347 §4.1).
struct Record<'a> {
    kind: u8,
    epoch: u16,
    body: &'a [u8],
    bytes: &'a [u8],
}

fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<RECORD_HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let (bytes, behind) = rest.split_at_checked(RECORD_HEADER_LEN + len)?;
        rest = behind;
        // The stack takes a record without a body for a broken datagram.
        (len > 0).then(|| Record {
            kind: bytes[0],
            epoch: u16::from_be_bytes([bytes[3], bytes[4]]),
            body: &bytes[RECORD_HEADER_LEN..],
            bytes,
        })
    })
}

/// A piece of a handshake message (RFC 6347 §4.2.2).
struct Fragment<'a> {
    kind: u8,
    sequence: u16,
    /// Of the whole message.
    len: usize,
    offset: usize,
    data: &'a [u8],
}

/// The fragments in the body of a handshake record, if they fill it exactly.
fn fragments(mut body: &[u8]) -> Option<Vec<Fragment<'_>>> {
    let mut fragments = vec![];
    while !body.is_empty() {
        let (header, rest) = body.split_first_chunk::<FRAGMENT_HEADER_LEN>()?;
        let number =
            |at: usize| u32::from_be_bytes([0, header[at], header[at + 1], header[at + 2]]);
        let [len, offset, fragment_len] = [1, 6, 9].map(|at| number(at) as usize);
        if len > MESSAGE_LEN_MAX || offset + fragment_len > len {
            return None;
        }
        // Only a whole message may be empty.
        if fragment_len == 0 && len > 0 {
            return None;
        }
        let (data, behind) = rest.split_at_checked(fragment_len)?;
        // The stack takes all that follows a first fragment for a part of it.
        if fragment_len < len && !behind.is_empty() {
            return None;
        }
        fragments.push(Fragment {
            kind: header[0],
            sequence: u16::from_be_bytes([header[4], header[5]]),
            len,
            offset,
            data,
        });
        body = behind;
    }
    Some(fragments)
}

/// Collects the first ClientHello, which may come in several datagrams, until it is whole.
///
/// It keeps only datagrams that brought something new, so it is bounded by the message's length.
#[derive(Debug, Default)]
pub(super) struct HelloBuffer {
    datagrams: Vec<Vec<u8>>,
    message: Vec<u8>,
    filled: Vec<bool>,
}

impl HelloBuffer {
    /// Takes admitted records. Returns the ClientHello's body and the datagrams that brought it
    /// once it is whole.
    pub(super) fn push(&mut self, admitted: Vec<u8>) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        const CLIENT_HELLO: u8 = 1;
        let mut is_new = false;
        for record in records(&admitted) {
            let first_hello =
                |fragment: &Fragment<'_>| fragment.kind == CLIENT_HELLO && fragment.sequence == 0;
            let fragments = fragments(record.body).unwrap_or_default();
            for fragment in fragments.into_iter().filter(first_hello) {
                is_new |= self.fill(&fragment);
            }
        }
        if is_new {
            self.datagrams.push(admitted);
        }
        if self.message.is_empty() || self.filled.contains(&false) {
            return None;
        }
        let whole = std::mem::take(self);
        Some((whole.message, whole.datagrams))
    }

    /// Copies a fragment in. A message of another length is another message: it starts over.
    fn fill(&mut self, fragment: &Fragment<'_>) -> bool {
        if self.message.len() != fragment.len {
            *self = HelloBuffer {
                datagrams: vec![],
                message: vec![0; fragment.len],
                filled: vec![false; fragment.len],
            };
        }
        let range = fragment.offset..fragment.offset + fragment.data.len();
        let is_new = self.filled[range.clone()].contains(&false);
        if is_new {
            self.message[range.clone()].copy_from_slice(fragment.data);
            self.filled[range].fill(true);
        }
        is_new
    }
}

/// The protection profiles that the body of a ClientHello offers in `use_srtp` (RFC 5764 §4.1.1),
/// in its order; none if there is no such extension or the message is malformed.
pub(super) fn offered_srtp_profiles(client_hello: &[u8]) -> Vec<u16> {
    use_srtp(client_hello).unwrap_or_default()
}

fn use_srtp(client_hello: &[u8]) -> Option<Vec<u16>> {
    const USE_SRTP: u16 = 14;
    const VERSION_AND_RANDOM_LEN: usize = 34;
    let mut rest = client_hello.get(VERSION_AND_RANDOM_LEN..)?;
    let _session_id = take(&mut rest, 1)?;
    let _cookie = take(&mut rest, 1)?;
    let _cipher_suites = take(&mut rest, 2)?;
    let _compression_methods = take(&mut rest, 1)?;
    let mut extensions = take(&mut rest, 2)?;
    while let Some((kind, behind)) = extensions.split_first_chunk::<2>() {
        extensions = behind;
        let mut extension = take(&mut extensions, 2)?;
        if u16::from_be_bytes(*kind) == USE_SRTP {
            let profiles = take(&mut extension, 2)?.chunks_exact(2);
            return Some(
                profiles
                    .map(|id| u16::from_be_bytes([id[0], id[1]]))
                    .collect(),
            );
        }
    }
    None
}

/// Splits off a vector that is preceded by its length in `length_bytes` bytes.
fn take<'a>(bytes: &mut &'a [u8], length_bytes: usize) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_at_checked(length_bytes)?;
    let length = length
        .iter()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    let (vector, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(vector)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn fragment(len: u32, offset: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&len.to_be_bytes()[1..]);
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&offset.to_be_bytes()[1..]);
        bytes.extend_from_slice(&(data.len() as u32).to_be_bytes()[1..]);
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn what_may_pass() {
        let whole = fragment(2, 0, b"ab");
        let first = fragment(4, 0, b"ab");
        let cases: [(u8, u8, &[u8], bool, bool); 14] = [
            (HANDSHAKE, 0, &whole, true, true),
            (HANDSHAKE, 0, &first, true, true),
            (HANDSHAKE, 0, &[&whole[..], &first[..]].concat(), true, true),
            (
                HANDSHAKE,
                0,
                &[&first[..], &whole[..]].concat(),
                false,
                false,
            ),
            (HANDSHAKE, 0, &fragment(2, 1, b"ab"), false, false),
            (HANDSHAKE, 0, &fragment(2, 0, b""), false, false),
            (HANDSHAKE, 0, &fragment(20_000, 0, b"ab"), false, false),
            (CHANGE_CIPHER_SPEC, 0, &[1], true, true),
            (CHANGE_CIPHER_SPEC, 0, &[1, 1], false, false),
            (ALERT, 0, &[2, 40], false, false),
            (APPLICATION_DATA, 0, b"data", false, false),
            (ALERT, 1, b"sealed", true, true),
            (APPLICATION_DATA, 1, b"sealed", false, true),
            (HANDSHAKE, 2, b"sealed", false, false),
        ];
        for (kind, epoch, body, before, after) in cases {
            let record = record(kind, epoch, body);
            for (connected, passes) in [(false, before), (true, after)] {
                let mut gate = Gate {
                    records: 0,
                    connected,
                };
                let expected = if passes { &record[..] } else { &[] };
                assert_eq!(gate.admit(&record), expected, "{kind} {epoch} {connected}");
            }
        }
    }

    #[test]
    fn a_handshake_has_a_budget_and_data_has_none() {
        let hello = record(HANDSHAKE, 0, &fragment(2, 0, b"ab"));
        let data = record(APPLICATION_DATA, 1, b"sealed");
        let mut gate = Gate::default();
        let passed = (0..1000).filter(|_| !gate.admit(&hello).is_empty()).count();
        assert_eq!(passed, HANDSHAKE_RECORDS_MAX);
        gate.connected = true;
        assert!(gate.admit(&hello).is_empty());
        assert!((0..1000).all(|_| gate.admit(&data) == data));
    }

    #[test]
    fn a_hello_is_put_together_from_fragments_in_any_order() {
        let [a, b, c] = [(0, "ab"), (2, "cd"), (4, "ef")]
            .map(|(offset, data)| record(HANDSHAKE, 0, &fragment(6, offset, data.as_bytes())));
        for order in [[&a, &b, &c], [&c, &a, &b], [&b, &c, &a]] {
            let mut buffer = HelloBuffer::default();
            for datagram in &order[..2] {
                assert_eq!(buffer.push(datagram.to_vec()), None);
                assert_eq!(buffer.push(datagram.to_vec()), None, "again");
            }
            let (message, datagrams) = buffer.push(order[2].clone()).unwrap();
            assert_eq!(message, b"abcdef");
            assert_eq!(datagrams.len(), 3);
        }
    }

    #[test]
    fn profiles_are_read_from_a_hello() {
        let mut hello = vec![0xfe, 0xfd];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 3, 1, 2, 3, 0, 2, 0xc0, 0x2b, 1, 0]);
        hello.extend_from_slice(&[0, 15, 0, 23, 0, 0, 0, 14, 0, 7, 0, 4, 0, 1, 0, 7, 0]);
        assert_eq!(offered_srtp_profiles(&hello), [1, 7]);
        for len in 0..hello.len() {
            assert!(offered_srtp_profiles(&hello[..len]).is_empty(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 13..200), kind in 20u8..24) {
            bytes[0] = kind;
            bytes[3..5].fill(0);
            let len = (bytes.len() - 13) as u16;
            bytes[11..13].copy_from_slice(&len.to_be_bytes());
            let mut gate = Gate::default();
            let admitted = gate.admit(&bytes);
            if let Some((message, _)) = HelloBuffer::default().push(admitted) {
                offered_srtp_profiles(&message);
            }
            offered_srtp_profiles(&bytes);
        }
    }
}
