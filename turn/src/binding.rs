//! STUN Binding for anyone who asks (RFC 8489 §2): where do my datagrams seem to come from?

use std::net::SocketAddr;

use crate::stun::{self, BINDING_REQUEST, Message, Writer};
use crate::xor_address;

/// Answers a Binding request that names no user, in the fewest bytes: XOR-MAPPED-ADDRESS alone, so
/// that the answer never serves to flood a forged source. No SOFTWARE, no reason phrase.
///
/// The answer is appended to `out`: 32 bytes to IPv4, 44 to IPv6, or error 420 with the attributes
/// that the request requires to be understood and are not (RFC 8489 §6.3.1). Returns `false`, with
/// `out` as it was, if this is no such request; a request with USERNAME belongs to ICE or TURN.
pub fn answer_binding(request: &[u8], from: SocketAddr, out: &mut Vec<u8>) -> bool {
    let Ok(request) = Message::parse(request) else {
        return false;
    };
    if request.kind() != BINDING_REQUEST || names_a_user(&request) {
        return false;
    }
    if request.has_fingerprint() && !request.fingerprint_fits() {
        return false;
    }
    let unknown = request.unknown_required(&[]);
    if unknown.is_empty() {
        let mut answer = Writer::new(out, stun::BINDING_SUCCESS, request.transaction());
        answer.xor_mapped_address(from);
    } else {
        let mut answer = Writer::new(out, stun::BINDING_ERROR, request.transaction());
        answer.error(420);
        answer.unknown_attributes(&unknown);
    }
    true
}

/// The question: a Binding request without attributes (RFC 8489 §6.1).
pub fn binding_request(transaction: &[u8; 12]) -> Vec<u8> {
    let mut request = Vec::with_capacity(stun::HEADER_LEN);
    Writer::new(&mut request, BINDING_REQUEST, transaction);
    request
}

/// The address that an answer to [`binding_request`] tells. `None` if it is no success, of another
/// transaction, or has no XOR-MAPPED-ADDRESS; that of old servers (RFC 3489) is not believed, as
/// translators on the way may have changed it.
pub fn mapped_address(answer: &[u8], transaction: &[u8; 12]) -> Option<SocketAddr> {
    let answer = Message::parse(answer).ok()?;
    if answer.kind() != stun::BINDING_SUCCESS || answer.transaction() != transaction {
        return None;
    }
    xor_address::read(answer.attribute(stun::XOR_MAPPED_ADDRESS)?, transaction)
}

fn names_a_user(request: &Message<'_>) -> bool {
    request.has_integrity() || request.attribute(stun::USERNAME).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;
    use rtc_stun::message::Getter;

    use super::*;

    const TRANSACTION: [u8; 12] = *b"transaction!";

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, &TRANSACTION);
        for (kind, value) in attributes {
            writer.attribute(*kind, value);
        }
        bytes
    }

    fn answer(request: &[u8], from: &str) -> Option<Vec<u8>> {
        let mut out = vec![];
        answer_binding(request, from.parse().unwrap(), &mut out).then_some(out)
    }

    #[test]
    fn the_source_comes_back() {
        for (from, len) in [
            ("192.0.2.1:32853", 32),
            ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", 44),
        ] {
            let answer = answer(&request(&[]), from).unwrap();
            assert_eq!(answer.len(), len);
            let mut message = rtc_stun::message::Message::new();
            message.unmarshal_binary(&answer).unwrap();
            assert_eq!(message.typ, rtc_stun::message::BINDING_SUCCESS);
            assert_eq!(message.transaction_id.0, TRANSACTION);
            assert_eq!(message.attributes.0.len(), 1);
            let mut address = rtc_stun::xoraddr::XorMappedAddress::default();
            address.get_from(&message).unwrap();
            assert_eq!(
                SocketAddr::new(address.ip, address.port),
                from.parse().unwrap()
            );
        }
    }

    #[test]
    fn an_answer_is_read_by_whoever_asked() {
        for from in ["192.0.2.1:32853", "[2001:db8::1]:9"] {
            let answer = answer(&binding_request(&TRANSACTION), from).unwrap();
            let told = mapped_address(&answer, &TRANSACTION);
            assert_eq!(told, Some(from.parse().unwrap()));
            assert_eq!(mapped_address(&answer, b"another one!"), None);
            assert_eq!(
                mapped_address(&answer[..answer.len() - 4], &TRANSACTION),
                None
            );
        }
        let error = answer(&request(&[(0x0003, &[0; 4])]), "192.0.2.1:1").unwrap();
        for bytes in [error, binding_request(&TRANSACTION), vec![]] {
            assert_eq!(mapped_address(&bytes, &TRANSACTION), None);
        }
    }

    #[test]
    fn a_mapped_ipv4_source_comes_back_as_ipv4() {
        let answer = answer(&request(&[]), "[::ffff:192.0.2.1]:9").unwrap();
        assert_eq!(answer.len(), 32);
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_named() {
        let request = request(&[(0x0003, &[0, 0, 0, 6]), (0x8022, b"client"), (0x7777, &[])]);
        let answer = answer(&request, "192.0.2.1:1").unwrap();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.kind(), stun::BINDING_ERROR);
        assert_eq!(
            message.attribute(stun::ERROR_CODE),
            Some(&[0, 0, 4, 20][..])
        );
        let unknown = message.attribute(stun::UNKNOWN_ATTRIBUTES);
        assert_eq!(unknown, Some(&[0x00, 0x03, 0x77, 0x77][..]));
    }

    #[test]
    fn others_get_no_answer() {
        let with_user = request(&[(stun::USERNAME, b"a:b")]);
        let mut with_integrity = vec![];
        Writer::new(&mut with_integrity, BINDING_REQUEST, &TRANSACTION)
            .integrity(b"key")
            .unwrap();
        let mut wrong_fingerprint = vec![];
        Writer::new(&mut wrong_fingerprint, BINDING_REQUEST, &TRANSACTION).fingerprint();
        *wrong_fingerprint.last_mut().unwrap() ^= 1;
        let mut indication = request(&[]);
        indication[1] = 0x11;
        let mut without_cookie = request(&[]);
        without_cookie[4] ^= 1;
        let mut longer = request(&[]);
        longer.push(0);
        for bytes in [
            with_user,
            with_integrity,
            wrong_fingerprint,
            indication,
            without_cookie,
            longer,
            answer(&request(&[]), "192.0.2.1:1").unwrap(),
            vec![],
        ] {
            assert_eq!(answer(&bytes, "192.0.2.1:1"), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            answer(&bytes, "[2001:db8::1]:1");
        }

        #[test]
        fn answers_are_small_and_well_formed(
            attributes in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..24)), 0..40),
            flipped in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let attributes: Vec<_> = attributes.iter().map(|(kind, value)| (*kind, &value[..])).collect();
            let mut request = request(&attributes);
            if let Some((at, byte)) = flipped {
                let at = at.index(request.len());
                request[at] = byte;
            }
            if let Some(answer) = answer(&request, "[2001:db8::1]:1") {
                prop_assert!(Message::parse(&answer).is_ok());
                prop_assert!(answer.len() <= 44 || answer.len() * 10 <= request.len() * 16);
            }
        }
    }
}
