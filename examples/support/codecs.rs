//! The codecs of the examples, and what they are called in an offer.

use motet::Codec;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_AV1, MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MIME_TYPE_VP9,
};
use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters};

/// Every codec that a client can offer, the most common first.
pub const ALL: [Codec; 5] = [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];

/// Its payload type; that of its retransmissions is the next.
pub fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Opus => super::OPUS,
        Codec::Vp8 => super::VP8,
        Codec::Vp9 => 98,
        Codec::H264 | Codec::H264Main | Codec::H264High => 102,
        Codec::Av1 => 45,
        Codec::Red => 63,
    }
}

/// The codec of a payload type.
pub fn of_payload_type(payload_type: u8) -> Option<Codec> {
    let mut known = ALL.into_iter();
    known.find(|&codec| self::payload_type(codec) == payload_type)
}

/// How a codec is offered.
pub fn parameters(codec: Codec) -> RTCRtpCodecParameters {
    let (name, channels, fmtp) = match codec {
        Codec::Opus | Codec::Red => (MIME_TYPE_OPUS, 2, "minptime=10;useinbandfec=1"),
        Codec::Vp8 => (MIME_TYPE_VP8, 0, ""),
        Codec::Vp9 => (MIME_TYPE_VP9, 0, "profile-id=0"),
        Codec::H264 | Codec::H264Main | Codec::H264High => (
            MIME_TYPE_H264,
            0,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
        Codec::Av1 => (MIME_TYPE_AV1, 0, "profile=0"),
    };
    let mut parameters = described(name, codec.clock_rate(), fmtp, payload_type(codec));
    parameters.rtp_codec.channels = channels;
    if channels == 0 {
        for parameter in ["", "pli"] {
            parameters.rtp_codec.rtcp_feedback.push(RTCPFeedback {
                typ: "nack".to_owned(),
                parameter: parameter.to_owned(),
            });
        }
    }
    parameters
}

/// How retransmissions of a picture's codec are offered.
pub fn retransmission(codec: Codec) -> RTCRtpCodecParameters {
    let of = payload_type(codec);
    described(
        MIME_TYPE_RTX,
        codec.clock_rate(),
        &format!("apt={of}"),
        of + 1,
    )
}

fn described(name: &str, clock_rate: u32, fmtp: &str, payload_type: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: name.to_owned(),
            clock_rate,
            channels: 0,
            sdp_fmtp_line: fmtp.to_owned(),
            rtcp_feedback: vec![],
        },
        payload_type,
    }
}
