//! The settings of recordings: by whom, how long, how large, how long kept.

use clap::ValueEnum;

use crate::logic::limits::Limits;
use crate::logic::record::admission::Recorders;
use crate::logic::record::storage::{Share, bytes};

const SECONDS_PER_MINUTE: u32 = 60;
const BYTES_PER_MEGABYTE: u64 = 1_000_000;

/// Who has rooms recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordingChoice {
    /// Nobody.
    Off,
    /// Who runs the node, over the API.
    Admin,
    /// They, and owners of rooms.
    Owners,
}

/// What recordings may be and when they go.
#[derive(Debug, Clone, clap::Args)]
pub struct RecordingSettings {
    /// Who may have rooms recorded: nobody, whoever has the API, or the rooms' owners too
    #[arg(
        long,
        value_name = "WHO",
        env = "MOTET_RECORDING",
        default_value = "owners",
        help_heading = "Recordings"
    )]
    pub recording: RecordingChoice,

    /// What all recordings together may take: bytes (50G), or a part of the disk (10%)
    #[arg(
        long = "recordings-max-bytes",
        value_name = "BYTES|PERCENT%",
        env = "MOTET_RECORDINGS_MAX_BYTES",
        default_value = "10%",
        value_parser = |text: &str| text.parse::<Share>(),
        help_heading = "Recordings"
    )]
    pub max_bytes: Share,

    /// What recordings leave free of the disk, and at least 5 % of it: they end before
    #[arg(
        long = "recordings-min-free",
        value_name = "BYTES",
        env = "MOTET_RECORDINGS_MIN_FREE",
        default_value = "1G",
        value_parser = |text: &str| bytes(text).ok_or("expected bytes, such as 500M or 1G"),
        help_heading = "Recordings"
    )]
    pub min_free: u64,

    /// Rooms that are recorded at once for owners from one address
    #[arg(
        long = "recordings-per-address",
        value_name = "N",
        env = "MOTET_RECORDINGS_PER_ADDRESS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        help_heading = "Recordings"
    )]
    pub per_address: u32,

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
            recording: match self.recording {
                RecordingChoice::Off => Recorders::Nobody,
                RecordingChoice::Admin => Recorders::Admin,
                RecordingChoice::Owners => Recorders::Owners,
            },
            recordings_bytes: self.max_bytes,
            recordings_free_bytes: self.min_free,
            recordings_per_address: self.per_address,
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

    use super::*;
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

    #[test]
    fn who_records_and_how_much_space_there_is_can_be_set() {
        let load = |arguments: &str| {
            let arguments = format!("motet {arguments}");
            let loaded = Settings::load(arguments.split_whitespace().map(Into::into));
            loaded.map_err(|error| error.to_string())
        };
        let all = "--recording off --recordings-max-bytes 50G --recordings-min-free 0 --recordings-per-address 2";
        let limits = load(all).unwrap().limits();
        assert_eq!(limits.recording, Recorders::Nobody);
        assert_eq!(limits.recordings_bytes, Share::Bytes(50 << 30));
        assert_eq!(
            (limits.recordings_free_bytes, limits.recordings_per_address),
            (0, 2)
        );
        for (wrong, expected) in [
            (
                "--recording guests",
                "--recording from the flag: \"guests\" is not one of off, admin, owners",
            ),
            (
                "--recordings-max-bytes lots",
                "--recordings-max-bytes from the flag: \"lots\": expected bytes, such as 50G, or a part of the disk, such as 10%",
            ),
            (
                "--recordings-min-free 5%",
                "--recordings-min-free from the flag: \"5%\": expected bytes, such as 500M or 1G",
            ),
        ] {
            assert_eq!(load(wrong).unwrap_err(), expected);
        }
    }
}
