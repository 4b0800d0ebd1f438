//! Gathers the facts for `motet doctor`: looks at the machine and changes nothing.

mod ports;
mod system;

use std::net::IpAddr;

use super::listen::{interface_addresses, media_addresses};
use crate::config::{OnOff, Settings};
use crate::doctor::Facts;
use crate::doctor::files::FileFacts;

/// What a node with these settings would find. Takes some seconds if servers do not answer.
pub fn gather(settings: &Settings) -> Facts {
    let addresses = media_addresses(&settings.media_ip, &interface_addresses());
    Facts {
        ports: ports::look(settings, &addresses),
        buffers: system::buffers(),
        files: files(settings, &addresses),
    }
}

fn files(settings: &Settings, addresses: &[IpAddr]) -> FileFacts {
    let has = |is_ipv4| addresses.iter().any(|ip| ip.is_ipv4() == is_ipv4);
    let families = u64::from(has(true)) + u64::from(has(false));
    let relays = match settings.turn {
        OnOff::On => settings.relay_ports.len() as u64 * families,
        OnOff::Off => 0,
    };
    FileFacts {
        soft: system::open_files(),
        connections: super::server::CONNECTIONS_MAX as u64,
        relays,
    }
}
