//! A real node in a process of its own, for tests.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

pub mod canaries;
pub mod turn;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use canaries::Canaries;
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::Signal;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where relays listen: no port that the system gives to a socket which asks for any, since within the
/// node's own addresses every port of the range stands for a relay.
pub const RELAY_PORTS: RangeInclusive<u16> = 20_000..=20_999;

/// The secret of nodes that nothing else was set for.
pub const ADMIN_TOKEN: &str = "a-token-of-the-tests";

/// An HTTP client that shows that secret.
pub fn admin() -> reqwest::Client {
    let mut headers = reqwest::header::HeaderMap::new();
    let value = format!("Bearer {ADMIN_TOKEN}").parse().unwrap();
    headers.insert(reqwest::header::AUTHORIZATION, value);
    let builder = reqwest::Client::builder().default_headers(headers);
    builder.build().unwrap()
}

/// A command for the node with no setting from the test's own environment.
pub fn motet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_motet"));
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("MOTET_")) {
        command.env_remove(name);
    }
    command
}

/// A node that runs until it is dropped.
#[derive(Debug)]
pub struct Node {
    process: Child,
    /// What it must not log.
    pub canaries: Canaries,
    pub http: SocketAddr,
    pub media: Vec<SocketAddr>,
    /// Other words of the line for programs, such as `metrics`.
    pub said: String,
    _data: TempDir,
}

impl Node {
    /// Starts a node on free ports of loopback with more flags, and waits until it is ready.
    pub fn start(flags: &[&str]) -> Node {
        let mut command = motet();
        command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
        let relays = format!("{}-{}", RELAY_PORTS.start(), RELAY_PORTS.end());
        command.args(["--media-ip", "127.0.0.1", "--relay-ports", &relays]);
        if !flags.contains(&"--drain-seconds") {
            command.args(["--drain-seconds", "0"]);
        }
        command.args(flags);
        Node::spawn(command)
    }

    /// Starts that command and waits until it says what it listens on. What it says nothing of is set: a
    /// data folder of its own, and the token of [`admin`].
    pub fn spawn(mut command: Command) -> Node {
        let data = tempfile::tempdir().expect("a folder");
        let path = data.path().as_os_str();
        for (name, value) in [
            ("MOTET_DATA_DIR", path),
            ("MOTET_ADMIN_TOKEN", ADMIN_TOKEN.as_ref()),
        ] {
            let is_set = command
                .get_envs()
                .any(|(one, set)| one == name && set.is_some());
            if !is_set {
                command.env(name, value);
            }
        }
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let canaries = Canaries::default();
        canaries.listen(process.stderr.take().expect("its log"));
        let output = process.stdout.take().expect("its output");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = loop {
            let line = receiver.recv_timeout(PATIENCE).expect("the node starts");
            if let Some(rest) = line.strip_prefix("listening ") {
                break rest.to_owned();
            }
        };
        let value = |key: &str| {
            let mut words = line.split(' ');
            words
                .find_map(|word| word.strip_prefix(key))
                .expect("a value")
                .to_owned()
        };
        let media = value("media=")
            .split(',')
            .map(|a| a.parse().unwrap())
            .collect();
        let http = value("http=").parse().unwrap();
        Node {
            process,
            canaries,
            http,
            media,
            said: line,
            _data: data,
        }
    }

    /// The process's number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until the process ends.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.process)
    }

    /// The address of something on the node.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let sung = self.canaries.sung();
        if !std::thread::panicking() {
            assert!(sung.is_empty(), "the log tells secrets: {sung:#?}");
        }
    }
}

/// Waits until a process ends, and kills it if it does not.
pub fn wait(process: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            process.kill().unwrap();
            panic!("the process does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end: exit code, standard output, standard error.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let status = wait(&mut process);
    let (mut output, mut errors) = (String::new(), String::new());
    process
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    (status.code().unwrap_or(-1), output, errors)
}

/// A WebSocket to a node.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    canaries: Canaries,
}

/// The opening handshake's request.
pub fn handshake(node: &Node, headers: &[(&'static str, &str)]) -> Request<()> {
    let url = format!("ws://{}/ws", node.http);
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    request
}

impl Client {
    /// Opens a WebSocket for which the operating systems keep little of what is not read: a few packets, and
    /// small ones.
    pub async fn narrow(node: &Node) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        setsockopt(&socket, TcpMaxSeg, &1_000).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(node.http).await.unwrap());
        let request = handshake(node, &[("sec-websocket-protocol", "motet.v1")]);
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        Client {
            socket,
            canaries: node.canaries.clone(),
        }
    }

    /// Opens a WebSocket as the web client does.
    pub async fn connect(node: &Node) -> Client {
        let headers = [("sec-websocket-protocol", "motet.v1")];
        let client = Client::open(handshake(node, &headers)).await;
        let mut client = client.expect("the WebSocket opens");
        client.canaries = node.canaries.clone();
        if let MaybeTlsStream::Plain(stream) = client.socket.get_ref() {
            client.canaries.keep_address(stream.local_addr().unwrap());
        }
        client
    }

    /// Opens a WebSocket with that handshake; the response, if it is refused.
    pub async fn open(request: Request<()>) -> Result<Client, Box<Response<Option<Vec<u8>>>>> {
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Client {
                socket,
                canaries: Canaries::default(),
            }),
            Err(Error::Http(response)) => Err(response),
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects and joins; the client and `joined`.
    pub async fn join(node: &Node, room: &str, name: &str) -> (Client, Value) {
        let mut client = Client::connect(node).await;
        client
            .say(json!({"type": "join", "id": 1, "room": room, "name": name}))
            .await;
        let joined = client.hear().await;
        assert_eq!(joined["type"], "joined", "{joined}");
        (client, joined)
    }

    /// Says something.
    pub async fn say(&mut self, message: Value) {
        self.canaries.said(&message);
        self.say_text(&message.to_string()).await;
    }

    /// Says something that need not be JSON.
    pub async fn say_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .await
            .expect("it is sent");
    }

    /// Says something to a node that may have closed by then.
    pub async fn socket_send_text(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).await.is_ok()
    }

    /// Closes with that code (0: with none) and leaves it at that.
    pub async fn close(&mut self, code: u16) {
        let reason = "".into();
        let frame = (code > 0).then(|| CloseFrame {
            code: code.into(),
            reason,
        });
        self.socket.close(frame).await.expect("it is sent");
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => {
                    let message = serde_json::from_str(text.as_str()).expect("JSON");
                    self.canaries.said(&message);
                    return message;
                }
                Some(Message::Ping(_)) => {}
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }

    /// The next message of that type; others are passed over.
    pub async fn hear_type(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Reads to the end: the last message and the close frame.
    pub async fn hear_end(&mut self) -> (Option<Value>, Option<CloseFrame>) {
        let mut last = None;
        loop {
            match self.next().await {
                Some(Message::Text(text)) => last = serde_json::from_str(text.as_str()).ok(),
                Some(Message::Close(frame)) => return (last, frame),
                Some(_) => {}
                None => return (last, None),
            }
        }
    }

    /// The next frame; nothing at the end or when the connection broke.
    pub async fn next(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next());
        next.await
            .expect("the node says something")
            .and_then(Result::ok)
    }
}
