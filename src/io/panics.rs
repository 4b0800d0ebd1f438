//! What the log says of a fault of this program.

use std::backtrace::{Backtrace, BacktraceStatus};

/// Panics are told by the log from now on: where, not what, above debug. What a panic says may hold what somebody
/// sent, such as a text that was cut between two bytes.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        tracing::error!(place, "a fault of this program (`--log debug` says more)");
        tracing::debug!(%panic, "it said");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tracing::error!(%trace, "it came from");
        }
    }));
}
