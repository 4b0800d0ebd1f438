//! Finishes recordings that were interrupted: by the end of a process, or by a disk.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::folder::{open, release_reserve, replace};
use super::store::read_manifest;
use crate::logic::record::manifest::{FileRecord, MANIFEST, Manifest};
use crate::logic::record::subtitles::{SUBTITLES, subtitles};
use crate::media::verdict::Verdict;
use crate::media::{matroska, ogg};
use crate::protocol::server::RecordingEnd;

/// Repairs what a former run of the node left behind, and merges it.
pub(super) fn repair_all(folders: &[PathBuf], merge: &dyn Fn(&Path)) {
    for folder in folders {
        let is_ended = read_manifest(folder).is_some_and(|manifest| manifest.ended.is_some());
        let repaired = match is_ended {
            true => Ok(()),
            false => repair(folder, RecordingEnd::Interrupted),
        };
        match repaired {
            Ok(()) => merge(folder),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "a recording cannot be repaired");
            }
        }
    }
}

/// Makes every file of a recording whole and ends its manifest.
pub(super) fn repair(folder: &Path, why: RecordingEnd) -> io::Result<()> {
    release_reserve(folder);
    let Some(mut manifest) = read_manifest(folder) else {
        return Ok(());
    };
    for track in &mut manifest.tracks {
        let mut kept = Vec::new();
        for mut file in track.files.drain(..) {
            if repair_file(folder, &mut file)? {
                kept.push(file);
            }
        }
        track.files = kept;
    }
    end(&mut manifest, why);
    replace(&folder.join(SUBTITLES), subtitles(&manifest).as_bytes())?;
    let text = serde_json::to_vec_pretty(&manifest)?;
    replace(&folder.join(MANIFEST), &text)?;
    tracing::info!(recording = manifest.id, "recording repaired");
    Ok(())
}

fn end(manifest: &mut Manifest, why: RecordingEnd) {
    let files = manifest.tracks.iter().flat_map(|track| &track.files);
    let until = files.map(|file| file.at_ms + file.duration_ms).max();
    manifest.duration_ms = Some(until.unwrap_or(0));
    manifest.ended = Some(why);
}

/// Repairs one file; `false` if there was nothing in it, and it is no more.
fn repair_file(folder: &Path, record: &mut FileRecord) -> io::Result<bool> {
    let path = folder.join(&record.name);
    let mut file = match open(&path, true) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let needed = match record.name.ends_with(".ogg") {
        true => ogg::repair(&mut file)?,
        false => matroska::repair(&mut file)?,
    };
    match needed {
        Verdict::Whole => {}
        Verdict::Empty => {
            fs::remove_file(path)?;
            return Ok(false);
        }
        Verdict::Repair(repair) => {
            file.set_len(repair.keep)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(&repair.append)?;
            for patch in &repair.patches {
                file.seek(SeekFrom::Start(patch.at))?;
                file.write_all(&patch.bytes)?;
            }
            record.duration_ms = repair.duration_ms;
            record.bytes = repair.keep + repair.append.len() as u64;
        }
    }
    Ok(true)
}
