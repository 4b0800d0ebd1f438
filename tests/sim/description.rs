//! What a client reads out of the node's answer.

use std::collections::BTreeMap;

use motet::logic::forward::codec::MediaKind;
use motet::logic::forward::extension::{Extension, ExtensionIds};

/// One m-line of an answer.
#[derive(Debug, Default, Clone)]
pub struct Section {
    pub mid: String,
    pub audio: bool,
    /// By codec name in lower case, the first payload type of each.
    pub payload_types: BTreeMap<String, u8>,
    pub extensions: ExtensionIds,
    /// The media SSRC and its retransmission's, of m-lines that the node sends on.
    pub ssrc: Option<u32>,
    pub rtx_ssrc: Option<u32>,
    /// The seat's number, by `a=msid:seat-N`.
    pub seat: Option<usize>,
}

impl Section {
    pub fn kind(&self) -> MediaKind {
        if self.audio {
            MediaKind::Audio
        } else {
            MediaKind::Video
        }
    }

    fn read(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let mut words = value.split_ascii_whitespace();
        match name {
            "a=mid" => self.mid = value.to_owned(),
            "a=msid" => self.seat = value.strip_prefix("seat-").and_then(leading_number),
            "a=rtpmap" => self.read_codec(value),
            "a=extmap" => {
                let id = words
                    .next()
                    .and_then(|id| id.split('/').next()?.parse().ok());
                let meaning = words.next().and_then(Extension::from_uri);
                if let (Some(id), Some(meaning)) = (id, meaning) {
                    self.extensions.set(meaning, id);
                }
            }
            "a=ssrc-group" => {
                let numbers: Vec<u32> = words.skip(1).filter_map(|n| n.parse().ok()).collect();
                if let [media, rtx] = numbers[..] {
                    (self.ssrc, self.rtx_ssrc) = (Some(media), Some(rtx));
                }
            }
            "a=ssrc" if self.ssrc.is_none() => {
                self.ssrc = words.next().and_then(|number| number.parse().ok());
            }
            _ => {}
        }
    }

    fn read_codec(&mut self, value: &str) {
        if let Some((payload_type, codec)) = value.split_once(' ')
            && let Ok(payload_type) = payload_type.parse()
        {
            let name = codec
                .split('/')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            self.payload_types.entry(name).or_insert(payload_type);
        }
    }
}

/// The m-lines of a session description, in their order.
pub fn sections(sdp: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = vec![];
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            sections.push(Section {
                audio: media.starts_with("audio"),
                ..Section::default()
            });
        } else if let Some(section) = sections.last_mut() {
            section.read(line);
        }
    }
    sections
}

fn leading_number(text: &str) -> Option<usize> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_found() {
        let sdp = "v=0\r\na=extmap-allow-mixed\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                   m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:7\r\na=rtpmap:96 VP8/90000\r\n\
                   a=rtpmap:97 rtx/90000\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
                   a=msid:seat-2 video\r\na=ssrc-group:FID 11 12\r\na=ssrc:11 cname:x\r\n";
        let sections = sections(sdp);
        assert_eq!(sections.len(), 2);
        let seat = &sections[1];
        assert_eq!((seat.mid.as_str(), seat.seat), ("7", Some(2)));
        assert_eq!((seat.ssrc, seat.rtx_ssrc), (Some(11), Some(12)));
        assert_eq!(seat.payload_types["vp8"], 96);
        assert_eq!(seat.extensions.get(Extension::Mid), Some(4));
    }
}
