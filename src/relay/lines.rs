//! The TCP side of the relay: connections that can be cut.
//!
//! `engineioxide` waits without end for a peer that stops reading: its writer sits in `flush` and neither the
//! heartbeat nor `disconnect` gets past it. So each accepted connection is a [`ClientStream`] whose [`Line`]
//! can be cut from outside, and which gives up by itself when its peer takes no byte for too long.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// What the kernel may hold unsent for one peer. Its own default grows to megabytes, most of a minute of
/// media, before a slow peer would be noticed; this much is two seconds of one stream.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 256;

/// One connection, as others hold it.
pub(super) struct Line {
    id: u64,
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Line {
    /// Ends the connection at once: nothing more is read or written, what is queued is thrown away.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut off by the relay"));
        }
        Ok(())
    }
}

/// All open connections, and which of them carries the WebSocket of which session.
#[derive(Default)]
pub(super) struct Lines {
    next_id: AtomicU64,
    open: Mutex<OpenLines>,
}

#[derive(Default)]
struct OpenLines {
    by_id: HashMap<u64, Arc<Line>>,
    by_session: HashMap<String, u64>,
}

impl Lines {
    /// Notes that the connection `line` carries the WebSocket of `session` (an Engine.IO session id).
    pub fn assign(&self, session: &str, line: &Line) {
        self.open().by_session.insert(session.to_owned(), line.id);
    }

    /// Cuts the connection that carries `session`, if a WebSocket of it is open.
    pub fn cut_session(&self, session: &str) {
        let open = self.open();
        if let Some(line) = open.by_session.get(session).and_then(|id| open.by_id.get(id)) {
            line.cut();
        }
    }

    /// Cuts every connection.
    pub fn cut_all(&self) {
        self.open().by_id.values().for_each(|line| line.cut());
    }

    fn connect(&self) -> Arc<Line> {
        let line = Arc::new(Line {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        });
        self.open().by_id.insert(line.id, line.clone());
        line
    }

    fn disconnect(&self, id: u64) {
        let mut open = self.open();
        open.by_id.remove(&id);
        open.by_session.retain(|_, line| *line != id);
    }

    fn open(&self) -> MutexGuard<'_, OpenLines> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listening socket: hands out at most `max_connections` streams at a time.
pub(super) struct LineListener {
    listener: TcpListener,
    lines: Arc<Lines>,
    seats: Arc<Semaphore>,
    stall_timeout: Duration,
}

impl LineListener {
    pub fn bind(addr: SocketAddr, max_connections: usize, stall_timeout: Duration) -> io::Result<Self> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As `TcpListener::bind` does, so that a restarted relay gets its port back at once.
        socket.set_reuseaddr(true)?;
        // Accepted sockets inherit it.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(addr)?;
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            lines: Arc::default(),
            seats: Arc::new(Semaphore::new(max_connections)),
            stall_timeout,
        })
    }

    pub fn lines(&self) -> Arc<Lines> {
        self.lines.clone()
    }
}

impl Listener for LineListener {
    type Io = ClientStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (ClientStream, SocketAddr) {
        // Never closed, so there always comes a seat; without one, none is counted.
        let seat = self.seats.clone().acquire_owned().await.ok();
        let (tcp, peer) = Listener::accept(&mut self.listener).await;
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot turn off Nagle's algorithm; chunks may come late");
        }
        let line = self.lines.connect();
        let stream = ClientStream {
            tcp,
            line,
            lines: self.lines.clone(),
            stall_timeout: self.stall_timeout,
            stalled: None,
            _seat: seat,
        };
        (stream, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// An accepted connection.
pub(super) struct ClientStream {
    tcp: TcpStream,
    line: Arc<Line>,
    lines: Arc<Lines>,
    stall_timeout: Duration,
    /// Runs while the peer takes no byte.
    stalled: Option<Pin<Box<Sleep>>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl ClientStream {
    /// Judges an attempt to write: progress stops the stall timer, none of it starts and asks it.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, attempt: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.stalled = None;
            return attempt;
        }
        self.line.writer.register(cx.waker());
        // Once more: the cut may have come between the first check and the registration.
        self.line.check()?;
        let timeout = self.stall_timeout;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout))).as_mut().poll(cx));
        self.line.cut();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes no data")))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.check()?;
        if let Poll::Ready(done) = Pin::new(&mut self.tcp).poll_read(cx, buf) {
            return Poll::Ready(done);
        }
        self.line.reader.register(cx.waker());
        self.line.check()?;
        Poll::Pending
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.check()?;
        let attempt = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.watch_write(cx, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.check()?;
        let attempt = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.watch_write(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.line.check().is_err() {
            // Reset rather than linger: the kernel would go on trying to deliver what it still holds.
            // Failing to ask for that costs a little memory for a little while.
            self.tcp.set_zero_linger().ok();
        }
        self.lines.disconnect(self.line.id);
    }
}

/// How a request handler gets at the line its request came in on.
#[derive(Clone)]
pub(super) struct LineInfo(pub Arc<Line>);

impl Connected<IncomingStream<'_, LineListener>> for LineInfo {
    fn connect_info(stream: IncomingStream<'_, LineListener>) -> Self {
        Self(stream.io().line.clone())
    }
}
