//! `/api/rooms/{id}/recordings` and `/api/recordings`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::rest::{self, Manager};
use crate::ids::MemberId;
use crate::io::server::Node;
use crate::logic::names::check_name;
use crate::logic::record::manifest::Layout;
use crate::logic::record::summary::Place;
use crate::logic::room::RecordingScope;
use crate::media::shard::Question;

/// Members that can be named in one request.
const MEMBERS_MAX: usize = 500;

/// Recordings of a page of the list, if nothing is said, and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;

/// What `POST /api/rooms/{id}/recordings` takes; nothing records everything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewRecording {
    /// Sound alone, as Ogg.
    #[serde(default)]
    audio_only: bool,
    /// These members alone.
    #[serde(default)]
    members: Vec<MemberId>,
    /// Which files there are to be; `both` if nothing is said.
    #[serde(default)]
    layout: Layout,
}

/// `POST /api/rooms/{id}/recordings`: begins to record.
pub(super) async fn begin(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: NewRecording = rest::read_json(&headers, &body)?;
    if wanted.members.len() > MEMBERS_MAX {
        let detail = "That are too many members to be named.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let scope = RecordingScope {
        audio_only: wanted.audio_only,
        members: wanted.members.into_iter().collect(),
        layout: wanted.layout,
    };
    let question = |name| Question::Record { name, scope };
    let answer = rest::ask_room(&node, &id, question).await?;
    let detail = answer
        .get("detail")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match answer.get("refused").and_then(Value::as_str) {
        Some("off") => Err(Problem::new(StatusCode::FORBIDDEN, detail)),
        Some("full" | "disk") => Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail)),
        Some(_) => Err(conflict(detail)),
        None => {
            let room = rest::percent_encode(&id);
            let recording = answer.get("id").and_then(Value::as_str).unwrap_or_default();
            let base = &node.settings.base_path;
            let location = format!("{base}/api/rooms/{room}/recordings/{recording}");
            let created = StatusCode::CREATED;
            Ok((created, [(header::LOCATION, location)], Json(answer)).into_response())
        }
    }
}

/// `GET /api/rooms/{id}/recordings`: the manifests of the room's recordings, newest first. The room
/// need not be there any more.
pub(super) async fn list(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let missing = |_| Problem::new(StatusCode::NOT_FOUND, "There is no room of that name.");
    let name = check_name(&id).map_err(missing)?;
    let Some(recorder) = node.rim.recorder.get() else {
        return Ok(Json(json!([])));
    };
    let store = recorder.store.clone();
    let listed = tokio::task::spawn_blocking(move || store.of_room(&name)).await;
    Ok(Json(json!(listed.unwrap_or_default())))
}

/// `GET /api/rooms/{id}/recordings/{recording}`: the manifest of one.
pub(super) async fn one(
    manager: Manager,
    state: State<Arc<Node>>,
    Path((id, recording)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let Json(all) = list(manager, state, Path(id)).await?;
    let mut all = all.as_array().into_iter().flatten();
    let found = all.find(|manifest| manifest["id"] == recording.as_str());
    let missing = || Problem::new(StatusCode::NOT_FOUND, "There is no recording of that id.");
    found.cloned().map(Json).ok_or_else(missing)
}

/// `DELETE /api/rooms/{id}/recordings`: ends the recording of the room.
pub(super) async fn end(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    stop(&node, &id, None).await
}

/// `DELETE /api/rooms/{id}/recordings/{recording}`: ends that recording if it goes on, and removes it
/// with all its files if it is over.
pub(super) async fn end_or_remove(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path((id, recording)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    match stop(&node, &id, Some(recording.clone())).await {
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
            remove(&node, &id, recording).await
        }
        done => done,
    }
}

async fn remove(node: &Node, room: &str, recording: String) -> Result<StatusCode, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "There is no recording of that id.");
    let room = check_name(room).map_err(|_| missing())?;
    let recorder = node.rim.recorder.get().ok_or_else(missing)?;
    let store = recorder.store.clone();
    let removing = tokio::task::spawn_blocking(move || {
        let (manifest, folder) = store.find(&room, &recording).ok_or_else(missing)?;
        if manifest.ended.is_none() {
            return Err(conflict("The recording is still being written."));
        }
        tracing::info!(recording, "recording removed");
        store.remove(&folder).map_err(|error| {
            tracing::warn!(recording, %error, "a recording cannot be removed");
            rest::internal("The disk does not let it be removed.")
        })
    });
    let removed = removing.await;
    removed.unwrap_or_else(|_| Err(rest::internal("It was not removed.")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of the list is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// `GET /api/recordings`: what there is of all rooms, newest first, a page at a time.
pub(super) async fn library(
    _: Manager,
    State(node): State<Arc<Node>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let bad = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, detail);
    let Query(page) = page.map_err(|rejection| bad(&rejection.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let place =
        |text: String| read_place(&text).ok_or_else(|| bad("`after` is `next` of another page."));
    let after = page.after.map(place).transpose()?;
    let Some(recorder) = node.rim.recorder.get() else {
        return Ok(Json(json!({ "recordings": [] })));
    };
    let store = recorder.store.clone();
    let listing = tokio::task::spawn_blocking(move || store.list(after.as_ref(), limit));
    let (recordings, next) = listing.await.unwrap_or_default();
    let next = next.map(|Place { began_unix_ms, id }| format!("{began_unix_ms}-{id}"));
    Ok(Json(json!({ "recordings": recordings, "next": next })))
}

fn read_place(text: &str) -> Option<Place> {
    let (began, id) = text.rsplit_once('-')?;
    Some(Place {
        began_unix_ms: began.parse().ok()?,
        id: id.to_owned(),
    })
}

async fn stop(node: &Node, id: &str, recording: Option<String>) -> Result<StatusCode, Problem> {
    let question = |name| Question::StopRecording { name, recording };
    match rest::ask_room(node, id, question).await? {
        Value::Bool(true) => Ok(StatusCode::NO_CONTENT),
        _ => {
            let detail = "The room is not recorded by that.";
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        }
    }
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}
