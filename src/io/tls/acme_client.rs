//! The HTTPS client that asks the certificate authority: one connection for each request, as there
//! are ten or so every two months.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{TlsError, provider};

/// How long one request may take, the connection included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer; more is an error.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks over https.
pub(super) struct AcmeClient {
    connector: TlsConnector,
}

impl AcmeClient {
    /// Trusts the usual authorities, and those in the file.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no certificate.
    pub(super) fn new(roots: Option<&Path>) -> Result<Self, TlsError> {
        let mut trusted = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = roots {
            for root in own_roots(path)? {
                let added = trusted.add(root);
                added.map_err(|error| TlsError::new(path.display(), error))?;
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("TLS", error))?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }
}

impl HttpClient for AcmeClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let connector = self.connector.clone();
        Box::pin(async move {
            let host = request.uri().host().unwrap_or_default().to_owned();
            match tokio::time::timeout(REQUEST_TIMEOUT, send(connector, request)).await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(Error::Other(format!("{host}: {error}").into())),
                Err(_) => Err(Error::Other(format!("{host} does not answer").into())),
            }
        })
    }
}

fn own_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |why: String| TlsError::new(path.display(), why);
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let roots = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let roots = roots.map_err(|error| wrong(error.to_string()))?;
    if roots.is_empty() {
        return Err(wrong("there is no certificate in the file".to_owned()));
    }
    Ok(roots)
}

async fn send(
    connector: TlsConnector,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Failure> {
    let uri = request.uri().clone();
    let host = uri.host().ok_or("an address without a host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
    let stream = connector
        .connect(ServerName::try_from(host.to_owned())?, stream)
        .await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    address(&mut request, &uri)?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
    connection.abort();
    Ok(BytesResponse {
        parts,
        body: Box::new(body.to_bytes()),
    })
}

/// HTTP/1.1 wants the path in the request line and the host in a header (RFC 9112 §3.2.1).
fn address(request: &mut Request<BodyWrapper<Bytes>>, uri: &Uri) -> Result<(), Failure> {
    let authority = uri.authority().ok_or("an address without a host")?;
    let host = HeaderValue::from_str(authority.as_str())?;
    request.headers_mut().insert(header::HOST, host);
    *request.uri_mut() = uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .parse()?;
    Ok(())
}
