//! A certificate from `pebble`, the test authority of Let's Encrypt's authors (Debian: `pebble`).
//! Without that program there is nothing to ask, and the test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use common::{Node, motet};
use motet::io::tls::certificate::make;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

#[tokio::test]
async fn an_authority_gives_a_certificate_which_is_kept() {
    if Command::new("pebble").arg("-help").output().is_err() {
        eprintln!("pebble is not installed: ACME is not tested here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let node_port = free_port();
    let authority = Authority::start(folder.path(), node_port);
    let root = authority.root().await;
    let health = format!("https://localhost:{node_port}/health");

    let node = start(folder.path(), &authority, node_port);
    until_trusted(&root, &health).await;
    drop(node);
    let state = folder.path().join("data/acme");
    let kept = std::fs::read(state.join("cert.pem")).unwrap();
    let account = std::fs::read(state.join("account.json")).unwrap();

    // With the authority away, a restart shows what was kept.
    let directory = authority.directory();
    drop(authority);
    let node = Node::spawn(command(folder.path(), &directory, node_port));
    get(&root, &health).await.unwrap();
    assert_eq!(kept, std::fs::read(state.join("cert.pem")).unwrap());
    assert_eq!(account, std::fs::read(state.join("account.json")).unwrap());
    drop(node);
}

/// Pebble, until it is dropped.
struct Authority {
    process: Child,
    api: u16,
    management: u16,
    own: Vec<u8>,
}

impl Authority {
    fn start(folder: &Path, tls_port: u16) -> Self {
        let (api, management) = (free_port(), free_port());
        let day = Duration::from_secs(86_400);
        let own = make(&["localhost".to_owned()], day, SystemTime::now()).unwrap();
        std::fs::write(folder.join("ca.pem"), &own.chain).unwrap();
        std::fs::write(folder.join("ca.key"), &own.key).unwrap();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{api}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("ca.pem"),
            "privateKey": folder.join("ca.key"),
            "httpPort": 1,
            "tlsPort": tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        std::fs::write(folder.join("pebble.json"), config.to_string()).unwrap();
        let process = Command::new("pebble")
            .arg("-config")
            .arg(folder.join("pebble.json"))
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            api,
            management,
            own: own.chain,
        }
    }

    fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.api)
    }

    /// The certificate that vouches for all that it gives.
    async fn root(&self) -> Vec<u8> {
        let url = format!("https://localhost:{}/roots/0", self.management);
        let deadline = Instant::now() + common::PATIENCE;
        loop {
            match get(&self.own, &url).await {
                Ok(answer) => return answer.bytes().await.unwrap().to_vec(),
                Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(folder: &Path, authority: &Authority, port: u16) -> Node {
    Node::spawn(command(folder, &authority.directory(), port))
}

fn command(folder: &Path, directory: &str, port: u16) -> Command {
    let mut command = motet();
    command
        .args(["--http-listen", &format!("[::]:{port}")])
        .args(["--media-port", "0", "--media-ip", "127.0.0.1"])
        .args(["--tls", "acme", "--domain", "localhost"])
        .args(["--acme-contact", "mailto:admin@example.org"])
        .args(["--acme-directory", directory, "--acme-roots"])
        .arg(folder.join("ca.pem"))
        .arg("--data")
        .arg(folder.join("data"));
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn until_trusted(root: &[u8], url: &str) {
    let deadline = Instant::now() + 2 * common::PATIENCE;
    while let Err(error) = get(root, url).await {
        assert!(Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn get(root: &[u8], url: &str) -> reqwest::Result<reqwest::Response> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().use_preconfigured_tls(config);
    client.build().unwrap().get(url).send().await
}
