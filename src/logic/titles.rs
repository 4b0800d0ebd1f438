//! Who owns which room, and what they decided: what outlives a restart, and how it is written down.
//!
//! Keys stand here as marks, from which nobody gets them back. The text is JSON: one object with a `version` and the
//! `rooms` in the order of their names.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::server::Rules;

/// The form of the text. Another one is not read.
const VERSION: u32 = 1;
/// Bytes of a mark.
const MARK_BYTES: usize = 32;

/// What is kept of an owner's key: its SHA-256 (see `media/owner_mark.rs`).
///
/// Two are compared in the same time wherever they differ, and none shows in a log.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OwnerMark([u8; MARK_BYTES]);

/// A room's owner, and what they decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Title {
    /// Who shows the key of that mark.
    pub owner: OwnerMark,
    /// What holds for newcomers.
    pub rules: Rules,
}

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TitlesError {
    /// It is not JSON, or not of this kind.
    #[error("it is not what this program wrote: {0}")]
    Damaged(String),
    /// Another program wrote it.
    #[error("it is of version {0}, and this program knows version {VERSION}")]
    Version(u32),
}

/// By room. Bounded by what it is told: a shard forgets what is too much, and says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Titles {
    by_room: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    title: Title,
    /// Since when the room is gone, in seconds since 1970; nothing while it is there.
    gone_at: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    version: u32,
    rooms: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    room: String,
    owner: OwnerMark,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    lobby: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone_at: Option<u64>,
}

impl Titles {
    /// Reads what [`Titles::to_text`] wrote.
    ///
    /// # Errors
    /// [`TitlesError`], if it is anything else.
    pub fn from_text(text: &str) -> Result<Titles, TitlesError> {
        let damaged = |error: serde_json::Error| TitlesError::Damaged(error.to_string());
        let text: Text = serde_json::from_str(text).map_err(damaged)?;
        if text.version != VERSION {
            return Err(TitlesError::Version(text.version));
        }
        let entry = |line: Line| {
            let (locked, lobby) = (line.locked, line.lobby);
            let title = Title {
                owner: line.owner,
                rules: Rules { locked, lobby },
            };
            let gone_at = line.gone_at;
            (line.room, Entry { title, gone_at })
        };
        let by_room = text.rooms.into_iter().map(entry).collect();
        Ok(Titles { by_room })
    }

    /// To be read by [`Titles::from_text`].
    pub fn to_text(&self) -> String {
        let line = |(room, entry): (&String, &Entry)| Line {
            room: room.clone(),
            owner: entry.title.owner,
            locked: entry.title.rules.locked,
            lobby: entry.title.rules.lobby,
            gone_at: entry.gone_at,
        };
        let rooms = self.by_room.iter().map(line).collect();
        let version = VERSION;
        // Fails for maps whose keys are not text, and there is none.
        serde_json::to_string(&Text { version, rooms }).unwrap_or_default()
    }

    /// A room is owned: it is there, or gone since that many seconds after 1970.
    pub fn note(&mut self, room: String, title: Title, gone_at: Option<u64>) {
        self.by_room.insert(room, Entry { title, gone_at });
    }

    /// Nothing is to be kept of a room any more.
    pub fn forget(&mut self, room: &str) {
        self.by_room.remove(room);
    }

    /// What a node starts with at that time, in seconds since 1970, and for how long each is still kept: those who
    /// have been gone for a `lifetime` are not. What was there when the text was written is gone only now.
    pub fn restored(&self, unix_now: u64, lifetime: Duration) -> Vec<(String, Title, Duration)> {
        let left = |(room, entry): (&String, &Entry)| {
            // A clock that was set back makes nobody older than they are.
            let age = entry.gone_at.map_or(0, |at| unix_now.saturating_sub(at));
            let left = lifetime.checked_sub(Duration::from_secs(age))?;
            (!left.is_zero()).then(|| (room.clone(), entry.title, left))
        };
        self.by_room.iter().filter_map(left).collect()
    }

    /// The same as what a node starts with.
    pub fn keep_only(&mut self, restored: &[(String, Title, Duration)]) {
        let is_kept = |room: &String| {
            let found = restored.binary_search_by(|(other, ..)| other.cmp(room));
            found.is_ok()
        };
        self.by_room.retain(|room, _| is_kept(room));
    }
}

impl OwnerMark {
    /// The mark of those bytes.
    pub const fn new(bytes: [u8; MARK_BYTES]) -> OwnerMark {
        OwnerMark(bytes)
    }
}

impl PartialEq for OwnerMark {
    fn eq(&self, other: &OwnerMark) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        let differing = pairs.fold(0, |differing, (a, b)| {
            std::hint::black_box(differing | (a ^ b))
        });
        differing == 0
    }
}

impl Eq for OwnerMark {}

impl fmt::Debug for OwnerMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerMark(..)")
    }
}

impl From<OwnerMark> for String {
    fn from(mark: OwnerMark) -> String {
        mark.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for OwnerMark {
    type Error = &'static str;

    fn try_from(text: String) -> Result<OwnerMark, &'static str> {
        let expected = "an owner's mark is 64 hexadecimal digits";
        if text.len() != 2 * MARK_BYTES || !text.is_ascii() {
            return Err(expected);
        }
        let mut bytes = [0; MARK_BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| expected)?;
        }
        Ok(OwnerMark(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn title(byte: u8, locked: bool) -> Title {
        let lobby = !locked;
        Title {
            owner: OwnerMark::new([byte; 32]),
            rules: Rules { locked, lobby },
        }
    }

    fn some() -> Titles {
        let mut titles = Titles::default();
        titles.note("there".into(), title(0xab, true), None);
        titles.note("gone".into(), title(1, false), Some(1_000));
        titles.note("\"quoted\"\n".into(), title(2, false), Some(2_000));
        titles
    }

    #[test]
    fn what_is_written_is_read() {
        let titles = some();
        let text = titles.to_text();
        assert_eq!(Titles::from_text(&text), Ok(titles));
        let empty = Titles::default();
        assert_eq!(Titles::from_text(&empty.to_text()), Ok(empty));
    }

    #[test]
    fn what_is_there_is_kept_in_full_and_what_is_gone_for_the_rest_of_its_time() {
        let day = DAY.as_secs();
        for (now, expected) in [
            (
                1_000,
                vec![("\"quoted\"\n", day), ("gone", day), ("there", day)],
            ),
            (
                3_000,
                vec![
                    ("\"quoted\"\n", day - 1_000),
                    ("gone", day - 2_000),
                    ("there", day),
                ],
            ),
            (1_000 + day, vec![("\"quoted\"\n", 1_000), ("there", day)]),
            (u64::MAX, vec![("there", day)]),
        ] {
            let mut titles = some();
            let restored = titles.restored(now, DAY);
            let found: Vec<(&str, u64)> = restored
                .iter()
                .map(|(room, _, left)| (room.as_str(), left.as_secs()))
                .collect();
            assert_eq!(found, expected, "at {now}");
            titles.keep_only(&restored);
            assert_eq!(titles.restored(now, DAY), restored);
            assert_eq!(titles.by_room.len(), restored.len());
        }
    }

    #[test]
    fn a_room_is_noted_anew_and_forgotten() {
        let mut titles = some();
        titles.note("gone".into(), title(1, true), None);
        let restored = titles.restored(u64::MAX, DAY);
        assert_eq!(restored[0], ("gone".into(), title(1, true), DAY));
        titles.forget("gone");
        titles.forget("never there");
        assert_eq!(titles.restored(u64::MAX, DAY).len(), 1);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let whole = some().to_text();
        for text in [
            String::new(),
            "null".to_owned(),
            whole[..whole.len() / 2].to_owned(),
            whole.replace("abab", "xyxy"),
            whole.replace("abab", "ab"),
            whole.replace("abab", "é"),
            whole.replace("true", "\"yes\""),
        ] {
            let read = Titles::from_text(&text);
            assert!(matches!(read, Err(TitlesError::Damaged(_))), "{text}");
        }
        let newer = whole.replace("\"version\":1", "\"version\":2");
        assert_eq!(Titles::from_text(&newer), Err(TitlesError::Version(2)));
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_makes_it_panic(text in ".{0,200}", at in 0..400usize, byte: u8) {
            let _ = Titles::from_text(&text);
            let mut damaged = some().to_text().into_bytes();
            let at = at % damaged.len();
            damaged[at] = byte;
            let _ = Titles::from_text(&String::from_utf8_lossy(&damaged));
        }
    }

    #[test]
    fn marks_are_the_same_byte_for_byte_and_do_not_show() {
        let mark = OwnerMark::new([7; 32]);
        let mut other = [7; 32];
        other[31] = 8;
        assert_eq!(mark, OwnerMark::new([7; 32]));
        assert_ne!(mark, OwnerMark::new(other));
        assert_eq!(format!("{mark:?}"), "OwnerMark(..)");
    }
}
