//! A relay in a test's hands: it accepts one connection and says exactly what the test says.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use roomcam::media::{Chunk, MediaTime};
use roomcam::meeting::{SessionConfig, SessionEvent, SessionHandle};
use roomcam::socketio::{Endpoint, Limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a test's relay allows for connecting, where it is to see a timeout.
pub const SHORT: Duration = Duration::from_millis(300);

pub struct Relay {
    listener: TcpListener,
}

impl Relay {
    pub async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// The URL as errors name it.
    pub fn socket_url(&self) -> String {
        format!("ws://{}/socket.io/?EIO=4&transport=websocket", self.listener.local_addr().unwrap())
    }

    pub async fn accept_tcp(&self) -> TcpStream {
        patiently(self.listener.accept()).await.unwrap().0
    }

    pub async fn accept(&self) -> Server<TcpStream> {
        Server(accept_async(self.accept_tcp().await).await.unwrap())
    }

    pub async fn accept_tls(
        &self,
        acceptor: TlsAcceptor,
    ) -> std::io::Result<Server<tokio_rustls::server::TlsStream<TcpStream>>> {
        let stream = acceptor.accept(self.accept_tcp().await).await?;
        Ok(Server(accept_async(stream).await.unwrap()))
    }

    /// Reads the HTTP request and answers with these bytes.
    pub async fn answer(&self, response: &str) -> TcpStream {
        let mut stream = self.accept_tcp().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(patiently(stream.read_u8()).await.unwrap());
        }
        stream.write_all(response.as_bytes()).await.unwrap();
        stream
    }
}

/// The relay's end of one WebSocket.
pub struct Server<S>(pub WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn say_bytes(&mut self, bytes: &'static [u8]) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    pub async fn open(&mut self) {
        self.open_with(25_000, 20_000, 1_000_000).await;
    }

    pub async fn open_with(&mut self, interval: u64, timeout: u64, max_payload: usize) {
        self.say(&format!(
            r#"0{{"sid":"engine","upgrades":[],"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":{max_payload}}}"#
        ))
        .await;
    }

    /// Opens and accepts the CONNECT.
    pub async fn connect(&mut self) {
        self.open().await;
        assert!(text(self).await.starts_with("40"));
        self.say(r#"40{"sid":"socket"}"#).await;
    }

    /// Does all that makes a session joined.
    pub async fn join(&mut self, room: &str) {
        self.join_with_limit(room, 1_000_000).await;
    }

    pub async fn join_with_limit(&mut self, room: &str, max_payload: usize) {
        self.open_with(25_000, 20_000, max_payload).await;
        assert!(text(self).await.starts_with("40"));
        self.say(r#"40{"sid":"socket"}"#).await;
        self.answer_join(room).await;
    }

    pub async fn answer_join(&mut self, room: &str) {
        assert!(text(self).await.starts_with(r#"42["join-room","#));
        self.say(&format!(r#"42["room-state",{{"roomId":"{room}","participants":[]}}]"#)).await;
    }
}

/// The next text frame that arrives at the relay.
pub async fn text<S: AsyncRead + AsyncWrite + Unpin>(server: &mut Server<S>) -> String {
    match patiently(server.0.next()).await {
        Some(Ok(Message::Text(text))) => text.to_string(),
        other => panic!("a text frame was due, not {other:?}"),
    }
}

/// The next chunk that arrives at the relay: its header's payload and its bytes.
pub async fn media<S: AsyncRead + AsyncWrite + Unpin>(server: &mut Server<S>) -> (serde_json::Value, Bytes) {
    let header = text(server).await;
    let json = header.strip_prefix("451-").unwrap_or_else(|| panic!("a chunk was due, not {header}"));
    let (name, payload): (String, serde_json::Value) = serde_json::from_str(json).unwrap();
    assert_eq!(name, "media-chunk");
    match patiently(server.0.next()).await {
        Some(Ok(Message::Binary(bytes))) => (payload, bytes),
        other => panic!("an attachment was due, not {other:?}"),
    }
}

/// What the session says next.
pub async fn next(session: &mut SessionHandle) -> SessionEvent {
    patiently(session.events.recv()).await.expect("the session has ended without saying so")
}

/// Joins room-1 as Pi, user id pi.
pub fn config(relay: &Relay) -> SessionConfig {
    let mut config = SessionConfig::new(Endpoint::new(&relay.url()).unwrap(), "room-1", "Pi");
    config.user_id = Some("pi".into());
    config.limits = Limits::default();
    config
}

pub fn chunk(seq: u64, bytes: &[u8]) -> Chunk {
    let (before, end) = (MediaTime::from_millis(seq * 100), MediaTime::from_millis((seq + 1) * 100));
    Chunk { seq, epoch: 1, bytes: Bytes::copy_from_slice(bytes), before, end, ..Chunk::default() }
}

pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened for 20 s")
}

/// A certificate authority that certifies `localhost`.
pub struct Authority {
    pub pem: String,
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    pub fn new() -> Self {
        Self::until(4096)
    }

    /// One whose certificate is valid until the end of a year.
    pub fn until(year: i32) -> Self {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        }
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key().into())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
