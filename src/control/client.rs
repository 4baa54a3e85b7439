//! Asks a running daemon, over its Unix socket or over TCP.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::events::{EventParser, Oversized};
use super::problem::ErrorBody;
use super::socket::{self, GROUP};
use crate::config::Secret;

/// How long an answer may take: more than the server gives the agent.
const PATIENCE: Duration = Duration::from_secs(40);
/// Bytes in an answer at most; a snapshot is the largest.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Where a daemon is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this Unix socket.
    Socket(PathBuf),
    /// At this address.
    Http(HttpPlace),
}

impl Place {
    /// What to do where nobody answers.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Socket(_) => {
                "start it (systemctl start roomcam, or roomcam run), or say with --socket PATH where it is"
            }
            Self::Http(_) => "start it there, and check that its control.listen has this address and port",
        }
    }

    /// The Unix socket where a daemon on this device would be by default: the first that exists of those of
    /// the present user and of the system.
    pub fn usual() -> Self {
        let system = PathBuf::from(socket::SYSTEM);
        let own = socket::automatic().filter(|path| path.exists());
        Self::Socket(own.unwrap_or(system))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Http(HttpPlace { authority, .. }) => write!(f, "http://{authority}"),
        }
    }
}

/// `http://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPlace {
    /// Host and port.
    authority: String,
}

impl std::str::FromStr for HttpPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "wanted is http://HOST:PORT and nothing else";
        let url = Url::parse(text).map_err(|_| WANTED)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let open = url.username().is_empty() && url.password().is_none();
        match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            ("http", Some(host), Some(port)) if bare && open => {
                Ok(Self { authority: format!("{host}:{port}") })
            }
            _ => Err(WANTED),
        }
    }
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no daemon answers on {place} ({source}): {}", place.remedy())]
    NoDaemon {
        /// Where.
        place: Place,
        /// What the system said.
        source: io::Error,
    },
    /// We may not.
    #[error(
        "you may not write to {place}: join group {GROUP} (sudo usermod -aG {GROUP} $USER, then log in again), or be root"
    )]
    Denied {
        /// Where.
        place: Place,
    },
    /// The daemon says no, and why.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What it says.
        message: String,
    },
    /// The answer did not come, or not to its end.
    #[error("the daemon on {place} does not answer as it should: {why}")]
    Broken {
        /// Where.
        place: Place,
        /// What happened.
        why: String,
    },
}

/// Asks one daemon.
#[derive(Debug)]
pub struct Client {
    place: Place,
    token: Option<Secret>,
}

impl Client {
    /// For the daemon at `place`, which is shown the token, if there is one.
    pub fn new(place: Place, token: Option<Secret>) -> Self {
        Self { place, token }
    }

    /// Gets what is at `path`.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn get(&self, path: &str) -> Result<Bytes, ClientError> {
        self.ask(Method::GET, path, None).await
    }

    /// Gives a command that has no arguments.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &str) -> Result<Bytes, ClientError> {
        self.ask(Method::POST, path, None).await
    }

    /// Gives a command with arguments.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post_wish(&self, path: &str, wish: &serde_json::Value) -> Result<Bytes, ClientError> {
        self.ask(Method::POST, path, Some(wish.to_string())).await
    }

    /// Sets a device to a state.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put(&self, path: &str, wish: &serde_json::Value) -> Result<Bytes, ClientError> {
        self.ask(Method::PUT, path, Some(wish.to_string())).await
    }

    /// Listens to `/v1/events`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn events(&self) -> Result<Events, ClientError> {
        let (connection, response) = self.in_time(self.open(Method::GET, "/v1/events", None)).await?;
        if response.status() != StatusCode::OK {
            return Err(self.in_time(self.refusal(response)).await?);
        }
        Ok(Events {
            place: self.place.clone(),
            body: response.into_body(),
            parser: EventParser::default(),
            _connection: connection,
        })
    }

    /// An error for an answer that cannot be understood.
    pub(super) fn broken(&self, why: impl fmt::Display) -> ClientError {
        ClientError::Broken { place: self.place.clone(), why: why.to_string() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes, ClientError> {
        self.in_time(async {
            let (_connection, response) = self.open(method, path, body).await?;
            match response.status() {
                StatusCode::OK => self.collect(response).await,
                _ => Err(self.refusal(response).await?),
            }
        })
        .await
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        timeout(PATIENCE, answer).await.map_err(|_| self.broken("it takes too long"))?
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(Connection, Response<Incoming>), ClientError> {
        let mut request = Request::builder().method(method).uri(path);
        request = match &self.place {
            Place::Socket(_) => request.header(header::HOST, "localhost"),
            Place::Http(HttpPlace { authority }) => request.header(header::HOST, authority),
        };
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request
            .body(Full::from(body.unwrap_or_default()))
            .map_err(|_| self.broken("the token cannot be sent in a header; use plain ASCII"))?;
        let mut connection = match &self.place {
            Place::Socket(path) => self.shake(UnixStream::connect(path).await).await?,
            Place::Http(HttpPlace { authority }) => self.shake(TcpStream::connect(authority).await).await?,
        };
        let response = connection.sender.send_request(request).await.map_err(|error| self.broken(error))?;
        Ok((connection, response))
    }

    async fn shake<S>(&self, stream: io::Result<S>) -> Result<Connection, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = stream.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Denied { place: self.place.clone() },
            _ => ClientError::NoDaemon { place: self.place.clone(), source },
        })?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        // What goes wrong with the connection shows in the answer.
        let task = tokio::spawn(async { drop(connection.await) });
        Ok(Connection { sender, _task: AbortOnDropHandle::new(task) })
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(|error| self.broken(error))?.to_bytes())
    }

    /// What the daemon says about a refusal; what is no answer of ours is shown as its status alone.
    async fn refusal(&self, response: Response<Incoming>) -> Result<ClientError, ClientError> {
        let status = response.status();
        let bytes = self.collect(response).await?;
        Ok(match serde_json::from_slice(&bytes) {
            Ok(ErrorBody { error: message }) => ClientError::Refused { status, message },
            Err(_) => self.broken(format!("it says {status}")),
        })
    }
}

/// A connection, driven until it is dropped.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _task: AbortOnDropHandle<()>,
}

/// The states that a daemon tells of.
#[derive(Debug)]
pub struct Events {
    place: Place,
    body: Incoming,
    parser: EventParser,
    _connection: Connection,
}

impl Events {
    /// The next state, as JSON; `None` when the daemon has ended. Can be dropped while it waits.
    ///
    /// # Errors
    /// If the connection broke, or what came are no events.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        let broken = |why: String| ClientError::Broken { place: self.place.clone(), why };
        loop {
            if let Some(data) = self.parser.next() {
                return Ok(Some(data));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| broken(error.to_string()))?;
            if let Ok(bytes) = frame.into_data() {
                self.parser.add(&bytes).map_err(|Oversized| broken("an event has no end".to_owned()))?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let authority = |text: &str| text.parse::<HttpPlace>().map(|place| place.authority);
        assert_eq!(authority("http://127.0.0.1:9780").unwrap(), "127.0.0.1:9780");
        assert_eq!(authority("http://[::1]:9780/").unwrap(), "[::1]:9780");
        assert_eq!(authority("http://room.local").unwrap(), "room.local:80");
        for refused in [
            "",
            "127.0.0.1:9780",
            "https://a:1",
            "http://a:1/v1",
            "http://u:p@a:1",
            "http://a:1/?x",
            "ws://a",
        ] {
            assert!(authority(refused).is_err(), "{refused}");
        }
    }
}
