//! When a chunk may be put on its way behind others, so that it does not arrive together with them: receivers lose chunks of
//! a bunch (docs/receivers.md §4.2). What a Wi-Fi holds back comes all at once, and on a slow link a small chunk comes right
//! behind a large one. What has to wait is joined with what comes after it. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::spacing::SHORTEST_GAP;

/// How long nothing arrives, beside what the way takes by itself, before it has stopped. Less than the beat, so that not even
/// a second chunk follows; more than a receiver waits with an acknowledgement (40 ms).
const PATIENCE: Duration = Duration::from_millis(60);
/// A receiver acknowledges each second packet: so many bytes, which take their time on a slow link.
const TWO_PACKETS: usize = 3_000;

/// What somebody saw who looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Bytes acknowledged so far.
    pub(super) acknowledged: u64,
    pub(super) round_trip: Duration,
    /// Since when the oldest chunk was on its way that has arrived since the look before.
    pub(super) arrived: Option<Instant>,
    /// Since when the oldest chunk is on its way that has not arrived.
    pub(super) oldest: Option<Instant>,
}

/// What is known of the way of one connection. To be looked at often while something is on it.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// What is expected to arrive, in bits per second; 0 if nothing is known.
    bits_per_second: u32,
    acknowledged: u64,
    /// When more was last acknowledged than before.
    progressed: Option<Instant>,
    is_empty: bool,
    stopped: bool,
    /// When chunks may arrive behind what came late.
    clear_from: Option<Instant>,
}

impl Way {
    /// So many bits per second are expected to arrive.
    pub(super) fn expect(&mut self, bits_per_second: u32) {
        self.bits_per_second = bits_per_second;
    }

    /// How long so many bytes take to arrive behind each other.
    fn time_of(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        let micros = bits.saturating_mul(1_000_000).checked_div(u64::from(self.bits_per_second));
        micros.map(Duration::from_micros).unwrap_or_default()
    }

    /// Takes note of what was seen at `now`.
    pub(super) fn look(&mut self, now: Instant, seen: Seen) {
        if seen.acknowledged != self.acknowledged {
            (self.acknowledged, self.progressed) = (seen.acknowledged, Some(now));
        }
        let patience = PATIENCE + 2 * seen.round_trip + self.time_of(TWO_PACKETS);
        let took_long = |since: Instant| now.saturating_duration_since(since) >= patience;
        if seen.arrived.is_some_and(took_long) {
            self.clear_from = Some(now + SHORTEST_GAP);
        }
        let silent_since = |since: Instant| self.progressed.map_or(since, |progressed| progressed.max(since));
        self.is_empty = seen.oldest.is_none();
        self.stopped = seen.oldest.map(silent_since).is_some_and(took_long);
    }

    /// Whether a chunk of so many bytes has to wait at the time of the last look, `now`.
    pub(super) fn is_blocked(&self, now: Instant, bytes: usize) -> bool {
        let takes = self.time_of(bytes);
        let follows_closely = !self.is_empty && self.bits_per_second > 0 && takes < SHORTEST_GAP;
        self.stopped || follows_closely || self.clear_from.is_some_and(|from| now + takes < from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way that is looked at, with times in ms since it was opened.
    struct Watched {
        start: Instant,
        way: Way,
    }

    impl Watched {
        fn new(bits_per_second: u32) -> Self {
            let mut way = Way::default();
            way.expect(bits_per_second);
            Self { start: Instant::now(), way }
        }

        fn look(&mut self, now: u64, acknowledged: u64, arrived: Option<u64>, oldest: Option<u64>) {
            let at = |ms: u64| self.start + Duration::from_millis(ms);
            let round_trip = Duration::from_millis(10);
            let seen = Seen { acknowledged, round_trip, arrived: arrived.map(at), oldest: oldest.map(at) };
            self.way.look(at(now), seen);
        }

        fn is_blocked(&self, now: u64, bytes: usize) -> bool {
            self.way.is_blocked(self.start + Duration::from_millis(now), bytes)
        }
    }

    #[test]
    fn nothing_follows_a_chunk_that_is_held_back_until_some_time_after_it_came_through() {
        // Two packets take 20 ms, and a large chunk 67 ms.
        let mut way = Watched::new(1_200_000);
        let large = 10_000;

        way.look(2, 2_896, None, Some(0));
        assert!(!way.is_blocked(2, large));
        way.look(101, 2_896, None, Some(0));
        assert!(!way.is_blocked(101, large), "two round trips, 20 ms and 60 ms are allowed");
        way.look(102, 2_896, None, Some(0));
        assert!(way.is_blocked(102, large));
        way.look(400, 2_896, None, Some(0));
        assert!(way.is_blocked(400, large));
        way.look(405, 10_000, Some(0), None);
        assert!(way.is_blocked(405, 1_000), "a small one would arrive at once");
        assert!(way.is_blocked(440, 1_000));
        assert!(!way.is_blocked(405, large), "a large one takes long enough");
        assert!(!way.is_blocked(455, 1_000));
    }

    #[test]
    fn on_a_slow_way_no_small_chunk_follows_a_large_one_closely() {
        // 10 000 bytes take 200 ms.
        let mut way = Watched::new(400_000);

        way.look(20, 1_000, None, Some(0));
        assert!(!way.is_blocked(20, 10_000));
        assert!(way.is_blocked(20, 200));
        way.look(120, 10_000, Some(0), None);
        assert!(!way.is_blocked(120, 200), "it came in time");
    }

    #[test]
    fn a_chunk_that_came_in_time_blocks_nothing() {
        let mut way = Watched::new(1_200_000);

        way.look(30, 10_000, Some(0), None);

        assert!(!way.is_blocked(30, 100));
    }

    #[test]
    fn a_slow_way_is_none_that_has_stopped() {
        let mut way = Watched::new(64_000);
        for look in 1..30_u64 {
            // Two packets each 375 ms, of a chunk that is never all there.
            for now in [375 * look, 375 * look + 370] {
                way.look(now, 3_000 * look, None, Some(0));
                assert!(!way.is_blocked(now, 2_000), "after {now} ms");
            }
        }
    }

    #[test]
    fn of_a_way_that_nothing_is_expected_of_only_what_stops_is_known() {
        let mut way = Watched::new(0);

        way.look(10, 0, None, Some(0));
        assert!(!way.is_blocked(10, 1));
        way.look(200, 0, None, Some(0));
        assert!(way.is_blocked(200, 1));
    }
}
