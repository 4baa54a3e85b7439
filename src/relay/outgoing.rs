//! What waits for one client, and the way it takes.
//!
//! What is sent to a client on a WebSocket is written at once where the kernel takes it, by whoever sends; only
//! the rest is queued.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;

use super::message::Message;

/// Most messages of a queue that go into one write.
const WRITE_AT_ONCE: usize = 16;
/// What waits counts this much per message besides its bytes, so that tiny ones count too.
const OVERHEAD: usize = 64;

/// Too much waits for this participant; it is to be cut off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slow;

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The kernel has it.
    Written,
    /// It waits, wholly or in part.
    Queued,
    /// The connection is gone.
    Broken,
}

/// How the queue stands after an attempt to write it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing waits.
    All,
    /// The kernel takes no more.
    Blocked,
    /// Nothing waits, and nothing will: the session has ended in order.
    Finished,
}

/// How messages reach the client.
pub(super) enum Route {
    Polling,
    Socket(Arc<TcpStream>),
}

/// See the module's documentation.
pub(super) struct Outgoing {
    route: Route,
    queue: VecDeque<Arc<Message>>,
    /// Bytes of the first message that have been written.
    written: usize,
    bytes: usize,
    max_bytes: usize,
    /// Since when the kernel, or a client that polls, has taken nothing.
    pub blocked_since: Option<Instant>,
    /// When the session was ended in order; nothing is queued after that.
    pub finishing: Option<Instant>,
}

impl Outgoing {
    /// Nothing waits yet; at most `max_bytes` may.
    pub fn new(route: Route, max_bytes: usize) -> Self {
        Self {
            route,
            queue: VecDeque::new(),
            written: 0,
            bytes: 0,
            max_bytes,
            blocked_since: None,
            finishing: None,
        }
    }

    /// Sends, or queues.
    pub fn send(&mut self, message: &Arc<Message>) -> Result<Sent, Slow> {
        let length = message.frames().len();
        let mut written = 0;
        if self.queue.is_empty()
            && let Route::Socket(tcp) = &self.route
        {
            match tcp.try_write(message.frames()) {
                Ok(all) if all == length => return Ok(Sent::Written),
                Ok(some) => written = some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Ok(Sent::Broken),
            }
        }
        if self.bytes + length + OVERHEAD > self.max_bytes {
            return Err(Slow);
        }
        if self.queue.is_empty() {
            self.written = written;
            self.blocked_since = Some(Instant::now());
        }
        self.bytes += length + OVERHEAD;
        self.queue.push_back(message.clone());
        Ok(Sent::Queued)
    }

    /// Writes what waits, as far as the kernel takes it.
    pub fn flush(&mut self) -> io::Result<Flushed> {
        let Self { route: Route::Socket(tcp), queue, written, bytes, blocked_since, finishing, .. } = self
        else {
            return Ok(Flushed::All);
        };
        while let Some(first) = queue.front() {
            let mut slices = [IoSlice::new(&[]); WRITE_AT_ONCE];
            slices[0] = IoSlice::new(&first.frames()[*written..]);
            for (slice, message) in slices.iter_mut().zip(queue.iter()).skip(1) {
                *slice = IoSlice::new(message.frames());
            }
            let mut taken = match tcp.try_write_vectored(&slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Blocked),
                Err(error) => return Err(error),
            };
            *blocked_since = Some(Instant::now());
            taken += std::mem::take(written);
            while let Some(first) = queue.front() {
                let length = first.frames().len();
                if taken < length {
                    *written = taken;
                    break;
                }
                taken -= length;
                *bytes -= length + OVERHEAD;
                queue.pop_front();
            }
        }
        *blocked_since = None;
        Ok(if finishing.is_some() { Flushed::Finished } else { Flushed::All })
    }

    /// What waits for a client that polls, at most `max` bytes unless the first message is larger; `None` if
    /// nothing does.
    pub fn poll(&mut self, max: usize) -> Option<String> {
        if matches!(self.route, Route::Socket(_)) {
            // The client has moved on to a WebSocket; what waits is for that.
            return Some("6".to_owned());
        }
        let mut answer = String::new();
        while let Some(first) = self.queue.front() {
            // Base64 takes a third more.
            if !answer.is_empty() && answer.len() + first.frames().len() * 4 / 3 > max {
                break;
            }
            first.poll_into(&mut answer);
            self.bytes -= first.frames().len() + OVERHEAD;
            self.queue.pop_front();
        }
        self.blocked_since = (!self.queue.is_empty()).then(Instant::now);
        (!answer.is_empty()).then_some(answer)
    }

    /// Continues on a WebSocket.
    pub fn upgrade(&mut self, tcp: Arc<TcpStream>) {
        self.route = Route::Socket(tcp);
    }

    /// Throws away what waits.
    pub fn clear(&mut self) {
        self.queue.clear();
        (self.bytes, self.written) = (0, 0);
    }

    /// Whether the session has ended in order, and all has been sent.
    pub fn is_finished(&self) -> bool {
        self.finishing.is_some() && self.queue.is_empty()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
