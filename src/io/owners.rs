//! Who owns which room, on the disk: one file of the data folder, which the node alone can read.
//!
//! A thread of its own writes it whole whenever something has changed, so that no thread that carries media ever
//! waits for a disk. Whoever makes a room and is to hear that they own it hears it once that is written
//! ([`Kept`]); what owners decide later is written a moment after they heard of it. A disk that takes nothing is
//! told once and keeps nobody waiting.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, io, mem};

use tokio::sync::watch;

use super::whole_file::{make_folder, write_whole};
use crate::logic::titles::{Title, Titles};

/// In the data folder.
const FILE: &str = "owners.json";
/// Where one goes that cannot be read.
const DAMAGED: &str = "owners.json.damaged";
/// Longer than the file of a node that is as full as it can be.
const BYTES_MAX: u64 = 16 << 20;
/// Between two writes there are so many times as long as the last one took, but no more than that.
const PAUSE: u32 = 10;
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// How long anybody waits for a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the thread.
#[derive(Debug)]
pub struct Owners {
    shared: Arc<Shared>,
    written: watch::Receiver<u64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    // Held for as long as a change or a text takes, never while the disk works.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    titles: Titles,
    /// Counts the changes.
    version: u64,
    is_over: bool,
}

/// Something to wait for: a change is on the disk, or will never be.
#[derive(Debug, Clone)]
pub struct Kept {
    version: u64,
    written: watch::Receiver<u64>,
}

/// What was kept: rooms, and for how much longer.
pub type Restored = Vec<(String, Title, Duration)>;

impl Owners {
    /// Reads what a former run left, of which only what was used within `lifetime` is still good, and starts the
    /// thread. A file that cannot be read is put aside, with a warning.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(data: &Path, lifetime: Duration) -> io::Result<(Owners, Restored)> {
        let mut titles = read(data);
        let restored = titles.restored(unix_now(), lifetime);
        titles.keep_only(&restored);
        let state = State {
            titles,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let (sender, written) = watch::channel(0);
        let writer = Writer {
            shared: Arc::clone(&shared),
            folder: data.to_owned(),
            written: sender,
            has_failed: false,
        };
        let builder = std::thread::Builder::new().name("owners".into());
        let thread = builder.spawn(move || writer.run())?;
        let thread = Mutex::new(Some(thread));
        let owners = Owners {
            shared,
            written,
            thread,
        };
        Ok((owners, restored))
    }

    /// A room has an owner; it is gone as of now, or there.
    pub fn note(&self, room: String, title: Title, is_gone: bool) -> Kept {
        let gone_at = is_gone.then(unix_now);
        self.change(|titles| titles.note(room, title, gone_at))
    }

    /// Nothing is to be kept of a room any more.
    pub fn forget(&self, room: &str) {
        self.change(|titles| titles.forget(room));
    }

    /// All that was changed until now.
    pub fn kept(&self) -> Kept {
        Kept {
            version: self.shared.lock().version,
            written: self.written.clone(),
        }
    }

    /// Writes what there is to be written and ends the thread.
    pub fn finish(&self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
        let thread = mem::take(&mut *lock(&self.thread));
        // A thread that panicked has written what it could.
        let _ = thread.map(JoinHandle::join);
    }

    fn change(&self, change: impl FnOnce(&mut Titles)) -> Kept {
        let version = {
            let mut state = self.shared.lock();
            change(&mut state.titles);
            state.version += 1;
            state.version
        };
        self.shared.changed.notify_one();
        let written = self.written.clone();
        Kept { version, written }
    }
}

impl Drop for Owners {
    /// The thread ends; nobody waits for it.
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl Kept {
    /// Waits for it, but for a disk that hangs not for ever.
    pub async fn wait(mut self) {
        let written = self.written.wait_for(|written| *written >= self.version);
        // A thread that is gone writes nothing any more.
        let _ = tokio::time::timeout(PATIENCE, written).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    written: watch::Sender<u64>,
    has_failed: bool,
}

impl Writer {
    fn run(mut self) {
        while let Some((version, text)) = self.next() {
            let begun = Instant::now();
            let wrote = make_folder(&self.folder)
                .and_then(|()| write_whole(&self.folder.join(FILE), text.as_bytes()));
            if let Err(error) = &wrote
                && !self.has_failed
            {
                tracing::warn!(%error, "who owns which room cannot be written to the data folder: \
                    it will be forgotten when the node stops");
            }
            self.has_failed = wrote.is_err();
            self.written.send_replace(version);
            self.rest((begun.elapsed() * PAUSE).min(PAUSE_MAX));
        }
    }

    /// Waits for something to be written; nothing when there is nothing left and it is over.
    fn next(&self) -> Option<(u64, String)> {
        let mut state = self.shared.lock();
        let written = *self.written.borrow();
        while state.version == written {
            if state.is_over {
                return None;
            }
            let woken = self.shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        Some((state.version, state.titles.to_text()))
    }

    /// Not when the node stops.
    fn rest(&self, pause: Duration) {
        let state = self.shared.lock();
        let changed = &self.shared.changed;
        let _ = changed.wait_timeout_while(state, pause, |state| !state.is_over);
    }
}

fn read(data: &Path) -> Titles {
    let path = data.join(FILE);
    let found = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Titles::default(),
        Ok(found) if found.len() > BYTES_MAX => Err(format!("it is longer than {BYTES_MAX} bytes")),
        Ok(_) => fs::read_to_string(&path).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let titles = found.and_then(|text| Titles::from_text(&text).map_err(|error| error.to_string()));
    titles.unwrap_or_else(|why| {
        // Kept for whoever can make sense of it, if it can be.
        let _ = fs::rename(&path, data.join(DAMAGED));
        tracing::warn!(
            path = %path.display(),
            why,
            "who owned which room is not known any more: whoever comes first owns one; the file is kept as {DAMAGED}"
        );
        Titles::default()
    })
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::logic::titles::OwnerMark;
    use crate::protocol::server::Rules;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn title(byte: u8) -> Title {
        Title {
            owner: OwnerMark::new([byte; 32]),
            rules: Rules::default(),
        }
    }

    fn rooms(restored: &Restored) -> Vec<&str> {
        restored.iter().map(|(room, ..)| room.as_str()).collect()
    }

    #[tokio::test]
    async fn what_is_kept_is_there_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (owners, restored) = Owners::start(&data, DAY).unwrap();
        assert_eq!(restored, []);
        owners.note("a".into(), title(1), false).wait().await;
        let (_another, restored) = Owners::start(&data, DAY).unwrap();
        assert_eq!(rooms(&restored), ["a"], "on the disk once it is said to be");
        owners.note("b".into(), title(2), true);
        owners.note("c".into(), title(3), false);
        owners.forget("a");
        owners.finish();
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (_, restored) = Owners::start(&data, DAY).unwrap();
        assert_eq!(rooms(&restored), ["b", "c"]);
        assert_eq!(restored[0].1, title(2));
        let (_, restored) = Owners::start(&data, Duration::ZERO).unwrap();
        assert_eq!(restored, []);
    }

    #[tokio::test]
    async fn a_damaged_file_is_put_aside() {
        for content in [&b"{"[..], b"", b"\xff\xff", br#"{"version":9,"rooms":[]}"#] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), content).unwrap();
            let (owners, restored) = Owners::start(folder.path(), DAY).unwrap();
            assert_eq!(restored, []);
            assert_eq!(fs::read(folder.path().join(DAMAGED)).unwrap(), content);
            owners.note("a".into(), title(1), false).wait().await;
            let (_, restored) = Owners::start(folder.path(), DAY).unwrap();
            assert_eq!(rooms(&restored), ["a"]);
        }
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("file");
        fs::write(&data, b"no folder").unwrap();
        let (owners, _) = Owners::start(&data, DAY).unwrap();
        owners.note("a".into(), title(1), false).wait().await;
        owners.finish();
        owners.kept().wait().await;
    }
}
