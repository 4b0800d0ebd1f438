//! Who keeps the clock, and what another one says.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::{DoctorSettings, TlsMode};
use crate::doctor::clock::{ClockFacts, seconds_of_date};
use crate::io::tls::https::{self, Answer};

/// systemd-timesyncd makes it when it has set the clock, and only then.
const TIMESYNC_MARK: &str = "/run/systemd/timesync/synchronized";

/// `directory`: what the certificate authority answered, if it was asked.
pub(super) async fn look(settings: &DoctorSettings, directory: Option<&Answer>) -> ClockFacts {
    let tls = &settings.node.tls;
    let ahead_of = match (&settings.time_from, directory) {
        (Some(url), _) => {
            let answer = https::ask(url, tls.acme_roots.as_deref()).await;
            answer.ok().and_then(|answer| compare(url, &answer))
        }
        (None, Some(answer)) if tls.mode == TlsMode::Acme => compare(&tls.acme_directory, answer),
        _ => None,
    };
    ClockFacts {
        is_synchronized: is_synchronized(),
        ahead_of,
    }
}

fn compare(url: &str, answer: &Answer) -> Option<(String, i64)> {
    let theirs = seconds_of_date(answer.date.as_ref()?)?;
    let ours = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|age| age.as_secs());
    let ahead = i64::try_from(ours.ok()?).ok()?.checked_sub(theirs)?;
    let host = url.split('/').nth(2).unwrap_or(url);
    Some((host.to_owned(), ahead))
}

/// As the kernel knows it (`adjtimex`), by way of systemd.
fn is_synchronized() -> Option<bool> {
    if Path::new(TIMESYNC_MARK).exists() {
        return Some(true);
    }
    let output = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output();
    match output.ok()?.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_header_is_compared_with_our_clock() {
        let answer = |date: &str| Answer {
            status: 200,
            date: Some(date.to_owned()),
        };
        let (host, ahead) = compare(
            "https://a.example:1/directory",
            &answer("Thu, 01 Jan 1970 00:00:10 GMT"),
        )
        .unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!(host, "a.example:1");
        let expected = now - Duration::from_secs(10);
        assert!(ahead.abs_diff(i64::try_from(expected.as_secs()).unwrap()) <= 2);
        assert_eq!(compare("https://a.example", &answer("yesterday")), None);
    }
}
