//! The files of one recording.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{TrackFrame, Word};
use crate::ids::MemberId;
use crate::logic::forward::codec::{Codec, MediaKind};
use crate::logic::limits::Limits;
use crate::logic::record::manifest::{FileRecord, Gap, GapCause, MANIFEST, Manifest, TrackRecord};
use crate::logic::record::subtitles::{SUBTITLES, subtitles};
use crate::media::matroska::{Block, Muxer, TrackEntry, doc_type};
use crate::media::ogg::OggWriter;
use crate::media::verdict::Patch;
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

/// What came is in the file after this: whoever kills the node takes no more, and what waits to be
/// placed at the beginning of a track.
const FLUSH_AFTER: Duration = Duration::from_millis(500);
/// The manifest is written again after this, if it changed.
const MANIFEST_EVERY: Duration = Duration::from_secs(10);

/// What becomes of files, in order. Names are names in the folder of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileCommand {
    /// Make a new file.
    Open {
        /// Its name.
        name: String,
    },
    /// Put bytes at its end.
    Append {
        /// Whose.
        name: String,
        /// They.
        bytes: Vec<u8>,
    },
    /// Write over what is there.
    Patch {
        /// Where.
        name: String,
        /// What.
        patch: Patch,
    },
    /// Nothing more comes.
    Close {
        /// For which.
        name: String,
    },
    /// Make this the whole content of a file, at once or not at all.
    Replace {
        /// Its name.
        name: String,
        /// Its content.
        bytes: Vec<u8>,
    },
}

/// When files are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecorderLimits {
    /// A file is not longer than this; what follows goes into another.
    pub file_ms: u64,
    /// A file is not larger than about this, in bytes.
    pub file_bytes: u64,
    /// A recording is not longer than this.
    pub recording_ms: u64,
    /// It has no more files than this, nor tracks.
    pub files: usize,
}

impl Default for RecorderLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

impl From<&Limits> for RecorderLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            file_ms: u64::from(limits.recording_file_seconds) * 1_000,
            file_bytes: limits.recording_file_bytes,
            recording_ms: u64::from(limits.recording_seconds) * 1_000,
            files: limits.recording_files as usize,
        }
    }
}

/// Writes the files of one recording.
#[derive(Debug)]
pub struct Recorder {
    limits: RecorderLimits,
    ogg: bool,
    manifest: Manifest,
    /// When the manifest was written, if it changed since.
    stale_since: Option<Instant>,
    tracks: BTreeMap<u32, TrackFile>,
    speakers: Vec<MemberId>,
}

/// A track and the file that it goes into.
#[derive(Debug)]
struct TrackFile {
    name: String,
    source: Source,
    /// How many files it has had.
    files: u32,
    open: Option<OpenFile>,
    absent: Option<GapCause>,
    last_ms: Option<u64>,
}

#[derive(Debug)]
struct OpenFile {
    name: String,
    began_ms: u64,
    codec: Codec,
    private: Vec<u8>,
    container: Container,
    /// Since when something waits to be in the file.
    held_since: Option<Instant>,
}

#[derive(Debug)]
enum Container {
    Matroska(Muxer),
    Ogg(OggWriter),
}

impl Recorder {
    /// Begins a recording; `ogg` says that files of sound are Ogg.
    pub fn new(
        manifest: Manifest,
        ogg: bool,
        limits: RecorderLimits,
        out: &mut Vec<FileCommand>,
    ) -> Self {
        let recorder = Self {
            limits,
            ogg,
            manifest,
            stale_since: None,
            tracks: BTreeMap::new(),
            speakers: Vec::new(),
        };
        recorder.put_manifest(out);
        recorder
    }

    /// What is known of it so far.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Until when there are frames, in milliseconds since it began.
    pub fn recorded_ms(&self) -> u64 {
        let ends = self.tracks.values().filter_map(|track| track.last_ms);
        ends.max().unwrap_or(0)
    }

    /// Takes in what the room says. `Some` once the recording is over, by the room's word or because
    /// it is as long as it may be.
    pub fn handle(
        &mut self,
        now: Instant,
        word: Word,
        out: &mut Vec<FileCommand>,
    ) -> Option<RecordingEnd> {
        match word {
            Word::Begin { .. } => {}
            Word::Track {
                track,
                member,
                name,
                source,
            } => {
                if self.manifest.files() >= self.limits.files {
                    let at_ms = self.recorded_ms();
                    self.end(at_ms, RecordingEnd::Limit, out);
                    return Some(RecordingEnd::Limit);
                }
                self.add_track(now, track, (member, &name), source);
            }
            Word::Frame { track, frame } => return self.write(now, track, &frame, out),
            Word::Absent { track, cause } => {
                if let Some(track) = self.tracks.get_mut(&track) {
                    track.absent = Some(cause);
                }
            }
            Word::TrackOver { track } => {
                self.close_track(track, out);
                self.tracks.remove(&track);
                self.stale_since.get_or_insert(now);
            }
            Word::Speakers { at_ms, members } => {
                self.manifest.speak(at_ms, &self.speakers, &members);
                self.speakers = members;
                self.stale_since.get_or_insert(now);
            }
            Word::End { at_ms, why } => {
                self.end(at_ms, why, out);
                return Some(why);
            }
        }
        None
    }

    /// Does what is due by now: what waits for too long goes into its file.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<FileCommand>) {
        let is_due = |since: Option<Instant>, after| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= after)
        };
        for track in self.tracks.values_mut() {
            if let Some(file) = &mut track.open
                && is_due(file.held_since, FLUSH_AFTER)
            {
                file.flush(out);
            }
        }
        if is_due(self.stale_since, MANIFEST_EVERY) {
            self.stale_since = None;
            self.put_manifest(out);
        }
    }

    fn add_track(
        &mut self,
        now: Instant,
        track: u32,
        (member, name): (MemberId, &str),
        source: Source,
    ) {
        self.manifest.meet(member, name);
        self.manifest.tracks.push(TrackRecord {
            track,
            member,
            source,
            files: Vec::new(),
            gaps: Vec::new(),
        });
        let file = TrackFile {
            name: name.to_owned(),
            source,
            files: 0,
            open: None,
            absent: None,
            last_ms: None,
        };
        self.tracks.insert(track, file);
        self.stale_since.get_or_insert(now);
    }

    fn write(
        &mut self,
        now: Instant,
        track: u32,
        frame: &TrackFrame,
        out: &mut Vec<FileCommand>,
    ) -> Option<RecordingEnd> {
        if frame.at_ms > self.limits.recording_ms {
            self.end(frame.at_ms, RecordingEnd::Limit, out);
            return Some(RecordingEnd::Limit);
        }
        if self.is_next_file_due(track, frame) {
            if self.manifest.files() >= self.limits.files {
                self.end(frame.at_ms, RecordingEnd::Limit, out);
                return Some(RecordingEnd::Limit);
            }
            self.close_track(track, out);
        }
        let is_open = self.tracks.get(&track)?.open.is_some();
        if !is_open && !self.open_file(track, frame, out) {
            return None;
        }
        let writer = self.tracks.get_mut(&track)?;
        if let (Some(cause), Some(from_ms)) = (writer.absent.take(), writer.last_ms) {
            let to_ms = frame.at_ms;
            let gap = Gap {
                from_ms,
                to_ms,
                cause,
            };
            self.manifest.miss(track, gap);
        }
        writer.last_ms = Some(frame.at_ms);
        writer.open.as_mut()?.write(now, frame, out);
        None
    }

    /// A file is ended where another can begin: at a key frame.
    fn is_next_file_due(&self, track: u32, frame: &TrackFrame) -> bool {
        let Some(file) = self
            .tracks
            .get(&track)
            .and_then(|track| track.open.as_ref())
        else {
            return false;
        };
        let other_format = frame
            .format
            .as_ref()
            .is_some_and(|format| format.private != file.private);
        let is_full = frame.at_ms - file.began_ms.min(frame.at_ms) >= self.limits.file_ms
            || file.container.written() >= self.limits.file_bytes;
        frame.key && (file.codec != frame.codec || other_format || is_full)
    }

    /// Begins a file with this frame, if one can begin with it.
    fn open_file(&mut self, track: u32, frame: &TrackFrame, out: &mut Vec<FileCommand>) -> bool {
        let is_sound = frame.codec.kind() == MediaKind::Audio;
        let Some(writer) = self.tracks.get_mut(&track) else {
            return false;
        };
        if !frame.key || !is_sound && frame.format.is_none() {
            return false;
        }
        let format = frame.format.clone().unwrap_or_default();
        let began_unix_ms = self.manifest.began_unix_ms + frame.at_ms as i64;
        let entry = TrackEntry {
            codec: frame.codec,
            width: format.width,
            height: format.height,
            private: format.private.clone(),
            name: writer.name.clone(),
        };
        writer.files += 1;
        let extension = match (self.ogg && is_sound, doc_type(std::slice::from_ref(&entry))) {
            (true, _) => "ogg",
            (_, "webm") => "webm",
            _ => "mkv",
        };
        let source = source_name(writer.source);
        let name = format!("track-{track}-{source}-{}.{extension}", writer.files);
        let mut bytes = Vec::new();
        let container = match self.ogg && is_sound {
            true => Container::Ogg(OggWriter::new(track, &mut bytes)),
            false => Container::Matroska(Muxer::new(&[entry], began_unix_ms, &mut bytes)),
        };
        out.push(FileCommand::Open { name: name.clone() });
        out.push(FileCommand::Append {
            name: name.clone(),
            bytes,
        });
        if let Some(record) = self.manifest.track_mut(track) {
            record.files.push(FileRecord {
                name: name.clone(),
                codec: format!("{:?}", frame.codec).to_lowercase(),
                at_ms: frame.at_ms,
                duration_ms: 0,
                bytes: 0,
                width: (!is_sound).then_some(format.width),
                height: (!is_sound).then_some(format.height),
            });
        }
        writer.open = Some(OpenFile {
            name,
            began_ms: frame.at_ms,
            codec: frame.codec,
            private: format.private,
            container,
            held_since: None,
        });
        // A file that is not in the manifest would not be repaired.
        self.stale_since = None;
        self.put_manifest(out);
        true
    }

    fn close_track(&mut self, track: u32, out: &mut Vec<FileCommand>) {
        let open = self
            .tracks
            .get_mut(&track)
            .and_then(|track| track.open.take());
        let (Some(file), Some(record)) = (open, self.manifest.track_mut(track)) else {
            return;
        };
        let Some(record) = record.files.last_mut() else {
            return;
        };
        record.duration_ms = file.container.duration_ms();
        record.bytes = file.finish(out);
    }

    fn end(&mut self, at_ms: u64, why: RecordingEnd, out: &mut Vec<FileCommand>) {
        let tracks: Vec<_> = self.tracks.keys().copied().collect();
        for track in tracks {
            self.close_track(track, out);
        }
        self.tracks.clear();
        self.manifest.hush(at_ms, &self.speakers);
        self.manifest.duration_ms = Some(at_ms);
        self.manifest.ended = Some(why);
        out.push(FileCommand::Replace {
            name: SUBTITLES.to_owned(),
            bytes: subtitles(&self.manifest).into_bytes(),
        });
        self.put_manifest(out);
    }

    fn put_manifest(&self, out: &mut Vec<FileCommand>) {
        out.push(FileCommand::Replace {
            name: MANIFEST.to_owned(),
            bytes: serde_json::to_vec_pretty(&self.manifest).unwrap_or_default(),
        });
    }
}

impl OpenFile {
    fn write(&mut self, now: Instant, frame: &TrackFrame, out: &mut Vec<FileCommand>) {
        let at_ms = frame.at_ms.saturating_sub(self.began_ms);
        let mut bytes = Vec::new();
        match &mut self.container {
            Container::Matroska(muxer) => {
                let block = Block {
                    track: 0,
                    at_ms,
                    key: frame.key,
                    data: &frame.data,
                };
                muxer.write(&block, &mut bytes);
            }
            Container::Ogg(writer) => writer.write(at_ms, &frame.data, &mut bytes),
        }
        if !bytes.is_empty() {
            // What came before this frame is in the file.
            self.held_since = None;
            self.append(bytes, out);
        }
        self.held_since.get_or_insert(now);
    }

    fn flush(&mut self, out: &mut Vec<FileCommand>) {
        let mut bytes = Vec::new();
        match &mut self.container {
            Container::Matroska(muxer) => muxer.flush(&mut bytes),
            Container::Ogg(writer) => writer.flush(&mut bytes),
        }
        self.held_since = None;
        self.append(bytes, out);
    }

    fn append(&self, bytes: Vec<u8>, out: &mut Vec<FileCommand>) {
        let name = self.name.clone();
        out.push(FileCommand::Append { name, bytes });
    }

    /// Ends the file; how many bytes it has.
    fn finish(self, out: &mut Vec<FileCommand>) -> u64 {
        let written = self.container.written();
        let mut bytes = Vec::new();
        let patches = match self.container {
            Container::Matroska(muxer) => muxer.finish(&mut bytes),
            Container::Ogg(writer) => {
                writer.finish(&mut bytes);
                Vec::new()
            }
        };
        let name = self.name;
        let length = written + bytes.len() as u64;
        out.push(FileCommand::Append {
            name: name.clone(),
            bytes,
        });
        out.extend(patches.into_iter().map(|patch| FileCommand::Patch {
            name: name.clone(),
            patch,
        }));
        out.push(FileCommand::Close { name });
        length
    }
}

impl Container {
    fn written(&self) -> u64 {
        match self {
            Container::Matroska(muxer) => muxer.written(),
            Container::Ogg(writer) => writer.written(),
        }
    }

    fn duration_ms(&self) -> u64 {
        match self {
            Container::Matroska(muxer) => muxer.duration_ms(),
            Container::Ogg(writer) => writer.duration_ms(),
        }
    }
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Microphone => "microphone",
        Source::Camera => "camera",
        Source::ScreenAudio => "screen-audio",
        Source::Screen => "screen",
    }
}

#[cfg(test)]
mod tests;
