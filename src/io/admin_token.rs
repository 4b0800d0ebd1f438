//! The secret that opens the API: from the settings, or one that the node makes once and keeps.
//!
//! No address opens it: behind a proxy, a tunnel or a port that was forwarded, everybody comes from
//! this machine.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::whole_file::{make_folder, write_whole};
use crate::config::{Secret, Settings};

/// Its name in the data folder.
const FILE: &str = "admin-token";

/// The secret, and where whoever manages the node finds it.
#[derive(Debug)]
pub struct AdminToken {
    /// What must be shown.
    pub secret: Secret,
    /// The file that it stands in, if it is not from the settings.
    pub file: Option<PathBuf>,
}

/// There is a file with a token, and it is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct TokenError {
    file: PathBuf,
    why: String,
}

impl AdminToken {
    /// The token of the settings; or else that of the data folder, which is made when there is none.
    ///
    /// Where it cannot be kept, the node runs all the same and nobody opens its API.
    ///
    /// # Errors
    /// If the file is there but cannot be read, or holds no token.
    pub fn of(settings: &Settings) -> Result<Self, TokenError> {
        if let Some(secret) = settings.admin_token.clone() {
            return Ok(Self { secret, file: None });
        }
        let file = settings.tls.data_dir.join(FILE);
        if let Some(secret) = read(&file)? {
            let file = Some(file);
            return Ok(Self { secret, file });
        }
        // Of the process's cryptographic generator.
        let secret = Secret::of_bits(rand::random());
        let kept = keep(&file, &secret);
        if let Err(error) = &kept {
            let file = file.display();
            tracing::warn!(
                %file,
                %error,
                "the admin token cannot be kept, so nobody can use the API: make the data folder writable, or set \
                 --admin-token"
            );
        }
        let file = kept.is_ok().then_some(file);
        Ok(Self { secret, file })
    }
}

fn read(file: &Path) -> Result<Option<Secret>, TokenError> {
    let wrong = |why: String| {
        let file = file.to_owned();
        TokenError { file, why }
    };
    match fs::read_to_string(file) {
        Ok(text) => Secret::new(text.trim())
            .map(Some)
            .map_err(|why| wrong(format!("{why}; without the file the node makes another"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn keep(file: &Path, secret: &Secret) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        make_folder(folder)?;
    }
    write_whole(file, format!("{}\n", secret.reveal()).as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn token(folder: &Path, flags: &[&str]) -> Result<AdminToken, TokenError> {
        let folder = folder.join("data");
        let own = ["motet", "--data-dir", folder.to_str().unwrap()];
        let arguments = own.iter().chain(flags).map(Into::into);
        AdminToken::of(&Settings::load(arguments).unwrap())
    }

    #[test]
    fn it_is_made_once_and_kept_for_the_node_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = token(folder.path(), &[]).unwrap();
        let file = first.file.unwrap();
        assert_eq!(file, folder.path().join("data/admin-token"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert!(first.secret.reveal().len() >= 32);
        let again = token(folder.path(), &[]).unwrap();
        assert_eq!(again.secret, first.secret);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = token(elsewhere.path(), &[]).unwrap();
        assert_ne!(other.secret, first.secret);
    }

    #[test]
    fn the_setting_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let set = token(folder.path(), &["--admin-token", "0123456789abcdef"]).unwrap();
        assert_eq!((set.secret.reveal(), set.file), ("0123456789abcdef", None));
        assert!(!folder.path().join("data").exists());
    }

    #[test]
    fn a_file_of_no_use_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join(FILE), "short\n").unwrap();
        let error = token(folder.path(), &[]).unwrap_err().to_string();
        assert!(
            error.contains("admin-token: expected at least 16"),
            "{error}"
        );
        assert!(!error.contains("short"), "{error}");
    }

    #[test]
    fn where_it_cannot_be_kept_there_is_one_that_nobody_knows() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("data"), "a file").unwrap();
        let error = token(folder.path(), &[]);
        // A file in the folder's place: nothing can be read there either.
        assert!(error.is_err());
        fs::remove_file(folder.path().join("data")).unwrap();
        std::os::unix::fs::symlink("/proc/nowhere", folder.path().join("data")).unwrap();
        let made = token(folder.path(), &[]).unwrap();
        assert_eq!(made.file, None);
        assert!(made.secret.reveal().len() >= 32);
    }
}
