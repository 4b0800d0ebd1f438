//! `/ws`: one task per WebSocket. It limits, parses, and passes on; the shard decides.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

use super::access;
use super::handshake::{FRAME_BYTES, Handshake, NoHandshake, Socket, feed_text};
use super::ice_servers::{Ports, ice_servers};
use super::problem::Problem;
use crate::ids::ConnectionId;
use crate::io::outbox::{Letter, OutboxReader, Outgoing, OverflowWatch};
use crate::io::rim::{IceServers, Membership};
use crate::io::server::Node;
use crate::io::shard_handle::ShardHandle;
use crate::logic::household::Household;
use crate::logic::limits::Bucket;
use crate::logic::lobby::Refusal;
use crate::logic::names::{check_name, check_room_name};
use crate::logic::room::permissions::{self, Standing};
use crate::media::shard::ShardCommand;
use crate::protocol::SUBPROTOCOL;
use crate::protocol::client::{ClientFrame, ClientMessage, RequestId};
use crate::protocol::owner_key::OwnerKey;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{MemberKind, Role, ServerMessage};

/// How long the operating system may refuse to take one message. Then the client counts as slow.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A client of which nothing came for this long is asked for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A room is told at most this often that a client which says nothing is alive.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a closing socket may take for the other side's close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens the WebSocket, or says why not.
///
/// # Errors
/// 426 for a plain request, 400 without the subprotocol, 403 for a foreign page, 429 for too many
/// connections of one address, 503 while the node stops.
pub(super) async fn upgrade(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    handshake: Result<Handshake, NoHandshake>,
) -> Result<Response, Problem> {
    let handshake = handshake.map_err(|_| {
        let detail = "This is the address of a WebSocket, and this was not an opening handshake.";
        Problem::new(StatusCode::UPGRADE_REQUIRED, detail)
    })?;
    access::check_origin(&node.settings, &headers)?;
    if !handshake.asks_for(SUBPROTOCOL) {
        let detail = format!("The WebSocket must ask for the subprotocol {SUBPROTOCOL}.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    if node.is_stopping() {
        let detail = "The node is shutting down.";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    }
    let address = node.proxies.client_address(peer, &headers);
    let admission = Admission::new(&node, address)?;
    let ports = Ports {
        media: node.media_port,
        tcp: node.tcp_port,
    };
    let ice_servers = ice_servers(&node.settings, ports, peer, &headers);
    let bytes_max = node.limits.sdp_bytes as usize;
    let serve = move |socket| async move {
        serve(&node, socket, ice_servers, admission.household()).await;
        drop(admission);
    };
    Ok(handshake.accept(Some(SUBPROTOCOL), bytes_max, serve))
}

/// The close code of RFC 6455 §7.4 (4000 and above are ours) and the text beside it.
pub(super) fn close_code(reason: Reason) -> (u16, &'static str) {
    match reason {
        Reason::Left | Reason::Lost => (1000, "left"),
        Reason::Shutdown => (1001, "the node stops"),
        Reason::Misbehaved => (1008, "the protocol was broken again and again"),
        Reason::Silent => (4000, "no sign of life"),
        Reason::Slow => (4001, "too slow a reader"),
        Reason::RoomClosed => (4002, "the room was closed"),
        Reason::Removed => (4003, "removed by the owner"),
        Reason::Denied => (4004, "not let in"),
        Reason::Replaced => (4005, "another connection goes on"),
        Reason::Failed => (1011, "the room failed"),
    }
}

/// A place among the connections of a household, given back when it is dropped.
pub(super) struct Admission {
    node: Arc<Node>,
    household: Household,
}

impl Admission {
    /// # Errors
    /// 429 for too many connections of one address.
    pub(super) fn new(node: &Arc<Node>, address: IpAddr) -> Result<Self, Problem> {
        let household = Household::of(address);
        if let Err(refusal) = node.rim.lobby().connect(household) {
            node.rim.counters.refused.add(1);
            return Err(refusal.into());
        }
        let node = Arc::clone(node);
        Ok(Self { node, household })
    }

    /// Whose place it is.
    pub(super) fn household(&self) -> Household {
        self.household
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.node.rim.lobby().disconnect(self.household);
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal.is_theirs() {
            true => StatusCode::TOO_MANY_REQUESTS,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = Problem::new(status, refusal.to_string());
        match refusal {
            Refusal::JoinsOfHousehold { seconds } => problem.with_retry_after(seconds),
            _ => problem,
        }
    }
}

async fn serve(node: &Arc<Node>, socket: Socket, ice_servers: IceServers, household: Household) {
    node.rim.counters.websockets.add(1);
    let (connection, outbox) = node.rim.open_socket(ice_servers);
    tracing::debug!(connection = connection.0, "websocket opened");
    let (mut sink, mut stream) = socket.split();
    let mut conversation = Conversation::new(node, connection, household);
    let reason = tokio::select! {
        reason = write(&mut sink, outbox) => reason,
        reason = conversation.read(&mut stream) => reason,
    };
    if reason == Reason::Slow {
        node.rim.counters.slow.add(1);
    }
    if let Some(shard) = conversation.shard {
        let gone = ShardCommand::Gone { connection, reason };
        // A shard that has ended has nobody to tell.
        let _ = shard.send(gone).await;
    }
    // Dropped with something unread, the connection would be reset and its last words lost.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, drain(&mut stream)).await;
    node.rim.close_socket(connection);
    tracing::debug!(connection = connection.0, ?reason, "websocket closed");
}

/// Reads until the other side has closed too.
async fn drain(stream: &mut SplitStream<Socket>) {
    while let Some(Ok(_)) = stream.next().await {}
}

/// Sends what the outbox holds until it says close, it overflows, or the socket fails.
async fn write(sink: &mut SplitSink<Socket, Message>, mut outbox: OutboxReader) -> Reason {
    let watch = outbox.watch();
    let mut pending = None;
    loop {
        let next = tokio::select! {
            biased;
            () = watch.overflow() => Outgoing::Close(Reason::Slow),
            next = async {
                match pending.take() {
                    Some(next) => next,
                    None => outbox.next().await,
                }
            } => next,
        };
        match next {
            Outgoing::Letter(letter) => match post(sink, &mut outbox, &watch, letter).await {
                Ok(then) => pending = then,
                Err(Reason::Slow) => return refuse(sink, Reason::Slow).await,
                Err(reason) => return reason,
            },
            Outgoing::Ping => {
                let ping = Message::Ping(Bytes::new());
                match tokio::time::timeout(SEND_TIMEOUT, sink.send(ping)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Reason::Lost,
                    Err(_) => return Reason::Slow,
                }
            }
            Outgoing::Close(reason) => return refuse(sink, reason).await,
            Outgoing::CloseTooLarge => {
                close(sink, 1009, "too large a message").await;
                return Reason::Misbehaved;
            }
        }
    }
}

/// Sends a message, and with it those that wait behind it. Returns what else waited.
async fn post(
    sink: &mut SplitSink<Socket, Message>,
    outbox: &mut OutboxReader,
    watch: &OverflowWatch,
    letter: Letter,
) -> Result<Option<Outgoing>, Reason> {
    let mut bytes = letter.bytes();
    let mut then = None;
    let sending = async {
        feed_text(sink, letter.text()).await?;
        while bytes < FRAME_BYTES {
            match outbox.try_next() {
                Some(Outgoing::Letter(letter)) => {
                    bytes += letter.bytes();
                    feed_text(sink, letter.text()).await?;
                }
                other => {
                    then = other;
                    break;
                }
            }
        }
        sink.flush().await
    };
    let sent = tokio::select! {
        () = watch.overflow() => return Err(Reason::Slow),
        sent = tokio::time::timeout(SEND_TIMEOUT, sending) => sent,
    };
    match sent {
        Ok(Ok(())) => {
            outbox.sent(bytes);
            Ok(then)
        }
        Ok(Err(_)) => Err(Reason::Lost),
        Err(_) => Err(Reason::Slow),
    }
}

async fn refuse(sink: &mut SplitSink<Socket, Message>, reason: Reason) -> Reason {
    let (code, text) = close_code(reason);
    close(sink, code, text).await;
    reason
}

async fn close(sink: &mut SplitSink<Socket, Message>, code: u16, text: &'static str) {
    let (code, reason) = (code.into(), text.into());
    let frame = Message::Close(Some(CloseFrame { code, reason }));
    // The other side may be gone already.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, sink.send(frame)).await;
}

/// The reading half of a WebSocket and what is known of its client.
struct Conversation<'a> {
    node: &'a Node,
    connection: ConnectionId,
    household: Household,
    messages: Bucket,
    errors: Bucket,
    /// Where its room lives, once it has asked to be let into one.
    shard: Option<ShardHandle>,
    /// When the shard was last told anything.
    told: Instant,
    /// It said `resume`, and has not answered a ping since.
    is_fresh: bool,
}

/// Whether the conversation goes on.
enum Next {
    Read,
    /// The outbox holds the last words: nothing more is read.
    Finish,
}

impl<'a> Conversation<'a> {
    fn new(node: &'a Node, connection: ConnectionId, household: Household) -> Self {
        let now = Instant::now();
        Self {
            node,
            connection,
            household,
            messages: node.limits.message_bucket(now),
            errors: node.limits.error_bucket(now),
            shard: None,
            told: now,
            is_fresh: false,
        }
    }

    /// Reads until the client closes; never returns once the node itself closes, as the writing
    /// half ends the connection then.
    async fn read(&mut self, stream: &mut SplitStream<Socket>) -> Reason {
        let patience = Duration::from_secs(self.node.limits.join_seconds.into());
        let mut deadline = tokio::time::Instant::now() + patience;
        let mut quiet_until = tokio::time::Instant::now() + HEARTBEAT;
        loop {
            let outside = matches!(self.membership(), Membership::None | Membership::Joining);
            let message = tokio::select! {
                message = stream.next() => message,
                () = tokio::time::sleep_until(deadline), if outside => {
                    if self.membership() == Membership::None {
                        return self.dismiss(Reason::Silent).await;
                    }
                    deadline += patience;
                    continue;
                }
                () = tokio::time::sleep_until(quiet_until) => {
                    self.node.rim.ping(self.connection);
                    quiet_until += HEARTBEAT;
                    continue;
                }
            };
            quiet_until = tokio::time::Instant::now() + HEARTBEAT;
            let next = match message {
                Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await,
                Some(Ok(Message::Binary(_))) => {
                    self.object(None, ErrorCode::Malformed, "Messages are text, not binary.")
                }
                // No reader is given frames.
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => self.tick(),
                Some(Ok(Message::Pong(_))) => self.pong().await,
                Some(Ok(Message::Close(frame))) => return reason_for(frame.as_ref()),
                Some(Err(error)) if is_too_large(&error) => {
                    self.node.rim.counters.misbehaved.add(1);
                    self.say(ServerMessage::Bye {
                        reason: Reason::Misbehaved,
                    });
                    self.node.rim.close_too_large(self.connection);
                    return std::future::pending().await;
                }
                Some(Err(_)) | None => return Reason::Lost,
            };
            let next = match next {
                Next::Read if self.told.elapsed() >= ALIVE_INTERVAL => self.tell_alive().await,
                next => next,
            };
            if let Next::Finish = next {
                return std::future::pending().await;
            }
        }
    }

    async fn hear(&mut self, text: &str) -> Next {
        self.node.rim.counters.messages_in.add(1);
        if !self.messages.take(Instant::now()) {
            return self.object(
                None,
                ErrorCode::TooFast,
                "Too many messages in a short time.",
            );
        }
        let frame = match ClientFrame::parse(text) {
            Ok(frame) => frame,
            Err(error) => return self.object(error.id, ErrorCode::Malformed, &error.message),
        };
        if text.len() > self.node.limits.bytes_max(&frame.message) {
            return self.object(
                frame.id,
                ErrorCode::TooLarge,
                "A message of this kind may not be that long.",
            );
        }
        let membership = self.membership();
        if let Err(refused) = permissions::check(&frame.message, standing(membership)) {
            return self.object(frame.id, refused.code, refused.message);
        }
        match (frame.message, membership) {
            (
                ClientMessage::Join {
                    room,
                    name,
                    sfu_only,
                    owner_key,
                },
                Membership::None,
            ) => {
                self.join(frame.id, &room, &name, (sfu_only, owner_key))
                    .await
            }
            (ClientMessage::Resume { room, token, after }, Membership::None) => {
                self.resume(frame.id, &room, token, after).await
            }
            (ClientMessage::Bye {}, Membership::None) => {
                self.node.rim.close(self.connection, Reason::Left);
                Next::Finish
            }
            (message, _) => {
                self.pass_on(ClientFrame {
                    id: frame.id,
                    message,
                })
                .await
            }
        }
    }

    async fn join(
        &mut self,
        id: Option<RequestId>,
        room: &str,
        name: &str,
        (sfu_only, owner_key): (bool, Option<OwnerKey>),
    ) -> Next {
        let (room, name) = match (check_room_name(room), check_name(name)) {
            (Ok(room), Ok(name)) => (room, name),
            (Err(error), _) | (_, Err(error)) => {
                return self.object(id, ErrorCode::BadName, &error.to_string());
            }
        };
        let (connection, rim) = (self.connection, &self.node.rim);
        let (shard, pass) = match rim.enter_for_join(connection, &room, self.household) {
            Ok((index, pass)) => (self.node.shard(index), pass),
            Err(refusal) => return self.object(id, refusal.code(), &refusal.to_string()),
        };
        self.shard = Some(shard);
        self.send(ShardCommand::Join {
            connection,
            id,
            room,
            name,
            kind: MemberKind::Client,
            sfu_only,
            owner_key,
            pass,
        })
        .await
    }

    /// Whoever guesses tokens runs out of patience with this socket.
    async fn resume(
        &mut self,
        id: Option<RequestId>,
        room: &str,
        token: String,
        after: u64,
    ) -> Next {
        let rim = &self.node.rim;
        let place = check_room_name(room).ok().and_then(|room| {
            let shard = rim.enter_for_resume(self.connection, &room)?;
            Some((room, self.node.shard(shard)))
        });
        let Some((room, shard)) = place else {
            let message = "That room is not there any more; join instead.";
            return self.object(id, ErrorCode::ResumeFailed, message);
        };
        self.shard = Some(shard);
        self.is_fresh = true;
        let connection = self.connection;
        let next = self.send(ShardCommand::Resume {
            connection,
            id,
            room,
            token,
            after,
        });
        match next.await {
            Next::Read if self.errors.take(Instant::now()) => Next::Read,
            Next::Read => self.misbehaved(),
            Next::Finish => Next::Finish,
        }
    }

    async fn pass_on(&mut self, frame: ClientFrame) -> Next {
        let connection = self.connection;
        self.send(ShardCommand::Said { connection, frame }).await
    }

    async fn send(&mut self, command: ShardCommand) -> Next {
        let Some(shard) = &self.shard else {
            return Next::Read;
        };
        if shard.send(command).await.is_ok() {
            self.told = Instant::now();
            return Next::Read;
        }
        self.bye(Reason::Shutdown);
        Next::Finish
    }

    /// The first one after `resume` answers the ping behind `resumed`: that has arrived.
    async fn pong(&mut self) -> Next {
        match std::mem::take(&mut self.is_fresh) {
            true => self.tell_alive().await,
            false => self.tick(),
        }
    }

    async fn tell_alive(&mut self) -> Next {
        let connection = self.connection;
        self.send(ShardCommand::Alive { connection }).await
    }

    /// Control frames count as messages, but need no answer.
    fn tick(&mut self) -> Next {
        match self.messages.take(Instant::now()) {
            true => Next::Read,
            false => self.object(
                None,
                ErrorCode::TooFast,
                "Too many messages in a short time.",
            ),
        }
    }

    /// Answers what cannot be passed on; too many of these end the connection.
    fn object(&mut self, id: Option<RequestId>, code: ErrorCode, message: &str) -> Next {
        self.node.rim.counters.violations.add(1);
        let message = message.to_owned();
        self.say(ServerMessage::Error { id, code, message });
        match self.errors.take(Instant::now()) {
            true => Next::Read,
            false => self.misbehaved(),
        }
    }

    fn misbehaved(&mut self) -> Next {
        self.node.rim.counters.misbehaved.add(1);
        self.bye(Reason::Misbehaved);
        Next::Finish
    }

    async fn dismiss(&mut self, reason: Reason) -> Reason {
        self.bye(reason);
        std::future::pending().await
    }

    fn bye(&self, reason: Reason) {
        self.say(ServerMessage::Bye { reason });
        self.node.rim.close(self.connection, reason);
    }

    fn say(&self, message: ServerMessage) {
        self.node.rim.send(self.connection, message);
    }

    fn membership(&self) -> Membership {
        self.node.rim.membership(self.connection)
    }
}

/// As far as the rim knows: inside, the room tells guests from owners.
fn standing(membership: Membership) -> Standing {
    match membership {
        Membership::None => Standing::Outside,
        Membership::Waiting => Standing::Waiting,
        Membership::Joining | Membership::Joined => Standing::Inside(Role::Owner),
    }
}

/// A client that means to go says so (RFC 6455 §7.4.1: 1000, or 1001 when its page is closed). Most programs close
/// without a code (what others then call 1005): that too is somebody's will, as a network that is gone sends no close
/// frame. Any other code may be an accident.
fn reason_for(frame: Option<&CloseFrame>) -> Reason {
    match frame.map(|frame| u16::from(frame.code)) {
        None | Some(1000 | 1001) => Reason::Left,
        Some(_) => Reason::Lost,
    }
}

fn is_too_large(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Capacity(_))
}
