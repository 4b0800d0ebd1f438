//! WHIP (RFC 9725) at `/whip/{room}` and WHEP (draft-ietf-wish-whep) at `/whep/{room}`: publishing
//! and viewing by one HTTP request.
//!
//! A session is a member like any other, whose words are said for it by a task here: `join`, `offer`,
//! `publish`, `view`. The shard knows no second protocol; only that such a member is gone when their
//! media connection is.

mod caller;
mod cors;
mod counter_offer;
mod endpoint;
mod links;
mod offer;
mod resource;
mod sdp_fragment;
mod session;
mod sessions;
mod sight;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};

use crate::io::server::Node;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In.
    Whip,
    /// Out.
    Whep,
}

impl Way {
    /// As in the path.
    fn path(self) -> &'static str {
        match self {
            Way::Whip => "whip",
            Way::Whep => "whep",
        }
    }

    /// The name of a member who gives none.
    fn name(self) -> &'static str {
        match self {
            Way::Whip => "WHIP",
            Way::Whep => "WHEP",
        }
    }
}

/// Every address of WHIP and WHEP.
pub(super) fn routes(node: &Node) -> Router<Arc<Node>> {
    let endpoint = || {
        post(endpoint::create)
            .get(endpoint::show)
            .options(endpoint::options)
    };
    let session = || {
        get(resource::show)
            .patch(resource::patch)
            .delete(resource::delete)
            .options(resource::options)
    };
    let sessions = Arc::new(sessions::Sessions::default());
    Router::new()
        .route("/whip/{room}", endpoint())
        .route("/whep/{room}", endpoint())
        .route("/whip/{room}/{session}", session())
        .route("/whep/{room}/{session}", session())
        .method_not_allowed_fallback(super::method_not_allowed)
        .layer(DefaultBodyLimit::max(node.limits.message_bytes as usize))
        .layer(Extension(sessions))
        .layer(middleware::map_response(cors::open))
}
