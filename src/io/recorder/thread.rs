//! The thread that writes.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::WeakSender;

use super::folder::{Folder, release_reserve};
use super::merging::merge_in_background;
use super::repair::repair;
use super::store::RecordingStore;
use super::{Job, weight};
use crate::logic::record::manifest::Manifest;
use crate::logic::record::thinning::Backlog;
use crate::media::recording::{FileCommand, Recorder, RecorderLimits, Word};
use crate::media::shard::ShardCommand;
use crate::protocol::server::RecordingEnd;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(200);
/// Between two looks for what is too old.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Writes all recordings.
pub(super) struct Writer {
    store: RecordingStore,
    keep: Option<Duration>,
    limits: RecorderLimits,
    backlog: Backlog,
    reports: Arc<OnceLock<WeakSender<ShardCommand>>>,
    active: BTreeMap<Arc<str>, Active>,
    commands: Vec<FileCommand>,
}

struct Active {
    recorder: Recorder,
    folder: Folder,
}

impl Writer {
    /// Writes nothing yet.
    pub(super) fn new(
        store: RecordingStore,
        (keep_days, limits): (u32, RecorderLimits),
        backlog: Backlog,
        reports: Arc<OnceLock<WeakSender<ShardCommand>>>,
    ) -> Self {
        Self {
            store,
            keep: (keep_days > 0).then(|| DAY * keep_days),
            limits,
            backlog,
            reports,
            active: BTreeMap::new(),
            commands: Vec::new(),
        }
    }

    /// Works until there is nobody left who could say anything.
    pub(super) fn run(mut self, inbox: &Receiver<Job>) {
        let (mut ticked, mut tidied) = (Instant::now(), None);
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Job::Word(recording, word)) => {
                    let bytes = weight(&word);
                    self.take(&recording, word);
                    self.backlog.take(bytes);
                }
                Ok(Job::Quit) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now - ticked >= TICK {
                ticked = now;
                self.tick(now);
            }
            if tidied.is_none_or(|at| now - at >= TIDY_EVERY) {
                tidied = Some(now);
                if let Some(keep) = self.keep {
                    self.store.remove_older_than(keep);
                }
            }
        }
        self.interrupt();
    }

    fn take(&mut self, id: &Arc<str>, word: Word) {
        if let Word::Begin { manifest, ogg } = word {
            return self.begin(id, *manifest, ogg);
        }
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        let told_to_end = matches!(word, Word::End { .. });
        let ended = active
            .recorder
            .handle(Instant::now(), word, &mut self.commands);
        if ended.is_some() {
            // What is kept free is for this.
            release_reserve(active.folder.path());
        }
        if !self.execute(id) {
            return;
        }
        if let Some(why) = ended {
            tracing::info!(recording = %id, ?why, "recording ended");
            let ended = self.active.remove(id);
            if let Some(ended) = ended.as_ref().filter(|_| why != RecordingEnd::Interrupted) {
                merge_in_background(ended.folder.path());
            }
            if let Some(ended) = ended.filter(|_| !told_to_end) {
                self.report(id, ended.recorder.manifest().room.clone(), why);
            }
        }
    }

    fn begin(&mut self, id: &Arc<str>, manifest: Manifest, ogg: bool) {
        tracing::info!(recording = %id, "recording begins");
        tracing::debug!(recording = %id, room = manifest.room, "of that room");
        match Folder::create(self.store.folder(id)) {
            Ok(folder) => {
                let recorder = Recorder::new(manifest, ogg, self.limits, &mut self.commands);
                let active = Active { recorder, folder };
                self.active.insert(Arc::clone(id), active);
                self.execute(id);
            }
            Err(error) => {
                tracing::warn!(recording = %id, %error, "a recording cannot be begun");
                self.report(id, manifest.room, cause(&error));
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let ids: Vec<_> = self.active.keys().cloned().collect();
        for id in ids {
            let Some(active) = self.active.get_mut(&id) else {
                continue;
            };
            if !active.folder.is_there() {
                let error = io::Error::new(io::ErrorKind::NotFound, "the folder is gone");
                self.fail(&id, &error);
                continue;
            }
            active.recorder.handle_timeout(now, &mut self.commands);
            self.execute(&id);
        }
    }

    /// Carries out what a recording wants. `false` if the disk does not let it go on.
    fn execute(&mut self, id: &Arc<str>) -> bool {
        let Some(active) = self.active.get_mut(id) else {
            self.commands.clear();
            return false;
        };
        let mut done = Ok(());
        for command in self.commands.drain(..) {
            if done.is_ok() {
                done = active.folder.execute(command);
            }
        }
        match done {
            Ok(()) => true,
            Err(error) => {
                self.fail(id, &error);
                false
            }
        }
    }

    /// The disk is full or gone: what there is becomes whole, as far as that can be.
    fn fail(&mut self, id: &Arc<str>, error: &io::Error) {
        let Some(active) = self.active.remove(id) else {
            return;
        };
        let why = cause(error);
        tracing::warn!(recording = %id, %error, "a recording ends early");
        let room = active.recorder.manifest().room.clone();
        let folder = active.folder.path().to_owned();
        drop(active);
        if let Err(error) = repair(&folder, why) {
            tracing::warn!(recording = %id, %error, "it stays as it is until the next start");
        }
        self.report(id, room, why);
    }

    fn report(&self, id: &Arc<str>, room: String, why: RecordingEnd) {
        let recording = id.to_string();
        let command = ShardCommand::RecordingFailed {
            room,
            recording,
            why,
        };
        if let Some(shard) = self.reports.get().and_then(WeakSender::upgrade) {
            // A shard that has ended has nobody to tell.
            let _ = shard.blocking_send(command);
        }
    }

    /// The node ends: so does what goes on.
    fn interrupt(&mut self) {
        let ends: Vec<_> = self
            .active
            .iter()
            .map(|(id, active)| (Arc::clone(id), active.recorder.recorded_ms()))
            .collect();
        for (id, at_ms) in ends {
            let why = RecordingEnd::Interrupted;
            self.take(&id, Word::End { at_ms, why });
        }
    }
}

fn cause(error: &io::Error) -> RecordingEnd {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RecordingEnd::DiskFull,
        _ => RecordingEnd::DiskFailed,
    }
}
