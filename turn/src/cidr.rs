//! A range of addresses, written like `192.168.0.0/16` or `fd00::/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: u128,
    bits: u32,
    prefix: u32,
}

/// The text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address range like 192.168.0.0/16 or fd00::/8")]
pub struct NotACidr;

impl Cidr {
    /// The addresses that share the first `prefix` bits of `address`. `None` if the family has fewer.
    pub fn new(address: IpAddr, prefix: u32) -> Option<Self> {
        let (value, bits) = numeric(address);
        (prefix <= bits).then(|| Cidr {
            network: high_bits(value, bits, prefix),
            bits,
            prefix,
        })
    }

    /// Whether the address lies in the range. An address of the other family never does, not even
    /// as an IPv4-mapped one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (value, bits) = numeric(address);
        bits == self.bits && high_bits(value, bits, self.prefix) == self.network
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    /// A range, or a single address without `/`.
    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| NotACidr)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotACidr)?;
        let prefix = prefix.unwrap_or(numeric(address).1);
        Cidr::new(address, prefix).ok_or(NotACidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address: IpAddr = match self.bits {
            32 => (self.network as u32).to_be_bytes().into(),
            _ => self.network.to_be_bytes().into(),
        };
        write!(f, "{address}/{}", self.prefix)
    }
}

fn numeric(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(ip) => (u32::from(ip).into(), 32),
        IpAddr::V6(ip) => (ip.into(), 128),
    }
}

fn high_bits(value: u128, bits: u32, prefix: u32) -> u128 {
    let low = bits - prefix;
    value
        .checked_shr(low)
        .and_then(|high| high.checked_shl(low))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_lies_in_a_range() {
        for (range, address, inside) in [
            ("192.168.0.0/16", "192.168.255.1", true),
            ("192.168.0.0/16", "192.169.0.0", false),
            ("192.168.0.0/16", "::ffff:192.168.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("::/0", "8.8.8.8", false),
            ("::/0", "fe80::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("2001:db8::1/128", "2001:db8::2", false),
        ] {
            let cidr: Cidr = range.parse().unwrap();
            assert_eq!(
                cidr.contains(address.parse().unwrap()),
                inside,
                "{address} in {range}"
            );
        }
    }

    #[test]
    fn what_is_no_range() {
        for text in [
            "",
            "/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "a/8",
            "10.0.0.0/-1",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(NotACidr), "{text}");
        }
        for (text, written) in [("10.9.8.7/8", "10.0.0.0/8"), ("fd12::9/8", "fd00::/8")] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), written);
        }
    }
}
