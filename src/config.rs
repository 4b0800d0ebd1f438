//! Settings, from one definition: flags, `MOTET_*` variables, a TOML file and `--help`.
//!
//! A flag beats a variable, a variable beats the file, the file beats the default. The file's keys
//! are the flags without their dashes in front.

mod doctor;
mod embedded;
mod forwards;
mod recordings;
mod secret;
mod tls;
mod values;
mod variables;
mod whip;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use motet_turn::Cidr;

use crate::logic::limits::Limits;
use crate::logic::topology::{Policy, TopologyConfig};

pub use self::doctor::{DoctorSettings, is_doctor};
pub use self::forwards::ForwardSettings;
pub use self::recordings::{RecordingChoice, RecordingSettings};
pub use self::secret::Secret;
pub use self::tls::{TlsMode, TlsSettings};
use self::values::{
    base_path, cidr, ip_address, listed, log_filter, origin, port_range, proxy, public_address,
    socket_address, stun_server, stun_url,
};
pub use self::whip::WhipSettings;

const EXAMPLES: &str = "\
Examples:
  motet
      Starts on http://localhost:8080, media on UDP 3478.
  motet --http-listen 127.0.0.1:9000 --media-port 5000
      Other ports, the web page for this machine only (put a TLS proxy in front of it).
  motet --http-listen [::]:8443 --tls self-signed
      https with a certificate of its own, so that cameras open on a local network.
  motet --http-listen [::]:443 --tls acme --domain meet.example.org
      https with a certificate that the node gets and renews by itself.
  motet --public-ip 203.0.113.7
      Behind a 1:1 NAT (most clouds): browsers are told this address for media.
  motet --stun-server stun.example.org:3478
      The same, where the address is not known or changes: the node asks that server for it.
  MOTET_ADMIN_TOKEN=$(openssl rand -hex 24) motet --config /etc/motet.toml
      A file for the settings, a variable for the secret.
  motet doctor --config /etc/motet.toml
      Checks whether that node can run here and be reached, and says what mends what.

A file holds the same settings, named like the flags:
  http-listen = \"0.0.0.0:8080\"
  public-ip = [\"203.0.113.7\"]
  mesh-max = 4

Exit codes: 0 after SIGTERM or Ctrl-C, 1 when it cannot start, 130 when told to stop twice.";

/// Everything that can be set.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "motet",
    version,
    about = "A WebRTC conference node: signaling, mesh, SFU and web client in one binary",
    long_about = "A WebRTC conference node: signaling, mesh, SFU and web client in one binary.\n\n\
        Every setting can be a flag, a variable or a line of a TOML file; the flag beats the \
        variable, the variable beats the file. Lists take commas in a variable. What looks like a \
        setting and is none is refused.",
    after_help = EXAMPLES
)]
pub struct Settings {
    /// A TOML file with settings
    #[arg(
        long,
        value_name = "PATH",
        env = "MOTET_CONFIG",
        help_heading = "General"
    )]
    pub config: Option<PathBuf>,

    /// Ask the node that runs on this machine with this --data-dir (or that listens at --http-listen) whether it is
    /// ready, and exit (0: it is)
    #[arg(long, help_heading = "General")]
    pub check: bool,

    /// What is logged: error, warn, info, debug or trace, also by module (info,motet::media=debug)
    #[arg(
        long,
        value_name = "FILTER",
        env = "MOTET_LOG",
        default_value = "info",
        value_parser = log_filter,
        help_heading = "General"
    )]
    pub log: String,

    /// How it is logged, on standard error
    #[arg(
        long,
        value_name = "FORMAT",
        env = "MOTET_LOG_FORMAT",
        default_value = "text",
        help_heading = "General"
    )]
    pub log_format: LogFormat,

    /// Where the web page, the WebSocket and the API are served; the default takes IPv4 and IPv6
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "MOTET_HTTP_LISTEN",
        default_value = "[::]:8080",
        value_parser = socket_address,
        help_heading = "Network"
    )]
    pub http_listen: SocketAddr,

    /// Whether that was among the flags.
    #[arg(skip)]
    pub is_listen_flag: bool,

    /// The path below which others reach this node, where a proxy has it there (/motet); the proxy may take it
    /// away or leave it
    #[arg(
        long,
        value_name = "PATH",
        env = "MOTET_BASE_PATH",
        default_value = "",
        hide_default_value = true,
        value_parser = base_path,
        help_heading = "Network"
    )]
    pub base_path: String,

    /// The UDP port for all media; 0 takes any free one
    #[arg(
        long,
        value_name = "PORT",
        env = "MOTET_MEDIA_PORT",
        default_value_t = 3478,
        help_heading = "Network"
    )]
    pub media_port: u16,

    /// An address of this machine for media; repeatable [default: every address of its interfaces]
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "MOTET_MEDIA_IP",
        value_delimiter = ',',
        value_parser = listed(ip_address),
        help_heading = "Network"
    )]
    pub media_ip: Vec<IpAddr>,

    /// The address that browsers are told for media instead (1:1 NAT); repeatable
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "MOTET_PUBLIC_IP",
        value_delimiter = ',',
        value_parser = listed(public_address),
        help_heading = "Network"
    )]
    pub public_ip: Vec<IpAddr>,

    /// A STUN server that tells this node its public address (1:1 NAT, an address that changes), also
    /// stun:HOST:PORT; repeatable, asked in turn, again and again
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "MOTET_STUN_SERVER",
        value_delimiter = ',',
        value_parser = listed(stun_server),
        help_heading = "Network"
    )]
    pub stun_server: Vec<String>,

    /// A STUN server for browsers besides this node, also stun:HOST:PORT or stuns:HOST:PORT; repeatable
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "MOTET_STUN",
        value_delimiter = ',',
        value_parser = listed(stun_url),
        help_heading = "Network"
    )]
    pub stun: Vec<String>,

    /// Relay for browsers that do not reach each other (TURN), on the media port
    #[arg(
        long,
        value_name = "ON|OFF",
        env = "MOTET_TURN",
        default_value = "on",
        help_heading = "Network"
    )]
    pub turn: OnOff,

    /// UDP ports for what relays send and get outside of this node; best open to the world
    #[arg(
        long,
        value_name = "FIRST-LAST",
        env = "MOTET_RELAY_PORTS",
        default_value = "50000-50999",
        value_parser = port_range,
        help_heading = "Network"
    )]
    pub relay_ports: RangeInclusive<u16>,

    /// Private addresses that relays may send to (192.168.0.0/16); repeatable [default: none]
    #[arg(
        long,
        value_name = "CIDR",
        env = "MOTET_RELAY_ALLOW",
        value_delimiter = ',',
        value_parser = listed(cidr),
        help_heading = "Network"
    )]
    pub relay_allow: Vec<Cidr>,

    /// A proxy in front of this node, or a range of them (10.0.0.0/8), whose X-Forwarded-For or
    /// Forwarded is believed; repeatable
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "MOTET_TRUSTED_PROXY",
        value_delimiter = ',',
        value_parser = listed(proxy),
        help_heading = "Network"
    )]
    pub trusted_proxy: Vec<Cidr>,

    /// How media travels: mesh and SFU by need, or always one of them
    #[arg(
        long,
        value_name = "MODE",
        env = "MOTET_TOPOLOGY",
        default_value = "auto",
        help_heading = "Rooms"
    )]
    pub topology: TopologyChoice,

    /// The largest room that is a mesh; from the next member on media goes over the node
    #[arg(
        long,
        value_name = "MEMBERS",
        env = "MOTET_MESH_MAX",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(2..=8),
        help_heading = "Rooms"
    )]
    pub mesh_max: u16,

    /// Rooms at once; a join that needs one more is refused
    #[arg(
        long,
        value_name = "N",
        env = "MOTET_MAX_ROOMS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Rooms"
    )]
    pub max_rooms: u32,

    /// Members of one room; the next one is refused
    #[arg(
        long,
        value_name = "N",
        env = "MOTET_MAX_MEMBERS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(2..=10_000),
        help_heading = "Rooms"
    )]
    pub max_members: u32,

    /// Pages of this node are for kiosks: a link that goes into a room (`?join`) opens camera and microphone
    /// without a click
    #[arg(
        long,
        value_name = "ON|OFF",
        env = "MOTET_KIOSK",
        num_args = 0..=1,
        require_equals = true,
        default_value = "off",
        default_missing_value = "on",
        help_heading = "Access"
    )]
    pub kiosk: OnOff,

    /// How long calls may go on after SIGTERM, while new rooms are refused; 0 and Ctrl-C: not at all
    #[arg(
        long,
        value_name = "SECONDS",
        env = "MOTET_DRAIN_SECONDS",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(0..=86_400),
        help_heading = "Rooms"
    )]
    pub drain_seconds: u32,

    /// How long a member whose WebSocket was lost is waited for; 0: not at all
    #[arg(
        long,
        value_name = "SECONDS",
        env = "MOTET_RESUME_GRACE",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(0..=300),
        help_heading = "Rooms"
    )]
    pub resume_grace: u32,

    /// What recordings may be and when they go
    #[command(flatten)]
    pub recordings: RecordingSettings,

    /// Members on the node at once; the next one is refused
    #[arg(
        long,
        value_name = "N",
        env = "MOTET_MAX_TOTAL_MEMBERS",
        default_value_t = 5000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Rooms"
    )]
    pub max_total_members: u32,

    /// WebSockets and members from one address (IPv6: one /64) at once; the next one is refused
    #[arg(
        long,
        value_name = "N",
        env = "MOTET_MAX_CONNECTIONS_PER_ADDRESS",
        default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "Access"
    )]
    pub max_connections_per_address: u32,

    /// Rooms at once that were opened from one address (IPv6: one /64); the next one is refused
    #[arg(
        long,
        value_name = "N",
        env = "MOTET_MAX_ROOMS_PER_ADDRESS",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Access"
    )]
    pub max_rooms_per_address: u32,

    /// Joins within a minute from one address (IPv6: one /64); the next one is refused
    #[arg(
        long,
        value_name = "N",
        env = "MOTET_MAX_JOINS_PER_MINUTE",
        default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Access"
    )]
    pub max_joins_per_minute: u32,

    /// The secret that opens the API and the metrics, instead of the one that the node makes and keeps
    /// in the file admin-token of --data-dir
    #[arg(
        long,
        value_name = "SECRET",
        env = "MOTET_ADMIN_TOKEN",
        hide_env_values = true,
        value_parser = Secret::new,
        help_heading = "Access"
    )]
    pub admin_token: Option<Secret>,

    /// Where the metrics are served without a token, and nothing else, such as 127.0.0.1:9100
    /// [default: nowhere]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "MOTET_METRICS_LISTEN",
        value_parser = socket_address,
        help_heading = "Access"
    )]
    pub metrics_listen: Option<SocketAddr>,

    /// A web page of another origin that may open the WebSocket; repeatable
    #[arg(
        long,
        value_name = "https://HOST",
        env = "MOTET_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_parser = listed(origin),
        help_heading = "Access"
    )]
    pub allow_origin: Vec<String>,

    /// TLS on the TCP port.
    #[command(flatten)]
    pub tls: TlsSettings,

    /// RTP to other programs.
    #[command(flatten)]
    pub forwards: ForwardSettings,
    /// Who may publish and view over HTTP.
    #[command(flatten)]
    pub whip: WhipSettings,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What decides between mesh and SFU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TopologyChoice {
    /// Mesh while a room is small, SFU above.
    Auto,
    /// Always peer to peer.
    Mesh,
    /// Always over the node; members never learn each other's addresses.
    Sfu,
}

/// Why there are no settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// `--help` or `--version` was asked for: the text for standard output.
    #[error("{0}")]
    Asked(String),
    /// Something is wrong: one line that says which setting, where it came from, why, and what is allowed.
    #[error("{0}")]
    Wrong(String),
}

impl Settings {
    /// Reads flags (`arguments` begins with the program's name), variables, and the file they name.
    ///
    /// # Errors
    /// [`LoadError::Asked`] for help, [`LoadError::Wrong`] for anything that does not fit.
    pub fn load(arguments: impl IntoIterator<Item = OsString>) -> Result<Settings, LoadError> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let (settings, _) = load_with(command(), &arguments)?;
        variables::check(&command(), std::env::vars_os()).map_err(LoadError::Wrong)?;
        Ok(settings)
    }

    fn checked(self) -> Result<Settings, LoadError> {
        self.tls.check().map_err(LoadError::Wrong)?;
        Ok(self)
    }

    /// The table of limits, with those that can be set.
    pub fn limits(&self) -> Limits {
        let limits = self.recordings.limit(Limits::default());
        Limits {
            rooms: self.max_rooms,
            room_members: self.max_members,
            resume_seconds: self.resume_grace,
            members: self.max_total_members,
            connections_per_address: self.max_connections_per_address,
            rooms_per_address: self.max_rooms_per_address,
            joins_per_minute: self.max_joins_per_minute,
            ..limits
        }
    }

    /// Whether a proxy is there that is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxy
            .iter()
            .any(|range| range.contains(address))
    }

    /// What decides between mesh and SFU.
    pub fn topology(&self) -> TopologyConfig {
        let policy = match self.topology {
            TopologyChoice::Auto => Policy::Auto,
            TopologyChoice::Mesh => Policy::Mesh,
            TopologyChoice::Sfu => Policy::Sfu,
        };
        TopologyConfig {
            policy,
            mesh_max: self.mesh_max.into(),
            ..TopologyConfig::default()
        }
    }
}

/// The definition of all settings, as flags.
pub fn command() -> Command {
    let is_empty = |arg: &Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    // A variable that is set to nothing counts as not set: compose files do that.
    Settings::command().mut_args(|arg| match is_empty(&arg) {
        true => arg.env(Resettable::Reset),
        false => arg.hide_env_values(true),
    })
}

/// Settings by that definition, which may have more arguments than the node's, and all that was given.
fn load_with(
    command: Command,
    arguments: &[OsString],
) -> Result<(Settings, ArgMatches), LoadError> {
    let matches = command
        .clone()
        .try_get_matches_from(arguments)
        .map_err(|error| refuse(&error, &command, &|arg| given_by(arg, arguments)))?;
    let mut settings = from_matches(&matches)?;
    let source = matches.value_source("http_listen");
    let is_listen_flag = source == Some(ValueSource::CommandLine);
    settings.is_listen_flag = is_listen_flag;
    let Some(path) = &settings.config else {
        return Ok((settings.checked()?, matches));
    };
    let unset = |id: &str| {
        !matches!(
            matches.value_source(id),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    let command = with_file(command, path, &unset)?;
    let matches = command
        .clone()
        .try_get_matches_from(arguments)
        .map_err(|error| refuse(&error, &command, &|_| path.display().to_string()))?;
    let mut settings = from_matches(&matches)?;
    settings.is_listen_flag = is_listen_flag;
    Ok((settings.checked()?, matches))
}

fn from_matches(matches: &ArgMatches) -> Result<Settings, LoadError> {
    Settings::from_arg_matches(matches).map_err(|error| LoadError::Wrong(one_line(&error)))
}

/// Puts the file's values in the place of the defaults of what is `unset` by flag or variable.
fn with_file(
    mut command: Command,
    path: &Path,
    unset: &dyn Fn(&str) -> bool,
) -> Result<Command, LoadError> {
    let wrong = |what: String| LoadError::Wrong(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error| wrong(first_line(&error, &text)))?;
    for (key, value) in table {
        let Some(id) = id_of(&command, &key) else {
            return Err(wrong(unknown_key(&command, &key)));
        };
        let values = plain_values(&value).ok_or_else(|| {
            wrong(format!(
                "{key}: expected a text, a number, or a list of them"
            ))
        })?;
        if unset(&id) {
            command = command.mut_arg(id, |arg| arg.default_values(values));
        }
    }
    Ok(command)
}

fn id_of(command: &Command, key: &str) -> Option<String> {
    file_keys(command)
        .find(|arg| arg.get_long() == Some(key))
        .map(|arg| arg.get_id().to_string())
}

/// What a file may set: everything with a value, except the name of the file.
fn file_keys(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.get_action().takes_values() && arg.get_long() != Some("config"))
}

fn plain_values(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Array(values) => values
            .iter()
            .map(|value| match value {
                toml::Value::String(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn unknown_key(command: &Command, key: &str) -> String {
    let wanted = key.replace('_', "-").to_lowercase();
    let nearest = nearest(file_keys(command).filter_map(Arg::get_long), &wanted);
    format!("there is no setting {key:?}; the nearest is {nearest:?}")
}

/// The known word that needs the fewest changes to be the wanted one.
fn nearest<'a>(known: impl Iterator<Item = &'a str>, wanted: &str) -> &'a str {
    let nearest = known.min_by_key(|known| edit_distance(known, wanted));
    nearest.unwrap_or_default()
}

/// How many characters must be inserted, removed or replaced to turn one text into the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

fn first_line(error: &toml::de::Error, text: &str) -> String {
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = error.message().lines().next().unwrap_or("not TOML");
    match line {
        Some(line) => format!("line {line}: {message}"),
        None => message.to_owned(),
    }
}

/// The flag, if it was among the arguments, or else the variable.
fn given_by(arg: &Arg, arguments: &[OsString]) -> String {
    let flag = format!("--{}", arg.get_long().unwrap_or_default());
    let is_flag = |given: &OsString| {
        let given = given.to_string_lossy();
        given == flag.as_str() || given.starts_with(&format!("{flag}="))
    };
    match arg.get_env() {
        Some(variable) if !arguments.iter().any(is_flag) => {
            format!("the variable {}", variable.to_string_lossy())
        }
        _ => "the flag".to_owned(),
    }
}

fn refuse(error: &clap::Error, command: &Command, origin: &dyn Fn(&Arg) -> String) -> LoadError {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return LoadError::Asked(error.to_string());
    }
    let named = context(error, ContextKind::InvalidArg).unwrap_or_default();
    let flag = named.split(' ').next().unwrap_or_default();
    let arg = command
        .get_arguments()
        .find(|arg| flag.strip_prefix("--") == arg.get_long());
    let value = context(error, ContextKind::InvalidValue);
    LoadError::Wrong(match (error.kind(), arg, value) {
        (ErrorKind::UnknownArgument, ..) => match context(error, ContextKind::SuggestedArg) {
            Some(near) => format!("there is no {named}; the nearest is {near}"),
            None => format!("there is no {named}; --help lists what there is"),
        },
        (ErrorKind::InvalidValue, Some(arg), Some(value)) if value.is_empty() => {
            format!("{flag} from {}: a value is missing", origin(arg))
        }
        (ErrorKind::InvalidValue, Some(arg), Some(value)) => {
            let allowed = context(error, ContextKind::ValidValue).unwrap_or_default();
            format!(
                "{flag} from {}: {value:?} is not one of {allowed}",
                origin(arg)
            )
        }
        (ErrorKind::ValueValidation, Some(arg), value) => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            let shown = if arg.get_id().as_str().ends_with("_token") {
                None
            } else {
                value
            };
            let shown = shown
                .map(|value| format!("{value:?}: "))
                .unwrap_or_default();
            format!(
                "{flag} from {}: {shown}{}",
                origin(arg),
                why.unwrap_or_default()
            )
        }
        _ => one_line(error),
    })
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or("wrong arguments");
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn load(arguments: &[&str]) -> Result<Settings, String> {
        let arguments = ["motet"].iter().chain(arguments);
        let settings = Settings::load(arguments.map(|argument| (*argument).into()));
        settings.map_err(|error| error.to_string())
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("motet.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_variable_named_like_its_flag() {
        for arg in command()
            .get_arguments()
            .filter(|arg| arg.get_action().takes_values())
        {
            let long = arg.get_long().unwrap();
            let variable = format!("MOTET_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(
                arg.get_env().and_then(|name| name.to_str()),
                Some(variable.as_str())
            );
        }
    }

    #[test]
    fn the_defaults_are_the_promised_ones() {
        let settings = load(&[]).unwrap();
        assert_eq!(
            settings.http_listen,
            "[::]:8080".parse::<SocketAddr>().unwrap()
        );
        assert_eq!((settings.media_port, settings.mesh_max), (3478, 4));
        assert_eq!(settings.limits(), Limits::default());
        assert_eq!(settings.topology(), TopologyConfig::default());
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let text =
            "mesh-max = 6\nmedia-port = 5000\nstun = [\"stun:a\", \"stun:b\"]\ntopology = \"sfu\"";
        let (_folder, path) = file(text);
        let settings = load(&["--config", &path, "--media-port", "6000"]).unwrap();
        assert_eq!((settings.media_port, settings.mesh_max), (6000, 6));
        assert_eq!(settings.stun, ["stun:a", "stun:b"]);
        assert_eq!(settings.topology, TopologyChoice::Sfu);
    }

    #[test]
    fn a_wrong_flag_says_which_and_why_and_what_is_allowed() {
        for (arguments, expected) in [
            (
                ["--mesh-max", "99"],
                "--mesh-max from the flag: \"99\": 99 is not in 2..=8",
            ),
            (
                ["--topology", "star"],
                "--topology from the flag: \"star\" is not one of auto, mesh, sfu",
            ),
            (
                ["--http-listen", "localhost"],
                "--http-listen from the flag: \"localhost\": expected an IP address and a port, \
                 such as 0.0.0.0:8080 or [::1]:8080",
            ),
            (
                ["--admin-token", "secret"],
                "--admin-token from the flag: expected at least 16 visible ASCII characters \
                 without spaces",
            ),
            (
                ["--public-ip", "0.0.0.0"],
                "--public-ip from the flag: \"0.0.0.0\": expected an address that browsers can send to",
            ),
            (
                ["--stun-server", "stuns:a.example"],
                "--stun-server from the flag: \"stuns:a.example\": expected HOST:PORT or \
                 stun:HOST:PORT, such as stun.example.org:3478",
            ),
            (
                ["--turn", "maybe"],
                "--turn from the flag: \"maybe\" is not one of on, off",
            ),
            (
                ["--relay-ports", "50000"],
                "--relay-ports from the flag: \"50000\": expected the first and the last port, \
                 such as 50000-50999",
            ),
            (
                ["--relay-ports", "9-8"],
                "--relay-ports from the flag: \"9-8\": expected the first and the last port, \
                 such as 50000-50999",
            ),
            (
                ["--relay-allow", "10.0.0.0/33"],
                "--relay-allow from the flag: \"10.0.0.0/33\": expected addresses by their common \
                 bits, such as 192.168.0.0/16 or fd00::/8",
            ),
            (
                ["--trusted-proxy", "10.0.0.0/33"],
                "--trusted-proxy from the flag: \"10.0.0.0/33\": expected an IP address or a range, \
                 such as 192.0.2.7 or 10.0.0.0/8",
            ),
            (
                ["--media-prot", "1"],
                "there is no --media-prot; the nearest is --media-port",
            ),
        ] {
            assert_eq!(load(&arguments).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_wrong_file_says_where_and_why() {
        for (text, expected) in [
            (
                "mesh-max = 99",
                "--mesh-max from PATH: \"99\": 99 is not in 2..=8",
            ),
            (
                "mesh_max = 3",
                "PATH: there is no setting \"mesh_max\"; the nearest is \"mesh-max\"",
            ),
            (
                "medai-port = 3",
                "PATH: there is no setting \"medai-port\"; the nearest is \"media-port\"",
            ),
            (
                "mesh-max = true",
                "PATH: mesh-max: expected a text, a number, or a list of them",
            ),
            (
                "config = \"a\"",
                "PATH: there is no setting \"config\"; the nearest is \"log\"",
            ),
        ] {
            let (_folder, path) = file(text);
            let error = load(&["--config", &path]).unwrap_err();
            assert_eq!(error.replace(&path, "PATH"), expected);
        }
        let (_folder, path) = file("mesh-max = 4\nmedia-port =\n");
        let error = load(&["--config", &path]).unwrap_err();
        assert!(
            error.contains(": line 2: ") && !error.contains('\n'),
            "{error}"
        );
        let error = load(&["--config", "no/such/file"]).unwrap_err();
        assert!(error.starts_with("no/such/file: No such file"), "{error}");
    }

    #[test]
    fn tls_says_what_it_still_needs() {
        for (arguments, expected) in [
            (vec!["--tls", "files"], "--tls files needs --tls-cert"),
            (
                vec!["--tls", "files", "--tls-cert", "a"],
                "--tls files needs --tls-key",
            ),
            (vec!["--tls", "acme"], "--tls acme needs --domain"),
        ] {
            assert_eq!(load(&arguments).unwrap_err(), expected);
        }
        let (_folder, path) = file("tls = \"acme\"\ndomain = [\"meet.example.org\"]");
        let settings = load(&["--config", &path]).unwrap();
        assert_eq!(settings.tls.mode, TlsMode::Acme);
        assert_eq!(settings.tls.domains, ["meet.example.org"]);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let settings = load(&["--admin-token", "0123456789abcdef"]).unwrap();
        assert!(!format!("{settings:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn edit_distance_counts_changes() {
        for (from, to, distance) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("stun", "stnu", 2),
            ("log", "logs", 1),
        ] {
            assert_eq!(edit_distance(from, to), distance, "{from} {to}");
        }
    }
}
