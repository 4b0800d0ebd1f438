//! Where certificates and keys are kept: one folder, readable by the node alone.

use std::fs;
use std::path::{Path, PathBuf};

use super::TlsError;
use super::certificate::Pem;
use crate::io::whole_file::{make_folder, write_whole};

/// A folder below `--data-dir`.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the folder, and makes it if there is none.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn open(data: &Path, name: &str) -> Result<Self, TlsError> {
        let folder = data.join(name);
        make_folder(&folder).map_err(|error| TlsError::new(folder.display(), error))?;
        Ok(Self { folder })
    }

    /// A file's content; nothing if there is none.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    /// Writes a file so that it is there whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), TlsError> {
        let path = self.folder.join(name);
        write_whole(&path, content).map_err(|error| TlsError::new(path.display(), error))
    }

    /// The certificate and its key, if both are there.
    pub(super) fn pem(&self) -> Option<Pem> {
        Some(Pem {
            chain: self.read("cert.pem")?,
            key: self.read("key.pem")?,
        })
    }

    /// Keeps a certificate and its key.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn keep(&self, pem: &Pem) -> Result<(), TlsError> {
        self.write("key.pem", &pem.key)?;
        self.write("cert.pem", &pem.chain)
    }
}
