//! Gathers the facts for `motet doctor`: looks at the machine and changes nothing.

mod address;
mod clock;
mod disk;
mod firewall;
mod ports;
mod system;
mod tls;

use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::listen::{interface_addresses, media_addresses};
use super::tls::https;
use crate::config::{DoctorSettings, OnOff, Settings, TlsMode};
use crate::doctor::Facts;
use crate::doctor::files::FileFacts;
use crate::doctor::ports::{PortFacts, PortState};

const UFW: &str = "/etc/ufw";

/// What a node with these settings would find. Takes some seconds if servers do not answer.
///
/// # Errors
/// If the system has no resources for asking anybody.
pub fn gather(settings: &DoctorSettings) -> io::Result<Facts> {
    let node = &settings.node;
    let addresses = media_addresses(&node.media_ip, &interface_addresses());
    let ports = ports::look(node, &addresses);
    let buffers = system::buffers();
    let files = files(node, &addresses);
    let firewall = firewall::look(Path::new(UFW), node);
    let disk = disk::look(node);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (address, tls, clock) = runtime.block_on(async {
        let directory = directory(node).await;
        let answer = directory.as_ref().and_then(|answer| answer.as_ref().ok());
        tokio::join!(
            address::look(node, &addresses, is_media_free(&ports)),
            tls::look(
                node,
                directory.as_ref(),
                ports.http.state == PortState::Free
            ),
            clock::look(settings, answer),
        )
    });
    Ok(Facts {
        ports,
        buffers,
        files,
        address,
        firewall,
        tls,
        clock,
        disk,
    })
}

async fn directory(settings: &Settings) -> Option<io::Result<https::Answer>> {
    let tls = &settings.tls;
    if tls.mode != TlsMode::Acme {
        return None;
    }
    Some(https::ask(&tls.acme_directory, tls.acme_roots.as_deref()).await)
}

/// What the system says, without its numbers.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let number = text.find(" (os error ");
    text[..number.unwrap_or(text.len())].to_owned()
}

fn is_media_free(ports: &PortFacts) -> bool {
    ports.media.iter().all(|port| port.state == PortState::Free)
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
        connections: super::doors::CONNECTIONS_MAX.into(),
        relays,
    }
}
