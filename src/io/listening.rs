//! Where a running node listens, left for `motet --check`, which may not know its settings: a container's health
//! check gets none of the node's flags.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::whole_file::{make_folder, write_whole};

/// Its name in the data folder.
const FILE: &str = "listening";
/// A second place, where there is such a folder (containers have it): also the data folder may be set by a flag.
const RUN: &str = "/run/motet";

/// What was left, and is taken back when it is dropped.
#[derive(Debug)]
pub(super) struct Listening(Vec<PathBuf>);

impl Listening {
    /// Leaves word.
    pub(super) fn leave(data: &Path, at: SocketAddr) -> Self {
        Self::leave_in(data, Path::new(RUN), at)
    }

    fn leave_in(data: &Path, run: &Path, at: SocketAddr) -> Self {
        let text = format!("{at}\n");
        let write = |folder: &Path| -> io::Result<PathBuf> {
            let file = folder.join(FILE);
            write_whole(&file, text.as_bytes())?;
            Ok(file)
        };
        let in_data = make_folder(data).and_then(|()| write(data));
        if let Err(error) = &in_data {
            let data = data.display();
            tracing::debug!(%data, %error, "cannot leave where the node listens");
        }
        Self(in_data.into_iter().chain(write(run)).collect())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for file in &self.0 {
            // Whoever cleaned up before has done it.
            let _ = fs::remove_file(file);
        }
    }
}

/// Where the node with that data folder listens, or the one of this container.
pub fn find(data: &Path) -> Option<SocketAddr> {
    find_in(data, Path::new(RUN))
}

fn find_in(data: &Path, run: &Path) -> Option<SocketAddr> {
    let read = |folder: &Path| {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        text.trim().parse().ok()
    };
    read(data).or_else(|| read(run))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_left_in_both_places_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let [data, run, other] = ["data", "run", "other"].map(|name| folder.path().join(name));
        let at: SocketAddr = "127.0.0.1:8443".parse().unwrap();
        let only_data = Listening::leave_in(&data, &run, at);
        assert_eq!(find_in(&data, &run), Some(at));
        assert!(!run.exists(), "only where there is such a folder");
        drop(only_data);
        assert_eq!(find_in(&data, &run), None);
        fs::create_dir(&run).unwrap();
        let both = Listening::leave_in(&data, &run, at);
        assert_eq!(find_in(&other, &run), Some(at), "with another data folder");
        drop(both);
        assert_eq!(find_in(&other, &run), None);
    }

    #[test]
    fn where_there_is_no_data_folder_the_other_place_does() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::write(&data, "a file").unwrap();
        let at: SocketAddr = "[::1]:80".parse().unwrap();
        let _left = Listening::leave_in(&data, folder.path(), at);
        assert_eq!(find_in(&data, folder.path()), Some(at));
    }
}
