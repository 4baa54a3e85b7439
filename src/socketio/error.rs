//! Everything that can go wrong with a connection.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::packet::PacketError;

/// What went wrong with the connection to which URL.
#[derive(Debug, thiserror::Error)]
#[error("relay {url}: {fault}")]
pub struct ConnectionError {
    /// The WebSocket's URL, without credentials.
    pub url: String,
    /// What went wrong, and what to do about it.
    #[source]
    pub fault: Fault,
}

/// How far a connection had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking the host up and opening the TCP connection.
    Tcp,
    /// TLS and the WebSocket upgrade.
    Upgrade,
    /// Waiting for the Engine.IO open packet.
    Open,
    /// Waiting for the answer to the Socket.IO CONNECT.
    Connect,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "no TCP connection",
            Self::Upgrade => "no answer to the WebSocket request",
            Self::Open => "a WebSocket, but no Engine.IO open packet",
            Self::Connect => "no answer to the Socket.IO CONNECT",
        })
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The name does not resolve.
    #[error("cannot resolve {host} ({source}); check the host in the URL and the device's DNS")]
    Dns {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nobody listens.
    #[error("connection refused; check the port, and whether the relay is running")]
    Refused,
    /// The network failed.
    #[error("the network failed ({0}); check the device's connection and the relay's address")]
    Io(#[source] io::Error),
    /// The CA file cannot be used.
    #[error("cannot use the CA file {path}: {why}; it has to be a PEM file with certificates")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS failed.
    #[error(
        "TLS failed ({0}); check the relay's certificate, the device's clock, and that the port speaks https \
         (a private authority goes into ca_file)"
    )]
    Tls(String),
    /// The server answered the upgrade with a redirect.
    #[error(
        "redirected ({status}) to {location}; put the address it leads to into the URL, unless it is where this network \
         wants people to sign in"
    )]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to, cut to a printable length.
        location: String,
    },
    /// The server does not know the path.
    #[error("answered 404 not found; a Socket.IO relay is not at this address, check host, port and path")]
    NotFound,
    /// The server says why not.
    #[error("answered {status}: {message}")]
    HttpRefused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The server answered the upgrade with a page for people.
    #[error(
        "answered {status} with a page (text/html) instead of a WebSocket; check that the URL is a Socket.IO relay's, \
         and whether this network wants people to sign in first"
    )]
    Page {
        /// The HTTP status.
        status: u16,
    },
    /// The server answered the upgrade with something else.
    #[error(
        "answered {status} with {content} instead of a WebSocket; check that the URL is a Socket.IO relay's"
    )]
    NotWebSocket {
        /// The HTTP status.
        status: u16,
        /// What kind of content, such as `text/plain`.
        content: String,
    },
    /// The server speaks another version of Engine.IO or Socket.IO.
    #[error("speaks another protocol version ({0}); it has to be socket.io 3 or 4 (Engine.IO 4)")]
    WrongVersion(&'static str),
    /// The answer is no HTTP, or what follows is no WebSocket.
    #[error("does not speak WebSocket ({0}); check the port, and proxies on the way")]
    NotHttp(String),
    /// A frame that breaks Engine.IO or Socket.IO.
    #[error("sent {0}; it is no Socket.IO 4 relay, or a proxy damages the frames")]
    Packet(#[source] PacketError),
    /// A message above the limit.
    #[error("sent a message of {size} bytes, above the limit of {max}; closed to keep memory bounded")]
    TooLarge {
        /// Bytes announced or received.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Connecting took too long.
    #[error("{phase} within {} s; check that the URL is the relay's and that it is not overloaded", after.as_secs_f32())]
    Timeout {
        /// How far it came.
        phase: Phase,
        /// The time allowed in all.
        after: Duration,
    },
    /// CONNECT was refused (`44`).
    #[error("refused the connection: {message}; check the token and the user id")]
    ConnectRefused {
        /// The relay's words.
        message: String,
    },
    /// The server has no such namespace, in the words of Node's socket.io.
    #[error("has no namespace {0:?}; check meeting.namespace")]
    NoNamespace(String),
    /// A packet that is valid but cannot stand where it came.
    #[error("sent {0} where the open packet was due; it is no Socket.IO 4 relay")]
    NoOpen(&'static str),
    /// The connection ended.
    #[error("closed the connection ({0}); the relay's log says why")]
    Closed(String),
    /// The server took us out of the namespace (Socket.IO DISCONNECT): the application there wanted that.
    #[error("disconnected us; the relay's log says why")]
    Disconnected,
    /// The server did not ping in time.
    #[error("sent no ping for {} s; the connection counts as dead", after.as_secs_f32())]
    Silent {
        /// `pingInterval + pingTimeout`.
        after: Duration,
    },
    /// A packet of ours is larger than the server accepts; it was not sent.
    #[error("accepts messages of {max} bytes at most, and one of {size} was to be sent; lower the bitrate")]
    AboveMaxPayload {
        /// Bytes of the largest frame of the packet.
        size: usize,
        /// The server's `maxPayload`.
        max: usize,
    },
}

impl From<PacketError> for Fault {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::TooLarge { size, max } => Self::TooLarge { size, max },
            other => Self::Packet(other),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                Self::Closed(error.kind().to_string())
            }
            _ => Self::Io(error),
        }
    }
}

/// Longest piece of a server's own words that is kept, in characters.
const QUOTE: usize = 200;

/// A server's words, fit for one line of a log: without control characters, and not longer than a line.
pub(crate) fn quote(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTE).collect()
}
