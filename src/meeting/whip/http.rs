//! From a request to its answer: hyper on a connection that is made for it.
//!
//! A session asks some four things of its server, mostly hours apart, so no connection is kept.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::request::{Answer, Method, Request, retry_after};
use crate::config::Secret;
use crate::socketio::{self, Endpoint};

/// Bytes of an answer's content at most. Descriptions have some 3000.
pub const MAX_BODY: usize = 64 << 10;
/// Bytes of an answer's head at most.
const MAX_HEAD: usize = 32 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// Nobody listens.
    #[error("connection refused; check the port of meeting.url, and whether the server is running")]
    Refused,
    /// The connection ended.
    #[error("closed the connection before it answered; the server's log says why")]
    Closed,
    /// The network failed.
    #[error("the network failed ({0}); check the device's connection and the host of meeting.url")]
    Network(#[source] io::Error),
    /// TLS failed.
    #[error(
        "TLS failed ({0}); check the server's certificate, the device's clock, and that the port speaks https (a private \
         authority goes into meeting.ca_file)"
    )]
    Tls(String),
    /// There is no connection for another reason.
    #[error(transparent)]
    NotConnected(socketio::Fault),
    /// There is one, and what comes is no HTTP.
    #[error("does not speak HTTP ({0}); check the port of meeting.url, and proxies on the way")]
    NotHttp(String),
    /// The content is too long to be one.
    #[error("answered with more than {MAX_BODY} bytes, which no WHIP endpoint does; check meeting.url")]
    TooLarge,
    /// It took too long.
    #[error("did not answer within {} s; check that it is not overloaded, and the network", after.as_secs_f32())]
    Timeout {
        /// The time allowed.
        after: Duration,
    },
    /// The token has characters that HTTP has no place for.
    #[error("cannot be sent the token: it has characters that HTTP headers must not have")]
    Token,
}

impl From<socketio::Fault> for HttpFault {
    fn from(fault: socketio::Fault) -> Self {
        match fault {
            socketio::Fault::Refused => Self::Refused,
            socketio::Fault::Closed(_) => Self::Closed,
            socketio::Fault::Io(error) => Self::Network(error),
            socketio::Fault::Tls(why) => Self::Tls(why),
            socketio::Fault::Timeout { after, .. } => Self::Timeout { after },
            other => Self::NotConnected(other),
        }
    }
}

/// Asks one server, as one user.
#[derive(Debug, Clone)]
pub struct HttpClient {
    token: Option<Secret>,
    ca_file: Option<PathBuf>,
    /// Read when it is first needed: it takes some 140 files.
    tls: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl HttpClient {
    /// Shows `token` with each request, and trusts the certificates in `ca_file` beside those of the system.
    pub fn new(token: Option<Secret>, ca_file: Option<PathBuf>) -> Self {
        Self { token, ca_file, tls: Arc::default() }
    }

    /// Asks, and waits for the whole answer. Redirects are answers too.
    ///
    /// # Errors
    /// There is no answer in time, or none that can be read.
    pub async fn ask(&self, request: &Request) -> Result<Answer, HttpFault> {
        let deadline = Instant::now() + request.timeout;
        match timeout_at(deadline, self.exchange(request, deadline)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpFault::Timeout { after: request.timeout }),
        }
    }

    async fn exchange(&self, request: &Request, deadline: Instant) -> Result<Answer, HttpFault> {
        // Its scheme was looked at before.
        let endpoint =
            Endpoint::new(request.url.as_str()).map_err(|error| HttpFault::NotHttp(error.to_string()))?;
        let limits = socketio::Limits { connect_timeout: request.timeout, ..socketio::Limits::default() };
        let message = self.message(request)?;
        let tcp = socketio::tcp(&endpoint, &limits, deadline).await?;
        if !endpoint.is_secure() {
            return talk(tcp, message).await;
        }
        let host = request.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| socketio::Fault::Tls(error.to_string()))?;
        let tls =
            TlsConnector::from(self.tls().await?).connect(name, tcp).await.map_err(socketio::io_fault)?;
        talk(tls, message).await
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, socketio::Fault> {
        let read = || async {
            let ca_file = self.ca_file.clone();
            let config = tokio::task::spawn_blocking(move || socketio::tls_config(ca_file)).await;
            config.map_err(|error| socketio::Fault::Tls(error.to_string()))?.map(Arc::new)
        };
        self.tls.get_or_try_init(read).await.cloned()
    }

    fn message(&self, request: &Request) -> Result<hyper::Request<Full<Bytes>>, HttpFault> {
        let Request { method, url, body, if_match, .. } = request;
        let mut builder = hyper::Request::builder()
            .method(method.as_str())
            .uri(target(url))
            .header(header::HOST, host(url))
            .header(header::USER_AGENT, concat!("roomcam/", env!("CARGO_PKG_VERSION")));
        if let Some(kind) = method.content_type() {
            builder = builder.header(header::CONTENT_TYPE, kind);
        }
        if *method == Method::Post {
            builder = builder.header(header::ACCEPT, "application/sdp");
        }
        if let Some(etag) = if_match {
            builder = builder.header(header::IF_MATCH, etag);
        }
        if let Some(token) = &self.token {
            let mut bearer =
                HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| HttpFault::Token)?;
            bearer.set_sensitive(true);
            builder = builder.header(header::AUTHORIZATION, bearer);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        builder.body(body).map_err(|error| HttpFault::NotHttp(error.to_string()))
    }
}

/// What the request line names: path and query.
fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

async fn talk<S>(stream: S, message: hyper::Request<Full<Bytes>>) -> Result<Answer, HttpFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(fault)?;
    // What goes wrong with it is told to whoever waits for the answer.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(message).await.map_err(fault)?;
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(HttpFault::TooLarge),
        Err(error) => return Err(HttpFault::NotHttp(error.to_string())),
    };
    Ok(answer(head.status.as_u16(), &head.headers, &body))
}

fn answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let owned = |name| header(name).map(str::to_owned);
    Answer {
        status,
        location: owned(header::LOCATION),
        etag: owned(header::ETAG),
        links: headers
            .get_all(header::LINK)
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect(),
        retry_after: header(header::RETRY_AFTER).and_then(|value| retry_after(value, header(header::DATE))),
        content_type: owned(header::CONTENT_TYPE),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

fn fault(error: hyper::Error) -> HttpFault {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return HttpFault::Closed;
    }
    HttpFault::NotHttp(error.to_string())
}
