//! The node inside another program: started by a builder, watched by its events, listened to by taps.

mod events;
mod tap;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;

use super::server::{self, RunningServer, Server, StartError};
use crate::config::Settings;
pub(super) use events::EventSender;
pub use events::{EVENTS_MAX, Event, Events};
pub(super) use tap::TapSenders;
pub use tap::{TAP_BYTES_MAX, Tap, TapError, TapScope};

/// How a node is to be.
///
/// Made by [`Node::builder`]; what is not set is as `motet --help` says.
// It has no `Debug`: what is set may be a secret.
#[derive(Clone, Default)]
pub struct NodeBuilder {
    arguments: Vec<OsString>,
}

/// A running node.
///
/// It has threads of its own for media and for files; the rest runs on the tokio runtime that started
/// it. Stop it with [`Node::stop`]; one that is dropped ends too, but waits for nobody to hear of it.
#[derive(Debug)]
pub struct Node {
    server: RunningServer,
    leash: Leash,
}

/// Ends the node when it is dropped.
#[derive(Debug)]
struct Leash(Arc<server::Node>);

/// What the rim has for the program around it.
#[derive(Debug)]
pub(super) struct Embedder {
    pub(super) events: EventSender,
    pub(super) taps: TapSenders,
}

impl NodeBuilder {
    /// Sets something by the name of its flag, without the dashes: `set("media-port", "5000")`. Where a
    /// flag can be repeated, so can this. No variable of the environment is looked at; a file is if
    /// `config` names one.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.arguments.push(format!("--{name}={value}").into());
        self
    }

    /// Starts the node: binds its ports, starts its threads, takes connections. What happens in its
    /// rooms comes out of [`Events`]; dropped, they cost nothing.
    ///
    /// Needs a tokio runtime. What the node logs goes to whatever `tracing` subscriber there is.
    ///
    /// # Errors
    /// [`StartError`]: a setting is wrong, a port is taken, a certificate is missing.
    pub async fn start(self) -> Result<(Node, Events), StartError> {
        let settings = Settings::of_flags(self.arguments)?;
        let (sender, events) = events::channel();
        let embedder = Embedder {
            events: sender,
            taps: TapSenders::default(),
        };
        let server = Server::start_embedded(settings, embedder).await?;
        let leash = Leash(Arc::clone(server.node()));
        Ok((Node { server, leash }, events))
    }
}

impl Node {
    /// Begins to describe a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// Where the page, the WebSocket and the API are served.
    pub fn address(&self) -> SocketAddr {
        self.server.http()
    }

    /// What opens the API, as `Authorization: Bearer …`: what was set, or what the node made and keeps in
    /// its data folder.
    pub fn admin_token(&self) -> &str {
        self.server.node().admin.secret.reveal()
    }

    /// What media is bound to.
    pub fn media(&self) -> &[SocketAddr] {
        self.server.media()
    }

    /// Listens to a room: every frame of its tracks, as a recording would get them - in order, whole,
    /// with what is lost asked for again - until the [`Tap`] is dropped or the room is no more. Media of
    /// the room travels over the node meanwhile, as while it is recorded; its members are not told more
    /// than that.
    ///
    /// # Errors
    /// [`TapError`], if there is no such room or it cannot be listened to.
    pub async fn tap(&self, room: &str, scope: TapScope) -> Result<Tap, TapError> {
        tap::tap(self.server.node(), room, scope).await
    }

    /// Waits until the node cannot go on, which it never does unless something broke.
    pub async fn failed(&self) {
        self.server.failed().await;
    }

    /// Says goodbye to everyone, ends what is recorded, and ends the threads: 3 s at most, and
    /// up to 5 s more until recordings are whole. [`Events`] and taps end with it.
    pub async fn stop(self) {
        let Self { server, leash } = self;
        server.stop().await;
        drop(leash);
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.end();
        if let Some(embedder) = self.0.rim.embedder.get() {
            embedder.events.close();
            embedder.taps.close();
        }
    }
}
