//! RTP header extensions (RFC 8285) that the node understands, and their ids per connection.
//!
//! An extension is accepted hop by hop: a sender is not told whether those behind the node have it. So
//! one has its place here only if it is about one hop, or says again what can be had without it. Who
//! is allowed to say which way is up, for one, no longer turns the picture, and whoever does not read
//! the extension sees it lying.

/// A header extension by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Extension {
    /// Which m-line (RFC 9143).
    Mid,
    /// Which simulcast layer (RFC 8852).
    Rid,
    /// Which simulcast layer a retransmission belongs to (RFC 8852).
    RepairedRid,
    /// How loud (RFC 6464).
    AudioLevel,
    /// Transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportSequence,
    /// When the sender sent it, 6.18 fixed-point seconds.
    AbsSendTime,
    /// When it was captured, by the capturer's clock.
    AbsCaptureTime,
    /// Which frames a frame needs (AV1 RTP payload format, appendix A).
    DependencyDescriptor,
}

impl Extension {
    /// Every extension, by index.
    pub const ALL: [Extension; 8] = [
        Extension::Mid,
        Extension::Rid,
        Extension::RepairedRid,
        Extension::AudioLevel,
        Extension::TransportSequence,
        Extension::AbsSendTime,
        Extension::AbsCaptureTime,
        Extension::DependencyDescriptor,
    ];

    /// The name that SDP knows it by.
    pub fn uri(self) -> &'static str {
        match self {
            Extension::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Extension::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Extension::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Extension::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Extension::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Extension::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Extension::AbsCaptureTime => {
                "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
            }
            Extension::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    /// The extension of that name.
    pub fn from_uri(uri: &str) -> Option<Extension> {
        Extension::ALL
            .into_iter()
            .find(|extension| extension.uri() == uri)
    }
}

/// The ids of the extensions on one m-line of one connection: 1 to 255, 0 where not negotiated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtensionIds([u8; Extension::ALL.len()]);

impl ExtensionIds {
    /// Records the id of an extension. Ids 0 and 15 are reserved (RFC 8285 §4.2) and are not taken.
    pub fn set(&mut self, extension: Extension, id: u8) {
        if id != 0 && id != 15 {
            self.0[extension as usize] = id;
        }
    }

    /// The id of an extension here.
    pub fn get(&self, extension: Extension) -> Option<u8> {
        Some(self.0[extension as usize]).filter(|&id| id != 0)
    }

    /// The extension that has this id here.
    pub fn meaning(&self, id: u8) -> Option<Extension> {
        Extension::ALL
            .into_iter()
            .find(|&extension| id != 0 && self.0[extension as usize] == id)
    }
}
