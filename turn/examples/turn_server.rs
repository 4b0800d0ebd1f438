//! A STUN and TURN server over UDP and TCP:
//! `cargo run -p motet-turn --features rim --example turn_server -- --secret … --relay-ip …`

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use clap::Parser;
use motet_turn::rim::{Listen, Rim};
use motet_turn::{Cidr, Config, words};

#[derive(Parser)]
struct Args {
    /// Where to listen, with UDP and TCP.
    #[arg(long, default_value = "0.0.0.0:3478")]
    listen: Vec<SocketAddr>,
    /// Relay addresses as clients and peers see them; one of each family at most.
    #[arg(long, required = true)]
    relay_ip: Vec<IpAddr>,
    /// The relay sockets are bound here, if these are not the addresses that others see.
    #[arg(long)]
    bind_ip: Vec<IpAddr>,
    /// Ports of relay addresses.
    #[arg(long, default_value = "49152-65535", value_parser = ports)]
    ports: RangeInclusive<u16>,
    /// Names and passwords are made with it.
    #[arg(long, env = "TURN_SECRET", hide_env_values = true)]
    secret: String,
    #[arg(long, default_value = "turn")]
    realm: String,
    /// Peers that may be reached though they are not on the open Internet, like 192.168.0.0/16.
    #[arg(long)]
    allow: Vec<Cidr>,
    /// Take the channel numbers of RFC 5766 too, for older clients.
    #[arg(long)]
    old_channels: bool,
    /// Payload bytes per second of one member, and of one source address.
    #[arg(long)]
    bytes_per_second: Option<u64>,
    /// Allocations of one member, and of one source address.
    #[arg(long)]
    allocations: Option<usize>,
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let range = first.parse().ok()?..=last.parse().ok()?;
        (!range.is_empty()).then_some(range)
    });
    range.ok_or_else(|| "not a range like 49152-65535".to_owned())
}

fn config(args: &Args) -> std::io::Result<Config> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut config = Config::new(&args.realm, args.secret.as_bytes(), seed);
    for ip in &args.relay_ip {
        match ip {
            IpAddr::V4(ip) => config.relay_ipv4 = Some(*ip),
            IpAddr::V6(ip) => config.relay_ipv6 = Some(*ip),
        }
    }
    config.relay_ports = args.ports.clone();
    config.own_listeners = args.listen.clone();
    config.own_addresses = args.bind_ip.clone();
    config.own_addresses.retain(|ip| !ip.is_unspecified());
    config.allowed_peers = args.allow.clone();
    if args.old_channels {
        config.channels = words::CHANNELS_RFC_5766;
    }
    for ceiling in [&mut config.quota.member, &mut config.quota.source] {
        ceiling.allocations = args.allocations.unwrap_or(ceiling.allocations);
        ceiling.bytes_per_second = args.bytes_per_second.unwrap_or(ceiling.bytes_per_second);
    }
    let total = &mut config.quota.total;
    total.allocations = total.allocations.max(args.allocations.unwrap_or(0));
    total.bytes_per_second = total
        .bytes_per_second
        .max(args.bytes_per_second.unwrap_or(0));
    Ok(config)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let bind = |is_v4: bool| {
        args.bind_ip
            .iter()
            .copied()
            .find(|ip| ip.is_ipv4() == is_v4)
    };
    let listen = Listen {
        at: args.listen.clone(),
        relay_ipv4: bind(true),
        relay_ipv6: bind(false),
    };
    let rim = Rim::start(config(&args)?, listen).await?;
    eprintln!("listening at {:?}", rim.addresses());
    tokio::signal::ctrl_c().await?;
    eprintln!("{:?}", rim.counters());
    Ok(())
}
