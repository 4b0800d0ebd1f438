//! Variables that look like settings and are none.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::nearest;

const PREFIX: &str = "MOTET_";

/// Whether every `MOTET_…` variable is a setting's. One that is set to nothing counts as not set.
///
/// # Errors
/// One line with the nearest name, for the first that is none.
pub(super) fn check(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), String> {
    let known: Vec<&str> = command
        .get_arguments()
        .filter_map(Arg::get_env)
        .filter_map(|name| name.to_str())
        .collect();
    let mut unknown: Vec<String> = variables
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with(PREFIX) && !known.contains(&name.as_str()))
        .filter(|(name, value)| !is_of_an_orchestrator(name, &value.to_string_lossy()))
        .map(|(name, _)| name)
        .collect();
    unknown.sort();
    let Some(name) = unknown.first() else {
        return Ok(());
    };
    let nearest = nearest(known.into_iter(), name);
    Err(format!(
        "there is no variable {name}; the nearest is {nearest}"
    ))
}

/// Kubernetes and Docker's links tell every container of a service `motet` or `motet-…` in variables that begin as
/// the settings do: `MOTET_SERVICE_HOST`, `MOTET_SERVICE_PORT_HTTP`, `MOTET_PORT=tcp://…`,
/// `MOTET_PORT_8080_TCP_ADDR`; links also `MOTET_NAME` and `MOTET_ENV_…`.
fn is_of_an_orchestrator(name: &str, value: &str) -> bool {
    let is_numbered = name.split("_PORT_").skip(1).any(|rest| {
        let mut words = rest.split('_');
        let is_number = words.next().is_some_and(|word| word.parse::<u16>().is_ok());
        is_number && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
    });
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || is_numbered
        || name == "MOTET_NAME"
        || name.starts_with("MOTET_ENV_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(name: &str, value: &str) -> Option<String> {
        let variables = [
            ("PATH", "/bin"),
            ("MOTET_MESH_MAX", "4"),
            ("MOTETS", "12"),
            (name, value),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        check(&crate::config::command(), variables.into_iter()).err()
    }

    #[test]
    fn what_is_misspelt_is_refused_with_the_nearest() {
        for (name, nearest) in [
            ("MOTET_PUBLIK_IP", "MOTET_PUBLIC_IP"),
            ("MOTET_ADMINTOKEN", "MOTET_ADMIN_TOKEN"),
            ("MOTET_MEDIA_PROT", "MOTET_MEDIA_PORT"),
            ("MOTET_HTTP_PORT", "MOTET_HTTP_LISTEN"),
        ] {
            let expected = format!("there is no variable {name}; the nearest is {nearest}");
            assert_eq!(wrong(name, "1"), Some(expected));
        }
    }

    #[test]
    fn what_is_empty_or_somebody_elses_is_passed_over() {
        for (name, value) in [
            ("MOTET_PUBLIK_IP", ""),
            ("MOTET_SERVICE_HOST", "10.0.0.7"),
            ("MOTET_SERVICE_PORT", "8080"),
            ("MOTET_SERVICE_PORT_HTTP", "8080"),
            ("MOTET_PORT", "tcp://10.0.0.7:8080"),
            ("MOTET_PORT_8080_TCP", "tcp://10.0.0.7:8080"),
            ("MOTET_PORT_8080_TCP_ADDR", "10.0.0.7"),
            ("MOTET_MEDIA_PORT_3478_UDP_PROTO", "udp"),
            ("MOTET_WEB_SERVICE_HOST", "10.0.0.7"),
            ("MOTET_NAME", "/web/motet"),
            ("MOTET_ENV_LANG", "C"),
        ] {
            assert_eq!(wrong(name, value), None, "{name}");
        }
    }
}
