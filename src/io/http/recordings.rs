//! `/api/rooms/{id}/recordings`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
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
use crate::logic::room::RecordingScope;
use crate::media::shard::Question;

/// Members that can be named in one request.
const MEMBERS_MAX: usize = 500;

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
    match answer.get("refused").and_then(Value::as_str) {
        Some("recorded") => Err(conflict("The room is recorded already.")),
        Some(_) => Err(conflict(
            "Media travels between the members, never over the node: there is nothing to record.",
        )),
        None => {
            let room = rest::percent_encode(&id);
            let recording = answer.get("id").and_then(Value::as_str).unwrap_or_default();
            let location = format!("/api/rooms/{room}/recordings/{recording}");
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

/// `DELETE /api/rooms/{id}/recordings/{recording}`: ends that recording.
pub(super) async fn end_one(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path((id, recording)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    stop(&node, &id, Some(recording)).await
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
