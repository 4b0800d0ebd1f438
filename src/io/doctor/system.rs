//! What the kernel says of itself.

use std::net::Ipv4Addr;

use crate::doctor::buffers::BufferFacts;
use crate::io::listen::{MEDIA_BUFFER_BYTES, try_media};

/// What a media socket gets. Asked of a socket, as a container may not show the sysctl.
pub(super) fn buffers() -> BufferFacts {
    let wanted = MEDIA_BUFFER_BYTES;
    let bound = try_media((Ipv4Addr::LOCALHOST, 0).into()).ok();
    let socket = bound
        .as_ref()
        .map(|bound| socket2::SockRef::from(&bound.socket));
    // The kernel keeps as much again for its own bookkeeping and reports both: socket(7).
    let half = |size: std::io::Result<usize>| size.map_or(wanted, |size| size / 2);
    BufferFacts {
        wanted,
        receive: socket
            .as_ref()
            .map_or(wanted, |s| half(s.recv_buffer_size())),
        send: socket
            .as_ref()
            .map_or(wanted, |s| half(s.send_buffer_size())),
    }
}

/// RLIMIT_NOFILE of a node started in the same way, which takes as much as it is allowed to.
pub(super) fn open_files() -> Option<u64> {
    hard_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn hard_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_is_read_from_the_kernels_table() {
        let table = |hard: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             7                    8                    processes \n\
                 Max open files            1024                 {hard:<20} files     \n"
            )
        };
        assert_eq!(hard_limit(&table("524288")), Some(524_288));
        assert_eq!(hard_limit(&table("unlimited")), Some(u64::MAX));
        assert_eq!(hard_limit("nothing"), None);
        assert!(open_files().is_some());
    }

    #[test]
    fn a_socket_says_what_it_was_given() {
        let facts = buffers();
        for (name, given) in [("rmem_max", facts.receive), ("wmem_max", facts.send)] {
            // A container may not show it.
            let Ok(text) = std::fs::read_to_string(format!("/proc/sys/net/core/{name}")) else {
                continue;
            };
            let limit: usize = text.trim().parse().unwrap_or_default();
            assert_eq!(given, facts.wanted.min(limit), "{name}");
        }
    }
}
