//! Settings by flag, variable and file, and what is said when one is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Node, motet, run};

#[test]
fn help_teaches_every_setting_with_its_variable() {
    let (code, output, errors) = run(motet().arg("--help"));
    assert_eq!((code, errors.as_str()), (0, ""));
    for arg in motet::config::command().get_arguments() {
        let Some(long) = arg.get_long() else { continue };
        assert!(output.contains(&format!("--{long}")), "--{long}");
        if let Some(variable) = arg.get_env() {
            assert!(output.contains(variable.to_str().unwrap()), "{variable:?}");
        }
    }
    for heading in ["General:", "Network:", "Rooms:", "Access:", "Examples:"] {
        assert!(output.contains(heading), "{heading}");
    }
}

#[test]
fn the_version_is_told() {
    let (code, output, _) = run(motet().arg("--version"));
    assert_eq!(
        (code, output.as_str()),
        (0, concat!("motet ", env!("CARGO_PKG_VERSION"), "\n"))
    );
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("motet.toml");
    std::fs::write(
        &path,
        "http-listen = \"127.0.0.3:0\"\nmedia-ip = [\"127.0.0.3\"]\nmedia-port = 0\n",
    )
    .unwrap();
    let mut command = motet();
    command
        .env("MOTET_CONFIG", &path)
        .env("MOTET_MEDIA_IP", "127.0.0.2");
    command.args(["--http-listen", "127.0.0.1:0"]);
    let node = Node::spawn(command);
    assert_eq!(node.http.ip().to_string(), "127.0.0.1");
    let media: Vec<String> = node
        .media
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    assert_eq!(media, ["127.0.0.2", "127.0.0.1"]);
    assert_ne!(node.media[0].port(), 3478);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut command = motet();
    command
        .env("MOTET_PUBLIC_IP", "")
        .env("MOTET_ADMIN_TOKEN", "");
    command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
    Node::spawn(command);
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = taken.local_addr().unwrap().to_string();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = taken.local_addr().unwrap().port().to_string();
    let free = ["--http-listen", "127.0.0.1:0"];
    for (flags, variable, expected) in [
        (
            vec!["--http-listen", tcp.as_str()],
            None,
            "the port is in use",
        ),
        (
            [
                free.as_slice(),
                &["--media-ip", "127.0.0.1", "--media-port", &udp],
            ]
            .concat(),
            None,
            "the port is in use",
        ),
        (
            [free.as_slice(), &["--media-ip", "192.0.2.7"]].concat(),
            None,
            "this machine has no such address",
        ),
        (
            vec!["--http-listen", "nonsense"],
            None,
            "expected an IP address and a port",
        ),
        (vec!["--config", "no/such/file"], None, "No such file"),
        (
            vec![],
            Some(("MOTET_MESH_MAX", "many")),
            "--mesh-max from the variable MOTET_MESH_MAX: \"many\": ",
        ),
        (
            vec![],
            Some(("MOTET_TOPOLOGY", "star")),
            "is not one of auto, mesh, sfu",
        ),
        (vec!["--nonsense"], None, "there is no --nonsense"),
        (vec!["nonsense"], None, "nonsense"),
    ] {
        let mut command = motet();
        command.args(&flags).envs(variable);
        let (code, output, errors) = run(&mut command);
        assert_eq!((code, output.as_str()), (1, ""), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(
            errors.starts_with("motet: ") && errors.contains(expected),
            "{errors}"
        );
    }
}

#[test]
fn lists_in_variables_may_have_blanks() {
    let mut command = motet();
    command
        .env("MOTET_MEDIA_IP", "127.0.0.2, 127.0.0.3 ,127.0.0.4")
        .env("MOTET_STUN", "a.example:1, stun:b.example")
        .env("MOTET_RELAY_ALLOW", " 10.0.0.0/8 , fd00::/8");
    command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
    let node = Node::spawn(command);
    let media = node.media.iter().map(|at| at.ip().to_string());
    let media: Vec<String> = media.collect();
    assert_eq!(media, ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"]);
}

#[test]
fn a_misspelt_variable_is_refused_with_the_nearest() {
    for doctor in [&[][..], &["doctor"]] {
        let mut command = motet();
        command.args(doctor).env("MOTET_PUBLIK_IP", "192.0.2.7");
        let (code, output, errors) = run(&mut command);
        assert_eq!((code, output.as_str()), (1, ""));
        let expected = "there is no variable MOTET_PUBLIK_IP; the nearest is MOTET_PUBLIC_IP";
        assert_eq!(errors, format!("motet: {expected}\n"));
    }
}

#[test]
fn check_tells_whether_a_node_is_ready() {
    let node = Node::start(&[]);
    let listen = node.http.to_string();
    let (code, _, errors) = run(motet().args(["--check", "--http-listen", &listen]));
    assert_eq!((code, errors.as_str()), (0, ""));
    drop(node);
    let (code, _, errors) = run(motet().args(["--check", "--http-listen", &listen]));
    assert_eq!(code, 1);
    assert!(errors.starts_with("motet: no answer from "), "{errors}");
}

#[test]
fn check_finds_the_node_whatever_its_flags() {
    let data = tempfile::tempdir().unwrap();
    let start = |flags: &[&str]| {
        let mut command = motet();
        command.env("MOTET_DATA_DIR", data.path());
        command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
        command.args(["--media-ip", "127.0.0.1"]).args(flags);
        Node::spawn(command)
    };
    // As a health check: with the container's variables, and none of its flags.
    let check = |more: Option<(&str, &str)>| {
        let mut command = motet();
        command.arg("--check").env("MOTET_DATA_DIR", data.path());
        run(command.envs(more))
    };
    for flags in [&[][..], &["--tls", "self-signed"]] {
        let mut node = start(flags);
        let elsewhere = Some(("MOTET_HTTP_LISTEN", "127.0.0.9:9"));
        for more in [None, elsewhere] {
            let (code, _, errors) = check(more);
            assert_eq!((code, errors.as_str()), (0, ""), "{flags:?} {more:?}");
        }
        node.terminate();
        node.wait();
        let (code, _, errors) = check(elsewhere);
        assert_eq!(code, 1);
        let expected = "motet: no answer from 127.0.0.9:9: ";
        assert!(errors.starts_with(expected), "{errors}");
    }
}
