//! Answers every WebSocket message with itself, over sockets that are set up like the node's own, so
//! that a conformance suite can look at them. `scripts/autobahn.sh` runs one against it.
//!
//! `cargo run --example echo -- 127.0.0.1:9001`

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use motet::io::http::handshake::{Handshake, Socket, feed_text};
use motet::logic::limits::Limits;
use tokio::net::TcpListener;
use tungstenite::Message;

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

async fn upgrade(handshake: Handshake) -> Response {
    let bytes_max = Limits::default().sdp_bytes as usize;
    handshake.accept(None, bytes_max, echo)
}

/// Pings and close frames are answered below; the rest goes back as it came.
async fn echo(mut socket: Socket) {
    while let Some(Ok(message)) = socket.next().await {
        let sent = match message {
            Message::Text(text) => match feed_text(&mut socket, text.to_string()).await {
                Ok(()) => socket.flush().await,
                failed => failed,
            },
            Message::Binary(_) => socket.send(message).await,
            _ => continue,
        };
        if sent.is_err() {
            return;
        }
    }
}
