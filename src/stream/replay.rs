//! What a late joiner is sent: the clusters since a key frame (docs/receivers.md §2.6).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::{Chunk, MediaTime};

/// How much media a receiver needs that begins in the middle of a timeline: its jump to the live edge goes up to
/// 350 ms back from the end of what it has, and in front of the media it would wait for seconds.
pub(super) const ENOUGH_TO_JUMP_INTO: Duration = Duration::from_millis(400);
/// How much media a receiver needs that watched until its player was torn down: the next one goes on from where that was,
/// or from up to 350 ms before what was the end when it asked for a replay, and that comes up to 750 ms later
/// (docs/receivers.md §4.6).
const ENOUGH_TO_GO_ON_FROM: Duration = Duration::from_millis(1250);
/// How long everything is kept that was sent since a timeline began at zero. Receivers that cannot seek have no use for
/// less; who comes later is served by a new timeline.
const KEPT_FROM_ZERO: Duration = Duration::from_millis(3500);

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayFrom {
    /// At the newest key frame that is far enough back to be jumped into.
    KeyFrame,
    /// At the newest key frame that is far enough back for whoever watched until now; as far back as there is one, if none
    /// is.
    Earlier,
    /// At the start of the timeline, for receivers that do not seek.
    Start,
}

/// The clusters that a late joiner may need, oldest first.
#[derive(Debug)]
pub struct ReplayCache {
    clusters: VecDeque<Cluster>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Cluster {
    bytes: Bytes,
    start: MediaTime,
    end: MediaTime,
    /// Where a decoder can start in this cluster.
    entry: Option<MediaTime>,
}

impl ReplayCache {
    /// A cache that never replays more than `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { clusters: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Replays at most so many bytes from now on.
    pub fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Forgets everything: what follows has another init segment or another timeline, or must not be seen again.
    pub fn clear(&mut self) {
        self.clusters.clear();
        self.bytes = 0;
    }

    /// Takes note of a chunk that goes out. In a stream without video a decoder can start anywhere.
    pub fn record(&mut self, chunk: &Chunk, audio_only: bool) {
        let bytes = chunk.cluster();
        self.bytes += bytes.len();
        let entry = if audio_only { Some(chunk.start()) } else { chunk.key };
        self.clusters.push_back(Cluster { bytes, start: chunk.start(), end: chunk.end, entry });
        if !self.begins_at_zero() || chunk.end.as_millis() > KEPT_FROM_ZERO.as_millis() as u64 {
            // A later entry only grows in reach, so what lies before the newest sufficient one is never needed.
            let needless = self.newest_entry(ENOUGH_TO_GO_ON_FROM).unwrap_or(0);
            self.drop_front(needless);
        }
        while self.bytes > self.max_bytes || self.clusters.front().is_some_and(|first| first.entry.is_none())
        {
            self.drop_front(1);
        }
    }

    /// Whether a decoder can start anywhere in what is kept.
    pub fn has_entry(&self) -> bool {
        !self.clusters.is_empty()
    }

    /// Whether there is a replay.
    pub fn reaches(&self, from: ReplayFrom) -> bool {
        self.entry(from).is_some()
    }

    /// The clusters of a replay; none if what is kept does not reach so far.
    pub fn since(&self, from: ReplayFrom) -> impl Iterator<Item = &Bytes> {
        let entry = self.entry(from).unwrap_or(self.clusters.len());
        self.clusters.range(entry..).map(|cluster| &cluster.bytes)
    }

    fn entry(&self, from: ReplayFrom) -> Option<usize> {
        match from {
            ReplayFrom::KeyFrame => self.newest_entry(ENOUGH_TO_JUMP_INTO),
            ReplayFrom::Earlier => {
                self.newest_entry(ENOUGH_TO_GO_ON_FROM).or_else(|| self.oldest_entry(ENOUGH_TO_JUMP_INTO))
            }
            ReplayFrom::Start => self.begins_at_zero().then_some(0),
        }
    }

    fn begins_at_zero(&self) -> bool {
        self.clusters.front().is_some_and(|first| first.entry.is_some() && first.start == MediaTime::ZERO)
    }

    fn newest_entry(&self, reach: Duration) -> Option<usize> {
        self.clusters.iter().rposition(|cluster| self.reach(cluster) >= reach)
    }

    fn oldest_entry(&self, reach: Duration) -> Option<usize> {
        self.clusters.iter().position(|cluster| self.reach(cluster) >= reach)
    }

    /// How much there is to decode from the entry of `cluster` on; none without one.
    fn reach(&self, cluster: &Cluster) -> Duration {
        let (Some(last), Some(entry)) = (self.clusters.back(), cluster.entry) else { return Duration::ZERO };
        Duration::from_millis(last.end.as_millis().saturating_sub(entry.as_millis()))
    }

    fn drop_front(&mut self, count: usize) {
        for cluster in self.clusters.drain(..count.min(self.clusters.len())) {
            self.bytes -= cluster.bytes.len();
        }
    }
}
