//! The folder of all recordings.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::logic::record::manifest::{MANIFEST, Manifest};

/// Manifests that are listed at once.
const LISTED_MAX: usize = 1_000;

/// `<data>/recordings`, with a folder for every recording.
#[derive(Debug, Clone)]
pub struct RecordingStore {
    root: PathBuf,
}

impl RecordingStore {
    /// Below the node's data; nothing is made yet.
    pub fn new(data: &Path) -> Self {
        Self {
            root: data.join("recordings"),
        }
    }

    /// Where a recording is. Ids are the node's own: letters and digits.
    pub(super) fn folder(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// The recordings of a room, newest first; those that go on too.
    pub fn of_room(&self, room: &str) -> Vec<Manifest> {
        let mut found: Vec<Manifest> = self
            .folders()
            .filter_map(|folder| read_manifest(&folder))
            .filter(|manifest| manifest.room == room)
            .collect();
        found.sort_by_key(|manifest| std::cmp::Reverse(manifest.began_unix_ms));
        found.truncate(LISTED_MAX);
        found
    }

    /// The folders of those that were begun and not ended, or not merged.
    pub(super) fn unfinished(&self) -> Vec<PathBuf> {
        let is_unfinished = |folder: &PathBuf| {
            read_manifest(folder)
                .is_some_and(|manifest| manifest.ended.is_none() || manifest.awaits_merge())
        };
        self.folders().filter(is_unfinished).collect()
    }

    /// Removes what ended longer ago than that.
    pub(super) fn remove_older_than(&self, age: Duration) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let oldest = now.saturating_sub(age).as_millis() as i64;
        for folder in self.folders() {
            let Some(manifest) = read_manifest(&folder) else {
                continue;
            };
            let ended = manifest
                .duration_ms
                .map(|duration| manifest.began_unix_ms.saturating_add_unsigned(duration));
            if manifest.ended.is_some() && ended.is_some_and(|ended| ended < oldest) {
                match fs::remove_dir_all(&folder) {
                    Ok(()) => tracing::info!(recording = manifest.id, "old recording removed"),
                    Err(error) => tracing::warn!(%error, "an old recording cannot be removed"),
                }
            }
        }
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
    }
}

/// The manifest in a folder; nothing if there is none that can be read.
pub(super) fn read_manifest(folder: &Path) -> Option<Manifest> {
    let bytes = fs::read(folder.join(MANIFEST)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::logic::record::manifest::Layout;
    use crate::protocol::server::RecordingEnd;

    const DAY_MS: i64 = 86_400_000;

    fn put(store: &RecordingStore, id: &str, began_unix_ms: i64, ended: Option<RecordingEnd>) {
        let manifest = Manifest {
            id: id.into(),
            room: "choir".into(),
            began_unix_ms,
            began_room_ms: 0,
            duration_ms: ended.map(|_| 1_000),
            ended,
            layout: Layout::Tracks,
            room_file: None,
            members: Vec::new(),
            tracks: Vec::new(),
            speech: Vec::new(),
        };
        fs::create_dir_all(store.folder(id)).unwrap();
        let text = serde_json::to_vec(&manifest).unwrap();
        fs::write(store.folder(id).join(MANIFEST), text).unwrap();
    }

    #[test]
    fn what_ended_long_ago_is_removed_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let store = RecordingStore::new(data.path());
        assert!(store.of_room("choir").is_empty(), "there is no folder yet");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_millis() as i64;
        let stopped = Some(RecordingEnd::Stopped);
        put(&store, "old", now - 8 * DAY_MS, stopped);
        put(&store, "young", now - 6 * DAY_MS, stopped);
        put(&store, "unfinished", now - 9 * DAY_MS, None);
        fs::create_dir_all(store.folder("other")).unwrap();
        store.remove_older_than(Duration::from_secs(7 * 86_400));
        let found = store.of_room("choir");
        let ids: Vec<_> = found.iter().map(|manifest| manifest.id.as_str()).collect();
        assert_eq!(ids, ["young", "unfinished"], "newest first");
        assert!(store.folder("other").exists());
        assert_eq!(store.unfinished(), [store.folder("unfinished")]);
        assert!(store.of_room("hall").is_empty());
    }
}
