//! The HTTP side: the web client, the WebSocket, the API.

mod access;
mod assets;
mod entrance;
mod forwards;
pub mod handshake;
mod ice_servers;
mod media_type;
mod names;
mod problem;
mod ranges;
mod recording_files;
mod recordings;
mod rest;
mod secure;
mod session;
mod throttle;
mod whip;
pub mod ws;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::problem::Problem;
pub use self::secure::Arrival;
use super::server::Node;

/// Bytes of a request's body; more is 413.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Every address that the node answers.
pub fn router(node: Arc<Node>) -> Router {
    let rooms = get(rest::rooms).post(rest::create_room);
    let room = get(rest::room).delete(rest::delete_room);
    let recordings = get(recordings::list)
        .post(recordings::begin)
        .delete(recordings::end);
    let routes = Router::new()
        .route("/", get(assets::page))
        .route("/r/{room}", get(assets::page))
        .route("/check", get(assets::check_page))
        .route("/ws", get(ws::upgrade))
        .route("/health", get(rest::health))
        .route("/ready", get(rest::ready))
        .route("/metrics", get(rest::metrics))
        .route("/api/stats", get(rest::stats))
        .route("/api/rooms", rooms)
        .route("/api/rooms/{id}", room)
        .route("/api/rooms/{id}/recordings", recordings)
        .route(
            "/api/rooms/{id}/recordings/{recording}",
            get(recordings::one).delete(recordings::end_or_remove),
        )
        .merge(forwards::routes())
        .merge(library())
        .route("/{*file}", get(assets::file))
        .merge(whip::routes(&node))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(limit_time))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&node),
            secure::guard,
        ))
        .with_state(Arc::clone(&node));
    // Around all routes: it says which one it is.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn_with_state(node, entrance::enter))
}

/// The metrics, for whoever reaches the port that they have to themselves.
pub fn metrics_router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/metrics", get(rest::open_metrics))
        .fallback(nothing_here)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(limit_time))
        .with_state(node)
}

/// What is recorded already: its page, its list, its files.
fn library() -> Router<Arc<Node>> {
    Router::new()
        .route("/recordings", get(assets::recordings_page))
        .route("/api/recordings", get(recordings::library))
        .route("/api/session", post(session::open).delete(session::close))
        .route(
            "/api/rooms/{id}/recordings/{recording}/files/{file}",
            get(recording_files::file),
        )
}

async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing here.")
}

async fn method_not_allowed() -> Problem {
    let detail = "This address does not take that method.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "The request took too long.";
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into_response()
        }
    }
}
