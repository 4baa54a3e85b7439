//! From where to where media go when the address that ICE has chosen is gone. Pure.
//!
//! Whoever offered first decides over the path (RFC 8445 §6.1.1). A browser that does keeps to one from which nothing comes
//! for 3.5 s at least, before it chooses another. Until then media go where the two ends already hear each other: browsers take
//! them from any path that is checked, chosen or not.

use std::net::SocketAddr;

/// The way of media to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// As ICE has chosen; from which of our addresses was sent last.
    Chosen(Option<SocketAddr>),
    /// ICE has chosen an address that is gone, and the peer was not heard at another one since.
    Lost(SocketAddr),
    /// The same, but the peer was heard: it reached our address `from` from its address `to`.
    Detour {
        /// The address that is gone.
        lost: SocketAddr,
        from: SocketAddr,
        to: SocketAddr,
    },
}

impl Route {
    /// An address is no longer ours. Says whether media were sent from it.
    pub(super) fn lose(&mut self, address: SocketAddr) -> bool {
        let lost = match *self {
            Self::Chosen(Some(from)) if from == address => address,
            Self::Detour { lost, from, .. } if from == address => lost,
            _ => return false,
        };
        *self = Self::Lost(lost);
        true
    }

    /// Whether nothing that is sent arrives.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// The peer was heard. Says whether media get through again, which they did not before.
    pub(super) fn hear(&mut self, peer: SocketAddr, ours: SocketAddr) -> bool {
        match *self {
            Self::Lost(lost) if ours != lost => {
                *self = Self::Detour { lost, from: ours, to: peer };
                true
            }
            _ => false,
        }
    }

    /// From where to where media go that ICE would send `from` one of our addresses `to` one of the peer's.
    pub(super) fn lead(&mut self, from: SocketAddr, to: SocketAddr) -> (SocketAddr, SocketAddr) {
        match *self {
            Self::Detour { lost, from: ours, to: peer } if from == lost => (ours, peer),
            Self::Lost(lost) if from == lost => (from, to),
            _ => {
                *self = Self::Chosen(Some(from));
                (from, to)
            }
        }
    }
}
