//! `/api`, `/metrics`, `/health`, `/ready`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::check_manager;
use super::media_type;
use super::problem::Problem;
use super::throttle::guarded;
use crate::io::room_name::random_room_name;
use crate::io::server::Node;
use crate::io::shard_handle::ShardError;
use crate::logic::lobby::Refusal;
use crate::logic::names::{check_name, check_room_name};
use crate::logic::room::RecordingScope;
use crate::media::shard::Question;
use crate::metrics;
use crate::protocol::owner_key::OwnerKey;

/// Whoever shows the admin token; nobody else gets through.
pub(super) struct Manager;

impl axum::extract::FromRequestParts<Arc<Node>> for Manager {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        node: &Arc<Node>,
    ) -> Result<Self, Problem> {
        let check = || check_manager(&node.admin.secret, &parts.headers);
        guarded(node, parts, check).map(|()| Manager)
    }
}

/// `GET /health`: the process is up.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /ready`: joins are taken.
pub(super) async fn ready(State(node): State<Arc<Node>>) -> Result<&'static str, Problem> {
    let unavailable = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    if node.is_stopping() {
        return Err(unavailable("The node is shutting down.".to_owned()));
    }
    if node.rim.lobby().is_draining() {
        let detail = "The node is about to stop: what goes on does, and no new rooms are taken.";
        return Err(unavailable(detail.to_owned()));
    }
    match node.stats().await {
        Ok(_) => Ok("ok\n"),
        Err(error) => Err(unavailable(format!("{error}."))),
    }
}

/// `GET /metrics`, for Prometheus.
pub(super) async fn metrics(_: Manager, node: State<Arc<Node>>) -> Result<Response, Problem> {
    open_metrics(node).await
}

/// The same on the port that metrics have to themselves.
pub(super) async fn open_metrics(State(node): State<Arc<Node>>) -> Result<Response, Problem> {
    let stats = node.stats().await?;
    let page = metrics::render(&node.rim.counters, node.rim.sockets(), &stats);
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, content_type)], page).into_response())
}

/// `GET /api/stats`.
pub(super) async fn stats(
    _: Manager,
    State(node): State<Arc<Node>>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(node.stats().await?))
}

/// `GET /api/rooms`.
pub(super) async fn rooms(
    _: Manager,
    State(node): State<Arc<Node>>,
) -> Result<Json<Value>, Problem> {
    let mut rooms = Vec::new();
    for shard in node.shards() {
        if let Value::Array(some) = shard.ask(Question::Rooms).await? {
            rooms.extend(some);
        }
    }
    Ok(Json(Value::Array(rooms)))
}

/// `GET /api/rooms/{id}`.
pub(super) async fn room(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let room = ask_room(&node, &id, Question::Room).await?;
    Ok(Json(room))
}

/// What `POST /api/rooms` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewRoom {
    name: Option<String>,
    /// What makes its owners; never shown again.
    owner_key: Option<OwnerKey>,
    /// It is recorded from its beginning; where that cannot be, `recording.refused` says so.
    #[serde(default)]
    record: bool,
}

/// `POST /api/rooms`: makes a room that waits for its members.
pub(super) async fn create_room(
    _: Manager,
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: NewRoom = read_json(&headers, &body)?;
    let name = match wanted.name {
        Some(name) => check_room_name(&name).map_err(|error| bad_request(error.to_string()))?,
        None => random_room_name(),
    };
    let shard = node.rim.lobby().reserve(&name)?;
    let question = Question::CreateRoom {
        name: name.clone(),
        owner_key: wanted.owner_key,
    };
    let answer = node.shard(shard).ask(question).await;
    node.rim.lobby().arrived(&name);
    if let Some(owners) = node.rim.owners.get() {
        owners.kept().wait().await;
    }
    match answer? {
        Value::Null => {
            let detail = format!("There is a room called {name:?} already.");
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Value::Object(refused) if refused.contains_key("error") => {
            node.rim.lobby().closed(&name);
            Err(Refusal::Rooms.into())
        }
        mut room => {
            if wanted.record {
                let scope = RecordingScope::default();
                let named = name.clone();
                let question = Question::Record { name: named, scope };
                room["recording"] = node.shard(shard).ask(question).await?;
            }
            let base = &node.settings.base_path;
            let location = format!("{base}/api/rooms/{}", percent_encode(&name));
            Ok((
                StatusCode::CREATED,
                [(header::LOCATION, location)],
                Json(room),
            )
                .into_response())
        }
    }
}

/// `DELETE /api/rooms/{id}`: ends the room for everyone in it.
pub(super) async fn delete_room(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    ask_room(&node, &id, Question::DeleteRoom).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn ask_room(
    node: &Node,
    id: &str,
    question: impl FnOnce(String) -> Question,
) -> Result<Value, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "There is no room of that name.");
    let name = check_name(id).map_err(|_| missing())?;
    let shard = node.rim.lobby().find(&name).ok_or_else(missing)?;
    match node.shard(shard).ask(question(name)).await? {
        Value::Null => Err(missing()),
        room => Ok(room),
    }
}

/// What a body says; nothing says what is said by default.
pub(super) fn read_json<T: Default + DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    if !media_type::is_body(headers, "application/json") {
        let detail = "The body must be application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    serde_json::from_slice(body)
        .map_err(|error| bad_request(format!("The body is not right: {error}.")))
}

fn bad_request(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

pub(super) fn internal(detail: &str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

impl From<ShardError> for Problem {
    fn from(error: ShardError) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{error}."))
    }
}

/// RFC 3986 §2.1: everything but unreserved characters.
pub(super) fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
