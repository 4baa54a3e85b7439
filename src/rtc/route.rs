//! From where to where media go when the address that ICE has chosen is gone. Pure.
//!
//! Whoever offered first decides over the path (RFC 8445 §6.1.1). A browser that does keeps to one from which nothing comes
//! for 3.5 s at least, before it chooses another. Until then media go where the two ends already hear each other: browsers take
//! them from any path that is checked, chosen or not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A path on which nothing came for this long is not believed to work. Each is checked every 1.5 s.
const FRESH: Duration = Duration::from_secs(3);

/// One address of ours and one of the peer's between which datagrams came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    ours: SocketAddr,
    peer: SocketAddr,
    at: Instant,
}

/// The way of media to a peer.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// From which of our addresses ICE has media sent.
    chosen: Option<SocketAddr>,
    /// Whether that one is gone.
    lost: bool,
    /// Where else the peer was heard.
    elsewhere: Option<Heard>,
}

impl Route {
    /// An address is no longer ours. Says whether media were sent from it.
    pub(super) fn lose(&mut self, address: SocketAddr, now: Instant) -> bool {
        let sent_from = if self.lost { self.elsewhere.map(|heard| heard.ours) } else { self.chosen };
        self.lost |= self.chosen == Some(address);
        self.elsewhere = self.elsewhere.filter(|heard| heard.ours != address && now < heard.at + FRESH);
        sent_from == Some(address)
    }

    /// Whether nothing that is sent arrives.
    pub(super) fn is_lost(&self) -> bool {
        self.lost && self.elsewhere.is_none()
    }

    /// The peer was heard. Says whether media go another way because of it.
    pub(super) fn hear(&mut self, peer: SocketAddr, ours: SocketAddr, at: Instant) -> bool {
        if self.chosen == Some(ours) {
            return false;
        }
        let heard = Heard { ours, peer, at };
        let before = self.elsewhere.filter(|before| at < before.at + FRESH);
        let keeps = before.filter(|before| self.lost && (before.ours, before.peer) != (ours, peer));
        self.elsewhere = keeps.or(Some(heard));
        self.lost && before.is_none()
    }

    /// From where to where media go that ICE would send `from` one of our addresses `to` one of the peer's.
    pub(super) fn lead(&mut self, from: SocketAddr, to: SocketAddr) -> (SocketAddr, SocketAddr) {
        if !self.lost || self.chosen != Some(from) {
            (self.chosen, self.lost) = (Some(from), false);
            return (from, to);
        }
        self.elsewhere.map_or((from, to), |heard| (heard.ours, heard.peer))
    }
}
