//! `motet doctor` behind real NATs, made of network namespaces: node - router - outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use common::{Node, motet, run};
use serde_json::Value;

const NODE: &str = "10.79.1.2";
const ROUTER: &str = "198.51.100.1";
const OUTSIDE: [&str; 2] = ["198.51.100.2", "198.51.100.3"];

/// Three namespaces, gone when this is dropped.
struct Network {
    id: u32,
}

impl Network {
    /// Nothing if namespaces cannot be made here.
    fn new() -> Option<Network> {
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let has = |tool: &str| Command::new(tool).arg("-V").output().is_ok();
        if !is_root || !has("ip") || !has("nft") {
            eprintln!("nothing to see here: needs root, ip and nft");
            return None;
        }
        let network = Network {
            id: std::process::id(),
        };
        for side in ["node", "router", "outside"] {
            shell(&format!("ip netns add {}", network.name(side)));
            network.inside(side, "ip link set lo up");
        }
        let [node, router, outside] = ["node", "router", "outside"].map(|side| network.name(side));
        shell(&format!(
            "ip link add lan netns {router} type veth peer name wan netns {node}"
        ));
        shell(&format!(
            "ip link add out netns {router} type veth peer name wan netns {outside}"
        ));
        network.inside("node", &format!("ip address add {NODE}/24 dev wan"));
        network.inside("router", "ip address add 10.79.1.1/24 dev lan");
        network.inside("router", &format!("ip address add {ROUTER}/24 dev out"));
        for address in OUTSIDE {
            network.inside("outside", &format!("ip address add {address}/24 dev wan"));
        }
        for (side, device) in [
            ("node", "wan"),
            ("router", "lan"),
            ("router", "out"),
            ("outside", "wan"),
        ] {
            network.inside(side, &format!("ip link set dev {device} up"));
        }
        network.inside("node", "ip route add default via 10.79.1.1");
        network.inside("router", "echo 1 > /proc/sys/net/ipv4/ip_forward");
        network.inside("router", "nft add table ip nat");
        network.inside(
            "router",
            "nft 'add chain ip nat pre { type nat hook prerouting priority -100; }'",
        );
        network.inside(
            "router",
            "nft 'add chain ip nat post { type nat hook postrouting priority 100; }'",
        );
        Some(network)
    }

    fn name(&self, side: &str) -> String {
        format!("motet-{}-{side}", self.id)
    }

    fn inside(&self, side: &str, command: &str) {
        shell(&format!(
            "ip netns exec {} sh -c \"{command}\"",
            self.name(side)
        ));
    }

    /// The node's program, to be run on that side.
    fn motet(&self, side: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(side)]);
        command.arg(motet().get_program());
        command
    }

    /// Findings about addresses with that media port, each as `outcome: text`.
    fn doctor(&self, port: u16) -> Vec<String> {
        let mut command = self.motet("node");
        command.args([
            "doctor",
            "--json",
            "--media-ip",
            NODE,
            "--media-port",
            &port.to_string(),
        ]);
        for address in OUTSIDE {
            command.args(["--stun-server", &format!("{address}:3478")]);
        }
        let (_, output, errors) = run(&mut command);
        assert_eq!(errors, "");
        let report: Value = serde_json::from_str(&output).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let of_address = findings.filter(|finding| finding["check"] == "address");
        of_address
            .map(|finding| {
                let word = |key: &str| finding[key].as_str().unwrap().to_owned();
                format!("{}: {}", word("outcome"), word("text"))
            })
            .collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for side in ["node", "router", "outside"] {
            let _ = Command::new("ip")
                .args(["netns", "delete", &self.name(side)])
                .status();
        }
    }
}

fn shell(command: &str) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
}

fn has(findings: &[String], begin: &str) -> bool {
    findings.iter().any(|line| line.starts_with(begin))
}

#[test]
fn the_nat_in_front_is_told_and_the_way_back_in() {
    let Some(network) = Network::new() else {
        return;
    };
    let mut server = network.motet("outside");
    server.args(["--http-listen", "127.0.0.1:0", "--media-port", "3478"]);
    let _server = Node::spawn(server);

    network.inside("router", "nft add rule ip nat post masquerade fully-random");
    let found = network.doctor(3478);
    let told = format!("ok: Browsers are told {ROUTER}, {NODE} for media.");
    assert_eq!(found[0], told);
    let behind = format!("{NODE} is behind a NAT, seen as {ROUTER}, that");
    let symmetric = format!("warning: {behind} uses another port for every destination");
    assert!(has(&found, &symmetric), "{found:?}");
    let no_way_back = format!("warning: The node does not reach itself by {ROUTER}");
    assert!(has(&found, &no_way_back), "{found:?}");

    // Another port: the router remembers how it treated the one before.
    network.inside("router", "nft flush chain ip nat post");
    network.inside("router", "nft add rule ip nat post masquerade");
    let forward =
        format!("nft add rule ip nat pre ip daddr {ROUTER} udp dport 3479 dnat to {NODE}");
    network.inside("router", &forward);
    let found = network.doctor(3479);
    assert!(
        has(&found, &format!("ok: {behind} keeps its ports")),
        "{found:?}"
    );
    let way_back = format!("ok: The node reaches itself by {ROUTER}.");
    assert!(has(&found, &way_back), "{found:?}");

    network.inside("node", "ip route delete default");
    let found = network.doctor(3479);
    assert!(
        has(&found, "warning: This machine has no default route"),
        "{found:?}"
    );
    let private = format!("warning: Browsers are told {NODE} for media, which is private");
    assert!(has(&found, &private), "{found:?}");
}
