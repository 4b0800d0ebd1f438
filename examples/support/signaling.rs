//! Signaling: one WebSocket, subprotocol `motet.v1`, one JSON message a frame.

use std::collections::VecDeque;
use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use motet::protocol::SUBPROTOCOL;
use motet::protocol::client::{ClientMessage, RequestId};
use motet::protocol::server::{ServerFrame, ServerMessage};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Anything that can go wrong in a client.
pub type Failure = Box<dyn Error + Send + Sync>;

/// One WebSocket to the node.
pub struct Signaling {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    requests: RequestId,
    /// Heard while waiting for something else.
    heard: VecDeque<ServerFrame>,
}

impl Signaling {
    /// Connects to `ws://host:port/ws`.
    pub async fn connect(url: &str) -> Result<Self, Failure> {
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse()?);
        let (socket, _) = connect_async(request).await?;
        Ok(Self {
            socket,
            requests: 0,
            heard: VecDeque::new(),
        })
    }

    /// Says something, as a request; its answer carries the returned id.
    pub async fn say(&mut self, message: &ClientMessage) -> Result<RequestId, Failure> {
        self.requests += 1;
        let mut text = serde_json::to_value(message)?;
        text["id"] = self.requests.into();
        self.socket.send(Message::text(text.to_string())).await?;
        Ok(self.requests)
    }

    /// The next thing that the node says, in order.
    pub async fn hear(&mut self) -> Result<ServerMessage, Failure> {
        match self.heard.pop_front() {
            Some(frame) => Ok(frame.message),
            None => Ok(self.receive().await?.message),
        }
    }

    /// Waits for the first message that `pick` takes; the others are kept for [`Self::hear`].
    /// An `error` of the node ends the wait.
    pub async fn wait_for<T>(
        &mut self,
        mut pick: impl FnMut(&ServerMessage) -> Option<T>,
    ) -> Result<T, Failure> {
        loop {
            let frame = self.receive().await?;
            if let Some(picked) = pick(&frame.message) {
                return Ok(picked);
            }
            if let ServerMessage::Error { code, message, .. } = &frame.message {
                return Err(format!("the node refuses ({code:?}): {message}").into());
            }
            self.heard.push_back(frame);
        }
    }

    async fn receive(&mut self) -> Result<ServerFrame, Failure> {
        while let Some(message) = self.socket.next().await {
            match message? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(_) => break,
                _ => {}
            }
        }
        Err("the node closed the connection".into())
    }
}
