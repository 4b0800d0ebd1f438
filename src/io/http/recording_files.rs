//! `/api/rooms/{id}/recordings/{recording}/files/{file}`: what players seek in and people save.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use super::access::check_reader;
use super::assets;
use super::problem::Problem;
use super::ranges::{self, Wanted};
use super::rest::percent_encode;
use super::throttle::guarded;
use crate::io::recorder::RecordingStore;
use crate::io::server::Node;
use crate::logic::names::check_name;
use crate::logic::record::download_name::download_name;

/// Bytes that are read and held at once for one request.
const PIECE_BYTES: u64 = 128 << 10;

/// Sent with every file.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::ACCEPT_RANGES, "bytes"),
    // It may be removed, and is nobody else's.
    (header::CACHE_CONTROL, "private, no-cache"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; media-src 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Who asks: lets managers through and browsers with their cookie, and nobody else.
pub(super) struct Reader;

impl FromRequestParts<Arc<Node>> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let check = || check_reader(&node.admin.secret, &parts.headers);
        guarded(node, parts, check).map(|()| Reader)
    }
}

/// `GET …/files/{file}`: a file that the manifest names, or a range of it. With `?download` browsers
/// save it under a name that says what it is.
pub(super) async fn file(
    _: Reader,
    State(node): State<Arc<Node>>,
    Path((room, recording, file)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "There is no such file.");
    let store = node
        .rim
        .recorder
        .get()
        .map(|recorder| recorder.store.clone());
    let room = check_name(&room).map_err(|_| missing())?;
    let open = move || open(&store?, &room, &recording, file);
    let opened = tokio::task::spawn_blocking(open).await;
    let opened = opened.ok().flatten().ok_or_else(missing)?;
    let is_saved = query.is_some_and(|query| query.split('&').any(|word| word == "download"));
    Ok(answer(opened, &headers, is_saved))
}

/// A file that is there.
struct Opened {
    file: File,
    length: u64,
    tag: String,
    content_type: &'static str,
    download_name: String,
}

fn open(store: &RecordingStore, room: &str, recording: &str, name: String) -> Option<Opened> {
    let (manifest, folder) = store.find(room, recording)?;
    if !manifest.has_file(&name) {
        return None;
    }
    let file = RecordingStore::open_file(&folder, &name).ok()?;
    let facts = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let changed = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Opened {
        length: facts.len(),
        tag: format!("\"{:x}-{:x}\"", facts.len(), changed.as_nanos()),
        content_type: content_type(&name),
        download_name: download_name(&manifest, &name),
        file,
    })
}

fn answer(opened: Opened, request: &HeaderMap, is_saved: bool) -> Response {
    let known = request.get(header::IF_NONE_MATCH);
    let length = opened.length;
    let mut response = if known.is_some_and(|known| assets::matches(known, &opened.tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match ranges::wanted(request, length, &opened.tag) {
            Wanted::Whole => content(opened.file, StatusCode::OK, 0..length),
            Wanted::Part(range) => {
                let of = format!("bytes {}-{}/{length}", range.start, range.end - 1);
                let part = content(opened.file, StatusCode::PARTIAL_CONTENT, range);
                with(part, header::CONTENT_RANGE, &of)
            }
            Wanted::Nothing => {
                let detail = "The file does not have these bytes.";
                let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail);
                let of = format!("bytes */{length}");
                return with(problem.into_response(), header::CONTENT_RANGE, &of);
            }
        }
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    let response = with(response, header::ETAG, &opened.tag);
    let response = with(response, header::CONTENT_TYPE, opened.content_type);
    match is_saved {
        true => {
            let disposition = disposition(&opened.download_name);
            with(response, header::CONTENT_DISPOSITION, &disposition)
        }
        false => response,
    }
}

fn with(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn content(file: File, status: StatusCode, range: Range<u64>) -> Response {
    let length = (range.end - range.start).to_string();
    let response = (status, Body::from_stream(pieces(file, range))).into_response();
    with(response, header::CONTENT_LENGTH, &length)
}

/// The bytes, read as the client takes them: nothing waits meanwhile but memory for one piece.
fn pieces(file: File, range: Range<u64>) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((Arc::new(file), range), |(file, rest)| async move {
        if rest.is_empty() {
            return Ok(None);
        }
        let source = Arc::clone(&file);
        let end = rest.end.min(rest.start + PIECE_BYTES);
        let from = rest.start;
        let reading = tokio::task::spawn_blocking(move || piece(&source, from..end));
        let read = reading.await.map_err(io::Error::other)??;
        Ok(Some((read, (file, end..rest.end))))
    })
}

/// A file that became shorter meanwhile is an error: the connection ends before its announced length.
fn piece(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

fn content_type(name: &str) -> &'static str {
    let is_sound = name.contains("microphone") || name.contains("screen-audio");
    match name.rsplit('.').next() {
        Some("webm") if is_sound => "audio/webm",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        Some("ogg") => "audio/ogg",
        Some("vtt") => "text/vtt; charset=utf-8",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

/// RFC 6266 §4.3: the name as it is, and without what is not ASCII for those who read only that.
fn disposition(name: &str) -> String {
    let plain = |letter: char| match letter {
        ' '..='~' if letter != '"' && letter != '\\' => letter,
        _ => '_',
    };
    let ascii: String = name.chars().map(plain).collect();
    let encoded = percent_encode(name);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_for_everyone() {
        assert_eq!(
            disposition("Café \"1\".webm"),
            "attachment; filename=\"Caf_ _1_.webm\"; filename*=UTF-8''Caf%C3%A9%20%221%22.webm"
        );
    }

    #[test]
    fn a_file_is_what_is_in_it() {
        for (name, expected) in [
            ("room.webm", "video/webm"),
            ("room.mkv", "video/x-matroska"),
            ("track-1-camera-1.webm", "video/webm"),
            ("track-2-microphone-1.webm", "audio/webm"),
            ("track-2-screen-audio-3.ogg", "audio/ogg"),
            ("speakers.vtt", "text/vtt; charset=utf-8"),
            ("manifest.json", "application/json"),
            ("room", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }
}
