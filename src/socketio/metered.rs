//! A TCP connection that gives the kernel a little at a time, and counts what the kernel takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::send_queue::SendQueue;

/// How much the kernel is offered at once, in bytes. It takes an offer whole, whatever its send buffer is bounded to: a chunk
/// with a key frame is three seconds of a link of 64 kbit/s.
const OFFER: usize = 4 * 1024;

/// The connection beneath TLS and WebSocket.
#[derive(Debug)]
pub(super) struct Metered {
    stream: TcpStream,
    queue: SendQueue,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, queue: SendQueue) -> Self {
        Self { stream, queue }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let offer = bytes.get(..OFFER).unwrap_or(bytes);
        let written = Pin::new(&mut self.stream).poll_write(context, offer);
        if let Poll::Ready(Ok(bytes)) = written {
            self.queue.take(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
