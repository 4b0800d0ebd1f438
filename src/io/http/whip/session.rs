//! One session: says a member's words for a client that has none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::sync::mpsc;

use super::Way;
use super::offer::Accepted;
use super::sdp_fragment::{self, Fragment};
use super::sessions::{Patched, Request};
use super::sight::{Sight, UNDECODABLE, sight};
use crate::ids::ConnectionId;
use crate::io::http::problem::Problem;
use crate::io::http::rest::ask_room;
use crate::io::http::ws::Admission;
use crate::io::outbox::{Letter, OutboxReader, Outgoing};
use crate::io::rim::IceServers;
use crate::io::server::Node;
use crate::io::shard_handle::ShardHandle;
use crate::logic::limits::Bucket;
use crate::logic::viewpoint::{Choice, Viewpoint};
use crate::media::shard::{Question, ShardCommand};
use crate::protocol::client::{ClientFrame, ClientMessage, Epoch, RequestId};
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{IceServer, MemberKind, ServerMessage};

/// How long a room may take to let somebody in (its owner may have to), within a request's time.
const JOIN_TIMEOUT: Duration = Duration::from_secs(7);
/// How long it may take for anything else.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a room is told that the member is alive. Whether they are is for ICE to find out.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How often an offer is said again that crossed a change of the room's topology.
const OFFERS_MAX: usize = 3;

/// Who comes in, and with what.
pub(super) struct Entry {
    pub(super) way: Way,
    /// Checked, as is the name.
    pub(super) room: String,
    pub(super) name: String,
    pub(super) viewed: Viewed,
    pub(super) servers: IceServers,
}

/// What is offered, and whom it is for to see.
pub(super) struct Viewed {
    pub(super) accepted: Accepted,
    pub(super) choice: Option<Choice>,
    /// The session is over when there is a picture to see, for which it has no m-line.
    pub(super) restarts: bool,
    /// What there is to see is known only inside.
    pub(super) is_hidden: bool,
}

impl Viewed {
    /// The same where whom they see has no picture now: a player with one pair of m-lines would wait
    /// for it with the sound too.
    pub(super) fn without_picture(self, can_restart: bool) -> Viewed {
        if self.accepted.seats != 1 || !self.accepted.has_both() {
            return Viewed {
                restarts: false,
                ..self
            };
        }
        Viewed {
            accepted: self.accepted.without_picture(),
            restarts: can_restart,
            ..self
        }
    }

    /// What was hidden before they came in.
    async fn unhidden(self, node: &Node, room: &str) -> Result<Viewed, Problem> {
        let can_restart = self.restarts;
        let room = ask_room(node, room, Question::Room).await?;
        match sight(&room, self.choice.as_ref(), &self.accepted) {
            Sight::Undecodable(_) if !self.accepted.decodes.is_empty() => {
                Err(Problem::new(StatusCode::NOT_ACCEPTABLE, UNDECODABLE))
            }
            Sight::NoPicture => Ok(self.without_picture(can_restart)),
            _ => Ok(Viewed {
                restarts: false,
                ..self
            }),
        }
    }
}

/// The words of one member. When it is dropped the member leaves.
pub(super) struct Session {
    member: Voice,
    offer: String,
    answer: String,
    etag: String,
    restarts: bool,
    /// What is left of the session's patience.
    patches: Bucket,
}

impl Session {
    /// Joins the room, has the offer answered, and publishes or views.
    ///
    /// # Errors
    /// Why not, as the client is told; nothing is left of it.
    pub(super) async fn begin(
        node: &Arc<Node>,
        entry: Entry,
        admission: Admission,
    ) -> Result<Session, Problem> {
        let mut member = Voice::join(node, &entry, admission).await?;
        let viewed = match entry.viewed.is_hidden {
            true => entry.viewed.unhidden(node, &entry.room).await?,
            false => entry.viewed,
        };
        let accepted = viewed.accepted;
        let answer = member.offer(&accepted.sdp, true).await?;
        for (source, mid) in accepted.publishes {
            let publish = ClientMessage::Publish {
                source,
                mid: Some(mid),
                stream: None,
                muted: false,
            };
            member.request(publish).await?;
        }
        Ok(Session {
            member,
            offer: accepted.sdp,
            answer,
            etag: new_etag(),
            restarts: viewed.restarts,
            patches: node.limits.message_bucket(Instant::now()),
        })
    }

    /// The node's side of the session.
    pub(super) fn answer(&self) -> &str {
        &self.answer
    }

    /// Names the ICE session.
    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    /// Where the client finds relays.
    pub(super) fn ice_servers(&self) -> &[IceServer] {
        &self.member.ice_servers
    }

    /// Takes requests until the member is gone, or is to go.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut beat = tokio::time::interval(ALIVE_INTERVAL);
        let overflow = self.member.outbox.watch();
        loop {
            let over = tokio::select! {
                () = overflow.overflow() => return,
                heard = self.member.hear() => match heard {
                    Ok(letter) => self.member.follow(letter.message()).await,
                    Err(over) => Err(over),
                },
                request = requests.recv() => match request {
                    Some(Request::Patch { if_match, body, reply }) => {
                        let patched = self.patch(if_match.as_deref(), &body).await;
                        // Whoever asked may have given up.
                        let _ = reply.send(patched);
                        Ok(())
                    }
                    Some(Request::End { reply }) => {
                        let _ = self.member.request(ClientMessage::Bye {}).await;
                        drop(self);
                        return drop(reply);
                    }
                    None => return,
                },
                _ = beat.tick() => self.member.tell_alive().await,
            };
            if let Err(Over(reason)) = over {
                tracing::debug!(
                    connection = self.member.connection.0,
                    ?reason,
                    "session over"
                );
                return;
            }
            if self.restarts && self.member.shows_picture() {
                tracing::debug!(connection = self.member.connection.0, "a picture has come");
                return;
            }
        }
    }

    async fn patch(&mut self, if_match: Option<&str>, body: &str) -> Result<Patched, Problem> {
        if !self.patches.take(Instant::now()) {
            let detail = "Too many requests in a short time.";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
        }
        check_match(if_match, &self.etag)?;
        let fragment = Fragment::read(body);
        let fragment = fragment.map_err(|why| Problem::new(StatusCode::BAD_REQUEST, why))?;
        let current = sdp_fragment::credentials(&self.offer);
        match fragment.credentials {
            Some(credentials) if Some(credentials) != current => self.restart(credentials).await,
            _ => Ok(Patched::Trickled),
        }
    }

    /// If it fails, all stays as it was (RFC 9725 §4.3.3).
    async fn restart(&mut self, credentials: (&str, &str)) -> Result<Patched, Problem> {
        let offer = sdp_fragment::restarted(&self.offer, credentials);
        let answer = self.member.offer(&offer, false).await?;
        (self.offer, self.answer) = (offer, answer);
        self.etag = new_etag();
        Ok(Patched::Restarted {
            etag: self.etag.clone(),
            fragment: sdp_fragment::of_answer(&self.answer),
        })
    }
}

/// RFC 9110 §8.8.3: strong, so without `W/`.
fn new_etag() -> String {
    format!("\"{:016x}\"", rand::random::<u64>())
}

/// RFC 9110 §13.1.1, by strong comparison. The star is also taken in the quotes that the examples
/// of RFC 9725 put around it.
fn check_match(if_match: Option<&str>, etag: &str) -> Result<(), Problem> {
    let Some(if_match) = if_match else {
        let detail = "A PATCH says If-Match: the ETag of the ICE session, or * to restart it.";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail));
    };
    let mut tags = if_match.split(',').map(str::trim);
    if tags.any(|tag| tag == etag || tag == "*" || tag == "\"*\"") {
        return Ok(());
    }
    let detail = "That ICE session is over: there was a restart since.";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
}

/// The member is gone, for that reason.
#[derive(Debug)]
struct Over(Reason);

/// A member's words to the shard, and what they are told.
struct Voice {
    node: Arc<Node>,
    shard: ShardHandle,
    connection: ConnectionId,
    outbox: OutboxReader,
    requests: RequestId,
    epoch: Epoch,
    /// The number of the last event.
    seq: Option<u64>,
    viewpoint: Option<Viewpoint>,
    ice_servers: Vec<IceServer>,
    _admission: Admission,
}

impl Voice {
    async fn join(node: &Arc<Node>, entry: &Entry, admission: Admission) -> Result<Voice, Problem> {
        let servers = IceServers {
            stun: entry.servers.stun.clone(),
            turn: entry.servers.turn.clone(),
        };
        let (connection, outbox) = node.rim.open_socket(servers);
        let household = admission.household();
        let entered = node.rim.enter_for_join(connection, &entry.room, household);
        let (shard, pass) = entered.inspect_err(|_| node.rim.close_socket(connection))?;
        let shard = node.shard(shard);
        let limits = node.limits.seats as usize;
        let viewpoint = entry.viewed.choice.clone();
        let mut voice = Voice {
            node: Arc::clone(node),
            shard,
            connection,
            outbox,
            requests: 0,
            epoch: 0,
            seq: None,
            viewpoint: viewpoint.map(|choice| Viewpoint::new(choice, limits)),
            ice_servers: Vec::new(),
            _admission: admission,
        };
        let command = ShardCommand::Join {
            connection,
            id: Some(0),
            room: entry.room.clone(),
            name: entry.name.clone(),
            kind: match entry.way {
                Way::Whip => MemberKind::Whip,
                Way::Whep => MemberKind::Whep,
            },
            sfu_only: true,
            owner_key: None,
            pass,
        };
        voice.send(command).await.map_err(gone)?;
        let entered = tokio::time::timeout(JOIN_TIMEOUT, voice.enter()).await;
        entered.unwrap_or_else(|_| {
            let detail = "The room's owner has not let this one in yet.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
        })?;
        Ok(voice)
    }

    /// Waits until the room lets the member in.
    async fn enter(&mut self) -> Result<(), Problem> {
        loop {
            let letter = self.hear().await.map_err(gone)?;
            self.follow(letter.message()).await.map_err(gone)?;
            match letter.message() {
                ServerMessage::Joined { .. } => return Ok(()),
                ServerMessage::Error { code, message, .. } => return Err(problem(*code, message)),
                _ => {}
            }
        }
    }

    /// Has an offer answered.
    async fn offer(&mut self, sdp: &str, fresh: bool) -> Result<String, Problem> {
        let mut refused = None;
        for _ in 0..OFFERS_MAX {
            let offer = ClientMessage::Offer {
                sdp: sdp.to_owned(),
                epoch: self.epoch,
                fresh,
            };
            match self.ask(offer).await? {
                ServerMessage::Answer { sdp, .. } => return Ok(sdp),
                // What is wrong with an offer was said before: here it is the node that is busy.
                ServerMessage::Error {
                    code: ErrorCode::BadOffer,
                    message,
                    ..
                } => {
                    let status = match fresh {
                        true => StatusCode::SERVICE_UNAVAILABLE,
                        false => StatusCode::UNPROCESSABLE_ENTITY,
                    };
                    return Err(Problem::new(status, message));
                }
                ServerMessage::Error { code, message, .. } => {
                    refused = Some(problem(code, &message));
                    if code != ErrorCode::StaleEpoch {
                        break;
                    }
                }
                _ => {}
            }
        }
        Err(refused.unwrap_or_else(unanswered))
    }

    /// Says something that is answered by `ok`.
    async fn request(&mut self, message: ClientMessage) -> Result<(), Problem> {
        match self.ask(message).await? {
            ServerMessage::Error { code, message, .. } => Err(problem(code, &message)),
            _ => Ok(()),
        }
    }

    /// Says something and waits for its answer.
    async fn ask(&mut self, message: ClientMessage) -> Result<ServerMessage, Problem> {
        self.requests = self.requests.wrapping_add(1);
        let id = self.requests;
        self.say(Some(id), message).await.map_err(gone)?;
        let answered = async {
            loop {
                let letter = self.hear().await?;
                if answers(letter.message()) == Some(id) {
                    return Ok(letter.message().clone());
                }
                self.follow(letter.message()).await?;
            }
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
            Ok(answer) => answer.map_err(gone),
            Err(_) => Err(unanswered()),
        }
    }

    /// Takes in what the member is told.
    async fn follow(&mut self, message: &ServerMessage) -> Result<(), Over> {
        match message {
            ServerMessage::Joined {
                topology,
                ice_servers,
                ..
            } => {
                self.epoch = topology.epoch;
                self.ice_servers.clone_from(ice_servers);
            }
            ServerMessage::Switch { epoch, .. }
            | ServerMessage::Commit { epoch, .. }
            | ServerMessage::Rollback { epoch, .. } => self.epoch = *epoch,
            _ => {}
        }
        let viewpoint = self.viewpoint.as_mut();
        match viewpoint.and_then(|viewpoint| viewpoint.hear(message)) {
            Some(wants) => self.say(None, ClientMessage::View { wants }).await,
            None => Ok(()),
        }
    }

    /// The next thing that the member is told.
    async fn hear(&mut self) -> Result<Letter, Over> {
        loop {
            match self.outbox.next().await {
                Outgoing::Letter(letter) => {
                    self.outbox.sent(letter.bytes());
                    self.seq = letter.seq().or(self.seq);
                    return Ok(letter);
                }
                Outgoing::Ping => {}
                Outgoing::Close(reason) => return Err(Over(reason)),
                Outgoing::CloseTooLarge => return Err(Over(Reason::Misbehaved)),
            }
        }
    }

    fn shows_picture(&self) -> bool {
        self.viewpoint
            .as_ref()
            .is_some_and(Viewpoint::shows_picture)
    }

    /// Also tells what arrived, so that it is not kept for a `resume`, which never comes.
    async fn tell_alive(&mut self) -> Result<(), Over> {
        let after = self.seq;
        self.say(None, ClientMessage::Ping { after }).await
    }

    async fn say(&mut self, id: Option<RequestId>, message: ClientMessage) -> Result<(), Over> {
        let connection = self.connection;
        let frame = ClientFrame { id, message };
        self.send(ShardCommand::Said { connection, frame }).await
    }

    async fn send(&mut self, command: ShardCommand) -> Result<(), Over> {
        let sent = self.shard.send(command).await;
        sent.map_err(|_| Over(Reason::Shutdown))
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.node.rim.close_socket(self.connection);
        let gone = ShardCommand::Gone {
            connection: self.connection,
            reason: Reason::Left,
        };
        let shard = self.shard.clone();
        // A shard that has ended has nobody to tell, and nor has a runtime that has.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { shard.send(gone).await });
        }
    }
}

/// Which request a message answers.
fn answers(message: &ServerMessage) -> Option<RequestId> {
    match message {
        ServerMessage::Ok { id } => Some(*id),
        ServerMessage::Error { id, .. } | ServerMessage::Answer { id, .. } => *id,
        _ => None,
    }
}

fn unanswered() -> Problem {
    let detail = "The media thread does not answer.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

fn gone(Over(reason): Over) -> Problem {
    match reason {
        Reason::Denied | Reason::Removed => {
            let detail = "The room's owner does not let this one in.";
            Problem::new(StatusCode::FORBIDDEN, detail)
        }
        _ => {
            let detail = "The room was closed, or the node stops.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }
}

/// What a refusal of the room is over HTTP.
fn problem(code: ErrorCode, message: &str) -> Problem {
    let status = match code {
        ErrorCode::RoomLocked | ErrorCode::Forbidden | ErrorCode::Limit => StatusCode::FORBIDDEN,
        ErrorCode::BadName | ErrorCode::Malformed => StatusCode::BAD_REQUEST,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::BadOffer => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::TooFast => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_patch_must_name_the_ice_session_or_any() {
        for (if_match, expected) in [
            (None, Some(428)),
            (Some("\"a\""), None),
            (Some("\"b\", \"a\""), None),
            (Some("*"), None),
            (Some("\"*\""), None),
            (Some("\"b\""), Some(412)),
            (Some("a"), Some(412)),
            (Some("W/\"a\""), Some(412)),
            (Some(""), Some(412)),
        ] {
            let outcome = check_match(if_match, "\"a\"");
            let status = outcome.err().map(|problem| problem.status().as_u16());
            assert_eq!(status, expected, "{if_match:?}");
        }
    }

    #[test]
    fn an_etag_is_strong_quoted_and_new() {
        let (one, other) = (new_etag(), new_etag());
        assert!(one.starts_with('"') && one.ends_with('"') && one.len() == 18);
        assert_ne!(one, other);
    }
}
