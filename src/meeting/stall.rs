//! When a connection has stopped, so that nothing more is put on its way. What a Wi-Fi holds back for some hundred
//! milliseconds comes to receivers all at once, and they lose chunks of a bunch (docs/receivers.md §4.2): one chunk on the
//! way is no bunch, and what waits behind it is joined into one. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::spacing::SHORTEST_GAP;

/// How long nothing arrives, beside what the way takes by itself, before it has stopped. Less than the beat, so that not even
/// a second chunk follows; more than a receiver waits with an acknowledgement (40 ms).
const PATIENCE: Duration = Duration::from_millis(60);
/// A receiver acknowledges each second packet: so many bytes, which take their time on a slow link.
const TWO_PACKETS: u32 = 3_000;

/// What somebody saw who looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Bytes acknowledged so far.
    pub(super) acknowledged: u64,
    /// When the last acknowledgement came.
    pub(super) heard: Instant,
    pub(super) round_trip: Duration,
    /// Since when the oldest chunk was on its way that has arrived since the look before.
    pub(super) arrived: Option<Instant>,
    /// Since when the oldest chunk is on its way that has not arrived.
    pub(super) oldest: Option<Instant>,
}

/// What is known of the way of one connection.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// What two packets take.
    packets: Duration,
    acknowledged: u64,
    /// When more was last acknowledged than before.
    progressed: Option<Instant>,
    stopped: bool,
    /// When chunks may follow what came late.
    clear_from: Option<Instant>,
}

impl Way {
    /// So many bits per second are expected to arrive.
    pub(super) fn expect(&mut self, bits_per_second: u32) {
        self.packets = Duration::from_secs(1) * (8 * TWO_PACKETS) / bits_per_second.max(1);
    }

    /// Takes note of what was seen at `now`.
    pub(super) fn look(&mut self, now: Instant, seen: Seen) {
        if seen.acknowledged != self.acknowledged {
            (self.acknowledged, self.progressed) = (seen.acknowledged, Some(seen.heard));
        }
        let patience = PATIENCE + 2 * seen.round_trip + self.packets;
        let took = |since: Instant, until: Instant| until.saturating_duration_since(since) >= patience;
        if seen.arrived.is_some_and(|since| took(since, seen.heard)) {
            self.clear_from = Some(seen.heard + SHORTEST_GAP);
        }
        let silent_since = |since: Instant| self.progressed.map_or(since, |progressed| progressed.max(since));
        self.stopped = seen.oldest.is_some_and(|since| took(silent_since(since), now));
    }

    /// Whether a chunk has to wait at the time of the last look, `now`.
    pub(super) fn is_blocked(&self, now: Instant) -> bool {
        self.stopped || self.clear_from.is_some_and(|from| now < from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(10);

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

        fn is_blocked(
            &mut self,
            now: u64,
            (acknowledged, heard): (u64, u64),
            arrived: Option<u64>,
            oldest: Option<u64>,
        ) -> bool {
            let at = |ms: u64| self.start + Duration::from_millis(ms);
            let seen = Seen {
                acknowledged,
                heard: at(heard),
                round_trip: ROUND_TRIP,
                arrived: arrived.map(at),
                oldest: oldest.map(at),
            };
            self.way.look(at(now), seen);
            self.way.is_blocked(at(now))
        }
    }

    #[test]
    fn nothing_follows_a_chunk_that_is_held_back_until_some_time_after_it_came_through() {
        // Two packets take 20 ms.
        let mut way = Watched::new(1_200_000);

        assert!(!way.is_blocked(0, (0, 0), None, None));
        // Its first packets came through.
        assert!(
            !way.is_blocked(101, (2_896, 2), None, Some(0)),
            "two round trips, 20 ms and 60 ms are allowed"
        );
        assert!(way.is_blocked(102, (2_896, 2), None, Some(0)));
        assert!(way.is_blocked(400, (2_896, 2), None, Some(0)));
        assert!(way.is_blocked(410, (10_000, 405), Some(0), None), "it has only just come");
        assert!(way.is_blocked(454, (10_000, 405), None, None));
        assert!(!way.is_blocked(455, (10_000, 405), None, None));
    }

    #[test]
    fn what_came_late_between_two_looks_is_noticed_as_well() {
        let mut way = Watched::new(1_200_000);

        assert!(!way.is_blocked(0, (0, 0), None, None));
        assert!(way.is_blocked(300, (10_000, 290), Some(0), None));
        assert!(!way.is_blocked(340, (10_000, 290), None, None));
    }

    #[test]
    fn a_chunk_that_came_in_time_blocks_nothing() {
        let mut way = Watched::new(1_200_000);

        assert!(!way.is_blocked(0, (0, 0), None, None));
        assert!(!way.is_blocked(100, (10_000, 30), Some(0), None));
    }

    #[test]
    fn a_slow_way_is_none_that_has_stopped() {
        let mut way = Watched::new(64_000);
        for look in 1..30_u64 {
            let now = 375 * look;
            // Two packets each 375 ms, of a chunk that is never all there.
            assert!(!way.is_blocked(now, (3_000 * look, now), None, Some(0)), "after {now} ms");
            assert!(!way.is_blocked(now + 370, (3_000 * look, now), None, Some(0)), "after {now} ms");
        }
    }
}
