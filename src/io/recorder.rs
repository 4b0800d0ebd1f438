//! Recordings on the disk: one thread writes them all.
//!
//! A shard hands frames over and never waits: what a slow disk does not take is thinned out. What
//! happens to files is decided by [`Recorder`](crate::media::recording::Recorder); here it is done.

mod folder;
mod merging;
mod repair;
mod store;
mod thread;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::{io, mem};

use tokio::sync::mpsc::{Sender, WeakSender};

use crate::logic::forward::codec::MediaKind;
use crate::logic::record::manifest::GapCause;
use crate::logic::record::thinning::{Fill, Thinning};
use crate::media::recording::Word;
use crate::media::shard::ShardCommand;

pub use store::RecordingStore;

/// Bytes of frames that may wait for the disk: at 20 Mb/s more than 20 seconds.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// What a word weighs beside its data, in bytes.
const WORD_BYTES: usize = 128;

/// Something for the thread.
#[derive(Debug)]
enum Job {
    /// A room's word on its recording.
    Word(Arc<str>, Word),
    /// Write everything that is there, and end.
    Quit,
}

/// The way to the thread.
#[derive(Debug)]
pub struct RecorderHandle {
    jobs: mpsc::Sender<Job>,
    queued: Arc<AtomicUsize>,
    // Only shards' threads touch it, once per frame of a recorded room, and never for long.
    thinning: Mutex<Thinnings>,
    reports: Arc<OnceLock<WeakSender<ShardCommand>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Finished and unfinished recordings.
    pub store: RecordingStore,
}

/// Per recording and track: numbers of tracks are a recording's own.
#[derive(Debug, Default)]
struct Thinnings {
    recordings: BTreeMap<Arc<str>, (Thinning, BTreeSet<u32>)>,
}

impl RecorderHandle {
    /// Starts the thread over `<data>/recordings`, which need not be there. What a former run left
    /// unfinished is repaired meanwhile; what is older than `keep_days` is removed, now and then, unless
    /// that is 0.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(data: &Path, keep_days: u32) -> io::Result<Self> {
        let store = RecordingStore::new(data);
        let (jobs, inbox) = mpsc::channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let reports = Arc::new(OnceLock::new());
        let unfinished = store.unfinished();
        let repairs = std::thread::Builder::new().name("repair".into());
        let begun = store.clone();
        repairs.spawn(move || {
            begun.finish_removals();
            repair::repair_all(&unfinished);
        })?;
        let writer = thread::Writer::new(
            store.clone(),
            keep_days,
            Arc::clone(&queued),
            Arc::clone(&reports),
        );
        let builder = std::thread::Builder::new().name("recorder".into());
        let thread = builder.spawn(move || writer.run(&inbox))?;
        Ok(Self {
            jobs,
            queued,
            thinning: Mutex::default(),
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

    /// Passes a word on. `false` if it is a frame that the disk is too slow for. Never waits.
    pub fn record(&self, recording: Arc<str>, word: Word) -> bool {
        if !self.admits(&recording, &word) {
            return false;
        }
        let bytes = weight(&word);
        self.queued.fetch_add(bytes, Ordering::Relaxed);
        // The thread is gone only when the node stops.
        let _ = self.jobs.send(Job::Word(recording, word));
        true
    }

    fn admits(&self, recording: &Arc<str>, word: &Word) -> bool {
        let mut thinning = self.thinning.lock().unwrap_or_else(PoisonError::into_inner);
        let (track, frame) = match word {
            Word::Frame { track, frame } => (*track, frame),
            Word::End { .. } => {
                thinning.recordings.remove(recording);
                return true;
            }
            _ => return true,
        };
        let fill = Fill {
            bytes: self.queued.load(Ordering::Relaxed),
            bytes_max: QUEUE_BYTES_MAX,
        };
        let (thinning, cut) = thinning
            .recordings
            .entry(Arc::clone(recording))
            .or_default();
        let is_picture = frame.codec.kind() == MediaKind::Video;
        if !thinning.admits(track, is_picture, frame.key, fill) {
            cut.insert(track);
            return false;
        }
        if cut.remove(&track) {
            let cause = GapCause::Thinned;
            let absent = Word::Absent { track, cause };
            self.queued.fetch_add(WORD_BYTES, Ordering::Relaxed);
            let _ = self.jobs.send(Job::Word(Arc::clone(recording), absent));
        }
        true
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
