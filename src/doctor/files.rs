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
    let finding = if soft >= wanted {
        Finding::ok(CHECK, format!("The node may open {soft} files at once."))
    } else if soft >= OWN + CONNECTIONS_MIN {
        let text = format!(
            "The node may open {soft} files at once; its connections ({}) and relays ({}) may need \
             {wanted}.",
            facts.connections, facts.relays
        );
        Finding::warning(CHECK, text).mend(mend)
    } else {
        let text = format!("The node may open {soft} files at once: a few browsers use them up.");
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
                17_447,
                format!(
                    "warning: The node may open 17447 files at once; its connections (16384) and \
                     relays (1000) may need 17448. | {mend}"
                ),
            ),
            (
                320,
                format!(
                    "warning: The node may open 320 files at once; its connections (16384) and \
                     relays (1000) may need 17448. | {mend}"
                ),
            ),
            (
                319,
                format!(
                    "problem: The node may open 319 files at once: a few browsers use them up. | \
                     {mend}"
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
