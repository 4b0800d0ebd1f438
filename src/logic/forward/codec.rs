//! The codecs that the node forwards.

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
    /// RFC 6184, packetization mode 1, constrained baseline.
    H264,
    /// AV1 RTP payload format 1.0, profile 0.
    Av1,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Codec; 6] = [
        Codec::Opus,
        Codec::Red,
        Codec::Vp8,
        Codec::Vp9,
        Codec::H264,
        Codec::Av1,
    ];

    /// Sound or picture.
    pub fn kind(self) -> MediaKind {
        match self {
            Codec::Opus | Codec::Red => MediaKind::Audio,
            Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => MediaKind::Video,
        }
    }

    /// RTP clock rate in hertz.
    pub fn clock_rate(self) -> u32 {
        match self.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
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
