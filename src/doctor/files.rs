//! How many files the node may have open: each connection is one, and each relay.

use super::Finding;

const CHECK: &str = "files";
/// Beside connections and relays: sockets of the node itself, certificates, the log.
const OWN: u64 = 64;
/// Fewer connections than that are soon used up: a browser opens several.
const CONNECTIONS_MIN: u64 = 256;

/// RLIMIT_NOFILE, and what may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// What the process may open; nothing if that is not known.
    pub soft: Option<u64>,
    /// TCP connections at most.
    pub connections: u64,
    /// Relay sockets at most.
    pub relays: u64,
}

/// One line; none if the limit is not known.
pub fn judge(facts: &FileFacts) -> Vec<Finding> {
    let Some(soft) = facts.soft else {
        return Vec::new();
    };
    let wanted = facts.connections + facts.relays + OWN;
    let mend = format!(
        "ulimit -n {0}   (a systemd unit: LimitNOFILE={0})",
        wanted.next_power_of_two()
    );
    let left = soft.saturating_sub(facts.relays + OWN);
    let finding = if soft >= wanted {
        Finding::ok(CHECK, format!("The node may open {soft} files at once."))
    } else if left >= CONNECTIONS_MIN {
        let text = format!(
            "The node may open {soft} files at once: with all relays in use, that is enough for \
             {left} connections, of {} that it would take.",
            facts.connections
        );
        Finding::warning(CHECK, text).mend(mend)
    } else {
        let text = format!(
            "The node may open {soft} files at once, but its relays alone may need {}: with them \
             in use, nobody can connect.",
            facts.relays
        );
        Finding::problem(CHECK, text).mend(mend)
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::lines;

    #[test]
    fn the_limit_has_to_allow_for_connections_and_relays() {
        let mend = "ulimit -n 32768   (a systemd unit: LimitNOFILE=32768)";
        for (soft, expected) in [
            (
                20_000,
                "ok: The node may open 20000 files at once.".to_owned(),
            ),
            (
                4096,
                format!(
                    "warning: The node may open 4096 files at once: with all relays in use, that \
                     is enough for 3032 connections, of 16384 that it would take. | {mend}"
                ),
            ),
            (
                1024,
                format!(
                    "problem: The node may open 1024 files at once, but its relays alone may need \
                     1000: with them in use, nobody can connect. | {mend}"
                ),
            ),
        ] {
            let facts = FileFacts {
                soft: Some(soft),
                connections: 16_384,
                relays: 1000,
            };
            assert_eq!(lines(&judge(&facts)), [expected]);
        }
        let unknown = FileFacts {
            soft: None,
            connections: 1,
            relays: 1,
        };
        assert_eq!(judge(&unknown), []);
    }
}
