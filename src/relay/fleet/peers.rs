//! What is known of the other relays: who is there, and how late their messages come. Pure; time comes in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::LEASE;
use super::wire::{Header, NodeId};

/// How much the quickest way known so far is taken to be worth less each second: clocks of machines go apart by less.
const DRIFT_PER_SECOND: f64 = 0.001;
/// How long a relay that is gone is remembered, so that its late messages are known to be late.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Peers {
    begun: Instant,
    nodes: HashMap<NodeId, Peer>,
}

#[derive(Debug)]
struct Peer {
    heard: Instant,
    there: bool,
    sequence: u64,
    /// Our clock less the peer's, in seconds, when a message came the quickest way.
    offset: f64,
}

impl Peers {
    pub fn new(now: Instant) -> Self {
        Self { begun: now, nodes: HashMap::new() }
    }

    /// A message has come: how much longer it took than the quickest. `None` if a later one was here before it.
    pub fn hear(&mut self, header: &Header, now: Instant) -> Option<Duration> {
        let ours = now.duration_since(self.begun).as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "milliseconds of a process")]
        let offset = ours - header.clock as f64 / 1000.0;
        let peer =
            self.nodes.entry(header.node).or_insert(Peer { heard: now, there: true, sequence: 0, offset });
        if header.sequence <= peer.sequence {
            return None;
        }
        let drift = now.duration_since(peer.heard).as_secs_f64() * DRIFT_PER_SECOND;
        peer.offset = offset.min(peer.offset + drift);
        peer.sequence = header.sequence;
        peer.heard = now;
        peer.there = true;
        Some(Duration::try_from_secs_f64(offset - peer.offset).unwrap_or_default())
    }

    /// The relays of which nothing has been heard for so long that they are gone, each once.
    pub fn lost(&mut self, now: Instant) -> Vec<NodeId> {
        self.nodes.retain(|_, peer| now.duration_since(peer.heard) < REMEMBERED);
        let silent = |peer: &Peer| peer.there && now.duration_since(peer.heard) >= LEASE;
        let lost = self.nodes.iter_mut().filter(|(_, peer)| silent(peer));
        lost.map(|(node, peer)| {
            peer.there = false;
            *node
        })
        .collect()
    }

    /// Of each that is there, the last message.
    pub fn heard(&self) -> Vec<(NodeId, u64)> {
        let there = self.nodes.iter().filter(|(_, peer)| peer.there);
        there.map(|(node, peer)| (*node, peer.sequence)).collect()
    }

    /// How many are there.
    pub fn count(&self) -> usize {
        self.nodes.values().filter(|peer| peer.there).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(node: NodeId, sequence: u64, clock: u64) -> Header {
        Header { node, sequence, clock }
    }

    #[test]
    fn a_message_is_as_late_as_it_is_later_than_the_quickest() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let (mut peers, node) = (Peers::new(begun), NodeId::new());
        // Its clock is 5 s ahead of ours.
        let mut late = |sequence, sent: u64, came| {
            let age = peers.hear(&header(node, sequence, sent + 5000), at(came)).unwrap();
            age.as_millis()
        };
        assert_eq!(late(1, 100, 110), 0);
        assert_eq!(late(2, 200, 205), 0);
        assert!((990..=995).contains(&late(3, 300, 1300)));
        assert!(late(4, 1400, 1405) <= 1, "the next one is in time");
    }

    #[test]
    fn clocks_that_go_apart_make_nothing_late() {
        let begun = Instant::now();
        let (mut peers, node) = (Peers::new(begun), NodeId::new());
        for second in 1..=100_000_u64 {
            // The other clock loses 100 µs each second.
            let sent = second * 1000 - second / 10;
            let age = peers.hear(&header(node, second, sent), begun + Duration::from_secs(second)).unwrap();
            assert!(age < Duration::from_millis(2), "{age:?} after {second} s");
        }
    }

    #[test]
    fn what_comes_out_of_order_is_not_heard() {
        let now = Instant::now();
        let (mut peers, node) = (Peers::new(now), NodeId::new());
        assert!(peers.hear(&header(node, 2, 20), now).is_some());
        assert!(peers.hear(&header(node, 1, 10), now).is_none());
        assert!(peers.hear(&header(node, 2, 20), now).is_none());
        assert!(peers.hear(&header(NodeId::new(), 1, 10), now).is_some(), "each node counts by itself");
    }

    #[test]
    fn a_silent_relay_is_lost_once_and_its_late_messages_stay_late() {
        let begun = Instant::now();
        let (mut peers, node) = (Peers::new(begun), NodeId::new());
        peers.hear(&header(node, 1, 0), begun);
        assert!(peers.lost(begun + LEASE - Duration::from_millis(1)).is_empty());
        assert_eq!(peers.lost(begun + LEASE), [node]);
        assert_eq!((peers.lost(begun + LEASE).len(), peers.count()), (0, 0));
        // What Redis held meanwhile.
        let age = peers.hear(&header(node, 2, 1000), begun + Duration::from_secs(12)).unwrap();
        assert!(age > Duration::from_secs(10), "{age:?}");
        assert_eq!(peers.count(), 1);
    }
}
