//! Parts of a file (RFC 9110 §14): one range of bytes, as players ask for.

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// What of a file is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Nothing,
}

/// What a request wants of a file of that length whose entity tag is `tag`.
///
/// §14.2: what is no range, or several of them, is the same as no `Range` at all; §13.1.5: so is a
/// range of what the file was under another tag.
pub(super) fn wanted(headers: &HeaderMap, length: u64, tag: &str) -> Wanted {
    let known = headers.get(header::IF_RANGE);
    let range = headers
        .get(header::RANGE)
        .filter(|_| known.is_none_or(|known| known == tag))
        .and_then(|range| part(range.to_str().ok()?, length));
    range.unwrap_or(Wanted::Whole)
}

/// §14.1.2. `None` for what is no single range of bytes.
fn part(range: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (from, to) = match (number(first)?, number(last)?) {
        (None, None) => return None,
        // The last so many bytes.
        (None, Some(count)) => (length.saturating_sub(count), length),
        (Some(from), None) => (from, length),
        (Some(from), Some(last)) if from > last => return None,
        (Some(from), Some(last)) => (from, last.saturating_add(1).min(length)),
    };
    Some(match from < to {
        true => Wanted::Part(from..to),
        false => Wanted::Nothing,
    })
}

/// Digits or nothing; `None` for anything else. A number that is too large is larger than any file.
fn number(text: &str) -> Option<Option<u64>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn one_range_is_a_part_and_everything_else_is_the_whole() {
        let part = Wanted::Part;
        for (range, expected) in [
            ("bytes=0-", part(0..100)),
            ("bytes=0-0", part(0..1)),
            ("bytes=10-19", part(10..20)),
            ("Bytes= 90-200", part(90..100)),
            ("bytes=-30", part(70..100)),
            ("bytes=-300", part(0..100)),
            ("bytes=5-99999999999999999999999", part(5..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("0-1", Wanted::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            assert_eq!(wanted(&headers, 100, "\"a\""), expected, "{range}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-"));
        assert_eq!(wanted(&headers, 0, ""), Wanted::Nothing, "an empty file");
    }

    #[test]
    fn a_range_of_another_file_is_the_whole() {
        for (known, expected) in [
            ("\"a\"", Wanted::Part(1..3)),
            ("\"b\"", Wanted::Whole),
            ("W/\"a\"", Wanted::Whole),
            ("Sat, 21 Nov 2026 14:05:00 GMT", Wanted::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static("bytes=1-2"));
            headers.insert(header::IF_RANGE, known.parse().unwrap());
            assert_eq!(wanted(&headers, 100, "\"a\""), expected, "{known}");
        }
    }
}
