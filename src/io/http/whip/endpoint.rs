//! Where sessions begin.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::caller::Caller;
use super::links::links;
use super::offer::{Accepted, Refused, check};
use super::resource::FRAGMENT;
use super::session::{Entry, Session, Viewed};
use super::sessions::{Handle, REQUESTS_MAX};
use super::sight::{Sight, UNDECODABLE, sight};
use super::{Way, counter_offer};
use crate::io::http::ice_servers::{Ports, ice_servers};
use crate::io::http::problem::Problem;
use crate::io::http::rest::{ask_room, percent_encode};
use crate::io::http::ws::Admission;
use crate::io::server::Node;
use crate::logic::names::{check_name, check_room_name};
use crate::logic::viewpoint::Choice;
use crate::media::shard::Question;

/// RFC 8866 §8.1.
pub(super) const SDP: &str = "application/sdp";

/// What the query can say; more is passed over.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wishes {
    /// The member's name.
    name: Option<String>,
    /// Whom to view: an id or a name.
    member: Option<String>,
    /// The viewer waits where nobody publishes yet.
    wait: Option<String>,
    /// The player asks again when its session ends: that of sound alone does when a picture comes.
    restart: Option<String>,
}

/// A request's body as text.
pub(super) struct Body(pub(super) String);

impl FromRequest<Arc<Node>> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, node).await;
        let bytes = bytes.map_err(|error| {
            let detail = "The body is too long, or did not come whole.";
            Problem::new(error.status(), detail)
        })?;
        let text = String::from_utf8(bytes.into());
        text.map(Body)
            .map_err(|_| bad_request("The body is not UTF-8."))
    }
}

/// `OPTIONS`: asks for no token, as preflights carry none, and tells of no ICE server (RFC 9725 §4.6).
pub(super) async fn options() -> Response {
    let accept = HeaderName::from_static("accept-post");
    (StatusCode::OK, [(accept, SDP)]).into_response()
}

/// `GET` and `HEAD`: there is nothing to show (RFC 9725 §4.1).
pub(super) async fn show(caller: Caller, method: Method) -> Response {
    match (caller.way, method) {
        (Way::Whep, Method::HEAD) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, SDP)]).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// `POST`: an offer begins a session.
pub(super) async fn create(
    caller: Caller,
    wishes: Result<Query<Wishes>, QueryRejection>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    caller.check()?;
    caller.check_content_type(SDP, "accept-post")?;
    let Query(wishes) = wishes.map_err(|_| bad_request("The query is not right."))?;
    let name = wishes.name.as_deref().unwrap_or(caller.way.name());
    let name = check_name(name).map_err(|error| bad_request(&error.to_string()))?;
    let room = check_room_name(&caller.room).map_err(|error| bad_request(&error.to_string()))?;
    let accepted = match check(caller.way, &body) {
        Ok(accepted) => accepted,
        Err(Refused::NoCodec(why)) if caller.way == Way::Whep => {
            return Ok(counter_offer::response(&why, &counter_offer::ALL));
        }
        Err(refused) => return Err(refused.into()),
    };
    if caller.node.is_stopping() {
        return Err(unavailable("The node is shutting down."));
    }
    if caller.sessions.count() >= caller.node.limits.http_sessions as usize {
        return Err(unavailable("This node holds as many sessions as it may."));
    }
    let choice = choice(wishes.member, &accepted);
    let mut viewed = Viewed {
        accepted,
        choice,
        restarts: false,
        is_hidden: false,
    };
    if caller.way == Way::Whep {
        let can_restart = wishes.restart.is_some();
        match look(
            &caller.node,
            &room,
            viewed.choice.as_ref(),
            &viewed.accepted,
        )
        .await
        {
            Sight::Nobody if wishes.wait.is_none() => return Err(nobody()),
            Sight::Undecodable(codecs) if !viewed.accepted.decodes.is_empty() => {
                return Ok(counter_offer::response(UNDECODABLE, &codecs));
            }
            Sight::NoPicture => viewed = viewed.without_picture(can_restart),
            Sight::Hidden => {
                viewed.is_hidden = true;
                viewed.restarts = can_restart;
            }
            _ => {}
        }
    }
    begin(&caller, room, name, viewed).await
}

/// One pair shows whom it is told to, or the speaker; several show everyone.
fn choice(member: Option<String>, accepted: &Accepted) -> Option<Choice> {
    match member {
        Some(member) if accepted.seats > 0 => Some(Choice::Member(member)),
        None if accepted.seats == 1 => Some(Choice::Speaker),
        _ => None,
    }
}

/// What a viewer would see, as far as they may know before they are in. Looked up before anybody comes
/// in, as a viewer would make the room, or move a mesh to the node, for nothing.
async fn look(node: &Node, room: &str, choice: Option<&Choice>, accepted: &Accepted) -> Sight {
    let Ok(described) = ask_room(node, room, Question::Room).await else {
        return Sight::Nobody;
    };
    // Who may not come in, or not yet, learns nothing of who is there.
    match described["locked"] == true || described["lobby"] == true {
        true => Sight::Hidden,
        false => sight(&described, choice, accepted),
    }
}

/// The draft's §4.2: 409 where nobody publishes.
fn nobody() -> Problem {
    let detail = "Nobody to be viewed publishes in that room yet (?wait lets a viewer wait).";
    let problem = Problem::new(StatusCode::CONFLICT, detail);
    problem.with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

async fn begin(
    caller: &Caller,
    room: String,
    name: String,
    viewed: Viewed,
) -> Result<Response, Problem> {
    let node = &caller.node;
    let address = node.proxies.client_address(caller.peer, &caller.headers);
    let admission = Admission::new(node, address)?;
    let ports = Ports {
        media: node.media_port,
        tcp: node.tcp_port,
    };
    let servers = ice_servers(&node.settings, ports, caller.peer, &caller.headers);
    let entry = Entry {
        way: caller.way,
        room,
        name,
        viewed,
        servers,
    };
    let session = Session::begin(node, entry, admission).await?;
    let answer = with_mux_only(session.answer());
    let etag = session.etag().to_owned();
    let ice_servers = links(session.ice_servers(), |url| {
        !node.settings.stun.iter().any(|known| known == url)
    });
    let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
    let handle = Handle {
        way: caller.way,
        room: caller.room.clone(),
        requests,
    };
    let id = caller.sessions.add(handle);
    let room = percent_encode(&caller.room);
    let base = &node.settings.base_path;
    let location = format!("{base}/{}/{room}/{id}", caller.way.path());
    let sessions = Arc::clone(&caller.sessions);
    tokio::spawn(async move {
        session.run(inbox).await;
        sessions.remove(&id);
    });
    let mut response = (StatusCode::CREATED, answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    for (name, value) in [(header::LOCATION, location), (header::ETAG, etag)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert("accept-patch", HeaderValue::from_static(FRAGMENT));
    for link in ice_servers {
        headers.append(header::LINK, link);
    }
    Ok(response)
}

/// RFC 9725 §4.4.1: in every bundled m-line.
fn with_mux_only(answer: &str) -> String {
    answer.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")
}

fn bad_request(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Malformed(why) => Problem::new(StatusCode::BAD_REQUEST, why),
            Refused::Unacceptable(why) | Refused::NoCodec(why) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            }
        }
    }
}
