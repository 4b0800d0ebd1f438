//! The sessions that there are, by the secret id in their URLs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::Way;
use crate::io::http::problem::Problem;

/// Requests that wait for one session. Beyond: they wait to be taken.
pub(super) const REQUESTS_MAX: usize = 8;

/// What a request wants of a session.
#[derive(Debug)]
pub(super) enum Request {
    /// To add candidates, or to restart ICE.
    Patch {
        /// Its `If-Match`.
        if_match: Option<String>,
        /// The fragment.
        body: String,
        /// What came of it.
        reply: oneshot::Sender<Result<Patched, Problem>>,
    },
    /// To end it.
    End {
        /// Dropped when it has.
        reply: oneshot::Sender<()>,
    },
}

/// What came of a PATCH.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Patched {
    /// The candidates were taken.
    Trickled,
    /// ICE was restarted.
    Restarted {
        /// Of the new ICE session.
        etag: String,
        /// The node's side of it.
        fragment: String,
    },
}

/// A session from outside.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) way: Way,
    pub(super) room: String,
    pub(super) requests: mpsc::Sender<Request>,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(
    // Touched once per request: a plain lock is cheap here.
    Mutex<BTreeMap<String, Handle>>,
);

impl Sessions {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Notes a session under a new id, which nobody can guess (RFC 9725 §5): 128 bits of the
    /// process's cryptographic generator.
    pub(super) fn add(&self, handle: Handle) -> String {
        let id = format!("{:032x}", rand::random::<u128>());
        self.lock().insert(id.clone(), handle);
        id
    }

    /// The session of that id, if it belongs to that endpoint.
    pub(super) fn find(&self, way: Way, room: &str, id: &str) -> Option<Handle> {
        let sessions = self.lock();
        let handle = sessions.get(id)?;
        (handle.way == way && handle.room == room).then(|| handle.clone())
    }

    /// Forgets a session.
    pub(super) fn remove(&self, id: &str) -> Option<Handle> {
        self.lock().remove(id)
    }

    /// A panic elsewhere does not make the map wrong.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Handle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
