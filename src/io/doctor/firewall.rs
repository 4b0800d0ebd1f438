//! ufw's own files: it keeps them in one folder.

use std::fs;
use std::path::Path;

use crate::config::{OnOff, Settings};
use crate::doctor::firewall::{FirewallFacts, Ports, Protocol, rules_of};

/// Nothing if ufw is not there, or off.
pub(super) fn look(folder: &Path, settings: &Settings) -> Option<FirewallFacts> {
    let config = fs::read_to_string(folder.join("ufw.conf")).ok()?;
    let is_on = config
        .lines()
        .any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"));
    let rules = fs::read_to_string(folder.join("user.rules"));
    is_on.then(|| FirewallFacts {
        rules: rules.ok().map(|rules| rules_of(&rules)),
        needed: needed(settings),
    })
}

fn needed(settings: &Settings) -> Vec<Ports> {
    let one = |port: u16| port..=port;
    let mut needed = Vec::new();
    if !settings.http_listen.ip().is_loopback() {
        needed.push((Protocol::Tcp, one(settings.http_listen.port())));
    }
    needed.push((Protocol::Udp, one(settings.media_port)));
    if settings.turn == OnOff::On {
        needed.push((Protocol::Udp, settings.relay_ports.clone()));
    }
    // Any free port is nothing to open.
    needed.retain(|(_, ports)| *ports.start() > 0);
    needed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(flags: &[&str]) -> Settings {
        let flags = ["motet"].iter().chain(flags);
        Settings::load(flags.map(|flag| (*flag).into())).unwrap()
    }

    #[test]
    fn only_a_firewall_that_is_on_counts() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&[]);
        assert_eq!(look(folder.path(), &settings), None);
        let conf = folder.path().join("ufw.conf");
        fs::write(&conf, "# ENABLED=yes\nENABLED=no\n").unwrap();
        assert_eq!(look(folder.path(), &settings), None);
        fs::write(&conf, "LOGLEVEL=low\nENABLED=yes\n").unwrap();
        let facts = look(folder.path(), &settings).unwrap();
        assert_eq!(facts.rules, None, "there are no rules to read");
        let tuple = "### tuple ### allow udp 3478 0.0.0.0/0 any 0.0.0.0/0 in\n";
        fs::write(folder.path().join("user.rules"), tuple).unwrap();
        let facts = look(folder.path(), &settings).unwrap();
        assert_eq!(facts.rules.unwrap().len(), 1);
    }

    #[test]
    fn what_the_settings_need_open() {
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        assert_eq!(
            needed(&settings(&[])),
            [
                (tcp, 8080..=8080),
                (udp, 3478..=3478),
                (udp, 50_000..=50_999)
            ]
        );
        let behind_a_proxy = ["--http-listen", "127.0.0.1:1", "--turn", "off"];
        assert_eq!(needed(&settings(&behind_a_proxy)), [(udp, 3478..=3478)]);
        let any = [
            "--media-port",
            "0",
            "--turn",
            "off",
            "--http-listen",
            "[::]:0",
        ];
        assert_eq!(needed(&settings(&any)), []);
    }
}
