//! Which streams an m-line names: simulcast layers by rid, streams by SSRC.

use super::negotiated::StreamSsrcs;
use super::read::Attributes;
use super::{LAYERS_MAX, STREAMS_MAX};

/// Most layers of an `a=simulcast` that are looked at.
const OFFERED_LAYERS_MAX: usize = 16;
/// Most SSRCs of an offer that are kept clear of; beyond, a collision is the client's own doing.
const SSRCS_MAX: usize = 1024;

/// The layers that the client sends (RFC 8853 §5.1), in its order; of alternatives the first. Empty
/// without simulcast.
pub(super) fn rids<'a>(attributes: &Attributes<'a>) -> Vec<&'a str> {
    let simulcast = attributes.first("simulcast").unwrap_or_default();
    let mut fields = simulcast.split_ascii_whitespace();
    let streams = fields.find(|&field| field == "send").and(fields.next());
    let offered = streams.unwrap_or_default().split(';');
    let mut rids = Vec::new();
    for alternatives in offered.take(OFFERED_LAYERS_MAX) {
        let rid = alternatives.split(',').next().unwrap_or_default();
        // A tilde marks a layer that is paused at first.
        let rid = rid.strip_prefix('~').unwrap_or(rid);
        if rids.len() < LAYERS_MAX && !rids.contains(&rid) && is_sent(attributes, rid) {
            rids.push(rid);
        }
    }
    rids
}

/// Whether there is an `a=rid:… send` for it that fits a header extension (RFC 8852 §3.1).
fn is_sent(attributes: &Attributes<'_>, rid: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    matches!(rid.len(), 1..=16)
        && rid.bytes().all(is_letter)
        && attributes.all("rid").any(|line| {
            let mut fields = line.split_ascii_whitespace();
            fields.next() == Some(rid) && fields.next() == Some("send")
        })
}

/// The streams named by `a=ssrc` and `a=ssrc-group` (RFC 5576), in the order of the groups first.
/// SSRCs of error correction are no streams.
pub(super) fn streams(attributes: &Attributes<'_>) -> Vec<StreamSsrcs> {
    let mut streams: Vec<StreamSsrcs> = Vec::new();
    let mut others = Vec::new();
    for [media, other] in pairs(attributes, "FID").take(STREAMS_MAX) {
        let stream = StreamSsrcs {
            media,
            rtx: Some(other),
        };
        let known = streams.iter().any(|known| known.media == media);
        if !known && !others.contains(&media) {
            streams.push(stream);
            others.push(other);
        }
    }
    let corrections = pairs(attributes, "FEC-FR").take(STREAMS_MAX);
    others.extend(corrections.map(|[_, correction]| correction));
    for media in attributes.all("ssrc").filter_map(first_number) {
        if streams.len() >= STREAMS_MAX {
            break;
        }
        let known = streams.iter().any(|known| known.media == media);
        if !known && !others.contains(&media) {
            streams.push(StreamSsrcs { media, rtx: None });
        }
    }
    streams
}

/// Every SSRC that these sections name.
pub(super) fn ssrcs<'s>(
    sections: impl Iterator<Item = &'s Attributes<'s>>,
) -> impl Iterator<Item = u32> {
    sections.flat_map(ssrcs_of).take(SSRCS_MAX)
}

fn ssrcs_of<'s>(attributes: &'s Attributes<'_>) -> impl Iterator<Item = u32> + 's {
    let named = attributes.all("ssrc").filter_map(first_number);
    let grouped = attributes.all("ssrc-group");
    named.chain(grouped.flat_map(|group| {
        group
            .split_ascii_whitespace()
            .filter_map(|field| field.parse().ok())
    }))
}

/// The groups of two of that meaning.
fn pairs<'s>(
    attributes: &'s Attributes<'_>,
    semantics: &'s str,
) -> impl Iterator<Item = [u32; 2]> + 's {
    attributes.all("ssrc-group").filter_map(move |group| {
        let mut fields = group.split_ascii_whitespace();
        let same = fields.next() == Some(semantics);
        let mut number = || fields.next()?.parse().ok();
        let pair = [number()?, number()?];
        same.then_some(pair)
    })
}

fn first_number(line: &str) -> Option<u32> {
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read::Description;
    use super::*;

    fn read(attributes: &str) -> Description<'static> {
        let text = format!("v=0\nm=video 9 y 0\n{attributes}");
        Description::read(text.leak()).unwrap()
    }

    #[test]
    fn layers_are_those_sent_in_the_offers_order() {
        let cases: [(&str, &str, &[&str]); 11] = [
            ("q h f", "send q;h;f", &["q", "h", "f"]),
            ("f h q", "send f;h;q", &["f", "h", "q"]),
            ("q h f", "send ~q;h,x;f", &["q", "h", "f"]),
            ("q h f", "recv a;b send q;h", &["q", "h"]),
            ("q h f", "recv q;h", &[]),
            ("q h", "send q;h;f", &["q", "h"]),
            ("1 2 3 4", "send 1;2;3;4", &["1", "2", "3"]),
            ("q h", "send q;q;h", &["q", "h"]),
            ("q q!", "send q!;q", &["q"]),
            ("q", "send", &[]),
            ("q", "", &[]),
        ];
        for (sent, simulcast, expected) in cases {
            let mut text: String = sent
                .split(' ')
                .map(|rid| format!("a=rid:{rid} send\n"))
                .collect();
            text += &format!("a=simulcast:{simulcast}\n");
            assert_eq!(
                rids(&read(&text).media[0].attributes),
                expected,
                "{simulcast}"
            );
        }
    }

    #[test]
    fn streams_are_paired_with_their_retransmissions() {
        type Named = &'static [(u32, Option<u32>)];
        let cases: [(&str, Named); 6] = [
            ("a=ssrc:1 cname:x\na=ssrc:1 msid:- y\n", &[(1, None)]),
            (
                "a=ssrc-group:FID 1 2\na=ssrc:1 cname:x\na=ssrc:2 cname:x\n",
                &[(1, Some(2))],
            ),
            (
                "a=ssrc:5 cname:x\na=ssrc:6 cname:x\na=ssrc-group:FID 5 6\na=ssrc-group:FID 3 4\n",
                &[(5, Some(6)), (3, Some(4))],
            ),
            (
                "a=ssrc-group:FID 1 2\na=ssrc-group:FEC-FR 1 3\na=ssrc:3 cname:x\n",
                &[(1, Some(2))],
            ),
            ("a=ssrc-group:FID 1\na=ssrc-group:FID x y\n", &[]),
            ("a=ssrc:4294967296 cname:x\na=ssrc:-1\na=ssrc:\n", &[]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|&(media, rtx)| StreamSsrcs { media, rtx })
                .collect();
            assert_eq!(streams(&read(text).media[0].attributes), expected, "{text}");
        }
    }

    #[test]
    fn streams_are_bounded() {
        let text: String = (0..100)
            .map(|ssrc| format!("a=ssrc:{ssrc} cname:x\n"))
            .collect();
        let read = read(&text);
        assert_eq!(streams(&read.media[0].attributes).len(), STREAMS_MAX);
        assert_eq!(ssrcs_of(&read.media[0].attributes).count(), 100);
    }
}
