//! What a link carries, measured while it is busy.

use std::collections::VecDeque;
use std::time::Duration;

use super::rate::Observation;

/// How long the link must have been busy before its capacity is known.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(200);
/// Capacity is the average over this much busy time.
const SAMPLE: Duration = Duration::from_secs(1);
/// A link that has been busy for so long without delivering anything stalls.
const STALL: Duration = Duration::from_secs(2);

/// What the link delivered while it was busy.
#[derive(Debug, Clone, Default)]
pub(super) struct Capacity {
    /// Whether media has waited for longer than the last observation, in which the kernel's buffer was filled.
    filled: bool,
    /// Deliveries of the running busy period: how long after the one before, and how many bytes. About [`SAMPLE`] of them.
    deliveries: VecDeque<(Duration, u64)>,
    /// Busy time since the last delivery. The kernel takes some KiB at a time, so a rate begins and ends at deliveries.
    since_delivery: Duration,
}

impl Capacity {
    pub(super) fn observe(&mut self, elapsed: Duration, seen: &Observation) {
        if !seen.busy {
            *self = Self::default();
            return;
        }
        if !std::mem::replace(&mut self.filled, true) {
            return;
        }
        self.since_delivery += elapsed;
        if seen.delivered > 0 {
            self.deliveries.push_back((std::mem::take(&mut self.since_delivery), seen.delivered));
            while let Some((oldest, _)) = self.deliveries.front()
                && self.delivering() >= SAMPLE + *oldest
            {
                self.deliveries.pop_front();
            }
        }
    }

    fn delivering(&self) -> Duration {
        self.deliveries.iter().map(|(after, _)| *after).sum()
    }

    /// Whether the link has something to do and does nothing.
    pub(super) fn stalls(&self) -> bool {
        self.since_delivery >= STALL && self.since_delivery >= self.delivering() * 2
    }

    /// `None` until it is known.
    pub(super) fn bits_per_second(&self) -> Option<f64> {
        let time = self.delivering();
        if time < SHORTEST_SAMPLE {
            return None;
        }
        let bytes: u64 = self.deliveries.iter().map(|(_, bytes)| *bytes).sum();
        #[allow(clippy::cast_precision_loss, reason = "a second of media is far from 2^52 bytes")]
        let bits = bytes as f64 * 8.0;
        Some(bits / time.as_secs_f64())
    }
}
