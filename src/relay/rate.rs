//! Token buckets: so many per second, with a burst. Pure; time comes in.

use std::time::Instant;

/// How much of something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// In the long run.
    pub per_second: u32,
    /// At once, after a quiet time.
    pub burst: u32,
}

impl Allowance {
    /// So many per second, `burst` at once.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Rate {
    allowance: Allowance,
    left: f64,
    at: Instant,
}

impl Rate {
    /// A full bucket at `now`.
    pub fn new(allowance: Allowance, now: Instant) -> Self {
        Self { allowance, left: allowance.burst.into(), at: now }
    }

    /// Whether one more is within the rate at `now`; if so, it is counted.
    pub fn admits(&mut self, now: Instant) -> bool {
        self.admits_all(1, now)
    }

    /// Whether `count` more are within the rate at `now`; if so, they are counted.
    pub fn admits_all(&mut self, count: u32, now: Instant) -> bool {
        let left = self.left(now);
        if left < count.into() {
            return false;
        }
        self.left = left - f64::from(count);
        self.at = now;
        true
    }

    /// Whether one more would be within the rate at `now`.
    pub fn would_admit(&self, now: Instant) -> bool {
        self.left(now) >= 1.0
    }

    /// Whether the bucket is as full at `now` as a new one.
    pub fn is_rested(&self, now: Instant) -> bool {
        self.left(now) >= self.allowance.burst.into()
    }

    fn left(&self, now: Instant) -> f64 {
        let gained =
            now.saturating_duration_since(self.at).as_secs_f64() * f64::from(self.allowance.per_second);
        (self.left + gained).min(self.allowance.burst.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn admits_a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(Allowance::new(2, 3), start);
        assert_eq!([(); 4].map(|()| rate.admits(start)), [true, true, true, false]);
        let half_a_second = start + Duration::from_millis(500);
        assert_eq!([(); 2].map(|()| rate.admits(half_a_second)), [true, false]);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!([(); 4].map(|()| rate.admits(much_later)), [true, true, true, false]);
    }

    #[test]
    fn many_are_admitted_together_or_not_at_all() {
        let start = Instant::now();
        let mut rate = Rate::new(Allowance::new(100, 1000), start);
        assert_eq!([600, 600, 400].map(|count| rate.admits_all(count, start)), [true, false, true]);
    }

    #[test]
    fn a_rate_of_zero_admits_nothing() {
        let start = Instant::now();
        assert!(!Rate::new(Allowance::new(0, 0), start).admits(start + Duration::from_secs(60)));
    }
}
