//! How urgently media must be left out, told from how long it waits.
//!
//! The measure is the **age of the oldest media on their way**: how long ago the oldest chunk was cut that has not wholly
//! arrived, wherever it waits, less what the way takes when it is empty. What the kernel was given counts too: a router's
//! queue and `TCP_NOTSENT_LOWAT` hold hundreds of milliseconds of a slow link before anything waits in this process. Chunks
//! are cut every 100 ms, and a link that keeps up takes each at once, so the usual age is 0 to 100 ms.

use std::fmt;
use std::time::{Duration, Instant};

/// From this age on the voice comes noticeably late: some hundred milliseconds are what the queue of a router holds.
pub const TIGHT: Duration = Duration::from_millis(300);
/// From this age on media is too old to be worth sending.
pub const STUCK: Duration = Duration::from_millis(700);
/// From this age on a new connection is better than waiting for this one.
pub const DEAD: Duration = Duration::from_secs(8);

/// Below this age `Stuck` ends.
const UNSTUCK: Duration = Duration::from_millis(400);
/// The link keeps up when the age has stayed below this …
pub const CALM: Duration = Duration::from_millis(120);
/// … for so long.
const CALM_FOR: Duration = Duration::from_millis(500);

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Pressure {
    /// Nothing.
    #[default]
    Easy,
    /// New pictures: the last one is held, the voice goes on.
    Tight,
    /// All media but the newest.
    Stuck,
    /// The connection: it is closed and opened again. Final; a new connection has a gauge of its own.
    Dead,
}

impl Pressure {
    /// What an age means by itself.
    fn of(age: Duration) -> Self {
        match age {
            age if age >= DEAD => Self::Dead,
            age if age >= STUCK => Self::Stuck,
            age if age >= TIGHT => Self::Tight,
            _ => Self::Easy,
        }
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Easy => "easy",
            Self::Tight => "tight",
            Self::Stuck => "stuck",
            Self::Dead => "dead",
        })
    }
}

/// The pressure on one connection. It rises at once and falls with hysteresis.
#[derive(Debug, Clone, Default)]
pub struct PressureGauge {
    pressure: Pressure,
    /// Since when the age has been below [`CALM`].
    calm_since: Option<Instant>,
}

impl PressureGauge {
    /// The pressure at the last observation.
    pub fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// Takes note of the age at the time `now`, which must not go back; zero when nothing waits.
    pub fn observe(&mut self, now: Instant, age: Duration) -> Pressure {
        self.calm_since = if age < CALM { self.calm_since.or(Some(now)) } else { None };
        let calm = self.calm_since.is_some_and(|since| now.duration_since(since) >= CALM_FOR);
        let at_least = match self.pressure {
            Pressure::Dead => Pressure::Dead,
            Pressure::Stuck if age >= UNSTUCK => Pressure::Stuck,
            Pressure::Stuck | Pressure::Tight if !calm => Pressure::Tight,
            _ => Pressure::Easy,
        };
        self.pressure = Pressure::of(age).max(at_least);
        self.pressure
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: Duration = Duration::from_millis(50);

    /// What the gauge says of ages observed every 50 ms.
    fn gauge(ages: impl IntoIterator<Item = Duration>) -> Vec<Pressure> {
        let start = Instant::now();
        let mut gauge = PressureGauge::default();
        (0..).zip(ages).map(|(n, age)| gauge.observe(start + n * STEP, age)).collect()
    }

    fn millis(ages: &[u64]) -> Vec<Duration> {
        ages.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn it_rises_at_once_and_by_as_much_as_the_age_says() {
        use Pressure::{Dead, Easy, Stuck, Tight};

        assert_eq!(
            gauge(millis(&[0, 299, 300, 699, 700, 7999, 8000])),
            [Easy, Easy, Tight, Tight, Stuck, Stuck, Dead]
        );
    }

    #[test]
    fn stuck_becomes_tight_below_400_ms_and_easy_after_half_a_calm_second() {
        let ages = millis(&[1500, 500, 399]).into_iter().chain(vec![Duration::from_millis(100); 22]);

        let pressures = gauge(ages);

        assert_eq!(pressures[..3], [Pressure::Stuck, Pressure::Stuck, Pressure::Tight]);
        let tight = pressures.iter().filter(|pressure| **pressure == Pressure::Tight).count();
        // One observation before the calm, and the 10 that make half a second.
        assert_eq!((tight, pressures.last()), (11, Some(&Pressure::Easy)));
    }

    prop_compose! {
        fn ages()(ages in prop::collection::vec(prop_oneof![0..300_u64, 0..1500_u64, 0..9000_u64], 1..200)) -> Vec<Duration> {
            millis(&ages)
        }
    }

    proptest! {
        #[test]
        fn it_never_says_less_than_the_age(ages in ages()) {
            for (age, pressure) in ages.iter().zip(gauge(ages.clone())) {
                prop_assert!(pressure >= Pressure::of(*age), "{pressure} at {age:?}");
            }
        }

        #[test]
        fn dead_is_final(ages in ages()) {
            let pressures = gauge(ages);
            let dead = pressures.iter().skip_while(|pressure| **pressure != Pressure::Dead);
            prop_assert!(dead.into_iter().all(|pressure| *pressure == Pressure::Dead));
        }

        #[test]
        fn whatever_was_before_half_a_calm_second_ends_it_unless_dead(
            before in prop::collection::vec(0..8000_u64, 0..50),
            calm in prop::collection::vec(0..120_u64, 11..40),
        ) {
            let pressures = gauge(millis(&before).into_iter().chain(millis(&calm)));
            prop_assert_eq!(pressures.last(), Some(&Pressure::Easy));
        }

        #[test]
        fn an_age_that_swings_around_one_threshold_does_not_make_it_swing(
            around in prop::sample::select(vec![190_u64, 240, 500, 600]),
            swings in prop::collection::vec(-60..60_i64, 2..100),
        ) {
            let ages = swings.iter().map(|swing| Duration::from_millis(around.saturating_add_signed(*swing)));
            let pressures = gauge(ages);
            let changes = pressures.windows(2).filter(|pair| pair[0] != pair[1]).count();
            prop_assert!(changes <= 1, "{changes} changes");
        }

        #[test]
        fn it_goes_from_tight_to_easy_only_after_half_a_calm_second(ages in ages()) {
            let pressures = gauge(ages.clone());
            for (n, pair) in pressures.windows(2).enumerate() {
                if pair[0] > Pressure::Easy && pair[1] == Pressure::Easy {
                    let calm = ages[..=n + 1].iter().rev().take_while(|age| **age < CALM).count();
                    prop_assert!(calm > 10, "{calm} calm observations");
                }
            }
        }
    }
}
