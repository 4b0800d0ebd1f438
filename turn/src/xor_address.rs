//! Addresses as STUN writes them, masked against meddling translators (RFC 8489 §14.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::stun::MAGIC_COOKIE;

/// The longest value of such an attribute: IPv6.
pub(crate) const LEN_MAX: usize = 20;

const FAMILY_IPV4: u8 = 1;
const FAMILY_IPV6: u8 = 2;

/// The value and its length; an IPv4-mapped address is written as IPv4.
pub(crate) fn write(address: SocketAddr, transaction: &[u8; 12]) -> ([u8; LEN_MAX], usize) {
    let mask = mask(transaction);
    let mut value = [0; LEN_MAX];
    value[2..4].copy_from_slice(&address.port().to_be_bytes());
    let len = match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            value[1] = FAMILY_IPV4;
            value[4..8].copy_from_slice(&ip.octets());
            8
        }
        IpAddr::V6(ip) => {
            value[1] = FAMILY_IPV6;
            value[4..].copy_from_slice(&ip.octets());
            20
        }
    };
    unmask(&mut value[..len], &mask);
    (value, len)
}

/// The address as written: an IPv4-mapped one stays IPv6. `None` if the value is no such address.
pub(crate) fn read(value: &[u8], transaction: &[u8; 12]) -> Option<SocketAddr> {
    let mut bytes = [0; LEN_MAX];
    bytes.get_mut(..value.len())?.copy_from_slice(value);
    unmask(bytes.get_mut(..value.len())?, &mask(transaction));
    let ip = match (value.get(1)?, value.len()) {
        (&FAMILY_IPV4, 8) => Ipv4Addr::from(*bytes[4..].first_chunk::<4>()?).into(),
        (&FAMILY_IPV6, 20) => Ipv6Addr::from(*bytes[4..].first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(
        ip,
        u16::from_be_bytes([bytes[2], bytes[3]]),
    ))
}

/// Cookie and transaction id mask the address, half the cookie the port.
fn mask(transaction: &[u8; 12]) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE);
    mask[4..].copy_from_slice(transaction);
    mask
}

fn unmask(value: &mut [u8], mask: &[u8; 16]) {
    let port_and_address = value.iter_mut().skip(2);
    let mask = mask[..2].iter().chain(mask);
    port_and_address
        .zip(mask)
        .for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (written, read_back) in [
            ("192.0.2.1:32853", "192.0.2.1:32853"),
            ("[2001:db8::7]:1", "[2001:db8::7]:1"),
            ("[::ffff:192.0.2.1]:9", "192.0.2.1:9"),
        ] {
            let (value, len) = write(written.parse().unwrap(), b"transaction!");
            let address = read(&value[..len], b"transaction!");
            assert_eq!(address, Some(read_back.parse().unwrap()));
            assert_eq!(read(&value[..len - 1], b"transaction!"), None);
        }
        for value in [&[][..], &[0], &[0, 1], &[0, 3, 0, 0, 0, 0, 0, 0], &[0; 40]] {
            assert_eq!(read(value, b"transaction!"), None);
        }
    }
}
