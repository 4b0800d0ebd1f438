//! What stands beside the files of a recording: `manifest.json`.

use serde::{Deserialize, Serialize};

use super::subtitles::SUBTITLES;
use crate::ids::MemberId;
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

/// The name of the manifest among the files of a recording.
pub const MANIFEST: &str = "manifest.json";
/// Spans of speech that are kept; what comes after is not noted any more.
const SPEECH_MAX: usize = 20_000;
/// Gaps of all tracks that are kept.
const GAPS_MAX: usize = 10_000;

/// Everything about a recording. Times without another word are milliseconds since it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The recording.
    pub id: String,
    /// The room's name.
    pub room: String,
    /// When it began, in milliseconds of Unix time.
    pub began_unix_ms: i64,
    /// When it began, in milliseconds since the room came to be.
    pub began_room_ms: u64,
    /// How long it was, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<RecordingEnd>,
    /// Which files there are to be.
    #[serde(default)]
    pub layout: Layout,
    /// The file of all tracks, once it is there. Its time is the recording's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_file: Option<String>,
    /// Everyone who was recorded, in the order of their coming.
    pub members: Vec<Person>,
    /// Every track, in the order of its coming.
    pub tracks: Vec<TrackRecord>,
    /// Who spoke when, in the order of its beginning.
    pub speech: Vec<Speech>,
}

/// A name as the node gives them: letters, digits, hyphens, and dots that do not come first.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain)
}

/// Which files there are to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Layout {
    /// One, or several in a row, for every track.
    Tracks,
    /// One with all tracks; made of the others when the recording is over.
    Room,
    /// Both.
    #[default]
    Both,
}

/// Somebody who was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Who.
    pub member: MemberId,
    /// Their name.
    pub name: String,
}

/// One source of one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackRecord {
    /// Its number.
    pub track: u32,
    /// Whose.
    pub member: MemberId,
    /// Which.
    pub source: Source,
    /// Its files, one after the other.
    pub files: Vec<FileRecord>,
    /// Where there is nothing.
    pub gaps: Vec<Gap>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRecord {
    /// Its name, in the folder of the manifest.
    pub name: String,
    /// What is in it.
    pub codec: String,
    /// Its first frame.
    pub at_ms: u64,
    /// How long it is; 0 while it is written.
    pub duration_ms: u64,
    /// How large it is; 0 while it is written.
    pub bytes: u64,
    /// Of the first picture, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u16>,
    /// Of the first picture, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u16>,
}

/// Where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The last frame before it.
    pub from_ms: u64,
    /// The first frame after it.
    pub to_ms: u64,
    /// Why.
    pub cause: GapCause,
}

/// Why there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GapCause {
    /// It did not reach the node.
    Lost,
    /// It was muted.
    Muted,
    /// The disk was too slow.
    Thinned,
}

/// Somebody spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Speech {
    /// Who.
    pub member: MemberId,
    /// From.
    pub from_ms: u64,
    /// To.
    pub to_ms: u64,
}

impl Manifest {
    /// Whether the file of all tracks is still to be made: not from Ogg, nor where the disk failed.
    pub fn awaits_merge(&self) -> bool {
        let has_room = self.ended.is_some_and(|ended| {
            !matches!(
                ended,
                RecordingEnd::DiskFull | RecordingEnd::DiskFailed | RecordingEnd::NodeFailed
            )
        });
        let mut files = self.tracks.iter().flat_map(|track| &track.files);
        let is_ogg = |file: &FileRecord| file.name.ends_with(".ogg");
        let is_possible = files.clone().next().is_some() && !files.any(is_ogg);
        let is_wanted = self.layout != Layout::Tracks && self.room_file.is_none();
        has_room && is_possible && is_wanted
    }

    /// Whether every file that it names is in its own folder. A manifest may have been copied here from
    /// anywhere, and what it names is opened, changed and removed.
    pub fn stays_in_its_folder(&self) -> bool {
        let files = self.tracks.iter().flat_map(|track| &track.files);
        let mut names = files.map(|file| &file.name).chain(&self.room_file);
        names.all(|name| is_plain(name))
    }

    /// Whether this is one of its files.
    pub fn has_file(&self, name: &str) -> bool {
        let mut files = self.tracks.iter().flat_map(|track| &track.files);
        let is_room_file = self.room_file.as_deref() == Some(name);
        let is_beside = name == MANIFEST || name == SUBTITLES;
        is_beside || is_room_file || files.any(|file| file.name == name)
    }

    /// By which name somebody was recorded; nothing if they were not.
    pub fn name_of(&self, member: MemberId) -> &str {
        let mut people = self.members.iter();
        let person = people.find(|person| person.member == member);
        person.map_or("", |person| &person.name)
    }

    /// Notes somebody under their present name.
    pub fn meet(&mut self, member: MemberId, name: &str) {
        if !self.members.iter().any(|person| person.member == member) {
            let name = name.to_owned();
            self.members.push(Person { member, name });
        }
    }

    /// How many files there are, and tracks that have none.
    pub fn files(&self) -> usize {
        let files = self.tracks.iter().map(|track| track.files.len().max(1));
        files.sum()
    }

    /// Notes a gap of a track.
    pub fn miss(&mut self, track: u32, gap: Gap) {
        let known: usize = self.tracks.iter().map(|track| track.gaps.len()).sum();
        if let Some(record) = self.track_mut(track).filter(|_| known < GAPS_MAX) {
            record.gaps.push(gap);
        }
    }

    /// The record of a track.
    pub fn track_mut(&mut self, track: u32) -> Option<&mut TrackRecord> {
        self.tracks.iter_mut().find(|record| record.track == track)
    }

    /// These speak now, and nobody else: the spans of those go on.
    pub fn speak(&mut self, at_ms: u64, before: &[MemberId], speakers: &[MemberId]) {
        self.hush(at_ms, before);
        for &member in speakers.iter().filter(|member| !before.contains(member)) {
            if self.speech.len() < SPEECH_MAX {
                self.speech.push(Speech {
                    member,
                    from_ms: at_ms,
                    to_ms: at_ms,
                });
            }
        }
    }

    /// Those who spoke until now, did.
    pub fn hush(&mut self, at_ms: u64, speakers: &[MemberId]) {
        for member in speakers {
            let mut spans = self.speech.iter_mut().rev();
            if let Some(span) = spans.find(|span| span.member == *member) {
                span.to_ms = span.to_ms.max(at_ms);
            }
        }
    }
}
