//! `motet doctor` on this machine: what it finds, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::{Node, motet, run};
use motet::io::tls::certificate::make;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// On loopback alone, with ports that nobody has, and no relays: what the machine gives to them is
/// not what is tested.
fn doctor(flags: &[&str]) -> (i32, Value) {
    let mut command = motet();
    command.args(["doctor", "--json", "--media-ip", "127.0.0.1"]);
    command.args(["--turn", "off"]).args(flags);
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
    command.args(["--turn", "off"]);
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
fn a_privileged_port_needs_a_privilege() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if !is_root || first.map_or(0, |first| first.trim().parse().unwrap_or(0)) <= 1 {
        eprintln!("nothing to see here: needs root, and privileged ports");
        return;
    }
    let mut command = motet();
    command.args(["doctor", "--http-listen", "127.0.0.1:1"]);
    command.args(["--media-ip", "127.0.0.1", "--media-port", "0"]);
    command.args(["--tls", "self-signed", "--data", "/motet-data"]);
    command.current_dir("/").uid(65_534).gid(65_534);
    let (code, output, _) = run(&mut command);
    assert_eq!(code, 1, "{output}");
    let lines: Vec<&str> = output.lines().collect();
    let needs =
        "problem    ports    TCP 127.0.0.1:1 needs a privilege, as all ports below 1024 do.";
    assert_eq!(lines[0], needs);
    assert!(
        lines[1]
            .trim_start()
            .starts_with("sudo setcap cap_net_bind_service=+ep /")
    );
    let disk = "problem    disk     /motet-data cannot be written: Permission denied.";
    assert!(lines.contains(&disk), "{output}");
}

#[test]
fn a_certificate_that_browsers_refuse_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let flags = ["--tls", "files", "--tls-cert", &cert, "--tls-key", &key];
    let named = [&flags[..], &["--domain", "a.example"]].concat();
    let made = |days: i64, name: &str| {
        let now = SystemTime::now();
        let day = Duration::from_secs(86_400);
        let then = if days < 0 { now - 100 * day } else { now };
        let days = u32::try_from(if days < 0 { 100 + days } else { days }).unwrap();
        let pem = make(&[name.to_owned()], days * day, then).unwrap();
        std::fs::write(&cert, &pem.chain).unwrap();
        std::fs::write(&key, &pem.key).unwrap();
    };
    let (code, report) = doctor(&flags);
    let missing = format!("problem: {cert}: No such file or directory.");
    assert_eq!((code, findings(&report, "tls")), (1, vec![missing]));
    for (days, name, expected, code) in [
        (90, "a.example", "and holds for 89 more days.", 0),
        (5, "a.example", "ends in 4 days: renew it.", 0),
        (-3, "a.example", "ended 4 days ago: browsers refuse it.", 1),
        (
            90,
            "b.example",
            "is not for a.example, but for b.example",
            1,
        ),
    ] {
        made(days, name);
        let (ended, report) = doctor(&named);
        let found = findings(&report, "tls");
        assert!(found[0].contains(expected), "{days} {name}: {found:?}");
        assert_eq!(ended, code, "{days} {name}");
    }
}

#[test]
fn a_certificate_authority_that_is_away_is_a_problem() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = format!("https://{}/directory", closed.local_addr().unwrap());
    drop(closed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let flags = [
        "--tls",
        "acme",
        "--domain",
        "no-such-host.invalid",
        "--data",
        data,
    ];
    let (code, report) = doctor(&[&flags[..], &["--acme-directory", &directory]].concat());
    let found = findings(&report, "tls");
    assert_eq!(code, 1);
    let away = "problem: The certificate authority does not answer: 127.0.0.1: Connection refused";
    assert!(found[0].starts_with(away), "{found:?}");
    assert!(
        found[1].starts_with("problem: no-such-host.invalid leads nowhere"),
        "{found:?}"
    );
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing was changed");
}

/// An https server on localhost that says 200 and that date to everyone, and the file of its root.
fn https_server(folder: &Path, date: &'static str) -> (String, String) {
    let day = Duration::from_secs(86_400);
    let pem = make(&["localhost".to_owned()], day, SystemTime::now()).unwrap();
    let root = folder.join("root.pem");
    std::fs::write(&root, &pem.chain).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(&pem.chain).unwrap()],
            PrivateKeyDer::from_pem_slice(&pem.key).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, stream);
            let _ = stream.read(&mut [0; 2000]);
            let head = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 2\r\n\r\n{{}}");
            let _ = stream.write_all(head.as_bytes());
        }
    });
    (
        format!("https://localhost:{port}/directory"),
        root.display().to_string(),
    )
}

#[test]
fn a_certificate_authority_that_answers_tells_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, root) = https_server(folder.path(), "Thu, 01 Jan 2026 00:00:00 GMT");
    let host = directory.split('/').nth(2).unwrap();
    let data = folder.path().to_str().unwrap();
    let acme = [
        "--tls",
        "acme",
        "--domain",
        "no-such-host.invalid",
        "--data",
        data,
    ];
    let asked = ["--acme-directory", &directory, "--acme-roots", &root];
    let (_, report) = doctor(&[&acme[..], &asked].concat());
    let tls = findings(&report, "tls");
    let answers = format!("ok: The certificate authority at {directory} answers.");
    assert_eq!(tls[0], answers);
    let wrong = |clock: &[String]| {
        let first = clock.first().map_or("", String::as_str);
        first.starts_with("problem: The clock is ")
            && first.ends_with(&format!(" s ahead of {host}."))
    };
    let clock = findings(&report, "clock");
    assert!(wrong(&clock), "{clock:?}");
    // Of a root that nobody knows nothing is believed.
    let (_, report) = doctor(&[&acme[..], &asked[..2]].concat());
    let tls = findings(&report, "tls");
    assert!(
        tls[0].starts_with("problem: The certificate authority does not answer"),
        "{tls:?}"
    );
    // Anybody else can be asked for the time.
    let (code, report) = doctor(&["--time-from", &directory, "--acme-roots", &root]);
    assert!(code == 1 && wrong(&findings(&report, "clock")), "{report}");
}

#[test]
fn a_stun_server_that_is_away_is_no_problem() {
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = closed.local_addr().unwrap().to_string();
    drop(closed);
    let (code, report) = doctor(&["--stun-server", &server]);
    let found = findings(&report, "address");
    assert_eq!(code, 0, "{found:?}");
    let away = format!("warning: The STUN server {server} does not say");
    assert!(
        found.iter().any(|line| line.starts_with(&away)),
        "{found:?}"
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

#[test]
fn the_port_of_the_metrics_is_looked_at_too() {
    let node = Node::start(&["--metrics-listen", "127.0.0.1:0"]);
    let mut words = node.said.split(' ');
    let at = words.find_map(|word| word.strip_prefix("metrics="));
    let at = at.unwrap().to_owned();
    let ports = || findings(&doctor(&["--metrics-listen", &at]).1, "ports");
    let own = format!("ok: TCP {at} is served by a running node.");
    assert!(ports().contains(&own), "{:?}", ports());
    drop(node);
    let _taken = std::net::TcpListener::bind(&at).unwrap();
    let taken = format!("problem: TCP {at} is used by another program");
    let found = ports();
    assert!(
        found.iter().any(|line| line.starts_with(&taken)),
        "{found:?}"
    );
}
