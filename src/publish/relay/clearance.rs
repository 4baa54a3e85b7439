//! Whether the way to the relay is clear for a chunk. Where nothing gets through for a moment, as on Wi-Fi while others talk,
//! chunks would wait on the way and arrive all at once, and of those that come close together receivers lose one
//! (docs/receivers.md §4.2). So the next chunk is not cut until the one before it has got through. Pure.

use std::time::{Duration, Instant};

use crate::meeting::Backlog;
use crate::meeting::spacing::SHORTEST_GAP;

/// A way on which something waits is watched for so long. What gets through meanwhile shows that it is only slow: then the
/// next chunk arrives as long behind as it takes itself.
const WATCHED_FOR: Duration = Duration::from_millis(30);
/// What may wait on a slow way before a chunk, as a time. With the chunk it is as much as the queue of a router takes in; what is
/// more is lost, and until it is sent again nothing arrives, and then all at once.
const QUEUE: Duration = Duration::from_millis(150);
/// What goes over a network at once, in bytes.
const PACKET: u64 = 1500;
/// How often it is looked whether something gets through again.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What is known of the way to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clearance {
    /// Nothing that would keep a chunk waiting.
    #[default]
    Clear,
    /// Something waits; so many bytes have got through.
    Watched(u64),
    /// The chunk has to wait for what is before it; so many bytes have got through.
    Blocked(u64),
    /// Something gets through again: before this time nothing may follow it.
    Freed(Instant),
}

impl Clearance {
    /// When to ask again; `None` if a chunk may be cut now. To be asked whenever one is due.
    pub fn ask_again(&mut self, now: Instant, backlog: Backlog) -> Option<Instant> {
        let Backlog { delivered, busy, .. } = backlog;
        let (next, ask_again) = match *self {
            Self::Clear if busy => (Self::Watched(delivered), Some(now + WATCHED_FOR)),
            Self::Watched(before) | Self::Blocked(before) if busy && delivered == before => {
                (Self::Blocked(before), Some(now + LOOK_EVERY))
            }
            Self::Blocked(_) => (Self::Freed(now + SHORTEST_GAP), Some(now + SHORTEST_GAP)),
            Self::Freed(until) if now < until => (*self, Some(until)),
            Self::Clear | Self::Watched(_) | Self::Freed(_) => (Self::Clear, None),
        };
        *self = next;
        ask_again
    }

    /// The same for a way that does not carry everything, but `rate` bits per second, for a chunk of `bytes`. A little that waits
    /// there is no hindrance by itself: a chunk arrives as long behind the one before as it takes. For a small one behind a
    /// large one that is too short.
    pub fn ask_again_if_slow(
        &mut self,
        now: Instant,
        backlog: Backlog,
        rate: u32,
        bytes: u64,
    ) -> Option<Instant> {
        let takes = |bytes: u64| Duration::from_millis(8000 * bytes / u64::from(rate).max(1));
        let short_of_gap = SHORTEST_GAP.saturating_sub(takes(bytes));
        // What was heard of last was sent back a round trip before what leaves now arrives.
        let since_arrival = backlog.since_heard.saturating_add(backlog.round_trip);
        let may_wait = if short_of_gap.is_zero() { QUEUE } else { Duration::ZERO };
        // Nothing arrives while something that was lost is sent again, and then all that is behind it.
        let is_stopped = backlog.waiting > 0 && backlog.since_heard > backlog.round_trip + takes(2 * PACKET);
        let (next, ask_again) = match *self {
            // What is not known to have arrived within a round trip may have.
            _ if is_stopped || takes(backlog.waiting) > backlog.round_trip + may_wait => {
                (Self::Blocked(backlog.delivered), Some(now + LOOK_EVERY))
            }
            _ if short_of_gap.is_zero() => (Self::Clear, None),
            Self::Freed(until) if now < until => (*self, Some(until)),
            Self::Clear | Self::Watched(_) | Self::Blocked(_) if since_arrival < short_of_gap => {
                let until = now + (short_of_gap - since_arrival);
                (Self::Freed(until), Some(until))
            }
            _ => (Self::Clear, None),
        };
        *self = next;
        ask_again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(delivered: u64) -> Backlog {
        Backlog { age: Duration::from_millis(60), delivered, waiting: 1000, busy: true, ..Backlog::default() }
    }

    fn arrived(delivered: u64) -> Backlog {
        Backlog { delivered, since_heard: Duration::from_secs(1), ..Backlog::default() }
    }

    /// How many milliseconds after `start` it is asked again, for each backlog at the time that was asked for.
    fn asked_again(backlogs: impl IntoIterator<Item = Backlog>) -> Vec<Option<u128>> {
        let start = Instant::now();
        let mut clearance = Clearance::default();
        let mut now = start;
        let mut ask = |backlog| {
            let again = clearance.ask_again(now, backlog);
            now = again.unwrap_or(now + Duration::from_millis(100));
            again.map(|again| (again - start).as_millis())
        };
        backlogs.into_iter().map(&mut ask).collect()
    }

    #[test]
    fn a_chunk_follows_at_once_what_has_arrived() {
        assert_eq!(asked_again([arrived(0), arrived(9000), arrived(18_000)]), [None, None, None]);
    }

    #[test]
    fn a_way_that_is_only_slow_delays_a_chunk_by_a_moment() {
        assert_eq!(asked_again([waits(1000), waits(4000)]), [Some(30), None]);
        assert_eq!(asked_again([waits(1000), arrived(9000)]), [Some(30), None]);
    }

    #[test]
    fn what_waits_on_a_blocked_way_is_followed_some_time_after_it_got_through() {
        let blocked = [waits(1000), waits(1000), waits(1000), waits(1000)];
        let freed = [arrived(9000), arrived(9000), arrived(9000)];
        let expected = [Some(30), Some(40), Some(50), Some(60), Some(110), None, None];
        assert_eq!(asked_again(blocked.into_iter().chain(freed)), expected);
    }

    #[test]
    fn on_a_slow_way_only_a_small_chunk_waits_for_what_is_before_it() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let (rate, large, small) = (400_000, 2500, 600);
        let mut clearance = Clearance::default();
        let mut ask = |at, backlog, bytes| clearance.ask_again_if_slow(after(at), backlog, rate, bytes);
        assert_eq!(ask(0, waits(1000), large), None);
        assert_eq!(ask(0, arrived(9000), small), None);
        assert_eq!(ask(100, waits(9000), small), Some(after(110)));
        assert_eq!(ask(110, waits(9500), small), Some(after(120)));
        let just_now = Backlog { since_heard: Duration::from_millis(4), ..arrived(12_000) };
        assert_eq!(ask(120, just_now, small), Some(after(154)));
        assert_eq!(ask(154, arrived(12_000), small), None);
        let far = Backlog { round_trip: Duration::from_millis(100), ..waits(12_000) };
        assert_eq!(ask(200, far, small), None, "it has arrived, and only its acknowledgement has not");
    }

    #[test]
    fn on_a_slow_way_no_more_waits_than_a_router_takes_in() {
        let start = Instant::now();
        let of = |waiting| Backlog { waiting, ..waits(1000) };
        let mut clearance = Clearance::default();
        let mut ask = |backlog| clearance.ask_again_if_slow(start, backlog, 400_000, 5000);
        assert_eq!(ask(of(8000)), Some(start + LOOK_EVERY), "160 ms");
        assert_eq!(ask(of(7000)), None, "140 ms");
        assert_eq!(ask(Backlog { round_trip: Duration::from_millis(40), ..of(8000) }), None);
        let lost = Backlog { since_heard: Duration::from_millis(70), ..of(1000) };
        assert_eq!(ask(lost), Some(start + LOOK_EVERY), "nothing arrived in the time of two packets");
    }

    #[test]
    fn on_a_slow_way_a_small_chunk_keeps_away_from_one_that_has_just_arrived() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let just_now = Backlog { since_heard: Duration::from_millis(16), ..arrived(12_000) };
        let mut clearance = Clearance::default();
        let mut ask = |at, backlog| clearance.ask_again_if_slow(after(at), backlog, 400_000, 600);
        assert_eq!(ask(0, just_now), Some(after(22)), "12 ms for itself, 16 since the last");
        // What somebody else sends tells nothing, and must not delay it again and again.
        assert_eq!(ask(22, Backlog { since_heard: Duration::ZERO, ..just_now }), None);
        assert_eq!(ask(100, Backlog { round_trip: Duration::from_millis(30), ..just_now }), None);
    }
}
