//! How long to wait before the next attempt to join.

use std::time::Duration;

/// The first ceiling.
const FIRST: Duration = Duration::from_millis(500);

/// The last ceiling. Together with the 10 s that an attempt may take, all agents are back within half a minute after their
/// relay is; two hundred of them make 30 attempts a second meanwhile.
const LAST: Duration = Duration::from_secs(15);

/// The longest wait after a refusal.
const REFUSED: Duration = Duration::from_secs(30);

/// Exponential back-off with full jitter: each wait is drawn evenly from zero to a ceiling that doubles from
/// 0.5 s to 15 s, so that a hundred agents do not fall upon a restarted relay in step.
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

    /// The wait after one more failure of an attempt that took so long; `random` is even in 0 (included) to 1 (excluded),
    /// and is forced into it.
    ///
    /// Those who waited in vain for the same relay give up at the same moment: the longer they waited, the further they
    /// are spread.
    pub fn after_failure(&mut self, took: Duration, random: f64) -> Duration {
        let ceiling = self.ceiling().max(took.min(LAST));
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(fraction(random))
    }

    /// The wait after an end that soon trying again cannot mend: another login took the seat, the meeting is
    /// over, the token is refused. Drawn from 15 to 30 s.
    pub fn after_refusal(&mut self, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        REFUSED.mul_f64(0.5 + fraction(random) / 2.0)
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
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn ceilings_double_from_half_a_second_to_fifteen() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> =
            (0..9).map(|_| backoff.after_failure(Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000]);
        backoff.reset();
        assert_eq!(backoff.after_failure(Duration::ZERO, 0.5), Duration::from_millis(250));
    }

    #[test]
    fn after_a_long_attempt_the_ceiling_is_as_high_as_that_took() {
        let took = Duration::from_secs(10);
        let mut backoff = Backoff::default();
        let waits = [took, took, Duration::ZERO].map(|took| backoff.after_failure(took, 0.5).as_millis());
        assert_eq!(waits, [5000, 5000, 1000]);
        assert_eq!(backoff.after_failure(4 * took, 1.0), LAST);
    }

    #[test]
    fn a_refusal_waits_at_least_fifteen_seconds_even_the_first_time() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after_refusal(0.0), Duration::from_secs(15));
        assert_eq!(backoff.after_refusal(1.0), Duration::from_secs(30));
    }

    /// Agents that lose their relay at the same moment.
    const HERD: usize = 200;
    /// How long connecting may take (`Limits::connect_timeout`).
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// When the kernel knocks again at a machine that does not answer, after the first time.
    const KNOCKS: [f64; 3] = [1.0, 3.0, 7.0];

    /// What a herd did, in seconds after the relay was back.
    struct Herd {
        back: Vec<f64>,
        attempts: Vec<f64>,
    }

    /// The relay is away for so many seconds. Meanwhile its machine refuses connections, or does not answer at all.
    fn herd(seed: u64, outage: f64, answers: bool) -> Herd {
        let mut random = StdRng::seed_from_u64(seed);
        let mut herd = Herd { back: Vec::new(), attempts: Vec::new() };
        for _ in 0..HERD {
            let mut backoff = Backoff::default();
            let (mut now, mut took) = (0.0, Duration::ZERO);
            loop {
                now += backoff.after_failure(took, random.random()).as_secs_f64();
                herd.attempts.push(now - outage);
                let heard = |knock: &f64| now + knock >= outage;
                let waits = if answers { &[][..] } else { &KNOCKS };
                if let Some(knock) = [0.0].iter().chain(waits).find(|knock| heard(knock)) {
                    herd.back.push(now + knock - outage);
                    break;
                }
                took = if answers { Duration::ZERO } else { CONNECT_TIMEOUT };
                now += took.as_secs_f64();
            }
        }
        herd
    }

    /// The most that fall into one second.
    fn peak(times: &[f64]) -> usize {
        let within = |from: &f64| times.iter().filter(|at| (0.0..1.0).contains(&(*at - from))).count();
        times.iter().map(within).max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn a_herd_is_back_within_half_a_minute_and_does_not_come_in_step(seed: u64, outage in 0.0..600.0, answers: bool) {
            let Herd { back, attempts } = herd(seed, outage, answers);

            let last = back.into_iter().fold(0.0, f64::max);
            prop_assert!(last < 26.0, "the last is back after {last} s, and has not joined yet");
            // A relay that was away for a moment meets all of them; one that was away for longer, a trickle. Those who
            // wait in vain give up in step, again and again, and must not come in step again.
            let most = if outage < 10.0 { HERD } else { HERD / 3 };
            let after: Vec<_> = attempts.into_iter().filter(|at| *at >= 0.0).collect();
            prop_assert!(peak(&after) <= most, "{} in a second", peak(&after));
        }
    }

    proptest! {
        #[test]
        fn no_failure_count_and_no_number_leaves_the_range(failures: u32, took: Duration, random: f64) {
            let mut backoff = Backoff { failures };
            prop_assert!(backoff.after_failure(took, random) <= LAST);
            prop_assert!(backoff.after_refusal(random) >= REFUSED / 2);
        }
    }
}
