//! One file of all tracks, once a recording is over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use super::folder::{open, replace};
use super::store::{RecordingStore, read_manifest};
use crate::logic::record::manifest::{FileRecord, Layout, MANIFEST, Manifest};
use crate::logic::record::storage::StorageLimits;
use crate::media::matroska::{Part, is_web, merge};

/// Its name until it is whole.
const UNFINISHED: &str = "room.new";

/// The thread that merges, one recording after the other. It ends with this.
#[derive(Debug)]
pub(super) struct Merger {
    folders: Option<SyncSender<PathBuf>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Merger {
    /// Starts it, to do `first` before anything else, which finishes what is left there; so many may wait.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(super) fn start(
        (store, limits): (RecordingStore, StorageLimits),
        waiting_max: usize,
        first: impl FnOnce(&dyn Fn(&Path)) + Send + 'static,
    ) -> io::Result<Self> {
        let (folders, inbox) = mpsc::sync_channel::<PathBuf>(waiting_max);
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let builder = std::thread::Builder::new().name("merge".into());
        let thread = builder.spawn(move || {
            let merge = |folder: &Path| {
                if !told.load(Ordering::Relaxed) {
                    merge_safely((&store, limits), folder, &told);
                }
            };
            first(&merge);
            inbox.into_iter().for_each(|folder| merge(&folder));
        })?;
        Ok(Self {
            folders: Some(folders),
            stopped,
            thread: Some(thread),
        })
    }

    /// Merges that recording when it is its turn.
    pub(super) fn merge(&self, folder: &Path) {
        let sent = self
            .folders
            .as_ref()
            .map(|folders| folders.try_send(folder.to_owned()));
        if !matches!(sent, Some(Ok(()))) {
            let folder = folder.display();
            tracing::warn!(%folder, "too many recordings wait to be merged; this one is at the next start");
        }
    }
}

/// What is not merged by then is at the next start: nothing is written in the folder after this.
impl Drop for Merger {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.folders = None;
        if let Some(thread) = self.thread.take() {
            // What panics there is caught there.
            let _ = thread.join();
        }
    }
}

/// A recording that cannot be merged must not keep the others waiting.
fn merge_safely(
    (store, limits): (&RecordingStore, StorageLimits),
    folder: &Path,
    stopped: &AtomicBool,
) {
    let bytes = read_manifest(folder).map_or(0, |manifest| {
        let files = manifest.tracks.iter().flat_map(|track| &track.files);
        files.map(|file| file.bytes).sum()
    });
    if let Some(why) = limits.lacks_for(bytes, store.bytes(), store.disk()) {
        let folder = folder.display();
        tracing::warn!(%folder, ?why, "there is no space to merge the tracks; they are at the next start");
        return;
    }
    let merged = catch_unwind(AssertUnwindSafe(|| merge_recording(folder, stopped)));
    if merged.is_err() {
        tracing::error!(folder = %folder.display(), "a recording cannot be merged");
    }
}

/// Makes the file that the layout asks for, if it is not there.
fn merge_recording(folder: &Path, stopped: &AtomicBool) {
    let Some(mut manifest) = read_manifest(folder).filter(Manifest::awaits_merge) else {
        return;
    };
    match merge_files(folder, &manifest, stopped) {
        Ok(name) => {
            tracing::info!(recording = manifest.id, name, "tracks merged");
            manifest.room_file = Some(name);
            finish(folder, &mut manifest);
        }
        Err(error) => {
            tracing::warn!(recording = manifest.id, %error, "the tracks cannot be merged");
            let _ = fs::remove_file(folder.join(UNFINISHED));
        }
    }
}

fn finish(folder: &Path, manifest: &mut Manifest) {
    let superfluous: Vec<String> = match manifest.layout {
        Layout::Room => manifest
            .tracks
            .iter_mut()
            .flat_map(|track| track.files.drain(..))
            .map(|file| file.name)
            .collect(),
        Layout::Tracks | Layout::Both => Vec::new(),
    };
    let text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    if let Err(error) = replace(&folder.join(MANIFEST), &text) {
        tracing::warn!(recording = manifest.id, %error, "the manifest cannot be written");
        return;
    }
    for name in superfluous {
        // What stays is in no manifest and goes with the folder.
        let _ = fs::remove_file(folder.join(name));
    }
}

fn merge_files(folder: &Path, manifest: &Manifest, stopped: &AtomicBool) -> io::Result<String> {
    let files = manifest.tracks.iter().flat_map(|track| &track.files);
    let parts: io::Result<Vec<_>> = files.map(|file| part(folder, file)).collect();
    let parts = parts?;
    let name = if is_web(&parts) {
        "room.webm"
    } else {
        "room.mkv"
    };
    let unfinished = folder.join(UNFINISHED);
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let options = options.custom_flags(nix::libc::O_NOFOLLOW);
    let mut out = options.open(&unfinished)?;
    let patches = merge(parts, manifest.began_unix_ms, |bytes| {
        match stopped.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the node stops")),
            false => out.write_all(bytes),
        }
    })?;
    for patch in patches {
        out.seek(SeekFrom::Start(patch.at))?;
        out.write_all(&patch.bytes)?;
    }
    fs::rename(unfinished, folder.join(name))?;
    Ok(name.to_owned())
}

fn part(folder: &Path, file: &FileRecord) -> io::Result<Part<BufReader<File>>> {
    let opened = open(&folder.join(&file.name), false)?;
    Part::new(BufReader::new(opened), file.at_ms)
}
