//! One Socket.IO connection, driven by one task.
//!
//! [`Connection::send`] only queues; [`Connection::next`] does all the work: it writes what is queued, reads,
//! answers pings and watches for silence, in one future that may be dropped at any time without losing
//! anything. So a task can wait for packets, for the end of a write and for its own business in one `select!`,
//! and a stalled write keeps nothing from being read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, Stream};
use serde::Deserialize;
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use super::Decoder;
use super::dial::{self, WebSocket};
use super::endpoint::{Endpoint, Limits};
use super::error::{ConnectionError, Fault, Phase, quote};
use super::packet::{Ack, Body, EnginePacket, Event, Handshake, Packet, Wire};
use super::send_queue::SendQueue;

/// Longest silence that a server may claim as normal. A server that says more is wrong or hostile, and a dead
/// connection would go unnoticed.
const MAX_PATIENCE: Duration = Duration::from_secs(300);

/// What has happened on the connection.
#[derive(Debug)]
pub enum Progress {
    /// An event came.
    Event(Event),
    /// An acknowledgement came.
    Ack(Ack),
    /// All that was given to [`Connection::send`] has gone to the kernel.
    Sent,
}

/// What Node's socket.io says of a namespace that it does not have.
const NO_NAMESPACE: &str = "Invalid namespace";

/// An open connection of which a namespace has accepted us.
pub struct Connection {
    url: String,
    namespace: Cow<'static, str>,
    sid: String,
    max_payload: usize,
    send_queue: SendQueue,
    link: Link,
}

impl Connection {
    /// Connects: TCP, TLS, WebSocket, Engine.IO open, Socket.IO CONNECT; all within
    /// `limits.connect_timeout`.
    pub async fn connect(endpoint: &Endpoint, limits: &Limits) -> Result<Self, ConnectionError> {
        Self::open(endpoint, limits).await.map_err(|fault| ConnectionError { url: endpoint.url(), fault })
    }

    async fn open(endpoint: &Endpoint, limits: &Limits) -> Result<Self, Fault> {
        let after = limits.connect_timeout;
        let deadline = Instant::now() + after;
        let late = |phase| move |_| Fault::Timeout { phase, after };

        let tcp = dial::tcp(endpoint, limits, deadline);
        let tcp = timeout_at(deadline, tcp).await.map_err(late(Phase::Tcp))??;
        let upgrade = dial::upgrade(endpoint, tcp, limits);
        let (socket, send_queue) = timeout_at(deadline, upgrade).await.map_err(late(Phase::Upgrade))??;
        let namespace = endpoint.namespace.clone();
        let mut link = Link::new(socket, limits);
        let handshake = timeout_at(deadline, link.opened()).await.map_err(late(Phase::Open))??;
        let auth = endpoint.auth.as_ref().map(super::Auth::json);
        link.queue(EnginePacket::Message(Packet::new(namespace.clone(), Body::Connect(auth))).encode());
        let sid = timeout_at(deadline, link.accepted()).await.map_err(late(Phase::Connect))??;
        Ok(Self { url: endpoint.url(), namespace, sid, max_payload: handshake.max_payload, send_queue, link })
    }

    /// The Socket.IO session id that the server gave us.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The largest frame the server accepts, in bytes.
    pub const fn max_payload(&self) -> usize {
        self.max_payload
    }

    /// The kernel's queue. Whoever keeps it keeps the connection from being closed.
    pub fn send_queue(&self) -> SendQueue {
        self.send_queue.clone()
    }

    /// Whether everything given to [`Connection::send`] has gone to the kernel.
    pub const fn is_idle(&self) -> bool {
        !self.link.sending
    }

    /// Queues `body` for the namespace; [`Connection::next`] writes it and reports
    /// [`Progress::Sent`]. Refuses, queueing nothing, what the server would refuse.
    pub fn send(&mut self, body: Body) -> Result<(), ConnectionError> {
        let wire = Packet::new(self.namespace.clone(), body).encode();
        let size = wire.largest_frame();
        if size > self.max_payload {
            return Err(self.error(Fault::AboveMaxPayload { size, max: self.max_payload }));
        }
        self.link.queue(wire);
        self.link.sending = true;
        Ok(())
    }

    /// Works until something has happened. Cancel safe. After an error the connection is of no use.
    pub async fn next(&mut self) -> Result<Progress, ConnectionError> {
        self.progress().await.map_err(|fault| self.error(fault))
    }

    async fn progress(&mut self) -> Result<Progress, Fault> {
        loop {
            let packet = match self.link.step().await? {
                Step::Flushed => return Ok(Progress::Sent),
                Step::Packet(EnginePacket::Message(packet)) => packet,
                Step::Packet(_) => continue,
            };
            // What a server says in other namespaces is not for us.
            if packet.namespace != self.namespace {
                continue;
            }
            match packet.body {
                Body::Event(event) => return Ok(Progress::Event(event)),
                Body::Ack(ack) => return Ok(Progress::Ack(ack)),
                Body::Disconnect => return Err(Fault::Disconnected),
                Body::ConnectError(json) => return Err(refusal(&packet.namespace, &json)),
                Body::Connect(_) => {}
            }
        }
    }

    /// Says goodbye and closes. Takes as long as the server does: for use under a timeout.
    pub async fn close(mut self) {
        self.link.queue(Packet::new(self.namespace.clone(), Body::Disconnect).encode());
        self.link.outgoing.push_back(Message::Close(None));
        self.link.sending = true;
        // Whatever ends the loop ends the connection: flushed, or broken.
        while let Ok(Step::Packet(_)) = self.link.step().await {}
    }

    fn error(&self, fault: Fault) -> ConnectionError {
        ConnectionError { url: self.url.clone(), fault }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("url", &self.url).field("sid", &self.sid).finish_non_exhaustive()
    }
}

/// What a step of the link brought.
enum Step {
    Packet(EnginePacket),
    Flushed,
}

/// The server's pings, and how long to wait for the next.
struct Heartbeat {
    patience: Duration,
    /// Runs out when the server has been silent for too long.
    silence: Pin<Box<Sleep>>,
}

impl Heartbeat {
    fn new(patience: Duration) -> Self {
        Self { patience, silence: Box::pin(sleep(patience)) }
    }

    fn beat(&mut self) {
        self.silence.as_mut().reset(Instant::now() + self.patience);
    }

    /// Ready when no ping came in time.
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Fault::Silent { after: self.patience })
    }
}

/// The WebSocket with its heartbeat: Engine.IO packets in, frames out.
struct Link {
    socket: WebSocket,
    decoder: Decoder,
    /// Frames not yet given to the socket: those of one packet, and a pong at most.
    outgoing: VecDeque<Message>,
    /// The pong that is due. One is enough: a server that pings on while we cannot write learns nothing from
    /// more, and cannot make us hoard them.
    pong: Option<Box<str>>,
    /// The socket holds bytes that are not known to be written.
    unflushed: bool,
    /// A packet was queued whose end has not been reported.
    sending: bool,
    /// Writing failed. What the server sent before still gets read: it may say why.
    broken: Option<Fault>,
    /// From the open packet on.
    heartbeat: Option<Heartbeat>,
}

impl Link {
    fn new(socket: WebSocket, limits: &Limits) -> Self {
        Self {
            socket,
            decoder: Decoder::new(limits.max_message),
            outgoing: VecDeque::new(),
            pong: None,
            unflushed: false,
            sending: false,
            broken: None,
            heartbeat: None,
        }
    }

    /// Waits for the open packet.
    async fn opened(&mut self) -> Result<Handshake, Fault> {
        match self.step().await? {
            Step::Packet(EnginePacket::Open(handshake)) => {
                self.heartbeat = Some(Heartbeat::new(handshake.patience().min(MAX_PATIENCE)));
                Ok(handshake)
            }
            Step::Packet(EnginePacket::Message(_)) => Err(Fault::NoOpen("a message")),
            Step::Packet(_) | Step::Flushed => Err(Fault::NoOpen("a control packet")),
        }
    }

    /// Waits for the answer to CONNECT: the session id.
    async fn accepted(&mut self) -> Result<String, Fault> {
        #[derive(Deserialize)]
        struct Accepted {
            sid: String,
        }
        loop {
            let Step::Packet(EnginePacket::Message(packet)) = self.step().await? else { continue };
            match packet.body {
                Body::Connect(Some(json)) => {
                    if let Ok(Accepted { sid }) = json.read() {
                        return Ok(sid);
                    }
                    return Err(Fault::WrongVersion("its CONNECT has no sid"));
                }
                Body::Connect(None) => {
                    return Err(Fault::WrongVersion("its CONNECT has no sid, as in Socket.IO 2"));
                }
                Body::ConnectError(json) => return Err(refusal(&packet.namespace, &json)),
                Body::Disconnect => return Err(Fault::Disconnected),
                Body::Event(_) | Body::Ack(_) => {}
            }
        }
    }

    fn queue(&mut self, wire: Wire) {
        self.outgoing.push_back(Message::text(wire.text));
        self.outgoing.extend(wire.attachments.into_iter().map(Message::Binary));
    }

    async fn step(&mut self) -> Result<Step, Fault> {
        poll_fn(|cx| self.poll_step(cx)).await
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, Fault>> {
        loop {
            if self.broken.is_none() {
                match self.poll_write(cx) {
                    Poll::Ready(Ok(())) if self.sending => {
                        self.sending = false;
                        return Poll::Ready(Ok(Step::Flushed));
                    }
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                    Poll::Ready(Err(fault)) => self.broken = Some(fault),
                }
            }
            let message = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(dial::socket_fault(error))),
                Poll::Ready(None) => return Poll::Ready(Err(dial::close_reason(None))),
            };
            let packet = match message {
                Message::Text(text) => self.decoder.text(&text)?,
                Message::Binary(bytes) => self.decoder.binary(bytes)?,
                Message::Close(frame) => return Poll::Ready(Err(dial::close_reason(frame))),
                // WebSocket's own ping; tungstenite answers it. The heartbeat is Engine.IO's.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => None,
            };
            match packet {
                Some(EnginePacket::Ping(payload)) => {
                    self.pong = Some(payload);
                    if let Some(heartbeat) = &mut self.heartbeat {
                        heartbeat.beat();
                    }
                }
                Some(EnginePacket::Close) => {
                    return Poll::Ready(Err(Fault::Closed("it said it would".to_owned())));
                }
                Some(packet) => return Poll::Ready(Ok(Step::Packet(packet))),
                None => {}
            }
        }
        if let Some(fault) = self.broken.take() {
            return Poll::Ready(Err(fault));
        }
        match &mut self.heartbeat {
            Some(heartbeat) => heartbeat.poll_stopped(cx).map(Err),
            None => Poll::Pending,
        }
    }

    /// Ready when everything queued has gone to the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut socket = Pin::new(&mut self.socket);
        loop {
            if self.outgoing.is_empty()
                && let Some(payload) = self.pong.take()
            {
                self.outgoing.push_back(Message::text(EnginePacket::Pong(payload).encode().text));
            }
            if self.outgoing.is_empty() {
                break;
            }
            ready!(socket.as_mut().poll_ready(cx)).map_err(dial::socket_fault)?;
            if let Some(message) = self.outgoing.pop_front() {
                self.unflushed = true;
                socket.as_mut().start_send(message).map_err(dial::socket_fault)?;
            }
        }
        if self.unflushed {
            ready!(socket.poll_flush(cx)).map_err(dial::socket_fault)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// `44{"message":"…"}`, or the bare text.
fn refusal(namespace: &str, json: &super::Json) -> Fault {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let message = match json.read() {
        Ok(Refusal { message }) => message,
        Err(_) => json.read().unwrap_or_else(|_| json.as_str().to_owned()),
    };
    if message == NO_NAMESPACE {
        return Fault::NoNamespace(quote(namespace));
    }
    Fault::ConnectRefused { message: quote(&message) }
}
