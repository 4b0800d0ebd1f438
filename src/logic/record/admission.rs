//! Whether a recording may begin.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::storage::Capacity;
use crate::logic::household::Household;
use crate::logic::limits::{Bucket, Limits};
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::RecordingEnd;

/// Households and rooms that are remembered though nothing of theirs goes on; beyond, all of these are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Who has rooms recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recorders {
    /// Nobody.
    Nobody,
    /// Who runs the node.
    Admin,
    /// They, and owners of rooms.
    #[default]
    Owners,
}

/// Why a recording does not begin: a sentence that says what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody has rooms recorded here.
    #[error("Recording is switched off on this node (--recording off).")]
    Off,
    /// Owners have not.
    #[error("Only whoever runs this node has rooms recorded here (--recording admin); ask them.")]
    NotYours,
    /// Nothing comes by the node.
    #[error(
        "Media travels between the members here, never over the node: there is nothing to record."
    )]
    Mesh,
    /// It goes on.
    #[error("The room is recorded already.")]
    Recorded,
    /// The room was recorded just now.
    #[error("A recording of this room began just now; try again in {seconds} s.")]
    Soon {
        /// When it may.
        seconds: u64,
    },
    /// Too many of one household.
    #[error(
        "As many rooms are recorded from your address as may be (--recordings-per-address); end one first."
    )]
    Household,
    /// There are enough bytes of them.
    #[error(
        "Recordings take as much space as they may (--recordings-max-bytes); remove some at /recordings first."
    )]
    Full,
    /// Others need the rest of the disk.
    #[error(
        "The node's disk is nearly full (--recordings-min-free); remove recordings at /recordings first."
    )]
    Disk,
}

impl Refused {
    /// For clients.
    pub fn code(self) -> ErrorCode {
        match self {
            Refused::Off | Refused::NotYours => ErrorCode::Forbidden,
            Refused::Soon { .. } => ErrorCode::TooFast,
            Refused::Mesh
            | Refused::Recorded
            | Refused::Household
            | Refused::Full
            | Refused::Disk => ErrorCode::Limit,
        }
    }

    /// For whoever asks over REST.
    pub fn name(self) -> &'static str {
        match self {
            Refused::Off => "off",
            Refused::NotYours => "notYours",
            Refused::Mesh => "mesh",
            Refused::Recorded => "recorded",
            Refused::Soon { .. } => "tooFast",
            Refused::Household => "household",
            Refused::Full => "full",
            Refused::Disk => "disk",
        }
    }
}

/// Lets recordings begin.
#[derive(Debug, Default)]
pub struct Admission {
    capacity: Capacity,
    households: BTreeMap<Household, Account>,
    /// When a recording of that room began last.
    rooms: BTreeMap<String, Instant>,
}

#[derive(Debug)]
struct Account {
    /// Recordings that go on.
    going: u32,
    pace: Bucket,
}

impl Admission {
    /// Nothing is recorded yet; `capacity` says whether there is space.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Whether a recording of that room may begin: wanted by an owner of that household, which then counts one until
    /// [`Admission::ended`], or by whoever runs the node.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit(
        &mut self,
        now: Instant,
        room: &str,
        owner: Option<Household>,
        limits: &Limits,
    ) -> Result<(), Refused> {
        match (limits.recording, owner) {
            (Recorders::Nobody, _) => return Err(Refused::Off),
            (Recorders::Admin, Some(_)) => return Err(Refused::NotYours),
            _ => {}
        }
        match self.capacity.lacks() {
            None => {}
            Some(RecordingEnd::Limit) => return Err(Refused::Full),
            Some(_) => return Err(Refused::Disk),
        }
        let Some(household) = owner else {
            return Ok(());
        };
        self.forget(now, limits);
        let pause = Duration::from_secs(limits.record_seconds.into());
        if let Some(&began) = self.rooms.get(room) {
            let passed = now.saturating_duration_since(began);
            if let Some(left) = pause.checked_sub(passed).filter(|left| !left.is_zero()) {
                let seconds = left.as_secs() + 1;
                return Err(Refused::Soon { seconds });
            }
        }
        let most = limits.recordings_per_address;
        let account = self.households.entry(household).or_insert_with(|| Account {
            going: 0,
            pace: Bucket::new(now, 1, limits.record_seconds, most),
        });
        if account.going >= most {
            return Err(Refused::Household);
        }
        if !account.pace.take(now) {
            let seconds = limits.record_seconds.into();
            return Err(Refused::Soon { seconds });
        }
        account.going += 1;
        self.rooms.insert(room.to_owned(), now);
        Ok(())
    }

    /// A recording of that household's is over.
    pub fn ended(&mut self, household: Household) {
        if let Some(account) = self.households.get_mut(&household) {
            account.going = account.going.saturating_sub(1);
        }
    }

    fn forget(&mut self, now: Instant, limits: &Limits) {
        if self.rooms.len() >= REMEMBERED_MAX {
            let pause = Duration::from_secs(limits.record_seconds.into());
            self.rooms
                .retain(|_, began| now.saturating_duration_since(*began) < pause);
        }
        if self.households.len() >= REMEMBERED_MAX {
            self.households.retain(|_, account| account.going > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn household(last: u8) -> Household {
        Household::of([192, 0, 2, last].into())
    }

    #[test]
    fn who_may_have_a_room_recorded_is_set() {
        let now = Instant::now();
        for (recording, admin, owner) in [
            (Recorders::Nobody, Err(Refused::Off), Err(Refused::Off)),
            (Recorders::Admin, Ok(()), Err(Refused::NotYours)),
            (Recorders::Owners, Ok(()), Ok(())),
        ] {
            let limits = Limits {
                recording,
                ..Limits::default()
            };
            let mut admission = Admission::default();
            assert_eq!(admission.admit(now, "a", None, &limits), admin);
            let by_owner = admission.admit(now, "a", Some(household(1)), &limits);
            assert_eq!(by_owner, owner);
        }
    }

    #[test]
    fn without_space_nothing_begins() {
        let now = Instant::now();
        let capacity = Capacity::default();
        let mut admission = Admission::new(capacity.clone());
        for (lacking, expected) in [
            (Some(RecordingEnd::Limit), Err(Refused::Full)),
            (Some(RecordingEnd::DiskFull), Err(Refused::Disk)),
            (None, Ok(())),
        ] {
            capacity.tell(lacking);
            for owner in [None, Some(household(1))] {
                let admitted = admission.admit(now, "a", owner, &Limits::default());
                assert_eq!(admitted, expected);
            }
        }
    }

    #[test]
    fn a_room_is_recorded_anew_after_ten_seconds() {
        let start = Instant::now();
        let limits = Limits::default();
        let mut admission = Admission::default();
        let mut admit = |seconds: u64, room: &str, owner: Option<Household>| {
            let now = start + Duration::from_secs(seconds);
            let admitted = admission.admit(now, room, owner, &limits);
            if admitted.is_ok() && owner.is_some() {
                admission.ended(household(1));
            }
            admitted
        };
        let owner = Some(household(1));
        assert_eq!(admit(0, "a", owner), Ok(()));
        assert_eq!(admit(3, "a", owner), Err(Refused::Soon { seconds: 8 }));
        assert_eq!(
            admit(3, "a", None),
            Ok(()),
            "who runs the node waits for nothing"
        );
        assert_eq!(admit(3, "b", owner), Ok(()));
        assert_eq!(admit(10, "a", owner), Ok(()));
    }

    #[test]
    fn a_household_has_ten_recordings_and_ten_more_take_their_time() {
        let start = Instant::now();
        let limits = Limits::default();
        let mut admission = Admission::default();
        let mut admit = |seconds: u64, room: u64, last: u8| {
            let now = start + Duration::from_secs(seconds);
            let room = room.to_string();
            admission.admit(now, &room, Some(household(last)), &limits)
        };
        for room in 0..10 {
            assert_eq!(admit(0, room, 1), Ok(()));
        }
        assert_eq!(admit(900, 10, 1), Err(Refused::Household));
        assert_eq!(admit(900, 11, 2), Ok(()), "another is not concerned");
        for _ in 0..10 {
            admission.ended(household(1));
        }
        // Rooms that begin and end one after the other.
        let mut begun = 0;
        for second in 1_000..1_100 {
            let now = start + Duration::from_secs(second);
            let room = second.to_string();
            if admission
                .admit(now, &room, Some(household(1)), &limits)
                .is_ok()
            {
                begun += 1;
                admission.ended(household(1));
            }
        }
        assert!((10..=20).contains(&begun), "{begun}");
    }
}
