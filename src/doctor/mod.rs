//! `motet doctor`: facts about the machine in, findings out.
//!
//! Nothing here looks at the machine: [`crate::io::doctor`] gathers the facts. One file per thing that
//! is judged, its cases at the bottom.

pub mod address;
pub mod buffers;
pub mod clock;
pub mod disk;
pub mod files;
pub mod firewall;
pub mod ports;
pub mod report;
pub mod tls;

use serde::Serialize;

/// How something stands; the worst is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing to do.
    Ok,
    /// It works, but not for everyone or not under load.
    Warning,
    /// The node does not start, or its calls fail.
    Problem,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in one word.
    pub check: &'static str,
    /// How it stands.
    pub outcome: Outcome,
    /// What was found, in plain words.
    pub text: String,
    /// The command that mends it, or shows who can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    /// Nothing to do.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Outcome::Ok, text)
    }

    /// Something that hurts some, or under load.
    pub fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Outcome::Warning, text)
    }

    /// Something that does not work.
    pub fn problem(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Outcome::Problem, text)
    }

    /// Adds the command that mends it.
    #[must_use]
    pub fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend = Some(command.into());
        self
    }

    fn new(check: &'static str, outcome: Outcome, text: impl Into<String>) -> Self {
        Self {
            check,
            outcome,
            text: text.into(),
            mend: None,
        }
    }
}

/// Everything that is judged.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Ports of the node.
    pub ports: ports::PortFacts,
    /// What the kernel keeps for a media socket.
    pub buffers: buffers::BufferFacts,
    /// Open files.
    pub files: files::FileFacts,
    /// What browsers are told.
    pub address: address::AddressFacts,
    /// What keeps them out, where ufw is on.
    pub firewall: Option<firewall::FirewallFacts>,
    /// TLS.
    pub tls: tls::TlsFacts,
    /// The clock.
    pub clock: clock::ClockFacts,
    /// The data folder.
    pub disk: disk::DiskFacts,
}

/// What there is to say, in the order of the report.
pub fn diagnose(facts: &Facts) -> Vec<Finding> {
    let mut findings = ports::judge(&facts.ports);
    findings.extend(buffers::judge(&facts.buffers));
    findings.extend(files::judge(&facts.files));
    findings.extend(address::judge(&facts.address));
    findings.extend(facts.firewall.iter().flat_map(firewall::judge));
    findings.extend(tls::judge(&facts.tls));
    findings.extend(clock::judge(&facts.clock));
    findings.extend(disk::judge(&facts.disk));
    findings
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Finding;

    /// Findings as lines, for tables of cases: `warning: text | command`.
    pub(crate) fn lines(findings: &[Finding]) -> Vec<String> {
        let line = |finding: &Finding| {
            let outcome = format!("{:?}", finding.outcome).to_lowercase();
            match &finding.mend {
                Some(mend) => format!("{outcome}: {} | {mend}", finding.text),
                None => format!("{outcome}: {}", finding.text),
            }
        };
        findings.iter().map(line).collect()
    }
}
