//! How long to wait before the next attempt to join.

use std::time::Duration;

/// The first ceiling.
const FIRST: Duration = Duration::from_millis(500);

/// The last ceiling.
const LAST: Duration = Duration::from_secs(30);

/// Exponential back-off with full jitter: each wait is drawn evenly from zero to a ceiling that doubles from
/// 0.5 s to 30 s, so that a hundred agents do not fall upon a restarted relay in step.
///
/// Pure: the random number comes in as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long a session must have been joined for its end not to count as one more failure: reset the
    /// back-off then. A relay that takes the join and drops the connection at once is a failing relay.
    pub const HEALTHY: Duration = Duration::from_secs(10);

    /// The wait after one more failure; `random` is even in 0 (included) to 1 (excluded), and is forced into
    /// it.
    pub fn after_failure(&mut self, random: f64) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(fraction(random))
    }

    /// The wait after an end that soon trying again cannot mend: another login took the seat, the meeting is
    /// over, the token is refused. Drawn from 15 to 30 s.
    pub fn after_refusal(&mut self, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        LAST.mul_f64(0.5 + fraction(random) / 2.0)
    }

    /// Begins again with short waits.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    fn ceiling(self) -> Duration {
        2_u32.checked_pow(self.failures).map_or(LAST, |factor| FIRST.saturating_mul(factor).min(LAST))
    }
}

fn fraction(random: f64) -> f64 {
    if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ceilings_double_from_half_a_second_to_thirty() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.after_failure(1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        backoff.reset();
        assert_eq!(backoff.after_failure(0.5), Duration::from_millis(250));
    }

    #[test]
    fn a_refusal_waits_at_least_fifteen_seconds_even_the_first_time() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after_refusal(0.0), Duration::from_secs(15));
        assert_eq!(backoff.after_refusal(1.0), Duration::from_secs(30));
    }

    proptest! {
        #[test]
        fn no_failure_count_and_no_number_leaves_the_range(failures: u32, random: f64) {
            let mut backoff = Backoff { failures };
            prop_assert!(backoff.after_failure(random) <= LAST);
            prop_assert!(backoff.after_refusal(random) >= LAST / 2);
        }
    }
}
