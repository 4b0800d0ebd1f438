//! Fragments of session descriptions that carry ICE alone (RFC 8840 §9).

/// What a client's fragment says, as far as the node needs it: its candidates are checked for form
/// and passed over, as the node is ICE-lite and learns of them by their checks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    /// Username fragment and password.
    pub(super) credentials: Option<(&'a str, &'a str)>,
}

impl<'a> Fragment<'a> {
    /// Reads a fragment.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(super) fn read(text: &'a str) -> Result<Fragment<'a>, String> {
        let (mut ufrag, mut password, mut lines) = (None, None, 0);
        for line in text.lines().map(str::trim_end).filter(|it| !it.is_empty()) {
            lines += 1;
            let attribute = match line.split_once('=') {
                Some(("a", attribute)) => attribute,
                Some(("m", media)) if media.split(' ').count() >= 4 => continue,
                Some(("c", _)) => continue,
                _ => return Err(format!("This is no line of a fragment: {}.", start(line))),
            };
            match attribute.split_once(':') {
                Some(("ice-ufrag", value)) => ufrag = ufrag.or(Some(value.trim())),
                Some(("ice-pwd", value)) => password = password.or(Some(value.trim())),
                Some(("candidate", value)) => check_candidate(value)?,
                _ => {}
            }
        }
        if lines == 0 {
            return Err("The fragment is empty.".to_owned());
        }
        let credentials = match (ufrag, password) {
            (None, None) => None,
            (Some(ufrag), Some(password)) => Some(check_credentials(ufrag, password)?),
            _ => return Err("a=ice-ufrag and a=ice-pwd come together.".to_owned()),
        };
        Ok(Fragment { credentials })
    }
}

fn start(line: &str) -> String {
    let start: String = line.chars().take(40).collect();
    format!("{start:?}")
}

/// RFC 8839 §5.1. What it means is not looked at: an unknown transport or a name instead of an
/// address is for others to understand.
fn check_candidate(value: &str) -> Result<(), String> {
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    let is_number = |field: &str| field.parse::<u32>().is_ok();
    match fields[..] {
        // Some clients end their candidates with an empty one.
        [] => Ok(()),
        [_, component, _, priority, _, port, "typ", _, ..]
            if is_number(component) && is_number(priority) && port.parse::<u16>().is_ok() =>
        {
            Ok(())
        }
        _ => Err(format!("This is no candidate: {}.", start(value))),
    }
}

/// RFC 8839 §5.4.
fn check_credentials<'a>(ufrag: &'a str, password: &'a str) -> Result<(&'a str, &'a str), String> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = matches!(ufrag.len(), 4..=256) && matches!(password.len(), 22..=256);
    match fits && is_plain(ufrag) && is_plain(password) {
        true => Ok((ufrag, password)),
        false => Err("a=ice-ufrag has 4 to 256 characters, a=ice-pwd 22 to 256.".to_owned()),
    }
}

/// The username fragment and password of an offer; the first counts.
pub(super) fn credentials(offer: &str) -> Option<(&str, &str)> {
    let value = |name: &str| {
        let mut lines = offer.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::trim))
    };
    Some((value("a=ice-ufrag:")?, value("a=ice-pwd:")?))
}

/// The same offer with other credentials and without candidates: an ICE restart.
pub(super) fn restarted(offer: &str, (ufrag, password): (&str, &str)) -> String {
    let mut text = String::with_capacity(offer.len() + 64);
    for line in offer.lines().map(str::trim_end) {
        if line.starts_with("a=ice-ufrag:") {
            text.push_str(&format!("a=ice-ufrag:{ufrag}"));
        } else if line.starts_with("a=ice-pwd:") {
            text.push_str(&format!("a=ice-pwd:{password}"));
        } else if line.starts_with("a=candidate:") || line == "a=end-of-candidates" {
            continue;
        } else {
            text.push_str(line);
        }
        text.push_str("\r\n");
    }
    text
}

/// What of an answer an ICE restart is answered with (RFC 9725 §4.3.3): the node's credentials and
/// candidates, in the first m-line that has any.
pub(super) fn of_answer(answer: &str) -> String {
    let session = |line: &&str| line.starts_with("a=ice-lite") || line.starts_with("a=group:");
    let mut lines: Vec<&str> = answer.lines().filter(session).collect();
    let sections = answer.split("\r\nm=").skip(1);
    let tagged = sections
        .clone()
        .find(|section| section.contains("\na=candidate:"))
        .or_else(|| sections.clone().next())
        .unwrap_or_default();
    let media = tagged.lines().next().unwrap_or_default();
    let media = format!("m={media}");
    lines.push(&media);
    let kept = [
        "a=mid:",
        "a=ice-ufrag:",
        "a=ice-pwd:",
        "a=candidate:",
        "a=end-of-candidates",
    ];
    for name in kept {
        lines.extend(tagged.lines().filter(|line| line.starts_with(name)));
    }
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fragment_is_read_with_candidates_of_every_kind() {
        let text = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
            a=ice-ufrag:EsAw\r\na=ice-pwd:0123456789012345678901\r\n\
            a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n\
            a=candidate:1 1 sctp 1 x.local 9 typ strange\r\na=candidate:\r\na=end-of-candidates\r\n";
        let credentials = Some(("EsAw", "0123456789012345678901"));
        assert_eq!(Fragment::read(text), Ok(Fragment { credentials }));
        let none = Fragment::read("a=end-of-candidates").unwrap();
        assert_eq!(none, Fragment::default());
    }

    #[test]
    fn what_is_no_fragment_is_refused() {
        for text in [
            "",
            "\r\n",
            "hello",
            "v=0",
            "m=audio",
            "a=ice-ufrag:EsAw",
            "a=ice-pwd:0123456789012345678901",
            "a=ice-ufrag:abc\na=ice-pwd:0123456789012345678901",
            "a=ice-ufrag:EsAw\na=ice-pwd:short",
            "a=candidate:1 1 udp",
            "a=candidate:1 x udp 1 192.0.2.1 9 typ host",
            "a=candidate:1 1 udp 1 192.0.2.1 99999 typ host",
        ] {
            assert!(Fragment::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_restart_is_the_same_offer_with_other_credentials() {
        let offer = "v=0\r\nm=audio 9 x 0\r\na=ice-ufrag:one1\r\na=ice-pwd:p\r\n\
            a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\nm=video 9 x 0\r\na=ice-ufrag:one1\r\n\
            a=ice-pwd:p\r\na=end-of-candidates\r\n";
        let expected = "v=0\r\nm=audio 9 x 0\r\na=ice-ufrag:two2\r\na=ice-pwd:q\r\n\
            m=video 9 x 0\r\na=ice-ufrag:two2\r\na=ice-pwd:q\r\n";
        assert_eq!(credentials(offer), Some(("one1", "p")));
        assert_eq!(restarted(offer, ("two2", "q")), expected);
    }

    #[test]
    fn of_an_answer_its_ice_is_told() {
        let answer = "v=0\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\nm=audio 9 x 0\r\nc=IN IP4 1.2.3.4\r\n\
            a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\na=ice-ufrag:u\r\n\
            a=ice-pwd:p\r\na=setup:passive\r\na=mid:0\r\nm=video 9 x 0\r\na=mid:1\r\na=ice-ufrag:u\r\n";
        let expected = "a=group:BUNDLE 0 1\r\na=ice-lite\r\nm=audio 9 x 0\r\na=mid:0\r\n\
            a=ice-ufrag:u\r\na=ice-pwd:p\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n\
            a=end-of-candidates\r\n";
        assert_eq!(of_answer(answer), expected);
    }
}
