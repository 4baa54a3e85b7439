//! Engine.IO 4 and Socket.IO 5 over one WebSocket, the client's side.
//!
//! - [`packet`]: the packets as values and how they are written; pure.
//! - [`decoder`]: frames in, packets out, within a byte limit; pure.
//! - [`endpoint`]: where to connect, with which secret, and how far to trust what answers.
//! - [`client`]: one connection over tokio-tungstenite: heartbeat and back-pressure; knows no meeting.
//! - `dial`: TCP, TLS and the WebSocket upgrade under it.
//! - `send_queue`: what the kernel has of what it was given.
//! - [`error`]: everything that can go wrong with a connection, with URL and remedy.

pub mod client;
pub mod decoder;
mod dial;
pub mod endpoint;
pub mod error;
mod metered;
pub mod packet;
#[cfg(test)]
mod packet_tests;
mod send_queue;

pub use client::{Connection, Progress};
pub use decoder::Decoder;
pub(crate) use dial::{io_fault, tcp, tls_config};
pub use endpoint::{Auth, BadUrl, Endpoint, Limits};
pub(crate) use error::quote;
pub use error::{ConnectionError, Fault, Phase};
pub use packet::{
    Ack, Body, DEFAULT_NAMESPACE, EnginePacket, Event, Handshake, Json, Packet, PacketError, Placeholder,
    Wire,
};
pub use send_queue::{SendProgress, SendQueue};
