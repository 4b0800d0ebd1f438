//! How many bytes the kernel keeps for a media socket while the node is busy.

use super::Finding;

const CHECK: &str = "buffers";

/// What a media socket asked for and got, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferFacts {
    /// Asked for, each way.
    pub wanted: usize,
    /// Given for what comes in.
    pub receive: usize,
    /// Given for what goes out.
    pub send: usize,
}

/// One line for each direction that got too little, or one for both.
pub fn judge(facts: &BufferFacts) -> Vec<Finding> {
    let short = [
        ("receive", "net.core.rmem_max", facts.receive),
        ("send", "net.core.wmem_max", facts.send),
    ];
    let findings: Vec<Finding> = short
        .into_iter()
        .filter(|(_, _, given)| *given < facts.wanted)
        .map(|(way, name, given)| {
            let text = format!(
                "The kernel keeps {} of {} for UDP to {way}: when many pictures begin at once, \
                 packets are lost.",
                kib(given),
                kib(facts.wanted)
            );
            Finding::warning(CHECK, text).mend(format!("sudo sysctl -w {name}={}", facts.wanted))
        })
        .collect();
    if findings.is_empty() {
        let text = format!("The kernel keeps {} for UDP each way.", kib(facts.wanted));
        return vec![Finding::ok(CHECK, text)];
    }
    findings
}

fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::lines;

    #[test]
    fn what_is_less_than_asked_for_is_told_with_its_sysctl() {
        let facts = |receive, send| BufferFacts {
            wanted: 4_194_304,
            receive,
            send,
        };
        let fine = ["ok: The kernel keeps 4096 KiB for UDP each way."];
        assert_eq!(lines(&judge(&facts(4_194_304, 8_000_000))), fine);
        let receive = "warning: The kernel keeps 208 KiB of 4096 KiB for UDP to receive: when many \
                       pictures begin at once, packets are lost. | \
                       sudo sysctl -w net.core.rmem_max=4194304";
        let send = "warning: The kernel keeps 208 KiB of 4096 KiB for UDP to send: when many \
                    pictures begin at once, packets are lost. | \
                    sudo sysctl -w net.core.wmem_max=4194304";
        assert_eq!(lines(&judge(&facts(212_992, 4_194_304))), [receive]);
        assert_eq!(lines(&judge(&facts(212_992, 212_992))), [receive, send]);
    }
}
