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
