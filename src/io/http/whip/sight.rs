//! What a viewer who comes now would be shown, by the room as REST shows it.

use serde_json::{Value, json};

use super::offer::Accepted;
use crate::ids::MemberId;
use crate::logic::forward::codec::Codec;
use crate::logic::viewpoint::{Choice, Viewpoint};
use crate::protocol::client::Source;
use crate::protocol::server::{Member, PictureCodec};

/// What there is to see.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is not for who is still outside to know.
    Hidden,
    /// Nobody who is to be viewed sends anything.
    Nobody,
    /// Sound alone, for now.
    NoPicture,
    /// Pictures, none of which this viewer can decode: how they are sent.
    Undecodable(Vec<PictureCodec>),
    /// A picture.
    Picture,
}

/// Why a viewer is not let in who cannot decode what there is.
pub(super) const UNDECODABLE: &str =
    "The picture is sent in a format that the offer does not have.";

/// What there is for a viewer of that choice (of everyone without one) who offers that.
pub(super) fn sight(room: &Value, choice: Option<&Choice>, offered: &Accepted) -> Sight {
    let (seats, decodes) = (offered.seats, &offered.decodes[..]);
    let members: Vec<Member> = serde_json::from_value(room["members"].clone()).unwrap_or_default();
    let choice = choice.cloned().unwrap_or(Choice::Speaker);
    let is_one = seats == 1 && choice != Choice::Speaker;
    let mut sitters = Viewpoint::at_first(choice, &members);
    if is_one {
        sitters.truncate(1);
    }
    if sitters.is_empty() {
        return Sight::Nobody;
    }
    let pictures = sitters.into_iter();
    let pictures = pictures.filter_map(|(member, source)| Some((member, source?)));
    let mut undecodable = Vec::new();
    for (member, source) in pictures {
        match codecs(room, member, source) {
            Some(codecs) if !codecs.iter().any(|&codec| is_decoded(codec, decodes)) => {
                undecodable.extend(codecs);
            }
            _ => return Sight::Picture,
        }
    }
    undecodable.sort_unstable();
    undecodable.dedup();
    match undecodable.is_empty() {
        true => Sight::NoPicture,
        false => Sight::Undecodable(undecodable),
    }
}

/// How a picture is or could be sent; `None` while it is not sent to the node.
fn codecs(room: &Value, member: MemberId, source: Source) -> Option<Vec<PictureCodec>> {
    let (member, source) = (json!(member), json!(source));
    let is_it = |track: &&Value| track["member"] == member && track["source"] == source;
    let track = room["tracks"].as_array()?.iter().find(is_it)?;
    serde_json::from_value(track["codecs"].clone()).ok()
}

fn is_decoded(codec: PictureCodec, decodes: &[Codec]) -> bool {
    let mut decoders = Codec::from(codec).decoders().iter();
    decoders.any(|decoder| decodes.contains(decoder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, name: &str, published: &[(&str, bool)]) -> Value {
        let published = published.iter();
        let published: Vec<_> = published
            .map(|(source, muted)| json!({"source": source, "muted": muted}))
            .collect();
        json!({"id": MemberId(id), "name": name, "kind": "whip", "role": "guest", "sfuOnly": true,
            "published": published, "silenced": [], "presence": "here", "node": "up"})
    }

    fn track(member: u64, source: &str, codecs: &[&str]) -> Value {
        json!({"member": MemberId(member), "source": source, "codecs": codecs})
    }

    #[test]
    fn what_there_is_to_see() {
        use PictureCodec::{H264High, Vp9};
        let (on, off, screen) = (("camera", false), ("camera", true), ("screen", false));
        let voice = ("microphone", false);
        let ada = |published: &[_]| member(1, "Ada", published);
        let ben = |published: &[_]| member(2, "Ben", published);
        let high = || Sight::Undecodable(vec![H264High]);
        let sent_high = || track(1, "camera", &["h264High"]);
        let of_ada = Some(Choice::Member("Ada".into()));
        let cases = [
            ("nobody", None, vec![], vec![], Sight::Nobody),
            ("silent", None, vec![ada(&[])], vec![], Sight::Nobody),
            (
                "a voice",
                None,
                vec![ada(&[voice])],
                vec![],
                Sight::NoPicture,
            ),
            (
                "off",
                None,
                vec![ada(&[voice, off])],
                vec![],
                Sight::NoPicture,
            ),
            ("in a mesh", None, vec![ada(&[on])], vec![], Sight::Picture),
            (
                "High",
                None,
                vec![ada(&[voice, on])],
                vec![sent_high()],
                high(),
            ),
            (
                "off",
                None,
                vec![ada(&[voice, off])],
                vec![sent_high()],
                Sight::NoPicture,
            ),
            (
                "High, and another",
                None,
                vec![ada(&[on]), ben(&[on])],
                vec![sent_high(), track(2, "camera", &["vp8"])],
                Sight::Picture,
            ),
            (
                "another, but Ada is wanted",
                of_ada.clone(),
                vec![ada(&[on]), ben(&[on])],
                vec![sent_high(), track(2, "camera", &["vp8"])],
                high(),
            ),
            (
                "somebody who could send VP8",
                None,
                vec![ada(&[on])],
                vec![track(1, "camera", &["vp9", "vp8"])],
                Sight::Picture,
            ),
            (
                "two that cannot",
                None,
                vec![ada(&[on, screen])],
                vec![sent_high(), track(1, "screen", &["vp9"])],
                Sight::Undecodable(vec![Vp9, H264High]),
            ),
            (
                "a voice sits before a screen",
                of_ada.clone(),
                vec![ada(&[voice, screen])],
                vec![],
                Sight::NoPicture,
            ),
            (
                "another's picture",
                of_ada,
                vec![ada(&[voice]), ben(&[on])],
                vec![],
                Sight::NoPicture,
            ),
            (
                "nobody of that name",
                Some(Choice::Member("Cy".into())),
                vec![ada(&[on])],
                vec![],
                Sight::Nobody,
            ),
        ];
        for (name, choice, members, tracks, expected) in cases {
            let room = json!({"members": members, "tracks": tracks});
            let offered = Accepted {
                sdp: String::new(),
                publishes: Vec::new(),
                seats: 1,
                hears: true,
                decodes: vec![Codec::Vp8, Codec::H264],
            };
            assert_eq!(sight(&room, choice.as_ref(), &offered), expected, "{name}");
        }
    }
}
