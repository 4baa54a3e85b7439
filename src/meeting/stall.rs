//! When a connection has stopped, so that nothing more is put on its way. What a Wi-Fi holds back for some hundred
//! milliseconds comes to receivers all at once, and they lose chunks of a bunch (docs/receivers.md §4.2): one chunk on the
//! way is no bunch, and what waits behind it is joined into one. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::spacing::SHORTEST_GAP;

/// How long nothing arrives of a chunk, beyond two round trips, before the way has stopped. Less than the beat, so that not
/// even a second chunk follows; more than a receiver waits with an acknowledgement (40 ms).
const PATIENCE: Duration = Duration::from_millis(60);

/// What is known of the way of one connection.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Bytes that were acknowledged when somebody last looked.
    acknowledged: u64,
    /// When there were last more of them than before.
    progressed: Option<Instant>,
    stopped: bool,
    /// When chunks may follow again, after what came through last.
    clear_from: Option<Instant>,
}

impl Way {
    /// Takes note of what was acknowledged by `now`. `oldest`: since when the oldest chunk is on its way, if one is.
    pub(super) fn look(
        &mut self,
        now: Instant,
        acknowledged: u64,
        oldest: Option<Instant>,
        round_trip: Duration,
    ) {
        if acknowledged != self.acknowledged {
            (self.acknowledged, self.progressed) = (acknowledged, Some(now));
        }
        let silent = |since: Instant| now.saturating_duration_since(since) >= PATIENCE + 2 * round_trip;
        let stops = oldest.is_some_and(|since| silent(self.progressed.map_or(since, |last| last.max(since))));
        if self.stopped && !stops {
            self.clear_from = Some(now + SHORTEST_GAP);
        }
        self.stopped = stops;
    }

    /// Whether a chunk has to wait at the time of the last look, `now`.
    pub(super) fn is_blocked(&self, now: Instant) -> bool {
        self.stopped || self.clear_from.is_some_and(|from| now < from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(20);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_chunk_of_which_nothing_arrives_stops_the_way_until_some_time_after_it_came_through() {
        let start = Instant::now();
        let mut way = Way::default();
        let mut blocked = |at: u64, acknowledged, oldest: Option<u64>| {
            way.look(start + ms(at), acknowledged, oldest.map(|at| start + ms(at)), ROUND_TRIP);
            way.is_blocked(start + ms(at))
        };

        assert!(!blocked(0, 0, None));
        assert!(!blocked(99, 0, Some(0)), "two round trips and 60 ms are allowed");
        assert!(blocked(100, 0, Some(0)));
        assert!(blocked(400, 0, Some(0)));
        assert!(blocked(410, 1_000, None), "what came through has only just come");
        assert!(blocked(459, 1_000, None));
        assert!(!blocked(460, 1_000, None));
    }

    #[test]
    fn a_slow_way_is_none_that_has_stopped() {
        let start = Instant::now();
        let mut way = Way::default();
        for at in 0..100 {
            // Two packets each 24 ms, of chunks that are never all there.
            let now = start + ms(24 * at);
            way.look(now, 2_896 * at, Some(start), ROUND_TRIP);
            assert!(!way.is_blocked(now), "after {} ms", 24 * at);
        }
    }
}
