//! The thread that writes.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::WeakSender;

use super::folder::{Folder, release_reserve};
use super::merging::Merger;
use super::repair::repair;
use super::store::RecordingStore;
use super::{Job, weight};
use crate::logic::record::manifest::Manifest;
use crate::logic::record::storage::{Capacity, StorageLimits};
use crate::logic::record::thinning::Backlog;
use crate::media::recording::{FileCommand, Recorder, RecorderLimits, Word};
use crate::media::shard::ShardCommand;
use crate::protocol::server::RecordingEnd;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(200);
/// Between two looks for what is too old.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Between two looks at what all recordings take: some may have been removed.
const MEASURE_EVERY: Duration = Duration::from_secs(60);
/// The same while nothing more may be written.
const MEASURE_FULL_EVERY: Duration = Duration::from_secs(2);

/// Writes all recordings.
pub(super) struct Writer {
    store: RecordingStore,
    keep: Option<Duration>,
    limits: RecorderLimits,
    backlog: Backlog,
    capacity: Capacity,
    storage: StorageLimits,
    /// What all recordings take, in bytes, and when that was measured.
    used: Option<(u64, Instant)>,
    merger: Merger,
    reports: Arc<OnceLock<WeakSender<ShardCommand>>>,
    active: BTreeMap<Arc<str>, Active>,
    commands: Vec<FileCommand>,
    /// What is worked at: the recording, and what the word that is taken weighs.
    at: Option<Arc<str>>,
    taking: usize,
}

/// What a writer is made of.
pub(super) struct WriterConfig {
    /// Where recordings are.
    pub(super) store: RecordingStore,
    /// Days after which they go; 0: never.
    pub(super) keep_days: u32,
    /// When files end.
    pub(super) limits: RecorderLimits,
    /// What they may take of the disk.
    pub(super) storage: StorageLimits,
    /// Told how much waits.
    pub(super) backlog: Backlog,
    /// Told whether there is space.
    pub(super) capacity: Capacity,
    /// Merges what is over.
    pub(super) merger: Merger,
    /// Where it is told that a recording cannot go on.
    pub(super) reports: Arc<OnceLock<WeakSender<ShardCommand>>>,
}

struct Active {
    recorder: Recorder,
    folder: Folder,
}

impl Writer {
    /// Writes nothing yet.
    pub(super) fn new(config: WriterConfig) -> Self {
        Self {
            store: config.store,
            keep: (config.keep_days > 0).then(|| DAY * config.keep_days),
            limits: config.limits,
            backlog: config.backlog,
            capacity: config.capacity,
            storage: config.storage,
            used: None,
            merger: config.merger,
            reports: config.reports,
            active: BTreeMap::new(),
            commands: Vec::new(),
            at: None,
            taking: 0,
        }
    }

    /// Works until there is nobody left who could say anything. What panics ends the recording that it was about, or all
    /// where it was about none, and the work goes on.
    pub(super) fn run(mut self, inbox: &Receiver<Job>) {
        while catch_unwind(AssertUnwindSafe(|| self.work(inbox))).is_err() {
            self.recover();
        }
        let interrupted = catch_unwind(AssertUnwindSafe(|| self.interrupt()));
        if interrupted.is_err() {
            tracing::error!("what is unfinished is repaired at the next start");
        }
    }

    fn work(&mut self, inbox: &Receiver<Job>) {
        let (mut ticked, mut tidied) = (Instant::now(), None);
        self.watch_space(ticked);
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Job::Word(recording, word)) => {
                    self.at = Some(Arc::clone(&recording));
                    self.taking = weight(&word);
                    self.take(&recording, word);
                    self.backlog.take(self.taking);
                    (self.at, self.taking) = (None, 0);
                }
                #[cfg(test)]
                Ok(Job::Panic(recording)) => {
                    self.at = recording;
                    panic!("as it was told");
                }
                Ok(Job::Quit) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now - ticked >= TICK {
                ticked = now;
                self.watch_space(now);
                self.tick(now);
            }
            if tidied.is_none_or(|at| now - at >= TIDY_EVERY) {
                tidied = Some(now);
                if let Some(keep) = self.keep {
                    self.store.remove_older_than(keep);
                }
            }
        }
    }

    /// The work stopped in the middle: what it was about ends, and its room is told.
    fn recover(&mut self) {
        self.backlog.take(std::mem::take(&mut self.taking));
        self.commands.clear();
        let broken = match self.at.take() {
            Some(id) => vec![id],
            None => self.active.keys().cloned().collect(),
        };
        tracing::error!(
            recordings = broken.len(),
            "the recorder failed and begins anew"
        );
        let why = RecordingEnd::NodeFailed;
        for id in broken {
            let failed = catch_unwind(AssertUnwindSafe(|| self.fail(&id, why, &"the node failed")));
            if failed.is_err() {
                tracing::error!(recording = %id, "it stays as it is until the next start");
            }
        }
    }

    /// Ends what goes on when the disk has no more space for it, and tells those who record.
    fn watch_space(&mut self, now: Instant) {
        let every = match self.capacity.lacks() {
            None => MEASURE_EVERY,
            Some(_) => MEASURE_FULL_EVERY,
        };
        let used = match self.used {
            Some((bytes, at)) if now.saturating_duration_since(at) < every => bytes,
            _ => {
                let bytes = self.store.bytes();
                self.used = Some((bytes, now));
                bytes
            }
        };
        let lacking = self.storage.lacks(used, self.store.disk());
        if lacking != self.capacity.lacks() {
            tracing::info!(used, ?lacking, "space for recordings");
        }
        self.capacity.tell(lacking);
        let Some(why) = lacking else {
            return;
        };
        let ends: Vec<_> = self
            .active
            .iter()
            .map(|(id, active)| (Arc::clone(id), active.recorder.recorded_ms()))
            .collect();
        for (id, at_ms) in ends {
            tracing::warn!(recording = %id, ?why, "a recording ends early: there is no more space");
            let room = self.room_of(&id);
            self.take(&id, Word::End { at_ms, why });
            self.report(&id, room, why);
        }
    }

    fn room_of(&self, id: &Arc<str>) -> String {
        let active = self.active.get(id);
        active.map_or_else(String::new, |active| {
            active.recorder.manifest().room.clone()
        })
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
                self.merger.merge(ended.folder.path());
            }
            if let Some(ended) = ended.filter(|_| !told_to_end) {
                self.report(id, ended.recorder.manifest().room.clone(), why);
            }
        }
    }

    fn begin(&mut self, id: &Arc<str>, manifest: Manifest, ogg: bool) {
        tracing::info!(recording = %id, "recording begins");
        tracing::debug!(recording = %id, room = manifest.room, "of that room");
        if let Some(why) = self.capacity.lacks() {
            return self.report(id, manifest.room, why);
        }
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
                self.fail(&id, cause(&error), &error);
                continue;
            }
            self.at = Some(Arc::clone(&id));
            active.recorder.handle_timeout(now, &mut self.commands);
            self.execute(&id);
            self.at = None;
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
            if let (FileCommand::Append { bytes, .. }, Some((used, _))) = (&command, &mut self.used)
            {
                *used = used.saturating_add(bytes.len() as u64);
            }
            if done.is_ok() {
                done = active.folder.execute(command);
            }
        }
        match done {
            Ok(()) => true,
            Err(error) => {
                self.fail(id, cause(&error), &error);
                false
            }
        }
    }

    /// The disk is full or gone, or the node fails: what there is becomes whole, as far as that can be.
    fn fail(&mut self, id: &Arc<str>, why: RecordingEnd, error: &dyn std::fmt::Display) {
        let Some(active) = self.active.remove(id) else {
            return;
        };
        tracing::warn!(recording = %id, %error, "a recording ends early");
        let room = active.recorder.manifest().room.clone();
        let folder = active.folder.path().to_owned();
        drop(active);
        self.report(id, room, why);
        if let Err(error) = repair(&folder, why) {
            tracing::warn!(recording = %id, %error, "it stays as it is until the next start");
        }
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
