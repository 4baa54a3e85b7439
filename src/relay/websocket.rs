//! A session on a WebSocket: the request that opens it, and the task that reads from it.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame, WebSocket};

use super::hub::{Hub, MAX_TEXT_BYTES, Received, text_too_large};
use super::message::{Charge, Message};
use super::outgoing::Flushed;
use super::refusal::{Code, HttpRefusal, Refusal};
use super::session::{Permits, Session};
use crate::http::Stream;

/// How many bytes are read at a time.
const READ_BYTES: usize = 8 * 1024;
/// Bytes that are taken before others get their turn. A message counts as [`READ_BYTES`] at least.
const AT_ONCE: usize = 16 * READ_BYTES;
/// How long a change of transport may take.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client that has been told to go is listened to, so that it hears why: closing a connection while
/// something unread is on its way resets it, and what was sent may be lost.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes of an incomplete message that are nobody else's business.
const SMALL: usize = 64 * 1024;

/// What a WebSocket is for.
pub(super) enum Purpose {
    /// A session that begins on it.
    Open(Permits),
    /// A session that has begun with long-polling.
    Upgrade(Arc<Session>),
}

/// Answers the request for a WebSocket; the session runs in a task of its own.
pub(super) fn accept(
    hub: &Arc<Hub>,
    mut request: Request,
    purpose: Purpose,
) -> Result<Response, HttpRefusal> {
    let key = handshake_key(request.headers())?;
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let on_upgrade =
        on_upgrade.ok_or_else(|| HttpRefusal::bad("this connection cannot become a WebSocket"))?;
    tokio::spawn(run(hub.clone(), on_upgrade, purpose));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .body(Body::empty())
        .map_err(|error| HttpRefusal::bad(error.to_string()))
}

/// Checks the handshake (RFC 6455 §4.2.1).
fn handshake_key(headers: &HeaderMap) -> Result<HeaderValue, HttpRefusal> {
    let names = |header: &header::HeaderName, word: &str| {
        let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    match headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key)
            if version && names(&header::CONNECTION, "upgrade") && names(&header::UPGRADE, "websocket") =>
        {
            Ok(key.clone())
        }
        _ => Err(HttpRefusal::bad("this is no handshake of a WebSocket, version 13")),
    }
}

async fn run(hub: Arc<Hub>, on_upgrade: OnUpgrade, purpose: Purpose) {
    // Fails if the client goes before it has its answer.
    let Ok(upgraded) = on_upgrade.await else { return };
    let Some((tcp, early)) = socket_of(upgraded) else {
        tracing::error!("a WebSocket came on something else than TCP");
        return;
    };
    match purpose {
        Purpose::Open(permits) => {
            let session = Session::on_socket(tcp.clone(), &hub.terms, permits);
            hub.sessions.insert(&session);
            hub.say(&session, &hub.open_packet(&session, &[]));
            let mut reader = Reader::new(&hub, &session, tcp, early, Attached::Yes);
            reader.serve().await;
            reader.part().await;
            hub.close(&session);
        }
        Purpose::Upgrade(session) => {
            let mut reader = Reader::new(&hub, &session, tcp.clone(), early, Attached::No);
            // A client that does not go through with it goes on polling.
            if let Ok(true) = timeout(UPGRADE_TIMEOUT, reader.upgrade()).await {
                session.upgrade(tcp);
                reader.serve().await;
                reader.part().await;
                hub.close(&session);
            }
        }
    }
}

/// The connection, and what has been read from it too early.
fn socket_of(upgraded: Upgraded) -> Option<(Arc<TcpStream>, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<Stream<TcpStream>>>().ok()?;
    Some((Arc::new(parts.io.into_inner().into_inner()), parts.read_buf))
}

/// Whether a WebSocket carries its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attached {
    Yes,
    /// Not yet: the session polls.
    No,
}

/// The reading end of a WebSocket.
struct Reader<'a> {
    hub: &'a Arc<Hub>,
    session: &'a Arc<Session>,
    tcp: Arc<TcpStream>,
    socket: WebSocket<Ends>,
}

impl<'a> Reader<'a> {
    fn new(
        hub: &'a Arc<Hub>,
        session: &'a Arc<Session>,
        tcp: Arc<TcpStream>,
        early: Bytes,
        attached: Attached,
    ) -> Self {
        let ends =
            Ends { tcp: tcp.clone(), session: session.clone(), attached, incomplete: hub.arriving.charge(0) };
        let socket =
            WebSocket::from_partially_read(ends, early.to_vec(), Role::Server, Some(config(MAX_TEXT_BYTES)));
        let mut reader = Self { hub, session, tcp, socket };
        reader.set_limit();
        reader
    }

    /// Those who may publish send larger messages than the others.
    fn set_limit(&mut self) {
        let limit =
            if self.session.may_publish() { self.hub.options.max_message_bytes } else { MAX_TEXT_BYTES };
        if self.socket.get_config().max_message_size != Some(limit) {
            self.socket.set_config(|current| *current = config(limit));
        }
    }

    /// Takes what comes until the session ends.
    async fn serve(&mut self) {
        self.socket.get_mut().attached = Attached::Yes;
        let mut taken = 0;
        while !self.session.is_ending() {
            let frame = match self.socket.read() {
                Ok(frame) => frame,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => match self.wait().await
                {
                    ControlFlow::Continue(()) => continue,
                    ControlFlow::Break(()) => return,
                },
                Err(error) => return self.failed(&error),
            };
            self.socket.get_mut().complete();
            taken += frame.len().max(READ_BYTES);
            match frame {
                Frame::Text(text) => self.hub.receive(self.session, Received::Text(&text)).await,
                Frame::Binary(bytes) => self.hub.receive(self.session, Received::Binary(bytes)).await,
                Frame::Ping(_) | Frame::Pong(_) => self.hub.receive(self.session, Received::Text("6")).await,
                Frame::Close(_) => return,
                Frame::Frame(_) => {}
            }
            self.set_limit();
            if taken >= AT_ONCE {
                taken = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for more to read, writing meanwhile.
    async fn wait(&self) -> ControlFlow<()> {
        tokio::select! {
            biased;
            () = self.session.cut.cancelled() => ControlFlow::Break(()),
            // Only ends if the session does.
            _ = self.write() => ControlFlow::Break(()),
            readable = self.tcp.readable() => match readable {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            },
        }
    }

    /// Writes what waits, for as long as the session lasts.
    async fn write(&self) -> io::Result<()> {
        loop {
            match self.session.flush()? {
                Flushed::All => self.session.wake.notified().await,
                Flushed::Blocked => self.tcp.writable().await?,
                Flushed::Finished => return Ok(()),
            }
        }
    }

    fn failed(&self, error: &Error) {
        match error {
            Error::Capacity(_) if self.session.may_publish() => {
                let max = self.hub.options.max_message_bytes;
                let message =
                    format!("A message has {max} bytes at most; the open packet says so as maxPayload");
                self.hub.dismiss(self.session, &Refusal::last(Code::TooLarge, message));
            }
            Error::Capacity(_) => self.hub.dismiss(self.session, &text_too_large()),
            Error::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                let message =
                    "The relay receives as much at this moment as it takes; try again, or send less";
                self.hub.dismiss(self.session, &Refusal::last(Code::TooMany, message));
            }
            error => tracing::debug!(sid = %self.session.id, %error, "a WebSocket broke"),
        }
    }

    /// Ends the connection: in order if the session has ended so, else at once.
    async fn part(&self) {
        if self.session.cut.is_cancelled() || !self.session.is_ending() {
            return self.reset();
        }
        let told = tokio::select! {
            () = self.session.cut.cancelled() => false,
            written = self.write() => written.is_ok(),
        };
        if !told {
            return self.reset();
        }
        if shutdown(&*self.tcp, Shutdown::Write).is_ok() {
            // Whether it goes in time does not matter.
            let _ = timeout(LINGER, self.drain()).await;
        }
    }

    /// Resets the connection instead of closing it: the kernel would go on trying to deliver what it holds.
    fn reset(&self) {
        // Failing to ask for that costs a little memory for a little while.
        self.tcp.set_zero_linger().ok();
    }

    /// Throws away what still comes, until the client closes.
    async fn drain(&self) {
        let mut bytes = [0; READ_BYTES];
        while self.tcp.readable().await.is_ok() {
            match self.tcp.try_read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// The client's part in a change of transport (engine.io-protocol v4, "Upgrade"); whether it went through with it.
    async fn upgrade(&mut self) -> bool {
        if self.next_text().await.as_deref() != Some("2probe") {
            return false;
        }
        // The session's queue is for what polls, so this goes around it; the first bytes of a connection are taken.
        let answer = Message::text("3probe", &self.hub.terms.budget);
        if self.tcp.try_write(answer.frames()).ok() != Some(answer.frames().len()) {
            return false;
        }
        // Lets go of a request that polls, for the client waits for that.
        self.hub.say(self.session, "6");
        self.next_text().await.as_deref() == Some("5")
    }

    async fn next_text(&mut self) -> Option<String> {
        loop {
            match self.socket.read() {
                Ok(Frame::Text(text)) => {
                    self.socket.get_mut().complete();
                    return Some(text.as_str().to_owned());
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.tcp.readable().await.ok()?;
                }
                _ => return None,
            }
        }
    }
}

fn config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

/// Both ends of a connection, as the WebSocket sees it: reads go to the kernel, writes (answers to pings) into the
/// session's queue.
struct Ends {
    tcp: Arc<TcpStream>,
    session: Arc<Session>,
    attached: Attached,
    /// Bytes of a message that is not complete.
    incomplete: Charge,
}

impl Ends {
    /// A message has come to its end.
    fn complete(&mut self) {
        self.incomplete.clear();
    }
}

impl Read for Ends {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.incomplete.bytes() > SMALL && self.incomplete.is_exceeded() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let read = self.tcp.try_read(buf)?;
        self.incomplete.add(read);
        self.session.arriving(true);
        Ok(read)
    }
}

impl Write for Ends {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.attached == Attached::Yes
            && self.session.send(&Message::control(buf, &self.session.budget)).is_err()
        {
            self.session.cut_off();
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
