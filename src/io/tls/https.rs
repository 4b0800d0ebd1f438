//! One request of `motet doctor` to a server in the settings.

use std::io;
use std::path::Path;

use axum::http::{Request, header};
use instant_acme::{BodyWrapper, HttpClient};

use super::acme_client::AcmeClient;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Its `Date`.
    pub date: Option<String>,
}

/// Asks for that https URL, trusting the usual authorities and those in the file of roots.
///
/// # Errors
/// Why there is no answer, in one line.
pub async fn ask(url: &str, roots: Option<&Path>) -> io::Result<Answer> {
    let client = AcmeClient::new(roots).map_err(io::Error::other)?;
    let request = Request::get(url)
        .header(header::USER_AGENT, "motet")
        .body(BodyWrapper::default())
        .map_err(io::Error::other)?;
    let answer = client.request(request).await.map_err(|error| {
        let error =
            std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
        io::Error::other(error)
    })?;
    let date = answer.parts.headers.get(header::DATE);
    Ok(Answer {
        status: answer.parts.status.as_u16(),
        date: date.and_then(|date| date.to_str().ok()).map(str::to_owned),
    })
}
