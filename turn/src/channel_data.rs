//! ChannelData: four bytes in front of a payload (RFC 8656 §12.4).

use crate::words::CHANNELS_RFC_5766;

/// Bytes in front of the payload: number and length.
pub const HEADER_LEN: usize = 4;

/// One ChannelData message as received in a datagram or taken from a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel, within [`CHANNELS_RFC_5766`].
    pub channel: u16,
    /// The payload, without padding.
    pub payload: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Reads one message; up to three bytes of padding may follow it (RFC 8656 §12.5). `None` if it
    /// is none, is cut short, or more follows.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let channel = u16::from_be_bytes([header[0], header[1]]);
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let payload = rest.get(..len)?;
        let padding = rest.len() - len;
        (CHANNELS_RFC_5766.contains(&channel) && padding <= 3)
            .then_some(ChannelData { channel, payload })
    }
}

/// What stands in front of a payload of `len` bytes; `None` if that is too long to be written.
pub fn header(channel: u16, len: usize) -> Option<[u8; HEADER_LEN]> {
    let len = u16::try_from(len).ok()?.to_be_bytes();
    let channel = channel.to_be_bytes();
    Some([channel[0], channel[1], len[0], len[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_channel_data_and_what_is_not() {
        for (bytes, expected) in [
            (&[0x40, 0, 0, 1, 7][..], Some((0x4000, &[7][..]))),
            (&[0x4F, 0xFF, 0, 0], Some((0x4FFF, &[]))),
            (&[0x40, 1, 0, 1, 7, 0, 0, 0], Some((0x4001, &[7]))),
            (&[0x40, 1, 0, 1, 7, 0, 0, 0, 0], None),
            (&[0x40, 1, 0, 2, 7], None),
            (&[0x3F, 0xFF, 0, 0], None),
            (&[0x7F, 0xFF, 0, 0], Some((0x7FFF, &[]))),
            (&[0x80, 0, 0, 0], None),
            (&[0x40, 0, 0], None),
            (&[], None),
        ] {
            let parsed = ChannelData::parse(bytes).map(|data| (data.channel, data.payload));
            assert_eq!(parsed, expected, "{bytes:?}");
        }
        assert_eq!(header(0x4001, 258), Some([0x40, 1, 1, 2]));
        assert_eq!(header(0x4001, 65_536), None);
    }
}
