//! The parameter sets of an H264 stream, for its SDP (RFC 6184 §8.2.1).

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};

const SPS: u8 = 7;
const PPS: u8 = 8;
const STAP_A: u8 = 24;
/// Of each set, in bytes; a larger one is left to the stream itself.
const SET_BYTES_MAX: usize = 512;

/// The newest sequence and picture parameter set that went by.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    sps: Vec<u8>,
    pps: Vec<u8>,
}

impl ParameterSets {
    /// Looks at a payload that goes out. Browsers send the sets in front of every key frame.
    pub(super) fn learn(&mut self, payload: &[u8]) {
        let Some((&head, body)) = payload.split_first() else {
            return;
        };
        match head & 0x1f {
            SPS | PPS => self.keep(payload),
            STAP_A => self.learn_aggregate(body),
            _ => {}
        }
    }

    /// RFC 6184 §5.7.1.
    fn learn_aggregate(&mut self, mut body: &[u8]) {
        while let Some((length, rest)) = body.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((unit, after)) = rest.split_at_checked(length) else {
                return;
            };
            self.keep(unit);
            body = after;
        }
    }

    fn keep(&mut self, unit: &[u8]) {
        let place = match unit.first().map(|head| head & 0x1f) {
            Some(SPS) => &mut self.sps,
            Some(PPS) => &mut self.pps,
            _ => return,
        };
        if place != unit && unit.len() <= SET_BYTES_MAX {
            place.clear();
            place.extend_from_slice(unit);
        }
    }

    /// The parameters of the format: which profile, and the sets if they went by.
    pub(super) fn to_fmtp(&self) -> String {
        let profile = match self.sps.get(1..4) {
            Some([a, b, c]) => format!("{a:02x}{b:02x}{c:02x}"),
            // What the node negotiates: constrained baseline.
            _ => "42e01f".to_owned(),
        };
        let mut fmtp = format!("packetization-mode=1;profile-level-id={profile}");
        if !self.sps.is_empty() && !self.pps.is_empty() {
            let (sps, pps) = (BASE64.encode(&self.sps), BASE64.encode(&self.pps));
            fmtp.push_str(&format!(";sprop-parameter-sets={sps},{pps}"));
        }
        fmtp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS_UNIT: [u8; 5] = [0x67, 0x42, 0xc0, 0x1f, 0x8c];
    const PPS_UNIT: [u8; 3] = [0x68, 0xce, 0x3c];
    const KNOWN: &str =
        "packetization-mode=1;profile-level-id=42c01f;sprop-parameter-sets=Z0LAH4w=,aM48";

    fn aggregate(units: &[&[u8]]) -> Vec<u8> {
        let framed = units.iter().flat_map(|unit| {
            let length = (unit.len() as u16).to_be_bytes();
            [&length[..], unit].concat()
        });
        std::iter::once(0x78).chain(framed).collect()
    }

    #[test]
    fn sets_are_found_alone_and_together() {
        let nothing = "packetization-mode=1;profile-level-id=42e01f";
        let cut = aggregate(&[&SPS_UNIT, &PPS_UNIT]);
        for (name, payloads, expected) in [
            ("none", vec![vec![0x65, 1, 2]], nothing),
            ("empty", vec![vec![], vec![0x78], vec![0x78, 0]], nothing),
            ("alone", vec![SPS_UNIT.to_vec(), PPS_UNIT.to_vec()], KNOWN),
            ("together", vec![aggregate(&[&SPS_UNIT, &PPS_UNIT])], KNOWN),
            (
                "with a delimiter and a picture",
                vec![aggregate(&[&[9, 0xf0], &SPS_UNIT, &PPS_UNIT, &[0x65, 1]])],
                KNOWN,
            ),
            (
                "cut",
                vec![cut[..cut.len() - 1].to_vec()],
                "packetization-mode=1;profile-level-id=42c01f",
            ),
            (
                "the newer ones count",
                vec![vec![0x67, 1, 2, 3], SPS_UNIT.to_vec(), PPS_UNIT.to_vec()],
                KNOWN,
            ),
            (
                "too long",
                vec![[&SPS_UNIT[..], &[1; 600]].concat()],
                nothing,
            ),
        ] {
            let mut sets = ParameterSets::default();
            payloads.iter().for_each(|payload| sets.learn(payload));
            assert_eq!(sets.to_fmtp(), expected, "{name}");
        }
    }
}
