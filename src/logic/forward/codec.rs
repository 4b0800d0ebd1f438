//! The codecs that the node forwards.

use crate::protocol::server::PictureCodec;

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// A codec as the node negotiates it: one format each, so that equal codecs are compatible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Codec {
    /// RFC 7587, 48 kHz, two channels.
    Opus,
    /// Redundant audio (RFC 2198) around Opus.
    Red,
    /// RFC 7741.
    Vp8,
    /// RFC 9628, profile 0.
    Vp9,
    /// RFC 6184, packetization mode 1, constrained baseline or baseline.
    H264,
    /// AV1 RTP payload format 1.0, profile 0.
    Av1,
    /// H264 as above, of profile Main.
    H264Main,
    /// H264 as above, of profile High.
    H264High,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Codec; 8] = [
        Codec::Opus,
        Codec::Red,
        Codec::Vp8,
        Codec::Vp9,
        Codec::H264,
        Codec::Av1,
        Codec::H264Main,
        Codec::H264High,
    ];

    /// Sound or picture.
    pub fn kind(self) -> MediaKind {
        match self {
            Codec::Opus | Codec::Red => MediaKind::Audio,
            Codec::Vp8
            | Codec::Vp9
            | Codec::H264
            | Codec::Av1
            | Codec::H264Main
            | Codec::H264High => MediaKind::Video,
        }
    }

    /// The same without the profile: what its payloads and files look like.
    pub fn family(self) -> Codec {
        match self {
            Codec::H264Main | Codec::H264High => Codec::H264,
            other => other,
        }
    }

    /// Whose decoders decode it, itself first: decoders of a profile of H264 take the simpler ones too
    /// (ITU-T H.264 §A.2).
    pub fn decoders(self) -> &'static [Codec] {
        match self {
            Codec::Opus => &[Codec::Opus],
            Codec::Red => &[Codec::Red],
            Codec::Vp8 => &[Codec::Vp8],
            Codec::Vp9 => &[Codec::Vp9],
            Codec::Av1 => &[Codec::Av1],
            Codec::H264 => &[Codec::H264, Codec::H264Main, Codec::H264High],
            Codec::H264Main => &[Codec::H264Main, Codec::H264High],
            Codec::H264High => &[Codec::H264High],
        }
    }

    /// Its name in messages, if it is one of pictures.
    pub fn of_picture(self) -> Option<PictureCodec> {
        Some(match self {
            Codec::Opus | Codec::Red => return None,
            Codec::Vp8 => PictureCodec::Vp8,
            Codec::Vp9 => PictureCodec::Vp9,
            Codec::H264 => PictureCodec::H264,
            Codec::Av1 => PictureCodec::Av1,
            Codec::H264Main => PictureCodec::H264Main,
            Codec::H264High => PictureCodec::H264High,
        })
    }

    /// RTP clock rate in hertz.
    pub fn clock_rate(self) -> u32 {
        match self.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        }
    }
}

impl From<PictureCodec> for Codec {
    fn from(codec: PictureCodec) -> Self {
        match codec {
            PictureCodec::Vp8 => Codec::Vp8,
            PictureCodec::Vp9 => Codec::Vp9,
            PictureCodec::H264 => Codec::H264,
            PictureCodec::H264Main => Codec::H264Main,
            PictureCodec::H264High => Codec::H264High,
            PictureCodec::Av1 => Codec::Av1,
        }
    }
}

/// Payload types of one connection: what each codec, and its retransmission, is called there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PayloadTypes {
    media: [Option<u8>; Codec::ALL.len()],
    rtx: [Option<u8>; Codec::ALL.len()],
}

/// What a payload type stands for on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadMeaning {
    /// The codec itself.
    Media(Codec),
    /// A retransmission (RFC 4588) of that codec.
    Rtx(Codec),
}

impl PayloadTypes {
    /// Records that `codec` is `payload_type` here.
    pub fn set_media(&mut self, codec: Codec, payload_type: u8) {
        self.media[codec as usize] = Some(payload_type);
    }

    /// Records that retransmissions of `codec` are `payload_type` here.
    pub fn set_rtx(&mut self, codec: Codec, payload_type: u8) {
        self.rtx[codec as usize] = Some(payload_type);
    }

    /// The payload type of `codec`.
    pub fn media(&self, codec: Codec) -> Option<u8> {
        self.media[codec as usize]
    }

    /// As what `codec` can be sent to whoever has these: its own payload type, or that of a format whose
    /// decoders take it too. `None`: they cannot decode it.
    pub fn playable(&self, codec: Codec) -> Option<u8> {
        let mut decoders = codec.decoders().iter();
        decoders.find_map(|&decoder| self.media(decoder))
    }

    /// The payload type of retransmissions of `codec`.
    pub fn rtx(&self, codec: Codec) -> Option<u8> {
        self.rtx[codec as usize]
    }

    /// What `payload_type` stands for, if anything.
    pub fn meaning(&self, payload_type: u8) -> Option<PayloadMeaning> {
        Codec::ALL.into_iter().find_map(|codec| {
            if self.media(codec) == Some(payload_type) {
                Some(PayloadMeaning::Media(codec))
            } else if self.rtx(codec) == Some(payload_type) {
                Some(PayloadMeaning::Rtx(codec))
            } else {
                None
            }
        })
    }

    /// The codecs that have a payload type.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> + '_ {
        Codec::ALL
            .into_iter()
            .filter(|&codec| self.media(codec).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_takes_the_simpler_profiles() {
        use Codec::{H264, H264High, H264Main, Vp8};
        let cases: [(&[Codec], Codec, Option<Codec>); 7] = [
            (&[H264], H264, Some(H264)),
            (&[H264], H264Main, None),
            (&[H264, H264Main], H264High, None),
            (&[H264, H264High], H264Main, Some(H264High)),
            (&[H264Main], H264, Some(H264Main)),
            (&[H264High], H264, Some(H264High)),
            (&[H264High], Vp8, None),
        ];
        for (known, sent, expected) in cases {
            let mut types = PayloadTypes::default();
            for &codec in known {
                types.set_media(codec, 100 + codec as u8);
            }
            let expected = expected.map(|codec| 100 + codec as u8);
            assert_eq!(types.playable(sent), expected, "{sent:?} to {known:?}");
        }
    }
}
