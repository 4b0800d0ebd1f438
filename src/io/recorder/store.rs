//! The folder of all recordings.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use serde::de::DeserializeOwned;

use super::folder::open;
use crate::logic::record::manifest::{MANIFEST, Manifest};
use crate::logic::record::storage::Disk;
use crate::logic::record::summary::{Place, Summary};

/// Manifests that are listed at once.
const LISTED_MAX: usize = 1_000;
/// Before the name of a folder that is being removed. No id begins like that.
const REMOVED: &str = ".removed-";

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

    /// A page of all rooms' recordings, newest first, and the place of the last one if there are more;
    /// it goes on behind `after`.
    pub fn list(&self, after: Option<&Place>, limit: usize) -> (Vec<Summary>, Option<Place>) {
        let mut places: Vec<Place> = self.folders().filter_map(|at| read(&at)).collect();
        places.retain(|place| after.is_none_or(|after| place < after));
        places.sort_by(|one, other| other.cmp(one));
        let has_more = places.len() > limit;
        places.truncate(limit);
        let summary = |place: &Place| {
            let folder = self.checked_folder(&place.id)?;
            let manifest = read_manifest(&folder)?;
            let bytes = |name: &str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
            Some(Summary::of(&manifest, bytes))
        };
        let listed = places.iter().filter_map(summary).collect();
        (listed, places.pop().filter(|_| has_more))
    }

    /// A recording of that room and its folder. The id may be anybody's word.
    pub fn find(&self, room: &str, id: &str) -> Option<(Manifest, PathBuf)> {
        let folder = self.checked_folder(id)?;
        let manifest = read_manifest(&folder)?;
        (manifest.id == id && manifest.room == room).then_some((manifest, folder))
    }

    /// Opens a file of a recording to read it.
    ///
    /// # Errors
    /// Those of the disk, and that it is none of the folder's own.
    pub fn open_file(folder: &Path, name: &str) -> io::Result<fs::File> {
        open(&folder.join(name), false)
    }

    /// Removes a folder with all that is in it: at once for those who look for it, then from the disk.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn remove(&self, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().unwrap_or_default();
        let mut removed = std::ffi::OsString::from(REMOVED);
        removed.push(name);
        let removed = self.root.join(removed);
        fs::rename(folder, &removed)?;
        fs::remove_dir_all(removed)
    }

    /// Removes what a former run began to remove.
    pub(super) fn finish_removals(&self) {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| is_removed(&entry.path())) {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(%error, "a recording cannot be removed");
            }
        }
    }

    /// Where a recording of that id would be; nothing if it can be no id.
    fn checked_folder(&self, id: &str) -> Option<PathBuf> {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then(|| self.folder(id))
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
                match self.remove(&folder) {
                    Ok(()) => tracing::info!(recording = manifest.id, "old recording removed"),
                    Err(error) => tracing::warn!(%error, "an old recording cannot be removed"),
                }
            }
        }
    }

    /// How many bytes all of them take.
    pub(super) fn bytes(&self) -> u64 {
        let files = self.folders().flat_map(|folder| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.metadata().ok())
        });
        files.map(|file| file.len()).sum()
    }

    /// What the disk says of itself; nothing where it does not.
    pub(super) fn disk(&self) -> Option<Disk> {
        // The folder may not be there yet.
        let mut folders = self.root.ancestors().filter(|folder| folder.exists());
        let told = nix::sys::statvfs::statvfs(folders.next()?).ok()?;
        let unit = told.fragment_size();
        Some(Disk {
            size: told.blocks().saturating_mul(unit),
            free: told.blocks_available().saturating_mul(unit),
        })
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !is_removed(path))
    }
}

fn is_removed(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(REMOVED.as_bytes())
}

/// The manifest in a folder; nothing if there is none that can be read, or it reaches out of its folder.
pub(super) fn read_manifest(folder: &Path) -> Option<Manifest> {
    read(folder).filter(Manifest::stays_in_its_folder)
}

fn read<T: DeserializeOwned>(folder: &Path) -> Option<T> {
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
    fn a_list_goes_on_where_it_stopped() {
        let data = tempfile::tempdir().unwrap();
        let store = RecordingStore::new(data.path());
        assert_eq!(store.list(None, 2), (Vec::new(), None));
        for (id, began) in [("a", 10), ("b", 30), ("c", 20), ("d", 20), ("e", 5)] {
            put(&store, id, began, None);
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = store.list(after.as_ref(), 2);
            seen.push(page.into_iter().map(|one| one.id).collect::<String>());
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["bd", "ca", "e"], "newest first");
    }

    #[test]
    fn what_recordings_take_is_added_up() {
        let data = tempfile::tempdir().unwrap();
        let store = RecordingStore::new(data.path());
        assert_eq!(store.bytes(), 0);
        let disk = store.disk().unwrap();
        assert!(disk.size > disk.free && disk.free > 0, "{disk:?}");
        fs::create_dir_all(store.folder("a")).unwrap();
        fs::write(store.folder("a").join("one"), [0; 700]).unwrap();
        fs::write(store.folder("a").join("other"), [0; 50]).unwrap();
        fs::create_dir_all(store.folder("b")).unwrap();
        fs::write(store.folder("b").join("one"), [0; 7]).unwrap();
        assert_eq!(store.bytes(), 757);
    }

    #[test]
    fn what_is_removed_is_gone_at_once_and_for_good() {
        let data = tempfile::tempdir().unwrap();
        let store = RecordingStore::new(data.path());
        put(&store, "a", 1, Some(RecordingEnd::Stopped));
        for (room, id) in [
            ("hall", "a"),
            ("choir", "../a"),
            ("choir", ""),
            ("choir", "."),
        ] {
            assert!(store.find(room, id).is_none(), "{room} {id}");
        }
        let (_, folder) = store.find("choir", "a").unwrap();
        // As if the node had been ended meanwhile.
        fs::rename(&folder, data.path().join("recordings/.removed-a")).unwrap();
        assert!(store.of_room("choir").is_empty() && store.list(None, 9).0.is_empty());
        store.finish_removals();
        put(&store, "b", 1, Some(RecordingEnd::Stopped));
        store.remove(&store.folder("b")).unwrap();
        let left = fs::read_dir(data.path().join("recordings")).unwrap();
        assert_eq!(left.count(), 0);
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
