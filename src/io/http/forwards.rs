//! `/api/rooms/{id}/forwards`: tracks that are sent to other programs as RTP.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::media_type;
use super::problem::Problem;
use super::rest::{self, Manager};
use crate::ids::MemberId;
use crate::io::server::Node;
use crate::logic::forward::layer::MAX_LAYERS;
use crate::media::outputs::{RtcpPort, Suite, Wanted, Wish};
use crate::media::shard::Question;
use crate::protocol::client::Source;

/// What a session description is (RFC 8866 §8.1).
const SDP: HeaderValue = HeaderValue::from_static("application/sdp");

/// The addresses of forwards.
pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/api/rooms/{id}/forwards", get(list).post(begin))
        .route("/api/rooms/{id}/forwards/{forward}", get(one).delete(end))
}

/// What `POST /api/rooms/{id}/forwards` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewForward {
    track: Option<TrackName>,
    /// An address. What is allowed is a list of addresses, and a name can come to mean another one
    /// at any time.
    host: Option<String>,
    port: Option<u16>,
    /// A port, or `mux`; the port after RTP's if nothing is said.
    rtcp: Option<Value>,
    /// `true`, or `{suite, key}`.
    srtp: Option<Value>,
    /// `best`, or the highest simulcast layer, the lowest being 0.
    layer: Option<Value>,
}

/// A track as the room's description names it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrackName {
    member: MemberId,
    source: Source,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSrtp {
    suite: Option<String>,
    key: Option<String>,
}

impl NewForward {
    fn wish(self) -> Result<Wish, String> {
        let track = self
            .track
            .ok_or("Which track is missing: {\"member\": …, \"source\": …}.")?;
        let host = self.host.ok_or("The host is missing.")?;
        let host: IpAddr = host
            .parse()
            .map_err(|_| "The host must be an IP address, not a name.")?;
        let port = self.port.ok_or("The port is missing.")?;
        if port == 0 {
            return Err("Nobody listens on port 0.".to_owned());
        }
        Ok(Wish {
            member: track.member,
            source: track.source,
            host,
            port,
            rtcp: rtcp_port(port, self.rtcp)?,
            srtp: srtp(self.srtp)?,
            max_layer: max_layer(self.layer)?,
        })
    }
}

fn rtcp_port(port: u16, said: Option<Value>) -> Result<RtcpPort, String> {
    let number = match said {
        None => port.checked_add(1),
        Some(Value::String(word)) if word == "mux" => return Ok(RtcpPort::Mux),
        Some(said) => said.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    match number {
        Some(number) if number == port => Ok(RtcpPort::Mux),
        Some(number) if number > 0 => Ok(RtcpPort::Port(number)),
        _ => Err("rtcp must be a port, or \"mux\" for the port of RTP.".to_owned()),
    }
}

fn srtp(said: Option<Value>) -> Result<Option<Wanted>, String> {
    let said = match said {
        None | Some(Value::Bool(false)) => return Ok(None),
        Some(Value::Bool(true)) => NewSrtp::default(),
        Some(said) => {
            serde_json::from_value(said).map_err(|error| format!("srtp is not right: {error}."))?
        }
    };
    let suite = match said.suite.as_deref() {
        None => Suite::ALL[0],
        Some(name) => Suite::named(name).ok_or_else(|| {
            let known = Suite::ALL.map(Suite::name).join(" and ");
            format!("The suites of srtp are {known}.")
        })?,
    };
    let wanted = Wanted::new(suite, said.key.as_deref());
    wanted.map(Some).map_err(|error| format!("{error}."))
}

fn max_layer(said: Option<Value>) -> Result<Option<u8>, String> {
    let number = match said {
        None => return Ok(None),
        Some(Value::String(word)) if word == "best" => return Ok(None),
        Some(said) => said.as_u64().filter(|&number| number < MAX_LAYERS as u64),
    };
    let layer = number.and_then(|number| u8::try_from(number).ok());
    let wrong = || {
        let top = MAX_LAYERS - 1;
        format!("layer must be \"best\" or a number from 0, the lowest, to {top}.")
    };
    layer.map(Some).ok_or_else(wrong)
}

/// `POST /api/rooms/{id}/forwards`: begins to send a track.
async fn begin(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: NewForward = rest::read_json(&headers, &body)?;
    let wish = wanted
        .wish()
        .map_err(|detail| Problem::new(StatusCode::BAD_REQUEST, detail))?;
    let host = wish.host;
    let wish = Box::new(wish);
    let question = |name| Question::Forward { name, wish };
    let answer = rest::ask_room(&node, &id, question).await?;
    if let Some(why) = answer.get("refused").and_then(Value::as_str) {
        return Err(refused(why, host));
    }
    let room = rest::percent_encode(&id);
    let forward = answer.get("id").and_then(Value::as_str).unwrap_or_default();
    let base = &node.settings.base_path;
    let location = format!("{base}/api/rooms/{room}/forwards/{forward}");
    let created = StatusCode::CREATED;
    Ok((created, [(header::LOCATION, location)], Json(answer)).into_response())
}

fn refused(why: &str, host: IpAddr) -> Problem {
    let (status, detail) = match why {
        "denied" => {
            let detail = format!(
                "This node may not send RTP there: {host} is not on the list of --forward-allow, or \
                 the port is one of the node's own."
            );
            return Problem::new(StatusCode::FORBIDDEN, detail);
        }
        "mesh" => (
            StatusCode::CONFLICT,
            "Media travels between the members, never over the node: there is nothing to send.",
        ),
        "member" => (
            StatusCode::NOT_FOUND,
            "There is no such member in the room.",
        ),
        "track" => (StatusCode::NOT_FOUND, "The member does not send that."),
        "room" => (
            StatusCode::SERVICE_UNAVAILABLE,
            "As many tracks of this room are sent to other programs as may be.",
        ),
        "node" => (
            StatusCode::SERVICE_UNAVAILABLE,
            "This node sends as many tracks to other programs as it may.",
        ),
        "unreachable" => (
            StatusCode::BAD_GATEWAY,
            "This machine has no way to that address, or no socket left.",
        ),
        _ => (
            StatusCode::NOT_IMPLEMENTED,
            "This node cannot seal packets in that way.",
        ),
    };
    Problem::new(status, detail)
}

/// `GET /api/rooms/{id}/forwards`: what is sent, and what was until its member left.
async fn list(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    rest::ask_room(&node, &id, Question::Forwards)
        .await
        .map(Json)
}

/// `GET /api/rooms/{id}/forwards/{forward}`: one; as a session description to those who ask for
/// `{forward}.sdp`, or for that type by name.
async fn one(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path((id, forward)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let by_name = forward.strip_suffix(".sdp");
    if by_name.is_some() || media_type::is_wanted(&headers, "application/sdp") {
        let forward = by_name.unwrap_or(&forward).to_owned();
        return description(&node, &id, forward).await;
    }
    let all = rest::ask_room(&node, &id, Question::Forwards).await?;
    let mut all = all.as_array().into_iter().flatten();
    let found = all.find(|one| one["id"] == forward.as_str());
    let found = found.cloned().ok_or_else(missing)?;
    Ok(Json(found).into_response())
}

async fn description(node: &Node, id: &str, forward: String) -> Result<Response, Problem> {
    let question = |name| Question::ForwardSdp { name, id: forward };
    match rest::ask_room(node, id, question).await? {
        Value::String(sdp) => Ok(([(header::CONTENT_TYPE, SDP)], sdp).into_response()),
        Value::Bool(true) => {
            let detail = "Nothing has come of that track yet, so its codec is not known.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
        }
        _ => Err(missing()),
    }
}

/// `DELETE /api/rooms/{id}/forwards/{forward}`: ends it.
async fn end(
    _: Manager,
    State(node): State<Arc<Node>>,
    Path((id, forward)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let question = |name| Question::EndForward { name, id: forward };
    match rest::ask_room(&node, &id, question).await? {
        Value::Bool(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(missing()),
    }
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is no forward of that id.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn wish(change: &Value) -> Result<Wish, String> {
        let mut said = json!({
            "track": { "member": "0000000000001", "source": "camera" },
            "host": "192.0.2.7",
            "port": 5004,
        });
        for (key, value) in change.as_object().unwrap() {
            said[key] = value.clone();
        }
        let said: NewForward = serde_json::from_value(said).map_err(|error| error.to_string())?;
        said.wish()
    }

    #[test]
    fn what_may_be_left_out_has_a_meaning() {
        let wish = wish(&json!({})).unwrap();
        assert_eq!(wish.rtp_to().to_string(), "192.0.2.7:5004");
        assert_eq!(wish.rtcp, RtcpPort::Port(5005));
        assert_eq!((wish.srtp, wish.max_layer), (None, None));
    }

    #[test]
    fn ports_layers_and_suites() {
        for (change, rtcp) in [
            (json!({"rtcp": 7}), RtcpPort::Port(7)),
            (json!({"rtcp": "mux"}), RtcpPort::Mux),
            (json!({"rtcp": 5004}), RtcpPort::Mux),
            (json!({"rtcp": null}), RtcpPort::Port(5005)),
        ] {
            assert_eq!(wish(&change).unwrap().rtcp, rtcp, "{change}");
        }
        for (change, layer) in [
            (json!({"layer": "best"}), None),
            (json!({"layer": 0}), Some(0)),
            (json!({"layer": 2}), Some(2)),
        ] {
            assert_eq!(wish(&change).unwrap().max_layer, layer, "{change}");
        }
        for (change, suite) in [
            (json!({"srtp": false}), None),
            (json!({"srtp": true}), Some("AES_CM_128_HMAC_SHA1_80")),
            (json!({"srtp": {}}), Some("AES_CM_128_HMAC_SHA1_80")),
            (
                json!({"srtp": {"suite": "AEAD_AES_128_GCM"}}),
                Some("AEAD_AES_128_GCM"),
            ),
        ] {
            let srtp = wish(&change).unwrap().srtp;
            assert_eq!(srtp.map(|wanted| wanted.suite().name()), suite, "{change}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        for (change, word) in [
            (json!({"track": null}), "track"),
            (
                json!({"track": {"member": "x", "source": "camera"}}),
                "13 characters",
            ),
            (
                json!({"track": {"member": "0000000000001", "source": "hat"}}),
                "hat",
            ),
            (json!({"host": null}), "host"),
            (json!({"host": "localhost"}), "address"),
            (json!({"host": "127.0.0.1:80"}), "address"),
            (json!({"host": "0x7f.1"}), "address"),
            (json!({"port": null}), "port"),
            (json!({"port": 0}), "port 0"),
            (json!({"port": 65_536}), "65536"),
            (json!({"port": 65_535}), "rtcp"),
            (json!({"rtcp": 0}), "rtcp"),
            (json!({"rtcp": 65_536}), "rtcp"),
            (json!({"rtcp": "x"}), "rtcp"),
            (json!({"srtp": 1}), "srtp"),
            (json!({"srtp": {"suite": "NULL"}}), "AEAD_AES_128_GCM"),
            (json!({"srtp": {"key": "Zm9v"}}), "30 bytes"),
            (json!({"srtp": {"keys": "Zm9v"}}), "keys"),
            (json!({"layer": 3}), "layer"),
            (json!({"layer": -1}), "layer"),
            (json!({"layer": "high"}), "layer"),
            (json!({"ttl": 1}), "ttl"),
        ] {
            let error = wish(&change).unwrap_err();
            assert!(error.contains(word), "{change}: {error}");
        }
    }
}
