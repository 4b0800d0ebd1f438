//! The findings, for people and for programs.

use std::fmt::Write;

use serde_json::json;

use super::{Finding, Outcome};

/// How wide the columns before the text are.
const INDENT: usize = 20;

/// The worst of all.
pub fn outcome(findings: &[Finding]) -> Outcome {
    let outcomes = findings.iter().map(|finding| finding.outcome);
    outcomes.max().unwrap_or(Outcome::Ok)
}

/// One line for each, with the command that mends it below, and a sum.
pub fn text(findings: &[Finding], is_coloured: bool) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = coloured(finding.outcome, is_coloured);
        let _ = writeln!(text, "{word}  {:<9}{}", finding.check, finding.text);
        if let Some(mend) = &finding.mend {
            let _ = writeln!(text, "{:INDENT$}{mend}", "");
        }
    }
    let _ = writeln!(text, "\n{}", sum(findings));
    text
}

/// One object: the worst outcome, and the findings.
pub fn json(findings: &[Finding]) -> String {
    let value = json!({ "outcome": outcome(findings), "findings": findings });
    format!("{value:#}\n")
}

fn sum(findings: &[Finding]) -> String {
    let count = |outcome| findings.iter().filter(|f| f.outcome == outcome).count();
    let several = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    match (count(Outcome::Problem), count(Outcome::Warning)) {
        (0, 0) => "Everything is fine.".to_owned(),
        (0, warnings) => format!("The node can run; {}.", several(warnings, "warning")),
        (problems, 0) => format!("{}.", several(problems, "problem")),
        (problems, warnings) => format!(
            "{}, {}.",
            several(problems, "problem"),
            several(warnings, "warning")
        ),
    }
}

fn coloured(outcome: Outcome, is_coloured: bool) -> String {
    let (word, colour) = match outcome {
        Outcome::Ok => ("ok", 32),
        Outcome::Warning => ("warning", 33),
        Outcome::Problem => ("problem", 31),
    };
    match is_coloured {
        true => format!("\x1b[{colour}m{word:<9}\x1b[0m"),
        false => format!("{word:<9}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("ports", "TCP is free."),
            Finding::warning("buffers", "They are small.").mend("sysctl"),
            Finding::problem("disk", "It is full."),
        ]
    }

    #[test]
    fn people_read_lines() {
        let expected = "\
ok         ports    TCP is free.
warning    buffers  They are small.
                    sysctl
problem    disk     It is full.

1 problem, 1 warning.
";
        assert_eq!(text(&findings(), false), expected);
        let coloured = text(&findings(), true);
        assert!(coloured.starts_with("\x1b[32mok       \x1b[0m  ports"));
        assert_eq!(coloured.matches("\x1b[0m").count(), 3);
    }

    #[test]
    fn the_sum_says_whether_the_node_can_run() {
        let all = findings();
        for (some, expected) in [
            (&all[..1], "Everything is fine."),
            (&all[..2], "The node can run; 1 warning."),
            (&all[2..], "1 problem."),
            (&[], "Everything is fine."),
        ] {
            assert_eq!(sum(some), expected);
        }
    }

    #[test]
    fn programs_read_json() {
        let value: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
        assert_eq!(value["outcome"], "problem");
        assert_eq!(
            value["findings"][1],
            json!({"check": "buffers", "outcome": "warning", "text": "They are small.", "mend": "sysctl"})
        );
        assert_eq!(value["findings"][0].get("mend"), None);
    }
}
