//! The one transport that all accepted m-lines share: BUNDLE, ICE and DTLS.

use super::MEDIA_LINES_MAX;
use super::error::AnswerError;
use super::negotiated::Remote;
use super::read::{Attributes, Description};
use crate::media::fingerprint::{Fingerprint, HashFunction};

/// The mids of the first BUNDLE group (RFC 9143), `None` if there is none.
pub(super) fn bundle<'a>(session: &Attributes<'a>) -> Option<Vec<&'a str>> {
    session.all("group").find_map(|group| {
        let mut fields = group.split_ascii_whitespace();
        (fields.next() == Some("BUNDLE")).then(|| fields.take(MEDIA_LINES_MAX).collect())
    })
}

/// The client's side of the transport. `accepted` are the indices of the m-lines that share it, in
/// the order of the group: the first that has an attribute decides on it (RFC 9143 §7.1.3), then the
/// session level, then the lines that were refused.
pub(super) fn remote(
    description: &Description<'_>,
    accepted: &[usize],
) -> Result<Remote, AnswerError> {
    let lines = || {
        accepted
            .iter()
            .filter_map(|&index| description.media.get(index))
    };
    let sections = || {
        let all = lines().chain(&description.media);
        let (mut first, rest) = (lines().take(1), all);
        first
            .next()
            .map(|media| &media.attributes)
            .into_iter()
            .chain([&description.attributes])
            .chain(rest.map(|media| &media.attributes))
    };
    let setup = sections().find_map(|section| section.first("setup"));
    check_setup(setup)?;
    let (ufrag, password) = sections()
        .find_map(ice_credentials)
        .ok_or(AnswerError::NoIceCredentials)?;
    let fingerprint = sections()
        .find_map(strongest_fingerprint)
        .ok_or(AnswerError::NoFingerprint)?;
    Ok(Remote {
        ufrag: ufrag.to_owned(),
        password: password.to_owned(),
        fingerprint,
        reduced_size: lines().all(|media| media.attributes.has("rtcp-rsize")),
    })
}

/// The node is passive, so the client must be willing to be active (RFC 8842 §5.3); who says
/// nothing is (RFC 4145 §4.1).
fn check_setup(setup: Option<&str>) -> Result<(), AnswerError> {
    match setup {
        None | Some("actpass" | "active") => Ok(()),
        Some(other) => Err(AnswerError::Setup(other.chars().take(16).collect())),
    }
}

/// RFC 8839 §5.4.
fn ice_credentials<'a>(section: &Attributes<'a>) -> Option<(&'a str, &'a str)> {
    let ufrag = section.first("ice-ufrag")?;
    let password = section.first("ice-pwd")?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = matches!(ufrag.len(), 4..=256) && matches!(password.len(), 22..=256);
    (fits && is_plain(ufrag) && is_plain(password)).then_some((ufrag, password))
}

fn strongest_fingerprint(section: &Attributes<'_>) -> Option<Fingerprint> {
    section
        .all("fingerprint")
        .filter_map(fingerprint)
        .max_by_key(|fingerprint| fingerprint.function)
}

/// RFC 8122 §5.
fn fingerprint(line: &str) -> Option<Fingerprint> {
    let (name, value) = line.split_once(' ')?;
    let function = HashFunction::ALL
        .into_iter()
        .find(|function| function.name().eq_ignore_ascii_case(name))?;
    let value = value.trim();
    if value.len() != 3 * function.length() - 1 {
        return None;
    }
    let value: Option<Vec<u8>> = value.split(':').map(hex_byte).collect();
    value
        .filter(|value| value.len() == function.length())
        .map(|value| Fingerprint { function, value })
}

fn hex_byte(text: &str) -> Option<u8> {
    let is_hex = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UFRAG: &str = "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n";

    fn print(function: HashFunction, byte: &str) -> String {
        let value = vec![byte; function.length()].join(":");
        format!("a=fingerprint:{} {value}\n", function.name())
    }

    fn read(session: &str, lines: &[&str]) -> Result<Remote, AnswerError> {
        let lines: String = lines
            .iter()
            .map(|attributes| format!("m=audio 9 y 0\n{attributes}"))
            .collect();
        let text = format!("v=0\n{session}{lines}");
        remote(&Description::read(&text)?, &[1])
    }

    #[test]
    fn the_bundled_line_decides_before_the_session_and_other_lines() {
        let ours = "a=ice-ufrag:ours\na=ice-pwd:0123456789012345678901\n";
        let weak = print(HashFunction::Sha256, "0a");
        let strong = print(HashFunction::Sha512, "fF");
        let read_ufrag = |session: &str, lines: &[&str]| read(session, lines).unwrap().ufrag;
        assert_eq!(read_ufrag(&weak, &[UFRAG, ours]), "ours");
        assert_eq!(read_ufrag(&(ours.to_owned() + &weak), &[UFRAG, ""]), "ours");
        assert_eq!(read_ufrag(&weak, &[UFRAG, ""]), "abcd");
        let both = read(UFRAG, &["", &(weak + &strong)]).unwrap().fingerprint;
        assert_eq!(
            (both.function, both.value),
            (HashFunction::Sha512, vec![0xFF; 64])
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let print = print(HashFunction::Sha256, "00");
        let cases: [(&str, AnswerError); 9] = [
            (UFRAG, AnswerError::NoFingerprint),
            (
                "a=fingerprint:sha-256 00:11\n",
                AnswerError::NoIceCredentials,
            ),
            (
                &format!("{UFRAG}a=fingerprint:sha-1 00:11\n"),
                AnswerError::NoFingerprint,
            ),
            (
                &format!("{UFRAG}{}", print.replace("00:00", "000:0")),
                AnswerError::NoFingerprint,
            ),
            (
                &format!("{UFRAG}{}", print.replace("00", "+1")),
                AnswerError::NoFingerprint,
            ),
            (
                &format!("{print}{}", UFRAG.replace("abcd", "abc")),
                AnswerError::NoIceCredentials,
            ),
            (
                &format!("{print}{}", UFRAG.replace("abcd", "ab cd")),
                AnswerError::NoIceCredentials,
            ),
            (
                &format!("{print}{}", UFRAG.replace("45678901\n", "\n")),
                AnswerError::NoIceCredentials,
            ),
            (
                &format!("{print}{UFRAG}a=setup:passive\n"),
                AnswerError::Setup("passive".into()),
            ),
        ];
        for (attributes, expected) in cases {
            assert_eq!(read("", &["", attributes]), Err(expected), "{attributes}");
        }
        for setup in ["", "a=setup:active\n", "a=setup:actpass\n"] {
            assert!(read("", &["", &format!("{print}{UFRAG}{setup}")]).is_ok());
        }
    }
}
