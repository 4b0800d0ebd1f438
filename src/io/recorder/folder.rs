//! The files of one recording on the disk.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::media::recording::FileCommand;

/// Kept free for the end of a recording on a disk that is full, in bytes: its cues and its manifest.
const RESERVE_BYTES: usize = 64 << 10;
/// The name of the file that keeps it.
const RESERVE: &str = ".reserve";

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: BTreeMap<String, File>,
}

impl Folder {
    /// Makes the folder, readable by the node alone.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        fs::write(path.join(RESERVE), vec![0; RESERVE_BYTES])?;
        let files = BTreeMap::new();
        Ok(Self { path, files })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still there: files that are open do not notice.
    pub(super) fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    /// Does what is wanted.
    pub(super) fn execute(&mut self, command: FileCommand) -> io::Result<()> {
        match command {
            FileCommand::Open { name } => {
                let mut options = OpenOptions::new();
                let options = options.write(true).create_new(true).mode(0o600);
                let file = options.open(self.path.join(&name))?;
                self.files.insert(name, file);
            }
            FileCommand::Append { name, bytes } => {
                let file = self.file(&name)?;
                file.seek(SeekFrom::End(0))?;
                file.write_all(&bytes)?;
            }
            FileCommand::Patch { name, patch } => {
                let file = self.file(&name)?;
                file.seek(SeekFrom::Start(patch.at))?;
                file.write_all(&patch.bytes)?;
            }
            FileCommand::Close { name } => {
                self.files.remove(&name);
            }
            FileCommand::Replace { name, bytes } => replace(&self.path.join(name), &bytes)?,
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let file = self.files.get_mut(name);
        file.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the file is not open"))
    }
}

/// Gives back what was kept free.
pub(super) fn release_reserve(folder: &Path) {
    // It may have been given back before.
    let _ = fs::remove_file(folder.join(RESERVE));
}

/// Opens a file that is there, to read it and perhaps to change it. A link is an error: it leads to what is
/// somebody else's.
pub(super) fn open(path: &Path, write: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(write);
    options.custom_flags(nix::libc::O_NOFOLLOW).open(path)
}

/// Writes a small file so that it is there whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let options = options.custom_flags(nix::libc::O_NOFOLLOW);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    fs::rename(fresh, path)
}
