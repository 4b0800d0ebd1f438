//! The first byte of a connection says what it speaks.

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// A request line of HTTP/1.
    Http,
    /// A TLS handshake record.
    Tls,
    /// A STUN message.
    Stun,
}

impl Speaks {
    /// By the first byte of `bytes`; nothing if there is none or nothing begins with it.
    ///
    /// ChannelData (0x40 to 0x4F, RFC 8656 §12) looks like letters of HTTP, but cannot come first:
    /// its channel is bound on the same connection before.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            // RFC 8446 §5.1: handshake.
            0x16 => Some(Self::Tls),
            // RFC 8489 §5: two zero bits and the method's upper ones, of which none is in use.
            0x00..=0x03 => Some(Self::Stun),
            // A method, or the empty line in front of it (RFC 9112 §2.2).
            b'A'..=b'Z' | b'a'..=b'z' | b'\r' | b'\n' => Some(Self::Http),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1"[..], Some(Speaks::Http)),
            (b"\r\nGET /", Some(Speaks::Http)),
            (b"PRI * HTTP/2.0", Some(Speaks::Http)),
            (&[0x16, 3, 1], Some(Speaks::Tls)),
            (&[0x00, 0x01], Some(Speaks::Stun)),
            (&[0x00, 0x03], Some(Speaks::Stun)),
            (&[0x01, 0x01], Some(Speaks::Stun)),
            (&[0x04], None),
            (&[0x15], None),
            (&[0x17], None),
            (&[0x80], None),
            (&[0xFF], None),
            (b"", None),
        ] {
            assert_eq!(Speaks::of(bytes), expected, "{bytes:?}");
        }
    }
}
