//! The web client, out of the binary.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::media_type;
use super::problem::Problem;
use crate::config::OnOff;
use crate::io::server::Node;

#[derive(RustEmbed)]
#[folder = "web/"]
#[include = "*.html"]
#[include = "*.js"]
#[include = "*.css"]
#[include = "*.svg"]
#[include = "*.png"]
#[include = "*.webmanifest"]
#[include = "favicon.ico"]
#[include = "robots.txt"]
#[exclude = "*.test.js"]
#[exclude = "*.config.js"]
#[exclude = "test/*"]
#[exclude = "tests/*"]
#[exclude = "node_modules/*"]
#[allow_missing = true]
struct Web;

/// Sent with every page and file.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        PERMISSIONS_POLICY,
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob: mediastream:; connect-src 'self' ws: wss:; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self), \
    fullscreen=(self), picture-in-picture=(self), screen-wake-lock=(self), autoplay=(self), \
    geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()";

/// The page, for `/` and for `/r/{room}`.
pub(super) async fn page(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    serve("index.html", &node, &headers).unwrap_or_else(missing)
}

/// The page that tries every way between a browser and the node, for `/check`.
pub(super) async fn check_page(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    serve("check.html", &node, &headers).unwrap_or_else(missing)
}

/// The page with the recordings, for `/recordings`.
pub(super) async fn recordings_page(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    serve("recordings.html", &node, &headers).unwrap_or_else(missing)
}

/// Any other file of the web client; 404 for what is none, with a page for people.
pub(super) async fn file(
    State(node): State<Arc<Node>>,
    uri: Uri,
    mut headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = serve(path, &node, &headers) {
        return file;
    }
    let is_api = ["api/", "whip/", "whep/"]
        .iter()
        .any(|api| path.starts_with(api));
    if is_api || !media_type::is_wanted(&headers, "text/html") {
        return missing();
    }
    headers.remove(header::IF_NONE_MATCH);
    let mut page = serve("missing.html", &node, &headers).unwrap_or_else(missing);
    *page.status_mut() = StatusCode::NOT_FOUND;
    page
}

fn missing() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing here.").into_response()
}

fn serve(path: &str, node: &Node, headers: &HeaderMap) -> Option<Response> {
    let mut file = Web::get(path)?;
    let mut tag = entity_tag(&file, &node.settings.base_path);
    if path.ends_with(".html") {
        file.data = below(&node.settings.base_path, file.data);
    }
    if path == "index.html" && node.settings.kiosk == OnOff::On {
        file.data = for_kiosks(&file.data);
        tag.insert_str(1, "kiosk-");
    }
    let known = headers.get(header::IF_NONE_MATCH);
    let mut response = match known.is_some_and(|known| matches(known, &tag)) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => content(path, file),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Some(response)
}

/// The page, told that it may open devices without a click.
fn for_kiosks(page: &[u8]) -> Cow<'static, [u8]> {
    let text = String::from_utf8_lossy(page);
    let text = text.replacen("<html lang=\"en\">", "<html lang=\"en\" data-kiosk>", 1);
    text.into_bytes().into()
}

/// A page whose files are below that path.
fn below(base: &str, page: Cow<'static, [u8]>) -> Cow<'static, [u8]> {
    match std::str::from_utf8(&page) {
        Ok(text) if !base.is_empty() => {
            let text = text.replace("=\"/", &format!("=\"{base}/"));
            text.into_bytes().into()
        }
        _ => page,
    }
}

fn content(path: &str, file: EmbeddedFile) -> Response {
    let mut response = Body::from(file.data).into_response();
    let kind = HeaderValue::from_static(content_type(path));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("txt") => "text/plain; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// Of a file as it is below that path.
fn entity_tag(file: &EmbeddedFile, base: &str) -> String {
    let mut tag = String::from("\"");
    for byte in &file.metadata.sha256_hash()[..12] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push_str(base);
    tag.push('"');
    tag
}

/// `If-None-Match` compares weakly (RFC 9110 §13.1.2).
pub(super) fn matches(known: &HeaderValue, tag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
