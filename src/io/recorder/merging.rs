//! One file of all tracks, once a recording is over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::folder::{open, replace};
use super::store::read_manifest;
use crate::logic::record::manifest::{FileRecord, Layout, MANIFEST, Manifest};
use crate::media::matroska::{Part, is_web, merge};

/// Its name until it is whole.
const UNFINISHED: &str = "room.new";

/// Makes the file that the layout asks for, if it is not there, on a thread of its own.
pub(super) fn merge_in_background(folder: &Path) {
    let folder = folder.to_owned();
    let thread = std::thread::Builder::new().name("merge".into());
    let spawned = thread.spawn(move || merge_recording(&folder));
    if let Err(error) = spawned {
        tracing::warn!(%error, "the tracks are merged at the next start");
    }
}

/// Makes the file that the layout asks for, if it is not there.
pub(super) fn merge_recording(folder: &Path) {
    let Some(mut manifest) = read_manifest(folder).filter(Manifest::awaits_merge) else {
        return;
    };
    match merge_files(folder, &manifest) {
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

fn merge_files(folder: &Path, manifest: &Manifest) -> io::Result<String> {
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
    let patches = merge(parts, manifest.began_unix_ms, |bytes| out.write_all(bytes))?;
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
