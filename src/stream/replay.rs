//! What a late joiner is sent: the clusters since a key frame (docs/receivers.md §2.6).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::{Chunk, MediaTime};

/// How much media a receiver needs that begins in the middle of a timeline: its jump to the live edge goes up to
/// 350 ms back from the end of what it has, and in front of the media it would wait for seconds.
pub(super) const ENOUGH_TO_JUMP_INTO: Duration = Duration::from_millis(400);
/// How long everything is kept that was sent since a timeline began at zero. Receivers that cannot seek have no use for
/// less; who comes later is served by a new timeline.
const KEPT_FROM_ZERO: Duration = Duration::from_millis(3500);

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayFrom {
    /// At the newest key frame that is far enough back to be jumped into.
    KeyFrame,
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
            let needless = self.newest_sufficient_entry().unwrap_or(0);
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
            ReplayFrom::KeyFrame => self.newest_sufficient_entry(),
            ReplayFrom::Start => self.begins_at_zero().then_some(0),
        }
    }

    fn begins_at_zero(&self) -> bool {
        self.clusters.front().is_some_and(|first| first.entry.is_some() && first.start == MediaTime::ZERO)
    }

    fn newest_sufficient_entry(&self) -> Option<usize> {
        let end = self.clusters.back()?.end.as_millis();
        self.clusters.iter().rposition(|cluster| {
            let reach = cluster.entry.map_or(0, |entry| end.saturating_sub(entry.as_millis()));
            reach >= ENOUGH_TO_JUMP_INTO.as_millis() as u64
        })
    }

    fn drop_front(&mut self, count: usize) {
        for cluster in self.clusters.drain(..count.min(self.clusters.len())) {
            self.bytes -= cluster.bytes.len();
        }
    }
}
