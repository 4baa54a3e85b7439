//! A token bucket: so many per second, with a burst of as many. Pure; time comes in.

use std::time::Instant;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    /// A full bucket of `per_second` at `now`.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: per_second.into(), left: per_second.into(), at: now }
    }

    /// Whether one more is within the rate at `now`; if so, it is counted.
    pub fn admits(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.per_second);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn admits_a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(2, start);
        assert_eq!([(); 3].map(|()| rate.admits(start)), [true, true, false]);
        let half_a_second = start + Duration::from_millis(500);
        assert_eq!([(); 2].map(|()| rate.admits(half_a_second)), [true, false]);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!([(); 3].map(|()| rate.admits(much_later)), [true, true, false]);
    }

    #[test]
    fn a_rate_of_zero_admits_nothing() {
        let start = Instant::now();
        assert!(!Rate::new(0, start).admits(start + Duration::from_secs(60)));
    }
}
