//! `motet doctor` on this machine: what it finds, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Node, motet, run};
use serde_json::Value;

/// On loopback alone, with ports that nobody has.
fn doctor(flags: &[&str]) -> (i32, Value) {
    let mut command = motet();
    command.args(["doctor", "--json", "--media-ip", "127.0.0.1"]);
    command.args(flags);
    if !flags.contains(&"--http-listen") {
        command.args(["--http-listen", "127.0.0.1:0"]);
    }
    if !flags.contains(&"--media-port") {
        command.args(["--media-port", "0"]);
    }
    let (code, output, errors) = run(&mut command);
    assert_eq!(errors, "");
    (code, serde_json::from_str(&output).expect("JSON"))
}

/// The findings of a check, each as `outcome: text`.
fn findings(report: &Value, check: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let of_check = findings.filter(|finding| finding["check"] == check);
    of_check
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!("{}: {}", word("outcome"), word("text"))
        })
        .collect()
}

#[test]
fn a_running_node_is_recognised_and_a_stranger_is_not() {
    let node = Node::start(&[]);
    let http = node.http.to_string();
    let port = node.media[0].port().to_string();
    let flags = ["--http-listen", &http, "--media-port", &port];
    let (_, report) = doctor(&flags);
    let ports = findings(&report, "ports");
    assert_eq!(
        ports[..2],
        [
            format!("ok: TCP {http} is served by a running node."),
            format!("ok: UDP {port} is served by a running node on 127.0.0.1."),
        ]
    );
    drop(node);
    let _stranger = std::net::TcpListener::bind(&http).unwrap();
    let _other = std::net::UdpSocket::bind(format!("127.0.0.1:{port}")).unwrap();
    let (code, report) = doctor(&flags);
    assert_eq!((code, &report["outcome"]), (1, &Value::from("problem")));
    let ports = findings(&report, "ports");
    for (finding, kind) in [(&ports[0], "TCP"), (&ports[1], "UDP")] {
        assert!(
            finding.starts_with(&format!("problem: {kind} 127.0.0.1:"))
                && finding.contains("used by another program"),
            "{finding}"
        );
    }
}

#[test]
fn people_get_lines_without_colours_where_nobody_sees_them() {
    let mut command = motet();
    command.args(["doctor", "--media-ip", "127.0.0.1", "--media-port", "0"]);
    let (code, output, errors) = run(command.args(["--http-listen", "127.0.0.1:0"]));
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    assert!(!output.contains('\x1b'), "{output}");
    let first = output.lines().next().unwrap();
    assert_eq!(first, "ok         ports    TCP 127.0.0.1:0 is free.");
}

#[test]
fn the_limits_of_the_process_count() {
    let program = motet();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 300; exec \"$0\" \"$@\""]);
    command
        .arg(program.get_program())
        .args(["doctor", "--json"]);
    command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
    let (code, output, _) = run(&mut command);
    let report: Value = serde_json::from_str(&output).unwrap();
    let files = findings(&report, "files");
    assert_eq!(code, 1, "{output}");
    assert!(
        files[0].starts_with("problem: The node may open 300 files"),
        "{files:?}"
    );
}

#[test]
fn what_is_wrong_with_the_settings_is_said_as_ever() {
    let (code, output, errors) = run(motet().args(["doctor", "--mesh-max", "99"]));
    assert_eq!((code, output.as_str()), (1, ""));
    assert_eq!(
        errors,
        "motet: --mesh-max from the flag: \"99\": 99 is not in 2..=8\n"
    );
}
