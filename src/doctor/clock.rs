//! Whether the clock is right: certificates, TURN credentials and the log go by it.

use super::Finding;

const CHECK: &str = "clock";
/// The `Date` of an answer is in whole seconds, and on its way for a moment.
const DIFFERENCE_SECONDS_MAX: u64 = 5;
/// Beyond, certificate authorities and fresh certificates are refused.
const WRONG_SECONDS: u64 = 300;

/// The clock, as far as one can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockFacts {
    /// Whether something keeps it right; nothing if that cannot be told.
    pub is_synchronized: Option<bool>,
    /// A server, and by how many seconds this clock is ahead of it.
    pub ahead_of: Option<(String, i64)>,
}

/// The difference to a server if one was asked, and who keeps the clock.
pub fn judge(facts: &ClockFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.ahead_of.iter().map(judge_difference).collect();
    match facts.is_synchronized {
        Some(true) => findings.push(Finding::ok(CHECK, "The clock is kept by NTP.")),
        Some(false) => {
            let text = "Nothing keeps the clock: it will go wrong, and certificates with it.";
            findings.push(Finding::warning(CHECK, text).mend("sudo timedatectl set-ntp true"));
        }
        None if findings.is_empty() => {
            let text = "Whether NTP keeps the clock cannot be told here.";
            findings.push(Finding::ok(CHECK, text));
        }
        None => {}
    }
    findings
}

fn judge_difference((server, ahead): &(String, i64)) -> Finding {
    let seconds = ahead.unsigned_abs();
    if seconds <= DIFFERENCE_SECONDS_MAX {
        return Finding::ok(CHECK, format!("The clock agrees with {server}."));
    }
    let way = if *ahead > 0 { "ahead of" } else { "behind" };
    let text = format!("The clock is {seconds} s {way} {server}.");
    let mend = "sudo timedatectl set-ntp true";
    match seconds > WRONG_SECONDS {
        true => Finding::problem(CHECK, text).mend(mend),
        false => Finding::warning(CHECK, text).mend(mend),
    }
}

/// Seconds since 1970 of a `Date` header (RFC 9110 §5.6.7), in the one form that servers write.
pub fn seconds_of_date(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| name == month)? as i64 + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let is_sound = (1..=31).contains(&day) && (1970..=9999).contains(&year);
    let clock = hours * 3600 + minutes * 60 + seconds;
    is_sound.then(|| days_since_1970(year, month, day) * 86_400 + clock)
}

/// The Gregorian calendar, with years that begin in March so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_of_years = 365 * year + year / 4 - year / 100 + year / 400;
    let days_of_months = (153 * month + 2) / 5;
    days_of_years + days_of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::lines;

    #[test]
    fn a_date_header_is_read() {
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("", None),
        ] {
            assert_eq!(seconds_of_date(date), expected, "{date}");
        }
    }

    #[test]
    fn the_clock_is_judged_by_what_is_known() {
        let mend = "sudo timedatectl set-ntp true";
        let nothing = format!(
            "warning: Nothing keeps the clock: it will go wrong, and certificates with it. | {mend}"
        );
        let unknown = "ok: Whether NTP keeps the clock cannot be told here.".to_owned();
        let kept = "ok: The clock is kept by NTP.".to_owned();
        let agrees = "ok: The clock agrees with s.".to_owned();
        for (is_synchronized, ahead, expected) in [
            (Some(true), None, vec![kept.clone()]),
            (Some(false), None, vec![nothing]),
            (None, None, vec![unknown]),
            (None, Some(5), vec![agrees.clone()]),
            (Some(true), Some(-5), vec![agrees, kept.clone()]),
            (
                None,
                Some(6),
                vec![format!("warning: The clock is 6 s ahead of s. | {mend}")],
            ),
            (
                None,
                Some(-300),
                vec![format!("warning: The clock is 300 s behind s. | {mend}")],
            ),
            (
                Some(true),
                Some(301),
                vec![
                    format!("problem: The clock is 301 s ahead of s. | {mend}"),
                    kept,
                ],
            ),
        ] {
            let facts = ClockFacts {
                is_synchronized,
                ahead_of: ahead.map(|ahead| ("s".to_owned(), ahead)),
            };
            assert_eq!(lines(&judge(&facts)), expected);
        }
    }
}
