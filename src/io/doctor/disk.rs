//! The data folder: whether it can be written, and what is left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::words;
use crate::config::{Settings, TlsMode};
use crate::doctor::disk::DiskFacts;

pub(super) fn look(settings: &Settings) -> DiskFacts {
    let path = &settings.tls.data_dir;
    let nearest = nearest(path);
    DiskFacts {
        path: path.display().to_string(),
        is_writable: try_write(&nearest).map_err(|error| words(&error)),
        free_bytes: free_bytes(&nearest),
        is_needed: matches!(settings.tls.mode, TlsMode::SelfSigned | TlsMode::Acme),
    }
}

/// The folder itself, or the nearest one above that exists: there it would be made.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let exists = absolute.ancestors().find(|folder| folder.exists());
    exists.unwrap_or(Path::new("/")).to_owned()
}

/// Makes a file and removes it again.
fn try_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".motet-doctor-{}", std::process::id()));
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path);
    made.and_then(|_| fs::remove_file(&path))
}

/// By `df`, whose output POSIX fixes; unknown where there is none.
fn free_bytes(folder: &Path) -> Option<u64> {
    let output = Command::new("df")
        .args(["-Pk", "--"])
        .arg(folder)
        .output()
        .ok()?;
    available(&String::from_utf8(output.stdout).ok()?)
}

/// The fourth word behind the name, which may have spaces: counted from the last percentage.
fn available(df: &str) -> Option<u64> {
    let words: Vec<&str> = df.lines().nth(1)?.split_whitespace().collect();
    let percent = words.iter().rposition(|word| word.ends_with('%'))?;
    let kib: u64 = words.get(percent.checked_sub(1)?)?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_left_is_read_from_df() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        for (line, expected) in [
            ("/dev/vda 100 60 40 60% /", Some(40 * 1024)),
            ("//host/a b 100 60 40 60% /mnt/a b", Some(40 * 1024)),
            ("none - - - - /x", None),
            ("", None),
        ] {
            assert_eq!(available(&format!("{head}{line}\n")), expected, "{line}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        assert_eq!(nearest(&inner), folder.path());
        assert!(try_write(folder.path()).is_ok());
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing stays"
        );
        assert!(free_bytes(folder.path()).is_some());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(try_write(&file).is_err(), "a file is no folder");
    }
}
