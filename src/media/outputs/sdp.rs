//! The session description that a player opens to receive an output (RFC 8866).

use std::fmt::Write;
use std::net::IpAddr;

use super::parameter_sets::ParameterSets;
use super::{RtcpPort, Wish};
use crate::logic::forward::codec::{Codec, MediaKind};

/// What is described.
pub(super) struct Session<'a> {
    pub(super) wish: &'a Wish,
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    pub(super) ssrc: u32,
    /// From where it is sent.
    pub(super) from: IpAddr,
    /// What a player may show.
    pub(super) title: &'a str,
    pub(super) cname: &'a str,
    pub(super) parameter_sets: &'a ParameterSets,
    /// What stands behind `a=crypto:`.
    pub(super) crypto: Option<String>,
}

impl Session<'_> {
    /// The description. Its addresses are the receiver's: that is where a player listens.
    pub(super) fn write(&self) -> String {
        let mut sdp = String::new();
        let mut line = |text: &str| {
            let _ = write!(sdp, "{text}\r\n");
        };
        let (wish, format) = (self.wish, self.payload_type);
        let to = network(wish.host);
        line("v=0");
        line(&format!("o=- {} 1 {}", self.ssrc, network(self.from)));
        line(&format!("s={}", one_line(self.title)));
        line(&format!("c={to}"));
        line("t=0 0");
        line(&format!(
            "m={} {} {} {format}",
            self.medium(),
            wish.port,
            self.profile()
        ));
        line(&format!("a=rtpmap:{format} {}", rtpmap(self.codec)));
        if let Some(parameters) = self.parameters() {
            line(&format!("a=fmtp:{format} {parameters}"));
        }
        for feedback in self.feedback() {
            line(&format!("a=rtcp-fb:{format} {feedback}"));
        }
        match wish.rtcp {
            RtcpPort::Mux => line("a=rtcp-mux"),
            RtcpPort::Port(port) => line(&format!("a=rtcp:{port} {to}")),
        }
        line(&format!("a=ssrc:{} cname:{}", self.ssrc, self.cname));
        if let Some(crypto) = &self.crypto {
            line(&format!("a=crypto:{crypto}"));
        }
        line("a=recvonly");
        sdp
    }

    fn medium(&self) -> &'static str {
        match self.codec.kind() {
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
        }
    }

    fn profile(&self) -> &'static str {
        match self.crypto {
            Some(_) => "RTP/SAVPF",
            None => "RTP/AVPF",
        }
    }

    /// A sealed packet is never sent again: its number would be sealed twice.
    fn feedback(&self) -> impl Iterator<Item = &'static str> {
        let again = self.crypto.is_none().then_some("nack");
        let is_video = self.codec.kind() == MediaKind::Video;
        let key_frames = is_video.then_some(["nack pli", "ccm fir"]);
        again.into_iter().chain(key_frames.into_iter().flatten())
    }

    fn parameters(&self) -> Option<String> {
        match self.codec.family() {
            Codec::Opus => Some("minptime=10;useinbandfec=1".to_owned()),
            Codec::H264 => Some(self.parameter_sets.to_fmtp()),
            Codec::Vp9 => Some("profile-id=0".to_owned()),
            _ => None,
        }
    }
}

fn network(ip: IpAddr) -> String {
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!("IN {family} {ip}")
}

fn rtpmap(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus/48000/2",
        Codec::Red => "red/48000/2",
        Codec::Vp8 => "VP8/90000",
        Codec::Vp9 => "VP9/90000",
        Codec::H264 | Codec::H264Main | Codec::H264High => "H264/90000",
        Codec::Av1 => "AV1/90000",
    }
}

/// A name must not begin another line.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Cursor;

    use rtc_sdp::description::session::SessionDescription;

    use super::*;
    use crate::ids::MemberId;
    use crate::protocol::client::Source;

    fn wish(host: &str, rtcp: RtcpPort) -> Wish {
        Wish {
            member: MemberId(1),
            source: Source::Camera,
            host: host.parse().unwrap(),
            port: 5004,
            rtcp,
            srtp: None,
            max_layer: None,
        }
    }

    fn write(wish: &Wish, codec: Codec, crypto: Option<&str>) -> String {
        let session = Session {
            wish,
            codec,
            payload_type: 96,
            ssrc: 7,
            from: "192.0.2.1".parse().unwrap(),
            title: "Ada\r\na=evil",
            cname: "c",
            parameter_sets: &ParameterSets::default(),
            crypto: crypto.map(str::to_owned),
        };
        session.write()
    }

    #[test]
    fn a_description_says_where_and_what() {
        let plain = wish("192.0.2.7", RtcpPort::Port(5005));
        let muxed = wish("2001:db8::7", RtcpPort::Mux);
        let cases = [
            (
                write(&plain, Codec::Vp8, None),
                "v=0|o=- 7 1 IN IP4 192.0.2.1|s=Ada  a=evil|c=IN IP4 192.0.2.7|t=0 0|\
                 m=video 5004 RTP/AVPF 96|a=rtpmap:96 VP8/90000|a=rtcp-fb:96 nack|\
                 a=rtcp-fb:96 nack pli|a=rtcp-fb:96 ccm fir|a=rtcp:5005 IN IP4 192.0.2.7|\
                 a=ssrc:7 cname:c|a=recvonly|",
            ),
            (
                write(&muxed, Codec::Opus, Some("1 X inline:k")),
                "v=0|o=- 7 1 IN IP4 192.0.2.1|s=Ada  a=evil|c=IN IP6 2001:db8::7|t=0 0|\
                 m=audio 5004 RTP/SAVPF 96|a=rtpmap:96 opus/48000/2|\
                 a=fmtp:96 minptime=10;useinbandfec=1|a=rtcp-mux|\
                 a=ssrc:7 cname:c|a=crypto:1 X inline:k|a=recvonly|",
            ),
        ];
        for (written, expected) in cases {
            assert_eq!(written.replace("\r\n", "|"), expected);
        }
    }

    #[test]
    fn another_reader_takes_every_description() {
        for codec in Codec::ALL {
            for (host, rtcp) in [("192.0.2.7", RtcpPort::Mux), ("::1", RtcpPort::Port(9))] {
                for crypto in [None, Some("1 X inline:k")] {
                    let text = write(&wish(host, rtcp), codec, crypto);
                    let read = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()));
                    let read = read.unwrap_or_else(|error| panic!("{error}: {text}"));
                    assert_eq!(read.media_descriptions.len(), 1, "{text}");
                }
            }
        }
    }
}
