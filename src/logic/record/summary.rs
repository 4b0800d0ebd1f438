//! What a list of recordings says of one, without who spoke when and what is missing.

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

/// What puts a recording into its place in a list: the little that is read of every manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// When it began, in milliseconds of Unix time.
    pub began_unix_ms: i64,
    /// The recording.
    pub id: String,
}

/// One recording in a list. Times without another word are milliseconds since it began.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The recording.
    pub id: String,
    /// The room's name.
    pub room: String,
    /// When it began, in milliseconds of Unix time.
    pub began_unix_ms: i64,
    /// How long it was, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it is over; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<RecordingEnd>,
    /// Who was recorded, each name once, in the order of their coming.
    pub members: Vec<String>,
    /// How large all files are together.
    pub bytes: u64,
    /// The file of all tracks, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_file: Option<RoomFile>,
    /// The files of single tracks.
    pub files: Vec<TrackFile>,
}

/// The file of all tracks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomFile {
    /// Its name.
    pub name: String,
    /// How large it is.
    pub bytes: u64,
}

/// A file of one track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackFile {
    /// Its name.
    pub name: String,
    /// Whose track.
    pub member: String,
    /// Which of theirs.
    pub source: Source,
    /// What is in it.
    pub codec: String,
    /// Its first frame.
    pub at_ms: u64,
    /// How long it is; 0 while it is written.
    pub duration_ms: u64,
    /// How large it is.
    pub bytes: u64,
}

impl Summary {
    /// Of a manifest; `bytes_of` says how large a file is by now.
    pub fn of(manifest: &Manifest, bytes_of: impl Fn(&str) -> u64) -> Self {
        let files: Vec<_> = manifest
            .tracks
            .iter()
            .flat_map(|track| track.files.iter().map(move |file| (track, file)))
            .map(|(track, file)| TrackFile {
                name: file.name.clone(),
                member: manifest.name_of(track.member).to_owned(),
                source: track.source,
                codec: file.codec.clone(),
                at_ms: file.at_ms,
                duration_ms: file.duration_ms,
                bytes: bytes_of(&file.name),
            })
            .collect();
        let room_file = manifest.room_file.as_ref().map(|name| RoomFile {
            name: name.clone(),
            bytes: bytes_of(name),
        });
        let of_tracks: u64 = files.iter().map(|file| file.bytes).sum();
        let mut members: Vec<String> = Vec::new();
        for person in &manifest.members {
            if !members.contains(&person.name) {
                members.push(person.name.clone());
            }
        }
        Self {
            id: manifest.id.clone(),
            room: manifest.room.clone(),
            began_unix_ms: manifest.began_unix_ms,
            duration_ms: manifest.duration_ms,
            ended: manifest.ended,
            members,
            bytes: of_tracks + room_file.as_ref().map_or(0, |file| file.bytes),
            room_file,
            files,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_adds_up_what_the_files_are() {
        let manifest: Manifest = serde_json::from_value(json!({
            "id": "a1", "room": "choir", "beganUnixMs": 5, "beganRoomMs": 0, "durationMs": 2_000,
            "ended": "stopped", "roomFile": "room.webm",
            "members": [
                {"member": "0000000000001", "name": "Ada"},
                {"member": "0000000000002", "name": "Ada"},
            ],
            "tracks": [{
                "track": 1, "member": "0000000000002", "source": "camera", "gaps": [],
                "files": [{"name": "track-1-camera-1.webm", "codec": "vp8", "atMs": 30,
                    "durationMs": 1_900, "bytes": 0}],
            }],
            "speech": [],
        }))
        .unwrap();
        let summary = Summary::of(&manifest, |name| name.len() as u64);
        assert_eq!(summary.members, ["Ada"], "who came again is named once");
        assert_eq!(
            (summary.bytes, summary.files[0].bytes),
            ("room.webm".len() as u64 + 21, 21)
        );
        assert_eq!(summary.files[0].member, "Ada");
        let place: Place =
            serde_json::from_str(&serde_json::to_string(&manifest).unwrap()).unwrap();
        assert_eq!((place.began_unix_ms, place.id.as_str()), (5, "a1"));
    }
}
