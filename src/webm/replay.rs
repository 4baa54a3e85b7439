//! What a late joiner is sent: the clusters since a key frame (playback.md, rule 6).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::{Chunk, MediaTime};

/// How much media a receiver needs that begins in the middle of a timeline. Its live-edge rule jumps to 0.3 s
/// before the end; in front of the media it would wait for 5 s (playback.md, the table).
pub(super) const ENOUGH_TO_JUMP_INTO: Duration = Duration::from_millis(400);

/// The clusters that a late joiner may need, oldest first.
#[derive(Debug)]
pub struct ReplayCache {
    clusters: VecDeque<Cluster>,
    bytes: usize,
    max_bytes: usize,
}

/// What is replayed.
#[derive(Debug, PartialEq, Eq)]
pub struct Replay {
    /// The clusters, one after the other.
    pub clusters: Vec<u8>,
    /// Media time of the first block.
    pub start: MediaTime,
    /// Where the last block ends.
    pub end: MediaTime,
}

#[derive(Debug)]
struct Cluster {
    bytes: Bytes,
    start: MediaTime,
    end: MediaTime,
    /// Whether a decoder can start in this cluster.
    entry: bool,
}

impl ReplayCache {
    /// A cache that never replays more than `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { clusters: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Forgets everything: what follows has another init segment or another timeline.
    pub fn clear(&mut self) {
        self.clusters.clear();
        self.bytes = 0;
    }

    /// Takes note of a chunk that goes out. In a stream without video a decoder can start anywhere.
    pub fn record(&mut self, chunk: &Chunk, audio_only: bool) {
        let bytes = chunk.bytes.slice(chunk.init_len..);
        self.bytes += bytes.len();
        let entry = chunk.key || audio_only;
        self.clusters.push_back(Cluster { bytes, start: chunk.start(), end: chunk.end, entry });
        // A later entry only grows in reach, so what lies before the newest sufficient one is never needed.
        let needless = self.newest_sufficient_entry().unwrap_or(0);
        self.drop_front(needless);
        while self.bytes > self.max_bytes || self.clusters.front().is_some_and(|first| !first.entry) {
            self.drop_front(1);
        }
    }

    /// Everything since the newest key frame that is far enough back.
    pub fn since_key_frame(&self) -> Option<Replay> {
        let from = self.newest_sufficient_entry()?;
        let clusters: Vec<&Cluster> = self.clusters.range(from..).collect();
        Some(Replay {
            start: clusters.first()?.start,
            end: clusters.last()?.end,
            clusters: clusters.iter().flat_map(|cluster| cluster.bytes.iter().copied()).collect(),
        })
    }

    fn newest_sufficient_entry(&self) -> Option<usize> {
        let end = self.clusters.back()?.end.as_millis();
        self.clusters.iter().rposition(|cluster| {
            // At the start of a timeline nobody jumps: whoever begins there plays at once.
            let starts_at_zero = cluster.start == MediaTime::ZERO;
            let reach = end.saturating_sub(cluster.start.as_millis());
            cluster.entry && (starts_at_zero || reach >= ENOUGH_TO_JUMP_INTO.as_millis() as u64)
        })
    }

    fn drop_front(&mut self, count: usize) {
        for cluster in self.clusters.drain(..count.min(self.clusters.len())) {
            self.bytes -= cluster.bytes.len();
        }
    }
}
