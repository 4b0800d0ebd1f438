//! What the relay is told at its start: under which addresses it gives relays, and what of the node
//! they must not reach.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use motet_turn::{Config, Policy};

use super::listen::{MediaSockets, interface_addresses};
use super::relays::RelayBinding;
use super::worker::WorkerConfig;
use crate::config::{OnOff, Settings};
use crate::media::relay::RelayConfig;

/// Short: it is part of every challenge.
const REALM: &str = "turn";

/// Where relay sockets are bound; nothing if there is no relay.
pub(super) fn binding(config: &WorkerConfig) -> Option<RelayBinding> {
    (config.settings.turn == OnOff::On).then(|| RelayBinding {
        addresses: [true, false].map(|is_ipv4| Some(addresses(&config.media, is_ipv4)?.bound)),
        ports: config.settings.relay_ports.clone(),
    })
}

/// What the relay is made of; `time` is a moment and the time since 1970 then.
pub(super) fn config(config: &WorkerConfig, time: (Instant, Duration)) -> Option<RelayConfig> {
    let turn = turn(&config.settings, &config.media, config.http);
    (config.settings.turn == OnOff::On).then_some(RelayConfig { turn, time })
}

/// Where tracks may be sent as RTP: judged as a peer of a relay is, by a list of its own.
pub(super) fn outputs(config: &WorkerConfig) -> Policy {
    let mut turn = turn(&config.settings, &config.media, config.http);
    turn.allowed_peers = config.settings.forwards.allow.clone();
    if config.settings.turn == OnOff::Off {
        // No relay listens: of their ports that is kept which nothing is sent to anyway.
        turn.relay_ports = 0..=0;
    }
    Policy::of(&turn)
}

fn turn(settings: &Settings, media: &MediaSockets, http: SocketAddr) -> Config {
    let secret: [u8; 32] = rand::random();
    let mut config = Config::new(REALM, &secret, rand::random());
    let bound: Vec<SocketAddr> = media.sockets.iter().map(|socket| socket.local).collect();
    for told in told(&bound, &media.advertised) {
        match told {
            IpAddr::V4(ip) => config.relay_ipv4 = Some(ip),
            IpAddr::V6(ip) => config.relay_ipv6 = Some(ip),
        }
    }
    config.relay_ports = settings.relay_ports.clone();
    config.own_media = media.sockets.iter().map(|socket| socket.local).collect();
    config.own_media.extend(&media.advertised);
    config.own_media.sort();
    config.own_media.dedup();
    config.own_listeners = vec![http];
    config.own_addresses = interface_addresses();
    config.allowed_peers = settings.relay_allow.clone();
    config
}

/// Under which addresses relays are given, at most one of each family, for what is bound and what
/// browsers are told for media.
pub(super) fn told(bound: &[SocketAddr], advertised: &[SocketAddr]) -> Vec<IpAddr> {
    let ips = |at: &[SocketAddr]| -> Vec<IpAddr> { at.iter().map(SocketAddr::ip).collect() };
    let (bound, advertised) = (ips(bound), ips(advertised));
    let chosen = [true, false].map(|is_ipv4| choose(&bound, &advertised, is_ipv4));
    chosen.into_iter().flatten().map(|one| one.told).collect()
}

/// A relay's address, as others see it and as it is bound here.
#[derive(Debug, PartialEq, Eq)]
struct Addresses {
    told: IpAddr,
    bound: IpAddr,
}

/// Of what browsers are told for media, the first that is not private; without one of that family
/// there are no relays of it.
fn addresses(media: &MediaSockets, is_ipv4: bool) -> Option<Addresses> {
    let bound: Vec<IpAddr> = media.sockets.iter().map(|one| one.local.ip()).collect();
    let told: Vec<IpAddr> = media.advertised.iter().map(SocketAddr::ip).collect();
    choose(&bound, &told, is_ipv4)
}

fn choose(bound: &[IpAddr], told: &[IpAddr], is_ipv4: bool) -> Option<Addresses> {
    let of_family = |ips: &[IpAddr]| -> Vec<IpAddr> {
        let ips = ips.iter().copied();
        ips.filter(|ip| ip.is_ipv4() == is_ipv4).collect()
    };
    let (bound, told) = (of_family(bound), of_family(told));
    let told = *told
        .iter()
        .find(|ip| !is_private(**ip))
        .or_else(|| told.first())?;
    if bound.contains(&told) {
        return Some(Addresses { told, bound: told });
    }
    let outward = bound.iter().find(|ip| !ip.is_loopback());
    let bound = *outward.or_else(|| bound.first())?;
    Some(Addresses { told, bound })
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_address_relays_get_and_where_they_are_bound() {
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().filter_map(|text| text.parse().ok()).collect()
        };
        let lan = ["10.0.0.5", "192.168.1.5", "127.0.0.1"];
        for (bound, told, is_ipv4, expected) in [
            (&lan[..], &lan[..2], true, Some(["10.0.0.5", "10.0.0.5"])),
            (
                &lan,
                &["203.0.113.7"],
                true,
                Some(["203.0.113.7", "10.0.0.5"]),
            ),
            (&lan, &["203.0.113.7"], false, None),
            (&lan, &["2001:db8::7"], false, None),
            (
                &["10.0.0.5", "198.51.100.7", "fd00::5", "127.0.0.1"],
                &["10.0.0.5", "198.51.100.7", "fd00::5"],
                true,
                Some(["198.51.100.7", "198.51.100.7"]),
            ),
            (
                &["fd00::5", "127.0.0.1"],
                &["fd00::5"],
                false,
                Some(["fd00::5", "fd00::5"]),
            ),
            (
                &["127.0.0.1"],
                &["127.0.0.1"],
                true,
                Some(["127.0.0.1", "127.0.0.1"]),
            ),
        ] {
            let expected = expected.map(|both| Addresses {
                told: ips(&both)[0],
                bound: ips(&both)[1],
            });
            assert_eq!(choose(&ips(bound), &ips(told), is_ipv4), expected);
        }
    }
}
