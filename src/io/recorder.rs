//! Recordings on the disk: one thread writes them all.
//!
//! A shard hands frames over and never waits: what a slow disk does not take is thinned out. What
//! happens to files is decided by [`Recorder`](crate::media::recording::Recorder); here it is done.

mod folder;
mod merging;
mod repair;
mod store;
mod thread;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::{io, mem};

use tokio::sync::mpsc::{Sender, WeakSender};

use super::data_lock::DataLock;
use crate::logic::limits::Limits;
use crate::logic::record::storage::{Capacity, StorageLimits};
use crate::logic::record::thinning::Backlog;
use crate::media::recording::{RecorderLimits, Word};
use crate::media::shard::ShardCommand;

use merging::Merger;
pub use store::RecordingStore;

/// What a word weighs beside its data, in bytes.
const WORD_BYTES: usize = 128;

/// Something for the thread.
#[derive(Debug)]
enum Job {
    /// A room's word on its recording.
    Word(Arc<str>, Word),
    /// Write everything that is there, and end.
    Quit,
    /// Fail, at work on that recording.
    #[cfg(test)]
    Panic(Option<Arc<str>>),
}

/// The way to the thread.
#[derive(Debug)]
pub struct RecorderHandle {
    jobs: mpsc::Sender<Job>,
    backlog: Backlog,
    capacity: Capacity,
    reports: Arc<OnceLock<WeakSender<ShardCommand>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Finished and unfinished recordings.
    pub store: RecordingStore,
}

impl RecorderHandle {
    /// Starts the thread over `<data>/recordings`, which need not be there. What a former run left
    /// unfinished is repaired meanwhile, if the folder is this node's; what is older than `keep_days` is removed, now and
    /// then, unless that is 0. Files are as long and as large as `limits` say.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(
        (data, lock): (&Path, DataLock),
        keep_days: u32,
        limits: &Limits,
    ) -> io::Result<Self> {
        let store = RecordingStore::new(data);
        let (jobs, inbox) = mpsc::channel();
        let (backlog, capacity) = (
            Backlog::new(limits.recording_queue_bytes),
            Capacity::default(),
        );
        let reports = Arc::new(OnceLock::new());
        let storage = StorageLimits::new(limits);
        let unfinished = match lock.is_held() {
            true => store.unfinished(),
            false => Vec::new(),
        };
        let begun = store.clone();
        let is_ours = lock.is_held();
        let first = move |merge: &dyn Fn(&Path)| {
            if is_ours {
                begun.finish_removals();
                repair::repair_all(&unfinished, merge);
            }
        };
        let merger = Merger::start((store.clone(), storage), limits.recording_merges, first)?;
        let writer = thread::Writer::new(thread::WriterConfig {
            store: store.clone(),
            keep_days: if lock.is_held() { keep_days } else { 0 },
            limits: RecorderLimits::from(limits),
            storage,
            backlog: backlog.clone(),
            capacity: capacity.clone(),
            merger,
            reports: Arc::clone(&reports),
        });
        let builder = std::thread::Builder::new().name("recorder".into());
        let thread = builder.spawn(move || {
            writer.run(&inbox);
            // Until here the folder is this node's.
            drop(lock);
        })?;
        Ok(Self {
            jobs,
            backlog,
            capacity,
            reports,
            thread: Mutex::new(Some(thread)),
            store,
        })
    }

    /// Where it is told that a recording cannot go on.
    pub fn report_to(&self, shard: &Sender<ShardCommand>) {
        // There is one shard, and it is named once. A shard ends when nobody can tell it anything.
        let _ = self.reports.set(shard.downgrade());
    }

    /// How much waits for the disk: what decides which frames are worth recording.
    pub fn backlog(&self) -> Backlog {
        self.backlog.clone()
    }

    /// Whether there is space for another recording.
    pub fn capacity(&self) -> Capacity {
        self.capacity.clone()
    }

    /// Passes a word on. Never waits: what there is no room for was left out before.
    pub fn record(&self, recording: Arc<str>, word: Word) {
        self.backlog.add(weight(&word));
        // The thread is gone only when the node stops.
        let _ = self.jobs.send(Job::Word(recording, word));
    }

    /// Writes everything that is there and ends the thread.
    pub fn finish(&self) {
        let _ = self.jobs.send(Job::Quit);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = mem::take(&mut *thread) {
            // A thread that panicked has written what it could.
            let _ = thread.join();
        }
    }
}

fn weight(word: &Word) -> usize {
    match word {
        Word::Frame { frame, .. } => WORD_BYTES + frame.data.len(),
        _ => WORD_BYTES,
    }
}

#[cfg(test)]
mod tests;
