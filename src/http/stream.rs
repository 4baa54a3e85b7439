//! The socket of one connection: notes when a request begins, and gives up on a peer that takes nothing.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;

use super::client::ClientAddress;
use super::connection::Activity;

/// A socket that can be served.
pub(crate) trait Line: AsyncRead + AsyncWrite + AsFd + Unpin + Send + 'static {
    /// The address that the client reached, if it came over TCP.
    fn local(&self) -> Option<SocketAddr>;

    /// Who is at the other end, if they came over the network.
    fn client(&self) -> Option<ClientAddress>;
}

impl Line for UnixStream {
    fn local(&self) -> Option<SocketAddr> {
        None
    }

    fn client(&self) -> Option<ClientAddress> {
        None
    }
}

impl Line for TcpStream {
    fn local(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }

    fn client(&self) -> Option<ClientAddress> {
        ClientAddress::remote(self.peer_addr().ok()?.ip())
    }
}

/// See the module's documentation.
pub(crate) struct Stream<S> {
    socket: S,
    activity: Arc<Activity>,
    stall: Duration,
    /// Runs while the peer takes no byte.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S: Line> Stream<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>, stall: Duration) -> Self {
        Self { socket, activity, stall, stalled: None }
    }

    /// The socket, once HTTP is done with it.
    pub(crate) fn into_inner(self) -> S {
        self.socket
    }

    /// Progress stops the stall timer; an attempt that has to wait starts it, and fails when it has run out.
    fn watch<T>(&mut self, cx: &mut Context<'_>, attempt: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.stalled = None;
            return attempt;
        }
        let stall = self.stall;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no data")))
    }
}

impl<S: Line> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.hears();
        }
        read
    }
}

impl<S: Line> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch(cx, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
