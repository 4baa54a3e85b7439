//! What comes out of a peer.

use std::net::SocketAddr;
use std::time::Instant;

/// What happened at a peer.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// Media can be sent, for the first time or again.
    Connected,
    /// The network does not carry anything at present. It may come back.
    Disconnected,
    /// How much can be sent, in bits per second, as far as the network and the peer tell.
    Estimate(u64),
    /// Which part of the voice was lost lately, 0 to 1, as the peer tells.
    VoiceLoss(f32),
    /// What somebody wrote.
    Chat(String),
    /// The peer closed the connection.
    Closed,
    /// The connection is lost for good; says why.
    Failed(String),
}

/// What is to be done for a peer.
#[derive(Debug)]
pub enum Output {
    /// Send a datagram.
    Transmit {
        /// From which of our addresses.
        from: SocketAddr,
        /// To whom.
        to: SocketAddr,
        /// Its bytes.
        datagram: Vec<u8>,
    },
    /// Something happened.
    Event(PeerEvent),
    /// Nothing, until [`Peer::handle_timeout`](super::Peer::handle_timeout) is due at this time.
    Timeout(Instant),
}

/// An answer of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The description.
    pub sdp: String,
    /// Whether all our tracks have a place in it. If not, an offer of ours adds what is missing.
    pub complete: bool,
}
