//! Reads a session description (RFC 8866) into its m-lines and their attributes, borrowed from the
//! text and in its order. Takes time linear in its length and knows nothing of what attributes mean.

use super::error::AnswerError;
use super::{MEDIA_LINES_MAX, OFFER_BYTES_MAX, OFFER_TEXT_LINES_MAX};

/// A session description.
#[derive(Debug)]
pub(super) struct Description<'a> {
    /// Of the session level.
    pub(super) attributes: Attributes<'a>,
    /// The m-lines, at least one.
    pub(super) media: Vec<Media<'a>>,
}

/// An m-line with what belongs to it.
#[derive(Debug)]
pub(super) struct Media<'a> {
    /// Where it begins in the text, from 1.
    pub(super) text_line: usize,
    /// `audio`, `video`, `application`, …
    pub(super) kind: &'a str,
    pub(super) port: u16,
    /// `UDP/TLS/RTP/SAVPF`, …
    pub(super) protocol: &'a str,
    /// The formats, separated by spaces; at least one.
    pub(super) formats: &'a str,
    pub(super) attributes: Attributes<'a>,
}

/// The `a=` lines of one section.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    /// Name and value of each; a flag has an empty value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.iter()
            .filter_map(move |(other, value)| (other == name).then_some(value))
    }

    pub(super) fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}

impl<'a> Description<'a> {
    /// Reads a whole description. Lines other than `m=` and `a=` are passed over: an answer does
    /// not depend on them.
    pub(super) fn read(text: &'a str) -> Result<Self, AnswerError> {
        if text.len() > OFFER_BYTES_MAX {
            return Err(AnswerError::TooLong);
        }
        let mut description = Description {
            attributes: Attributes::default(),
            media: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            if index >= OFFER_TEXT_LINES_MAX {
                return Err(AnswerError::TooLong);
            }
            description.take(index + 1, line.trim_end())?;
        }
        if description.media.is_empty() {
            return Err(AnswerError::NoMedia);
        }
        Ok(description)
    }

    fn take(&mut self, number: usize, line: &'a str) -> Result<(), AnswerError> {
        let wrong = |problem| AnswerError::Syntax {
            line: number,
            problem,
        };
        if number == 1 && line != "v=0" {
            return Err(wrong("a session description begins with `v=0`"));
        }
        match line.split_once('=') {
            Some(("a", attribute)) => self.section().0.push(name_and_value(attribute)),
            Some(("m", value)) if self.media.len() < MEDIA_LINES_MAX => {
                let media = Media::read(number, value)
                    .ok_or_else(|| wrong("an m-line is `m=media port protocol format…`"))?;
                self.media.push(media);
            }
            Some(("m", _)) => return Err(AnswerError::TooManyLines),
            Some((name, _)) if name.len() == 1 => {}
            None if line.is_empty() => {}
            _ => return Err(wrong("a line is a letter, `=` and a value")),
        }
        Ok(())
    }

    fn section(&mut self) -> &mut Attributes<'a> {
        match self.media.last_mut() {
            Some(media) => &mut media.attributes,
            None => &mut self.attributes,
        }
    }
}

impl<'a> Media<'a> {
    fn read(text_line: usize, value: &'a str) -> Option<Self> {
        let mut fields = value.splitn(4, ' ');
        let kind = fields.next().filter(|kind| !kind.is_empty())?;
        let port = fields.next()?;
        let (port, _count) = port.split_once('/').unwrap_or((port, ""));
        Some(Media {
            text_line,
            kind,
            port: port.parse().ok()?,
            protocol: fields.next().filter(|protocol| !protocol.is_empty())?,
            formats: fields
                .next()
                .map(str::trim)
                .filter(|formats| !formats.is_empty())?,
            attributes: Attributes::default(),
        })
    }
}

fn name_and_value(attribute: &str) -> (&str, &str) {
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    (name, value.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn attributes_belong_to_the_section_above_them() {
        let text = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\na=group:BUNDLE 0\r\n\
                    m=audio 9/2 RTP/SAVPF 0 8 \r\na=mid: 0\r\na=rtcp-mux\r\n\r\n\
                    m=x 0 y z\na=mid:1\n";
        let read = Description::read(text).unwrap();
        assert_eq!(read.attributes.first("group"), Some("BUNDLE 0"));
        let [audio, other] = &read.media[..] else {
            panic!("two m-lines")
        };
        assert_eq!(
            (audio.kind, audio.port, audio.protocol, audio.formats),
            ("audio", 9, "RTP/SAVPF", "0 8")
        );
        assert_eq!(audio.attributes.first("mid"), Some("0"));
        assert!(audio.attributes.has("rtcp-mux"));
        assert_eq!(
            (other.text_line, other.attributes.first("mid")),
            (8, Some("1"))
        );
    }

    #[test]
    fn what_is_no_description_is_refused_with_its_line() {
        let at = |text: &str| match Description::read(text).unwrap_err() {
            AnswerError::Syntax { line, .. } => line,
            other => panic!("{other}"),
        };
        assert_eq!(at("\u{0}\u{1}"), 1);
        assert_eq!(at("v=1\r\n"), 1);
        assert_eq!(at("v=0\r\nhello\r\n"), 2);
        assert_eq!(at("v=0\r\ns=-\r\nm=audio 9 RTP/SAVPF\r\n"), 3);
        assert_eq!(at("v=0\r\nm=audio 65536 RTP/SAVPF 0\r\n"), 2);
        assert_eq!(at("v=0\r\nm= 9 RTP/SAVPF 0\r\n"), 2);
        assert_eq!(Description::read("v=0").unwrap_err(), AnswerError::NoMedia);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let error = |text: String| Description::read(&text).unwrap_err();
        assert_eq!(error("a".repeat(OFFER_BYTES_MAX + 1)), AnswerError::TooLong);
        assert_eq!(
            error(format!("v=0\n{}", "\n".repeat(OFFER_TEXT_LINES_MAX))),
            AnswerError::TooLong
        );
        assert_eq!(
            error(format!(
                "v=0\n{}",
                "m=x 9 y z\n".repeat(MEDIA_LINES_MAX + 1)
            )),
            AnswerError::TooManyLines
        );
    }
}
