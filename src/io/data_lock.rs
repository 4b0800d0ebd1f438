//! The data folder is one node's at a time: what another one writes there is not finished, renewed or removed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that is locked. It stays: only its lock says that a node runs, and the system ends that with the process.
const NAME: &str = "lock";

/// Keeps other nodes out of the folder for as long as there is a copy of it.
#[derive(Debug, Clone, Default)]
pub struct DataLock(Option<Arc<File>>);

/// Another node has the folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "another node{} uses the data folder {}; end it, or give this one a folder of its own by --data-dir",
    .process.map(|number| format!(" (process {number})")).unwrap_or_default(),
    .folder.display()
)]
pub struct DataInUse {
    folder: PathBuf,
    process: Option<u32>,
}

impl DataLock {
    /// Takes the folder, which is made if there is none. Where it can be neither made nor locked, the node runs without.
    ///
    /// # Errors
    /// If another node has it.
    pub fn take(folder: &Path) -> Result<Self, DataInUse> {
        let locked = open(folder).and_then(|file| match file.try_lock() {
            Ok(()) => Ok(Ok(file)),
            Err(TryLockError::WouldBlock) => Ok(Err(file)),
            Err(TryLockError::Error(error)) => Err(error),
        });
        match locked {
            Ok(Ok(mut file)) => {
                if let Err(error) = sign(&mut file) {
                    tracing::debug!(%error, "the lock does not say whose it is");
                }
                Ok(Self(Some(Arc::new(file))))
            }
            Ok(Err(mut file)) => Err(DataInUse {
                folder: folder.to_owned(),
                process: signature(&mut file),
            }),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "the data folder cannot be locked; what is unfinished there is left alone");
                Ok(Self(None))
            }
        }
    }

    /// Whether the folder is this node's: only then may it mend what it finds there.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

fn open(folder: &Path) -> io::Result<File> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(folder.join(NAME))
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    write!(file, "{}", std::process::id())
}

fn signature(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_folder_is_one_nodes_until_its_last_copy_is_gone() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("a/b");
        let lock = DataLock::take(&folder).unwrap();
        assert!(lock.is_held());
        let copy = lock.clone();
        drop(lock);
        let refused = DataLock::take(&folder).unwrap_err().to_string();
        let expected = format!(
            "another node (process {}) uses the data folder",
            std::process::id()
        );
        assert!(
            refused.starts_with(&expected) && !refused.contains('\n'),
            "{refused}"
        );
        drop(copy);
        assert!(
            DataLock::take(&folder).unwrap().is_held(),
            "the file is still there"
        );
    }

    #[test]
    fn a_lock_that_a_dead_node_left_says_nothing() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join(NAME), "4711 and more than a number").unwrap();
        let lock = DataLock::take(data.path()).unwrap();
        assert!(lock.is_held());
        let left = fs::read_to_string(data.path().join(NAME)).unwrap();
        assert_eq!(left, std::process::id().to_string());
    }

    #[test]
    fn where_nothing_can_be_locked_a_node_runs_without() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(!DataLock::take(&file).unwrap().is_held());
    }
}
