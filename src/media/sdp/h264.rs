//! What an H264 format stands for, by its parameters (RFC 6184 §8.1).

use super::formats::parameter;
use crate::logic::forward::codec::Codec;

/// What is inferred where no profile-level-id is given: baseline, without constraints, at level 1.
const INFERRED: [u8; 3] = [0x42, 0x00, 0x0a];

/// How well a format suits as that codec, 0 being best; `None` if it does not. `sends` is whether the
/// client sends it.
///
/// Without a packetization mode it is taken for mode 1, if nothing better is offered: that is what
/// programs mean that say nothing. Mode 0 as such is a subset of mode 1, so it can be passed on to
/// everybody; but who wants to receive it must not get what we have.
pub(super) fn rank(codec: Codec, sends: bool, parameters: &str) -> Option<u8> {
    let mode = match parameter(parameters, "packetization-mode") {
        Some("1") => 0,
        None => 10,
        Some("0") if sends => 20,
        Some(_) => return None,
    };
    let (found, rank) = profile(parameters, sends)?;
    (found == codec).then_some(mode + rank)
}

/// Which profile it is (RFC 6184 §8.1, table 5), and how good a representative of it. What receives a
/// profile above High receives High.
fn profile(parameters: &str, sends: bool) -> Option<(Codec, u8)> {
    let [profile, constraints, _level] = match parameter(parameters, "profile-level-id") {
        Some(text) => read(text)?,
        None => INFERRED,
    };
    Some(match (profile, constraints) {
        (0x42, flags) if flags & 0x40 != 0 => (Codec::H264, 0),
        (0x4D, flags) if flags & 0x80 != 0 => (Codec::H264, 0),
        (0x58, flags) if flags & 0xC0 == 0xC0 => (Codec::H264, 0),
        (0x42, _) => (Codec::H264, 1),
        (0x4D, _) => (Codec::H264Main, 0),
        (0x64, _) => (Codec::H264High, 0),
        // High 10, High 4:2:2, High 4:4:4 Predictive (ITU-T H.264 §A.2).
        (0x6E | 0x7A | 0xF4, _) if !sends => (Codec::H264High, 1),
        _ => return None,
    })
}

fn read(profile_level_id: &str) -> Option<[u8; 3]> {
    let value = u32::from_str_radix(profile_level_id, 16).ok();
    let [0, profile @ ..] = value.filter(|_| profile_level_id.len() == 6)?.to_be_bytes() else {
        return None;
    };
    Some(profile)
}

/// The `a=fmtp` of the answer: profile and mode are the offer's, said or unsaid (RFC 6184 §8.2.2).
pub(super) fn parameters(offered: &str) -> String {
    let asymmetry = parameter(offered, "level-asymmetry-allowed").filter(|&value| value == "1");
    let mode = parameter(offered, "packetization-mode");
    let profile = parameter(offered, "profile-level-id").map(str::to_ascii_lowercase);
    let said = [
        asymmetry.map(|value| format!("level-asymmetry-allowed={value}")),
        mode.map(|value| format!("packetization-mode={value}")),
        profile.map(|value| format!("profile-level-id={value}")),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_what_it_says_and_by_what_is_inferred() {
        use Codec::{H264, H264High, H264Main};
        type Found = Option<(Codec, u8)>;
        let cases: [(&str, Found, Found); 17] = [
            // What it is to who sends, and to who receives.
            (
                "packetization-mode=1;profile-level-id=42e01f",
                Some((H264, 0)),
                Some((H264, 0)),
            ),
            (
                "profile-level-id=42C01F; packetization-mode=1",
                Some((H264, 0)),
                Some((H264, 0)),
            ),
            (
                "packetization-mode=1;profile-level-id=4d801f",
                Some((H264, 0)),
                Some((H264, 0)),
            ),
            (
                "packetization-mode=1;profile-level-id=58c01f",
                Some((H264, 0)),
                Some((H264, 0)),
            ),
            (
                "packetization-mode=1;profile-level-id=42001f",
                Some((H264, 1)),
                Some((H264, 1)),
            ),
            ("packetization-mode=1", Some((H264, 1)), Some((H264, 1))),
            (
                "profile-level-id=42e01f",
                Some((H264, 10)),
                Some((H264, 10)),
            ),
            ("", Some((H264, 11)), Some((H264, 11))),
            (
                "packetization-mode=0;profile-level-id=42e01f",
                Some((H264, 20)),
                None,
            ),
            ("packetization-mode=2;profile-level-id=42e01f", None, None),
            (
                "packetization-mode=1;profile-level-id=4d001f",
                Some((H264Main, 0)),
                Some((H264Main, 0)),
            ),
            (
                "packetization-mode=1;profile-level-id=64001f",
                Some((H264High, 0)),
                Some((H264High, 0)),
            ),
            (
                "packetization-mode=1;profile-level-id=640c1f",
                Some((H264High, 0)),
                Some((H264High, 0)),
            ),
            (
                "packetization-mode=1;profile-level-id=f4001f",
                None,
                Some((H264High, 1)),
            ),
            ("packetization-mode=1;profile-level-id=58801f", None, None),
            ("packetization-mode=1;profile-level-id=042e01f", None, None),
            ("packetization-mode=1;profile-level-id=", None, None),
        ];
        for (parameters, sent, received) in cases {
            for (sends, expected) in [(true, sent), (false, received)] {
                let found = [H264, H264Main, H264High]
                    .into_iter()
                    .find_map(|codec| Some((codec, rank(codec, sends, parameters)?)));
                assert_eq!(found, expected, "{parameters:?}, sent: {sends}");
            }
        }
    }

    #[test]
    fn the_answer_says_what_the_offer_said() {
        let cases = [
            ("", ""),
            ("profile-level-id=42E01F", "profile-level-id=42e01f"),
            (
                "level-asymmetry-allowed=0;packetization-mode=1",
                "packetization-mode=1",
            ),
            (
                "x=y;profile-level-id=64001f;packetization-mode=1;level-asymmetry-allowed=1",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
            ),
        ];
        for (offered, expected) in cases {
            assert_eq!(parameters(offered), expected, "{offered:?}");
        }
    }
}
