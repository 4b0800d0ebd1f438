//! Settings of a node inside another program: that program's environment is not the node's.

use std::ffi::OsString;

use clap::builder::Resettable;

use super::{LoadError, Settings, command, load_with};

impl Settings {
    /// Reads flags, without a program's name, and the file they name; no variables.
    ///
    /// # Errors
    /// [`LoadError::Wrong`] for anything that does not fit.
    pub fn of_flags(flags: impl IntoIterator<Item = OsString>) -> Result<Settings, LoadError> {
        let mut arguments = vec![OsString::from("motet")];
        arguments.extend(flags);
        let command = command().mut_args(|arg| arg.env(Resettable::Reset));
        load_with(command, &arguments).map(|(settings, _)| settings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn flags_count_and_what_does_not_fit_is_named() {
        let of = |flags: &[&str]| Settings::of_flags(flags.iter().map(OsString::from));
        assert_eq!(of(&[]).unwrap().media_port, 3478);
        let settings = of(&["--media-port=0", "--stun=stun:a:1", "--stun=stun:b:2"]).unwrap();
        assert_eq!(settings.media_port, 0);
        assert_eq!(settings.stun, ["stun:a:1", "stun:b:2"]);
        let wrong = of(&["--media-prot=0"]).unwrap_err();
        assert!(wrong.to_string().contains("--media-port"), "{wrong}");
        assert!(of(&["--check"]).is_ok_and(|settings| settings.check));
    }
}
