//! How much is sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the rate is measured over.
const SPAN: Duration = Duration::from_secs(10);

/// What was sent since the start, and the rate of late.
#[derive(Debug, Default)]
pub(in crate::publish) struct Traffic {
    chunks: u64,
    bytes: u64,
    /// What was sent in the last [`SPAN`].
    recent: VecDeque<(Instant, u64)>,
}

/// The sums at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Chunks since the start.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Over the last ten seconds.
    pub bits_per_second: u64,
}

impl Traffic {
    pub(in crate::publish) fn add(&mut self, bytes: usize, now: Instant) {
        let bytes = bytes as u64;
        self.chunks += 1;
        self.bytes += bytes;
        self.recent.push_back((now, bytes));
        while self.recent.front().is_some_and(|(sent, _)| now.duration_since(*sent) >= SPAN) {
            self.recent.pop_front();
        }
    }

    pub(in crate::publish) fn sums(&self, now: Instant) -> Sent {
        let recent: u64 = self
            .recent
            .iter()
            .filter(|(sent, _)| now.saturating_duration_since(*sent) < SPAN)
            .map(|(_, bytes)| bytes)
            .sum();
        Sent { chunks: self.chunks, bytes: self.bytes, bits_per_second: recent * 8 / SPAN.as_secs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let start = Instant::now();
        let mut traffic = Traffic::default();
        for second in 0..60 {
            traffic.add(1000, start + Duration::from_secs(second));
        }
        let at = |second| traffic.sums(start + Duration::from_secs(second));
        assert_eq!(at(59), Sent { chunks: 60, bytes: 60_000, bits_per_second: 8000 });
        assert_eq!(at(64).bits_per_second, 4000, "nothing was sent for five seconds");
        assert_eq!(at(70).bits_per_second, 0);
    }
}
