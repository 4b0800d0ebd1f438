//! Reads certificates, and asks the certificate authority and the way that it will take.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::words;
use crate::config::{Settings, TlsMode, TlsSettings};
use crate::doctor::tls::{Certificate, Name, Reached, TlsFacts};
use crate::io::listen::listen_http;
use crate::io::tls::certificate::{self, Pem};
use crate::io::tls::https::Answer;

/// RFC 8737 §3: the authority connects to this port.
const HTTPS: u16 = 443;
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);
/// What was sent to this machine is here at once.
const ARRIVAL_PATIENCE: Duration = Duration::from_millis(1500);
const TOKEN_BYTES: usize = 16;

/// `directory`: what the certificate authority answered, if it was asked. `is_free`: no node has the
/// TCP port, so that it is ours to try.
pub(super) async fn look(
    settings: &Settings,
    directory: Option<&io::Result<Answer>>,
    is_free: bool,
) -> TlsFacts {
    let tls = &settings.tls;
    match tls.mode {
        TlsMode::Off => TlsFacts::Off {
            is_open: !settings.http_listen.ip().is_loopback() && settings.trusted_proxy.is_empty(),
        },
        TlsMode::SelfSigned => TlsFacts::SelfSigned,
        TlsMode::Files => files(tls, SystemTime::now()),
        TlsMode::Acme => TlsFacts::Acme {
            directory: tls.acme_directory.clone(),
            answer: match directory {
                Some(Ok(answer)) if answer.status == 200 => Ok(()),
                Some(Ok(answer)) => Err(format!("it says {}", answer.status)),
                Some(Err(error)) => Err(words(error)),
                None => Err("it was not asked".to_owned()),
            },
            names: names(settings, is_free).await,
        },
    }
}

fn files(tls: &TlsSettings, now: SystemTime) -> TlsFacts {
    let (cert, key) = (
        tls.cert.clone().unwrap_or_default(),
        tls.key.clone().unwrap_or_default(),
    );
    TlsFacts::Files {
        certificate: read(&cert, &key, now),
        path: cert.display().to_string(),
        domains: tls.domains.clone(),
    }
}

fn read(cert: &Path, key: &Path, now: SystemTime) -> Result<Certificate, String> {
    let chain = std::fs::read(cert).map_err(|error| words(&error))?;
    let key = std::fs::read(key)
        .map_err(|error| format!("its key {}: {}", key.display(), words(&error)))?;
    let key = Pem { chain, key }.certified_key()?;
    let facts = certificate::facts(&key).ok_or("it says of no host that it is for it")?;
    Ok(Certificate {
        names: facts.names,
        begins_in_days: days_until(facts.not_before, now),
        ends_in_days: days_until(facts.not_after, now),
        chain: key.cert.len(),
        is_self_signed: certificate::is_self_issued(&key),
    })
}

/// Whole days, begun ones counted in full before now and not at all after it.
fn days_until(then: SystemTime, now: SystemTime) -> i64 {
    const DAY: u64 = 86_400;
    let days = |duration: Duration| i64::try_from(duration.as_secs() / DAY).unwrap_or(i64::MAX);
    match then.duration_since(now) {
        Ok(left) => days(left),
        Err(past) => -days(past.duration()) - 1,
    }
}

async fn names(settings: &Settings, is_free: bool) -> Vec<Name> {
    let listener = if is_free {
        let listener = listen_http(settings.http_listen).and_then(TcpListener::from_std);
        listener.ok()
    } else {
        None
    };
    let mut names = Vec::new();
    for name in &settings.tls.domains {
        names.push(look_up(name, listener.as_ref()).await);
    }
    names
}

async fn look_up(name: &str, listener: Option<&TcpListener>) -> Name {
    let found = timeout(CONNECT_PATIENCE, tokio::net::lookup_host((name, HTTPS))).await;
    let found = found.map_err(|_| "the resolver does not answer".to_owned());
    let found = found.and_then(|found| found.map_err(|error| words(&error)));
    let found: Result<Vec<SocketAddr>, String> = found.map(Iterator::collect);
    let reached = match &found {
        Ok(found) => reach(found, name, listener).await,
        Err(why) => Reached::Nobody(why.clone()),
    };
    let mut addresses = found.map(|found| found.iter().map(SocketAddr::ip).collect::<Vec<_>>());
    if let Ok(addresses) = &mut addresses {
        addresses.sort();
        addresses.dedup();
    }
    Name {
        name: name.to_owned(),
        addresses,
        reached,
    }
}

async fn reach(at: &[SocketAddr], name: &str, listener: Option<&TcpListener>) -> Reached {
    let connected = timeout(CONNECT_PATIENCE, TcpStream::connect(at)).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Reached::Nobody(words(&error)),
        Err(_) => return Reached::Nobody("no answer".to_owned()),
    };
    let is_here = async {
        match listener {
            Some(listener) => arrives(stream, listener).await,
            None => is_node(stream, name).await,
        }
    };
    match timeout(ARRIVAL_PATIENCE, is_here).await {
        Ok(Ok(true)) => Reached::Here,
        _ => Reached::Elsewhere,
    }
}

/// Whether what goes into that stream comes out here.
async fn arrives(mut stream: TcpStream, listener: &TcpListener) -> io::Result<bool> {
    let token: [u8; TOKEN_BYTES] = rand::random();
    stream.write_all(&token).await?;
    loop {
        let (mut arrived, _) = listener.accept().await?;
        let mut bytes = [0; TOKEN_BYTES];
        let read = timeout(ARRIVAL_PATIENCE / 3, arrived.read_exact(&mut bytes)).await;
        if matches!(read, Ok(Ok(_))) && bytes == token {
            return Ok(true);
        }
    }
}

/// Whether a node answers: over http it says that it is well, or where https is.
async fn is_node(mut stream: TcpStream, name: &str) -> io::Result<bool> {
    let request = format!("GET /health HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let is_well = answer.starts_with("http/1.1 200 ") && answer.ends_with("\r\n\r\nok\n");
    let is_moved = answer.starts_with("http/1.1 308 ")
        && answer.contains(&format!("\r\nlocation: https://{name}/health\r\n"));
    Ok(is_well || is_moved)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn days_are_counted_from_now() {
        let now = SystemTime::UNIX_EPOCH + 1000 * DAY;
        let hour = DAY / 24;
        for (then, expected) in [
            (now, 0),
            (now + hour, 0),
            (now + DAY, 1),
            (now - hour, -1),
            (now - DAY - hour, -2),
        ] {
            assert_eq!(days_until(then, now), expected);
        }
    }

    #[test]
    fn files_are_read_as_the_node_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        let now = SystemTime::now();
        let wrong = |expected: &str| {
            let error = read(&cert, &key, now).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        wrong("No such file");
        let pem = certificate::make(&["a.example".to_owned()], 3 * DAY, now).unwrap();
        std::fs::write(&cert, &pem.chain).unwrap();
        wrong("its key");
        std::fs::write(&key, "nonsense").unwrap();
        wrong("the key is not PEM");
        let other = certificate::make(&["b.example".to_owned()], 3 * DAY, now).unwrap();
        std::fs::write(&key, &other.key).unwrap();
        wrong("the key is not the certificate's");
        std::fs::write(&key, &pem.key).unwrap();
        let certificate = read(&cert, &key, now + 10 * DAY).unwrap();
        assert_eq!(certificate.names, ["a.example"]);
        assert!(certificate.ends_in_days < 0 && certificate.begins_in_days < 0);
        assert!(certificate.is_self_signed && certificate.chain == 1);
        assert_eq!(read(&cert, &key, now).unwrap().ends_in_days, 2);
    }

    #[tokio::test]
    async fn port_443_leads_here_or_elsewhere_or_nowhere() {
        let ours = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = [ours.local_addr().unwrap()];
        assert_eq!(reach(&here, "a.example", Some(&ours)).await, Reached::Here);
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = [other.local_addr().unwrap()];
        assert_eq!(
            reach(&there, "a.example", Some(&ours)).await,
            Reached::Elsewhere
        );
        drop(other);
        let nobody = reach(&there, "a.example", Some(&ours)).await;
        assert!(matches!(nobody, Reached::Nobody(_)), "{nobody:?}");
    }

    #[tokio::test]
    async fn a_running_node_is_known_by_its_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nok\n", Reached::Here),
            (
                "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://a.example/health\r\n\r\n",
                Reached::Here,
            ),
            (
                "HTTP/1.1 400 Bad Request\r\n\r\nplain HTTP",
                Reached::Elsewhere,
            ),
            (
                "HTTP/1.1 308 x\r\nlocation: https://b.example/health\r\n\r\n",
                Reached::Elsewhere,
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = [listener.local_addr().unwrap()];
            let serving = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 500];
                let _ = stream.read(&mut request).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            let (reached, ()) = tokio::join!(reach(&at, "a.example", None), serving);
            assert_eq!(reached, expected, "{answer}");
        }
    }
}
