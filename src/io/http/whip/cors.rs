//! Pages of other origins may use WHIP and WHEP, if who they speak for may (RFC 9725 §4.6: OPTIONS
//! for CORS; what may be done is decided by the request itself, which shows a token).

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// `Authorization` by name: the wildcard does not stand for it (Fetch §3.3.3). Some clients send the
/// `ETag` of a session back under that name, and look into the methods whether there is `PATCH`.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        "OPTIONS, GET, HEAD, POST, PATCH, DELETE",
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, ETag, If-Match",
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Location, ETag, Link, Accept-Patch, Accept-Post, Access-Control-Allow-Methods, \
         Retry-After, WWW-Authenticate",
    ),
];

/// Lets a page read the response, whatever it is.
pub(super) async fn open(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
