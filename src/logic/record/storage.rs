//! How much of a disk recordings may take.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::logic::limits::Limits;
use crate::protocol::server::RecordingEnd;

/// A part of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many bytes, whatever its size.
    Bytes(u64),
    /// So many hundredths of it.
    Percent(u8),
}

/// What a disk says of itself, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// All of it.
    pub size: u64,
    /// What this node may still write.
    pub free: u64,
}

/// What recordings may take and what must stay free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageLimits {
    all: Share,
    free_bytes: u64,
    free_percent: u8,
}

impl Share {
    /// In bytes, of a disk of that size; nothing if that is not known and would have to be.
    fn of(self, disk: Option<Disk>) -> Option<u64> {
        match self {
            Share::Bytes(bytes) => Some(bytes),
            Share::Percent(percent) => disk.map(|disk| percent_of(disk.size, percent)),
        }
    }
}

/// Bytes with or without K, M, G or T behind them, for 1,024 of them and so on, or hundredths as `10%`.
impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected bytes, such as 50G, or a part of the disk, such as 10%".to_owned();
        if let Some(percent) = text.strip_suffix('%') {
            let percent: u8 = percent.parse().map_err(|_| wrong())?;
            return (percent <= 100)
                .then_some(Share::Percent(percent))
                .ok_or_else(wrong);
        }
        bytes(text).map(Share::Bytes).ok_or_else(wrong)
    }
}

/// Reads a number of bytes, which K, M, G or T may follow.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, factor) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 1 << 10),
        (at, 'M' | 'm') => (&text[..at], 1 << 20),
        (at, 'G' | 'g') => (&text[..at], 1 << 30),
        (at, 'T' | 't') => (&text[..at], 1 << 40),
        _ => (text, 1),
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(factor)
}

impl StorageLimits {
    /// Those of the table.
    pub fn new(limits: &Limits) -> Self {
        Self {
            all: limits.recordings_bytes,
            free_bytes: limits.recordings_free_bytes,
            free_percent: limits.recordings_free_percent,
        }
    }

    /// Why nothing more may be written, if all recordings take that many bytes: `limit`, or `diskFull`. What a disk does
    /// not tell limits nothing.
    pub fn lacks(&self, used: u64, disk: Option<Disk>) -> Option<RecordingEnd> {
        if self.all.of(disk).is_some_and(|all| used >= all) {
            return Some(RecordingEnd::Limit);
        }
        let is_full = |disk: Disk| {
            let kept = percent_of(disk.size, self.free_percent).max(self.free_bytes);
            disk.free < kept
        };
        disk.is_some_and(is_full).then_some(RecordingEnd::DiskFull)
    }

    /// The same if that many bytes more were written.
    pub fn lacks_for(&self, more: u64, used: u64, disk: Option<Disk>) -> Option<RecordingEnd> {
        let disk = disk.map(|disk| Disk {
            free: disk.free.saturating_sub(more),
            ..disk
        });
        self.lacks(used.saturating_add(more), disk)
    }
}

fn percent_of(size: u64, percent: u8) -> u64 {
    size / 100 * u64::from(percent)
}

/// Whether another recording can be written: said by the one who writes, asked by those who record.
#[derive(Debug, Clone, Default)]
pub struct Capacity(Arc<AtomicU8>);

impl Capacity {
    /// Why none can, from now on.
    pub fn tell(&self, lacking: Option<RecordingEnd>) {
        let code = match lacking {
            None => 0,
            Some(RecordingEnd::Limit) => 1,
            Some(_) => 2,
        };
        self.0.store(code, Ordering::Relaxed);
    }

    /// Why none can.
    pub fn lacks(&self) -> Option<RecordingEnd> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(RecordingEnd::Limit),
            _ => Some(RecordingEnd::DiskFull),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: u64 = 1 << 30;

    #[test]
    fn shares_are_read() {
        for (text, expected) in [
            ("0", Some(Share::Bytes(0))),
            ("1500", Some(Share::Bytes(1_500))),
            ("50G", Some(Share::Bytes(50 * G))),
            ("2t", Some(Share::Bytes(2_048 * G))),
            ("10%", Some(Share::Percent(10))),
            ("100%", Some(Share::Percent(100))),
            ("101%", None),
            ("-1", None),
            ("G", None),
            ("", None),
            ("1.5G", None),
            ("99999999T", None),
            ("10 %", None),
            ("7é", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn recordings_end_before_the_disk_is_full() {
        let limits = StorageLimits {
            all: Share::Percent(10),
            free_bytes: G,
            free_percent: 5,
        };
        let (limit, full) = (Some(RecordingEnd::Limit), Some(RecordingEnd::DiskFull));
        let disk = |size, free| Some(Disk { size, free });
        for (used, disk, expected) in [
            (0, disk(100 * G, 50 * G), None),
            (10 * G - 1, disk(100 * G, 50 * G), None),
            (10 * G, disk(100 * G, 50 * G), limit),
            (G, disk(100 * G, 5 * G), None),
            (G, disk(100 * G, 5 * G - 1), full),
            (0, disk(10 * G, G), None),
            (0, disk(10 * G, G - 1), full),
            (u64::MAX, None, None),
        ] {
            assert_eq!(limits.lacks(used, disk), expected, "{used} on {disk:?}");
        }
        let bytes = StorageLimits {
            all: Share::Bytes(7),
            free_bytes: 0,
            ..limits
        };
        assert_eq!((bytes.lacks(6, None), bytes.lacks(7, None)), (None, limit));
        assert_eq!(bytes.lacks_for(2, 6, None), limit);
        assert_eq!(limits.lacks_for(2 * G, 0, disk(10 * G, 2 * G)), limit);
        assert_eq!(limits.lacks_for(2 * G, 0, disk(100 * G, 6 * G)), full);
    }

    #[test]
    fn what_is_lacking_is_told() {
        let capacity = Capacity::default();
        let shared = capacity.clone();
        for lacking in [
            Some(RecordingEnd::Limit),
            Some(RecordingEnd::DiskFull),
            None,
        ] {
            capacity.tell(lacking);
            assert_eq!(shared.lacks(), lacking);
        }
    }
}
