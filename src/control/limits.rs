//! What clients of the control API may take.

use std::time::Duration;

use crate::http::Bounds;

/// What clients may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time, on the Unix socket and on TCP each.
    pub connections: usize,
    /// Event streams at the same time. Fewer than connections, so that there is room for who asks something.
    pub listeners: usize,
    /// How long a request's head may take.
    pub head: Duration,
    /// How long a connection may idle between two requests.
    pub idle: Duration,
    /// How long a client may take no byte of what is sent to it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            listeners: 32,
            head: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            stall: Duration::from_secs(20),
        }
    }
}

/// Bytes of a request's head at most.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// What the kernel may hold unsent for a client, so that who reads slowly gets few old states.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// How long clients get to take what is on its way to them when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);

impl Limits {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            connections: self.connections,
            head: self.head,
            idle: self.idle,
            stall: self.stall,
            head_bytes: MAX_HEAD_BYTES,
            send_buffer: Some(SEND_BUFFER_BYTES),
            farewell: FAREWELL,
        }
    }
}
