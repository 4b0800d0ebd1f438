//! The settings of recordings: how long, how large, how long kept.

use crate::logic::limits::Limits;

const SECONDS_PER_MINUTE: u32 = 60;
const BYTES_PER_MEGABYTE: u64 = 1_000_000;

/// What recordings may be and when they go.
#[derive(Debug, Clone, clap::Args)]
pub struct RecordingSettings {
    /// Recordings are removed that many days after their end; 0: never
    #[arg(
        long = "recordings-keep",
        value_name = "DAYS",
        env = "MOTET_RECORDINGS_KEEP",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=36_500),
        help_heading = "Recordings"
    )]
    pub keep_days: u32,

    /// A recording ends after that many minutes
    #[arg(
        long = "recording-max-minutes",
        value_name = "MINUTES",
        env = "MOTET_RECORDING_MAX_MINUTES",
        default_value_t = 24 * 60,
        value_parser = clap::value_parser!(u32).range(1..=31 * 24 * 60),
        help_heading = "Recordings"
    )]
    pub max_minutes: u32,

    /// A file of a track is followed by another after that many minutes
    #[arg(
        long = "recording-segment-minutes",
        value_name = "MINUTES",
        env = "MOTET_RECORDING_SEGMENT_MINUTES",
        default_value_t = 120,
        value_parser = clap::value_parser!(u32).range(1..=31 * 24 * 60),
        help_heading = "Recordings"
    )]
    pub segment_minutes: u32,

    /// A file of a track is followed by another when it has about that many megabytes
    #[arg(
        long = "recording-segment-megabytes",
        value_name = "MB",
        env = "MOTET_RECORDING_SEGMENT_MEGABYTES",
        default_value_t = 2_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Recordings"
    )]
    pub segment_megabytes: u32,
}

impl RecordingSettings {
    /// These limits, with what is set of them.
    pub(super) fn limit(&self, limits: Limits) -> Limits {
        Limits {
            recording_seconds: self.max_minutes * SECONDS_PER_MINUTE,
            recording_file_seconds: self.segment_minutes * SECONDS_PER_MINUTE,
            recording_file_bytes: u64::from(self.segment_megabytes) * BYTES_PER_MEGABYTE,
            ..limits
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::config::Settings;

    fn limits(arguments: &str) -> (u32, u32, u64) {
        let arguments = format!("motet {arguments}");
        let settings = Settings::load(arguments.split_whitespace().map(Into::into)).unwrap();
        let limits = settings.limits();
        (
            limits.recording_seconds,
            limits.recording_file_seconds,
            limits.recording_file_bytes,
        )
    }

    #[test]
    fn what_is_set_is_the_limit() {
        assert_eq!(limits(""), (86_400, 7_200, 2_000_000_000));
        let all = "--recording-max-minutes 90 --recording-segment-minutes 10 \
            --recording-segment-megabytes 50";
        assert_eq!(limits(all), (5_400, 600, 50_000_000));
    }
}
