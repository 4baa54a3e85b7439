//! Engine.IO 4 and Socket.IO 5 over one WebSocket, the client's side.
//!
//! - [`packet`]: the packets as values and how they are written; pure.
//! - [`decoder`]: frames in, packets out, within a byte limit; pure.
//! - [`client`]: one connection over tokio-tungstenite; knows sockets, TLS and the heartbeat, no meeting.
//! - [`endpoint`]: where to connect and with which secret.
//! - [`error`]: everything that can go wrong with a connection, with URL and remedy.

pub mod decoder;
pub mod packet;

pub use decoder::Decoder;
pub use packet::{Ack, Body, EnginePacket, Event, Handshake, Json, Packet, PacketError, Placeholder, Wire};
