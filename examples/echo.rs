//! Answers every WebSocket message with itself, over sockets that are set up like the node's own, so
//! that a conformance suite can look at them. `scripts/autobahn.sh` runs one against it.
//!
//! `cargo run --example echo -- 127.0.0.1:9001`

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use clap::Parser;
use motet::io::http::ws;
use motet::logic::limits::Limits;
use tokio::net::TcpListener;

/// Answers every WebSocket message with itself.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes any free one
    #[arg(default_value = "127.0.0.1:9001")]
    address: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(&arguments.address).await?;
    println!("listening ws://{}/", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/", get(upgrade))).await
}

async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
    let bytes_max = Limits::default().sdp_bytes as usize;
    ws::configure(upgrade, bytes_max).on_upgrade(echo)
}

/// Pings and close frames are answered below; the rest goes back as it came.
async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if !matches!(message, Message::Text(_) | Message::Binary(_)) {
            continue;
        }
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
