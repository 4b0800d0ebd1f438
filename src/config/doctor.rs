//! The command line of `motet doctor`: the node's own settings, and how to report.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::{LoadError, Settings, command, load_with, variables};

const ABOUT: &str = "\
Checks whether a node with these settings can run on this machine, and be reached.

Give it what you give the node: the same flags, the same MOTET_* variables, the same --config
(`motet --help` lists them). A node that runs already is recognised and is no problem.

It looks at
  ports      are the TCP port, the UDP media port and the relay ports free, or the node's own?
  buffers    does the kernel keep enough for UDP when many pictures begin at once?
  files      may the node open as many files as it may get connections and relays?
  address    what are browsers told, is it public, does a STUN server see the same, is there a
             NAT, does the node reach itself from outside?
  firewall   where ufw is on: does it let in what the node needs?
  tls        can the certificate be read, is it for the names, does it still hold; or: does the
             certificate authority answer, and does port 443 of each name lead here?
  clock      is it kept by NTP, does it agree with the certificate authority or --time-from?
  disk       can --data be written, and is there room?

Nothing is changed. Beyond this machine, only the servers and names in the settings are asked.";

const EXAMPLES: &str = "\
Examples:
  motet doctor
      With the default settings.
  motet doctor --http-listen [::]:443 --tls acme --domain meet.example.org
      Before starting a node that gets its certificate by itself.
  motet doctor --config /etc/motet.toml --json
      For programs: {\"outcome\": \"ok\", \"findings\": [{\"check\", \"outcome\", \"text\", \"mend\"}]}.

Exit codes: 0 if there is no problem (there may be warnings), 1 if there is one.";

/// What `motet doctor` was asked.
#[derive(Debug, Clone)]
pub struct DoctorSettings {
    /// Of the node that is checked.
    pub node: Settings,
    /// For programs instead of people.
    pub json: bool,
    /// An https URL of somebody whose clock ours is compared with.
    pub time_from: Option<String>,
}

/// Whether the arguments (the program's name first) are for `motet doctor`.
pub fn is_doctor(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|word| word == "doctor")
}

impl DoctorSettings {
    /// Reads what follows `motet doctor`, as [`Settings::load`] does.
    ///
    /// # Errors
    /// As there.
    pub fn load(arguments: Vec<OsString>) -> Result<Self, LoadError> {
        let mut arguments = arguments;
        if is_doctor(&arguments) {
            arguments.remove(1);
        }
        let (node, matches) = load_with(doctor_command(), &arguments)?;
        variables::check(&command(), std::env::vars_os()).map_err(LoadError::Wrong)?;
        let json = matches.get_flag("json");
        let time_from = matches.get_one::<String>("time-from").cloned();
        Ok(Self {
            node,
            json,
            time_from,
        })
    }
}

/// The node's settings are taken and not listed again.
fn doctor_command() -> Command {
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Report in JSON");
    let time_from = Arg::new("time-from")
        .long("time-from")
        .value_name("https://HOST")
        .value_parser(super::tls::https_url)
        .help("A server whose clock this one is compared with");
    command()
        .mut_args(|arg| arg.hide(true))
        .name("motet doctor")
        .bin_name("motet doctor")
        .override_usage("motet doctor [the settings of the node] [--json] [--time-from URL]")
        .about("Checks whether a node with these settings can run here")
        .long_about(ABOUT)
        .after_help(EXAMPLES)
        .disable_version_flag(true)
        .arg(json)
        .arg(time_from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(arguments: &[&str]) -> Result<DoctorSettings, LoadError> {
        DoctorSettings::load(arguments.iter().map(OsString::from).collect())
    }

    #[test]
    fn the_definition_is_sound() {
        doctor_command().debug_assert();
    }

    #[test]
    fn it_takes_the_nodes_settings_and_its_own() {
        let flags = [
            "--media-port",
            "5000",
            "--json",
            "--time-from",
            "https://a.example",
        ];
        let asked = load(&[&["motet", "doctor"][..], &flags].concat()).unwrap();
        assert_eq!((asked.node.media_port, asked.json), (5000, true));
        assert_eq!(asked.time_from.as_deref(), Some("https://a.example"));
        assert!(!load(&["motet", "doctor"]).unwrap().json);
    }

    #[test]
    fn what_is_wrong_is_said_as_the_node_says_it() {
        let error = load(&["motet", "doctor", "--mesh-max", "99"]).unwrap_err();
        let expected = "--mesh-max from the flag: \"99\": 99 is not in 2..=8";
        assert_eq!(error, LoadError::Wrong(expected.to_owned()));
    }

    #[test]
    fn help_teaches_what_is_checked_and_lists_no_setting_twice() {
        let Err(LoadError::Asked(help)) = load(&["motet", "doctor", "--help"]) else {
            panic!("no help");
        };
        for word in [
            "--json",
            "--time-from",
            "ports",
            "Exit codes:",
            "motet --help",
        ] {
            assert!(help.contains(word), "{word}: {help}");
        }
        assert!(!help.contains("--mesh-max"), "{help}");
    }
}
