//! Whether the data folder can be written, and how much fits in.

use super::Finding;

const CHECK: &str = "disk";
/// Less, and certificates cannot be kept.
const FREE_BYTES_MIN: u64 = 16 << 20;
/// Less, and the log of a bad day fills it.
const FREE_BYTES_WANTED: u64 = 512 << 20;

/// The folder of `--data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFacts {
    /// As in the settings.
    pub path: String,
    /// Whether files can be made there, or in the nearest folder above that exists; or why not.
    pub is_writable: Result<(), String>,
    /// What the file system has left; nothing if that is not known.
    pub free_bytes: Option<u64>,
    /// The node keeps something there with these settings.
    pub is_needed: bool,
}

/// One line, or two if it can neither be written nor has room.
pub fn judge(facts: &DiskFacts) -> Vec<Finding> {
    let path = &facts.path;
    let mut findings = Vec::new();
    if let Err(why) = &facts.is_writable {
        let text = format!("{path} cannot be written: {why}.");
        let mend = format!("sudo install -d -o $USER -m 700 {path}");
        findings.push(match facts.is_needed {
            true => Finding::problem(CHECK, text).mend(mend),
            false => {
                Finding::warning(CHECK, format!("{text} Nothing is kept there now.")).mend(mend)
            }
        });
    }
    let left = facts.free_bytes.map(size);
    match (facts.free_bytes, left) {
        (Some(bytes), Some(left)) if bytes < FREE_BYTES_WANTED => {
            let text = format!("{path} has {left} left.");
            let mend = format!("df -h {path}");
            findings.push(match bytes < FREE_BYTES_MIN {
                true => Finding::problem(CHECK, text).mend(mend),
                false => Finding::warning(CHECK, text).mend(mend),
            });
        }
        (_, left) if findings.is_empty() => {
            let left = left.map_or(String::new(), |left| format!(" and has {left} left"));
            findings.push(Finding::ok(CHECK, format!("{path} can be written{left}.")));
        }
        _ => {}
    }
    findings
}

fn size(bytes: u64) -> String {
    match bytes >> 20 {
        mib if mib >= 10 << 10 => format!("{} GiB", mib >> 10),
        mib => format!("{mib} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::lines;

    #[test]
    fn a_folder_has_to_be_writable_and_to_have_room() {
        let mib = |count: u64| Some(count << 20);
        let no = || Err("Permission denied".to_owned());
        let cannot = "d cannot be written: Permission denied.";
        let mend = "sudo install -d -o $USER -m 700 d";
        for (is_writable, free_bytes, is_needed, expected) in [
            (
                Ok(()),
                mib(20_480),
                true,
                vec!["ok: d can be written and has 20 GiB left.".to_owned()],
            ),
            (
                Ok(()),
                mib(512),
                true,
                vec!["ok: d can be written and has 512 MiB left.".to_owned()],
            ),
            (Ok(()), None, true, vec!["ok: d can be written.".to_owned()]),
            (
                Ok(()),
                mib(511),
                true,
                vec!["warning: d has 511 MiB left. | df -h d".to_owned()],
            ),
            (
                Ok(()),
                mib(15),
                true,
                vec!["problem: d has 15 MiB left. | df -h d".to_owned()],
            ),
            (
                no(),
                mib(512),
                true,
                vec![format!("problem: {cannot} | {mend}")],
            ),
            (
                no(),
                None,
                false,
                vec![format!(
                    "warning: {cannot} Nothing is kept there now. | {mend}"
                )],
            ),
            (
                no(),
                mib(0),
                true,
                vec![
                    format!("problem: {cannot} | {mend}"),
                    "problem: d has 0 MiB left. | df -h d".to_owned(),
                ],
            ),
        ] {
            let facts = DiskFacts {
                path: "d".to_owned(),
                is_writable,
                free_bytes,
                is_needed,
            };
            assert_eq!(lines(&judge(&facts)), expected);
        }
    }
}
