//! A node and a client for WHIP and WHEP, as bare requests.

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use super::{FRAGMENT, SDP, common};

/// A node and a client that follows no redirect.
pub(crate) struct Side {
    pub(crate) node: common::Node,
    pub(crate) http: Client,
}

impl Side {
    pub(crate) fn start(flags: &[&str]) -> Side {
        let redirect = reqwest::redirect::Policy::none();
        let http = Client::builder().redirect(redirect).build().unwrap();
        let node = common::Node::start(flags);
        Side { node, http }
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.node.url(path))
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Response {
        self.ask(method, path).send().await.unwrap()
    }

    pub(crate) fn post(&self, path: &str, offer: &str) -> RequestBuilder {
        let request = self.ask(Method::POST, path).header("content-type", SDP);
        request.body(offer.to_owned())
    }

    pub(crate) async fn offer(&self, path: &str, offer: &str) -> Response {
        self.post(path, offer).send().await.unwrap()
    }

    /// The session's path and its ETag.
    pub(crate) async fn begin(&self, path: &str, offer: &str) -> (String, String) {
        let response = self.offer(path, offer).await;
        assert_eq!(response.status(), 201, "{path}");
        let value = |name| response.headers()[name].to_str().unwrap().to_owned();
        (value("location"), value("etag"))
    }

    pub(crate) async fn patch(
        &self,
        path: &str,
        if_match: Option<&str>,
        fragment: &str,
    ) -> Response {
        let request = self.ask(Method::PATCH, path);
        let request = request.header("content-type", FRAGMENT);
        let request = match if_match {
            Some(if_match) => request.header("if-match", if_match),
            None => request,
        };
        request.body(fragment.to_owned()).send().await.unwrap()
    }

    /// What the API says of a room.
    pub(crate) async fn room(&self, room: &str) -> Response {
        let url = self.node.url(&format!("/api/rooms/{room}"));
        common::admin().get(url).send().await.unwrap()
    }

    pub(crate) async fn members(&self, room: &str) -> usize {
        let described = self.room(room).await;
        let described: Value = described.json().await.unwrap();
        described["members"].as_array().map_or(0, Vec::len)
    }
}
