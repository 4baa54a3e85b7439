//! What the uplink of a session has room for: [`PressureGauge`] and [`RateController`] asked in one place, and what both
//! mean for the encoder. Pure.

use std::time::{Duration, Instant};

use super::pressure::{Pressure, PressureGauge, TIGHT};
use super::quality::{Picture, Quality, RateLimits, Reason, SizeStep};
use super::rate::{Observation, RateController};
use crate::capture::Encoding;
use crate::meeting::Backlog;

/// What would come later than this is not sent even if nothing is late yet.
const TOO_LATE: Duration = Duration::from_millis(600);
/// For so long it is waited at most until what is on its way has arrived.
const LONGEST_EMPTYING: Duration = Duration::from_secs(1);

/// One uplink, over all sessions.
#[derive(Debug)]
pub struct Uplink {
    gauge: PressureGauge,
    rate: RateController,
    /// What is sent beside the video, in bits per second.
    other_bitrate: u32,
    /// When the backlog was seen before, and its [`Backlog::delivered`].
    observed: Instant,
    delivered: u64,
    /// When something was first found to wait since then, and how much had arrived by that time.
    watched: Option<(Instant, u64)>,
    /// Since when, and from how much that had arrived, it is waited until nothing is on its way any more, because what would
    /// have followed would have come [`TOO_LATE`].
    emptying: Option<(Instant, u64)>,
}

impl Uplink {
    /// An uplink that nothing is known of, so the best quality is tried.
    pub fn new(limits: RateLimits, now: Instant) -> Self {
        Self {
            gauge: PressureGauge::default(),
            rate: RateController::new(limits, now),
            other_bitrate: limits.other_bitrate,
            observed: now,
            delivered: 0,
            watched: None,
            emptying: None,
        }
    }

    /// From now on the video has other bounds; what the link carries is found out anew.
    pub fn set_limits(&mut self, limits: RateLimits, now: Instant) {
        self.rate = RateController::new(limits, now);
        self.other_bitrate = limits.other_bitrate;
    }

    /// A new session, over which nothing was sent yet.
    pub fn reconnected(&mut self, now: Instant) {
        self.gauge = PressureGauge::default();
        self.rate.reconnected(now);
        (self.observed, self.delivered, self.watched, self.emptying) = (now, 0, None, None);
    }

    /// A chunk is due, and may be put off. Routers let the first bytes of a chunk through at once; what arrives from here on
    /// tells how slow the link is.
    pub fn watch(&mut self, now: Instant, backlog: Backlog) {
        if backlog.busy && self.watched.is_none() {
            self.watched = Some((now, backlog.delivered));
        }
    }

    /// Takes note of the backlog, and of the bytes that would follow it now; about ten times a second while media flow.
    ///
    /// A link that was thought to carry everything is found to be far slower before anything is old: then what follows
    /// would come too late, and the pressure is that of media that does. How long it takes until all has arrived tells what it
    /// carries, for nothing is to follow before.
    pub fn observe(&mut self, now: Instant, backlog: Backlog, following: u64) -> Pressure {
        let observed = std::mem::replace(&mut self.observed, now);
        let before = std::mem::replace(&mut self.delivered, backlog.delivered);
        let (since, before_that) =
            self.watched.take().filter(|(at, _)| *at < now).unwrap_or((observed, before));
        let thought_full = self.rate.reason() == Reason::Full;
        let delivered = backlog.delivered.saturating_sub(before);
        self.rate.observe(Observation { now, age: backlog.age, delivered, busy: backlog.busy });
        match self.emptying {
            Some(from) if !backlog.busy => {
                self.rate.carried(rate(from, now, backlog.delivered), now);
                self.emptying = None;
            }
            Some(_) => self.emptying = self.emptying.filter(|_| backlog.age < LONGEST_EMPTYING),
            None => {
                let arrived = backlog.delivered.saturating_sub(before_that);
                let elapsed = now.saturating_duration_since(since);
                let too_slow = thought_full
                    && backlog.busy
                    && takes_longer(backlog.waiting + following, TOO_LATE, arrived, elapsed);
                self.emptying = too_slow.then_some((since, before_that));
            }
        }
        self.gauge.observe(now, if self.is_emptying() { backlog.age.max(TIGHT) } else { backlog.age })
    }

    /// Whether the link was found to be so slow that pictures which were captured already would come too late, and that
    /// nothing is to follow what is on its way until all of it has arrived.
    pub fn is_emptying(&self) -> bool {
        self.emptying.is_some()
    }

    /// What is sent at most, in bits per second: what the link is trusted to carry, or what a probe tries.
    pub fn expected_bitrate(&self) -> u32 {
        self.rate.quality().bitrate.max(self.rate.encoder_bitrate()).saturating_add(self.other_bitrate)
    }

    /// What the link carries as far as is known, in bits per second: what it was last found to carry, or what is sent.
    pub fn known_bitrate(&self) -> u32 {
        let expected = self.expected_bitrate();
        self.rate.limit().map_or(expected, |limit| limit.min(expected))
    }

    /// How urgently media are left out.
    pub fn pressure(&self) -> Pressure {
        self.gauge.pressure()
    }

    /// What the link is trusted to carry, and why no more.
    pub fn quality(&self) -> (Quality, Reason) {
        (self.rate.quality(), self.rate.reason())
    }

    /// Whether the picture stands still, so that the voice gets through.
    pub fn holds_picture(&self) -> bool {
        self.pressure() > Pressure::Easy || self.carries_no_picture()
    }

    /// Whether the link has room for the voice alone, beyond the present pressure.
    pub fn carries_no_picture(&self) -> bool {
        self.rate.picture() == Picture::Held
    }

    /// Whether pictures may be missing, because the link has no room for all of them.
    pub fn leaves_out_pictures(&self) -> bool {
        self.holds_picture() || self.rate.reason() != Reason::Full
    }

    /// What the video encoder is to make.
    pub fn encoding(&self) -> Encoding {
        let (quality, reason) = self.quality();
        Encoding {
            bitrate: self.rate.encoder_bitrate(),
            base_bitrate: None,
            frame_rate: match reason {
                Reason::Full => 0,
                // An encoder follows a lower target late, and fewer pictures at once.
                _ if self.rate.drains() => (quality.frame_rate / 2).max(quality.frame_rate.min(5)),
                _ => quality.frame_rate,
            },
            drop: self.leaves_out_pictures(),
            halved: quality.size == SizeStep::Half,
            hold: self.holds_picture(),
        }
    }
}

/// The rate, in bits per second, of what arrived since a time at which so much had arrived.
#[allow(clippy::cast_precision_loss, reason = "a second of media is far from 2^52 bytes")]
fn rate((since, before): (Instant, u64), now: Instant, delivered: u64) -> f64 {
    let seconds = now.saturating_duration_since(since).as_secs_f64();
    delivered.saturating_sub(before) as f64 * 8.0 / seconds.max(f64::EPSILON)
}

/// Whether so many bytes take longer than `limit` on a link that has just delivered so many in `elapsed`. One that has
/// delivered nothing is not known to.
fn takes_longer(bytes: u64, limit: Duration, delivered: u64, elapsed: Duration) -> bool {
    delivered > 0 && u128::from(bytes) * elapsed.as_micros() > u128::from(delivered) * limit.as_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(100);
    /// What is sent in a beat, in bytes.
    const CHUNK: u64 = 10_400;

    fn limits() -> RateLimits {
        RateLimits { min_bitrate: 100_000, max_bitrate: 800_000, other_bitrate: 32_000, frame_rate: 30 }
    }

    /// The pressure a beat after the link has become one of so many bytes in a beat.
    fn a_beat_after(carried: u64) -> Pressure {
        let start = Instant::now();
        let mut uplink = Uplink::new(limits(), start);
        uplink.observe(start, Backlog { delivered: 5 * CHUNK, ..Backlog::default() }, CHUNK);
        let waiting = CHUNK.saturating_sub(carried);
        let age = if waiting > 0 { BEAT } else { Duration::ZERO };
        let delivered = 5 * CHUNK + carried;
        let backlog = Backlog { age, delivered, waiting, busy: waiting > 0, ..Backlog::default() };
        uplink.observe(start + BEAT, backlog, CHUNK)
    }

    #[test]
    fn a_link_that_is_far_slower_than_was_thought_is_found_out_within_a_beat() {
        assert_eq!(a_beat_after(CHUNK / 13), Pressure::Tight, "64 kbit/s");
        assert_eq!(a_beat_after(CHUNK / 4), Pressure::Tight, "a quarter of the rate");
    }

    /// An uplink that has just become one of a quarter of the rate, with the backlog that gave it away.
    fn found_too_slow(start: Instant) -> (Uplink, Backlog) {
        let mut uplink = Uplink::new(limits(), start);
        uplink.observe(start, Backlog::default(), CHUNK);
        let waiting = CHUNK * 3 / 4;
        let backlog = Backlog { age: BEAT, delivered: CHUNK / 4, waiting, busy: true, ..Backlog::default() };
        uplink.observe(start + BEAT, backlog, CHUNK);
        assert!(uplink.is_emptying());
        (uplink, backlog)
    }

    #[test]
    fn how_long_it_takes_to_empty_a_link_tells_what_it_carries() {
        let start = Instant::now();
        let (mut uplink, Backlog { delivered, waiting, .. }) = found_too_slow(start);
        let carried = (1..=30).map(|step| delivered + waiting * step / 30);
        for (step, delivered) in (11..).zip(carried) {
            assert!(uplink.is_emptying());
            assert!(uplink.holds_picture(), "{:?}", uplink.pressure());
            let waiting = CHUNK - delivered;
            let busy = waiting > 0;
            let age = if busy { BEAT * step / 10 } else { Duration::ZERO };
            let backlog = Backlog { age, delivered, waiting, busy, ..Backlog::default() };
            uplink.observe(start + BEAT * step / 10, backlog, CHUNK);
        }
        assert!(!uplink.is_emptying());
        let (quality, reason) = uplink.quality();
        assert_eq!(reason, Reason::Link);
        assert!((130_000..170_000).contains(&quality.bitrate), "{quality:?} of 208 kbit/s");
    }

    #[test]
    fn the_voice_does_not_wait_for_more_than_a_second() {
        let start = Instant::now();
        let (mut uplink, stuck) = found_too_slow(start);
        for step in 2..10 {
            uplink.observe(start + BEAT * step, Backlog { age: BEAT * step, ..stuck }, CHUNK);
            assert!(uplink.is_emptying());
        }
        uplink.observe(start + BEAT * 10, Backlog { age: BEAT * 10, ..stuck }, CHUNK);
        assert!(!uplink.is_emptying());
        assert_eq!(uplink.pressure(), Pressure::Stuck);
    }

    #[test]
    fn what_a_router_lets_through_at_once_does_not_hide_how_slow_a_link_is() {
        let start = Instant::now();
        let mut uplink = Uplink::new(limits(), start);
        uplink.observe(start, Backlog::default(), CHUNK);
        let at_once = CHUNK / 2;
        let busy = |delivered| Backlog {
            age: BEAT,
            delivered,
            waiting: CHUNK - delivered,
            busy: true,
            ..Backlog::default()
        };
        uplink.watch(start + BEAT, busy(at_once));
        uplink.watch(start + BEAT * 3 / 2, busy(at_once + 400));
        assert_eq!(uplink.observe(start + BEAT * 2, busy(at_once + 800), 2 * CHUNK), Pressure::Tight);
    }

    #[test]
    fn a_link_that_is_not_so_much_slower_or_blocked_for_a_moment_is_given_time() {
        assert_eq!(a_beat_after(CHUNK), Pressure::Easy);
        assert_eq!(a_beat_after(CHUNK / 2), Pressure::Easy);
        assert_eq!(a_beat_after(0), Pressure::Easy);
    }
}
