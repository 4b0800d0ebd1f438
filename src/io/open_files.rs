//! How many files the process may have open: every connection is one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets the process have as many files open as it is allowed to: many systems begin with 1,024, for the
/// sake of old programs. Returns how many.
pub fn raise_limit() -> u64 {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, soft, hard, "the limit of open files cannot be raised");
    }
    limit()
}

/// How many it may have open.
pub fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft)
}
