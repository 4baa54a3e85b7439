//! The ways in which a peer can reach us.

use std::net::SocketAddr;

use str0m::Candidate;
use str0m::net::Protocol;

/// An address at which a peer can reach us (RFC 8445 §5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LocalCandidate {
    /// One of this device.
    Host(SocketAddr),
    /// One under which a STUN server sees `base`, an address of this device.
    Reflexive {
        /// The address.
        address: SocketAddr,
        /// From where is sent.
        base: SocketAddr,
    },
    /// One of a TURN server, which forwards what comes there.
    Relayed {
        /// The address.
        address: SocketAddr,
        /// From where the TURN server is talked to.
        local: SocketAddr,
    },
}

impl LocalCandidate {
    /// The address that a peer sends to.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Host(address) | Self::Reflexive { address, .. } | Self::Relayed { address, .. } => address,
        }
    }

    /// For str0m; `None` for an address that no candidate can have, such as an unspecified one.
    pub(super) fn to_candidate(self) -> Option<Candidate> {
        match self {
            Self::Host(address) => Candidate::host(address, Protocol::Udp),
            Self::Reflexive { address, base } => Candidate::server_reflexive(address, base, Protocol::Udp),
            Self::Relayed { address, local } => Candidate::relayed(address, local, Protocol::Udp),
        }
        .ok()
    }
}

/// A candidate of ours, to be told to the peer after the description that it belongs to (RFC 8838).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trickled {
    /// The candidate, in the form `candidate:…`.
    pub candidate: String,
    /// The id of the section of the description that it is told for; `None` before there is a description.
    pub mid: Option<String>,
    /// Which of our descriptions it belongs to, by its `ice-ufrag`.
    pub username_fragment: String,
}
