//! Which estimates of a link are believed. Pure.
//!
//! Google Congestion Control learns from what is sent. Once a viewer is left with the voice alone, every estimate follows from
//! the voice: at most 1.5 times as much as arrives of it while all is well, and 0.85 times as much after the least delay. So
//! a moment in which a link was overfilled would cost the picture for minutes, on a link that carries it. Therefore an
//! estimate that is too low for a picture is not believed at once, and while it is believed it is checked: the estimator
//! begins anew from it, with probes of three and six times as much, as on a new connection.

use std::time::{Duration, Instant};

/// After how long a low estimate is checked first: what made it low has left the queues by then.
const FIRST_CHECK: Duration = Duration::from_millis(500);
/// After how long it is believed.
const DOUBTED: Duration = Duration::from_secs(2);
/// How long the first check of an estimate that is believed waits, and each twice as long as the one before …
const SHORTEST_BACK_OFF: Duration = Duration::from_secs(2);
/// … up to this: a probe is heard on a link that hardly carries the voice.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(32);
/// A link that has carried a picture for so long begins with the shortest back-off again.
const STEADY: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The estimate is enough for a picture.
    Enough { since: Instant },
    /// It is too low, and not believed until `believed`.
    Doubted { check: Option<Instant>, believed: Instant },
    /// It is too low, and believed.
    Low { check: Instant },
}

/// What a link carries, as far as that is believed.
#[derive(Debug)]
pub(super) struct Estimate {
    /// What a picture needs, in bits per second.
    needed: u64,
    /// The latest estimate, in bits per second.
    bits: Option<u64>,
    state: State,
    back_off: Duration,
}

impl Estimate {
    /// Nothing is known of a link on which a picture needs so many bits per second.
    pub(super) fn new(needed: u32, now: Instant) -> Self {
        Self {
            needed: u64::from(needed),
            bits: None,
            state: State::Enough { since: now },
            back_off: SHORTEST_BACK_OFF,
        }
    }

    /// The estimator says that the link carries `bits` per second.
    pub(super) fn update(&mut self, bits: u64, now: Instant) {
        self.bits = Some(bits);
        let enough = bits >= self.needed;
        self.state = match self.state {
            State::Enough { since } if !enough => {
                if now >= since + STEADY {
                    self.back_off = SHORTEST_BACK_OFF;
                }
                State::Doubted { check: Some(now + FIRST_CHECK), believed: now + DOUBTED }
            }
            State::Doubted { .. } | State::Low { .. } if enough => State::Enough { since: now },
            state => state,
        };
    }

    /// What the link is believed to carry, in bits per second.
    pub(super) fn believed(&self) -> Option<u64> {
        match self.state {
            State::Doubted { .. } => Some(self.needed),
            State::Enough { .. } | State::Low { .. } => self.bits,
        }
    }

    /// When [`Estimate::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Enough { .. } => None,
            State::Doubted { check, believed } => Some(check.unwrap_or(believed)),
            State::Low { check } => Some(check),
        }
    }

    /// Lets the time pass. Returns from how many bits per second the estimator is to begin anew, if the estimate is to be
    /// checked.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<u64> {
        match self.state {
            State::Doubted { check: Some(check), believed } if now >= check => {
                self.state = State::Doubted { check: None, believed };
                self.bits
            }
            State::Doubted { check: None, believed } if now >= believed => {
                self.wait_to_check(now);
                None
            }
            State::Low { check } if now >= check => {
                self.wait_to_check(now);
                self.bits
            }
            State::Enough { .. } | State::Doubted { .. } | State::Low { .. } => None,
        }
    }

    fn wait_to_check(&mut self, now: Instant) {
        self.state = State::Low { check: now + self.back_off };
        self.back_off = (self.back_off * 2).min(LONGEST_BACK_OFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: u32 = 150_000;

    /// The seconds at which the estimator begins anew until `end`, while it says the same.
    fn checks(estimate: &mut Estimate, start: Instant, end: Duration) -> Vec<f64> {
        let mut checks = Vec::new();
        while let Some(at) = estimate.poll_timeout().filter(|at| *at <= start + end) {
            checks.extend(estimate.handle_timeout(at).map(|_| (at - start).as_secs_f64()));
        }
        checks
    }

    #[test]
    fn an_estimate_that_is_enough_is_believed_at_once() {
        let now = Instant::now();
        let mut estimate = Estimate::new(NEEDED, now);
        assert_eq!(estimate.believed(), None);
        for bits in [150_000, 900_000, 200_000] {
            estimate.update(bits, now);
            assert_eq!((estimate.believed(), estimate.poll_timeout()), (Some(bits), None));
        }
    }

    #[test]
    fn a_low_estimate_is_checked_before_it_is_believed_and_ever_more_rarely_afterwards() {
        let now = Instant::now();
        let mut estimate = Estimate::new(NEEDED, now);
        estimate.update(70_000, now);
        assert_eq!(estimate.believed(), Some(150_000));
        assert_eq!(checks(&mut estimate, now, Duration::from_millis(1_999)), [0.5]);
        assert_eq!(estimate.believed(), Some(150_000));
        assert_eq!(
            checks(&mut estimate, now, Duration::from_secs(130)),
            [4.0, 8.0, 16.0, 32.0, 64.0, 96.0, 128.0]
        );
        assert_eq!(estimate.believed(), Some(70_000));
    }

    #[test]
    fn the_estimator_begins_anew_from_the_latest_estimate() {
        let now = Instant::now();
        let mut estimate = Estimate::new(NEEDED, now);
        estimate.update(70_000, now);
        estimate.update(90_000, now + Duration::from_millis(100));
        assert_eq!(estimate.handle_timeout(now + FIRST_CHECK), Some(90_000));
    }

    #[test]
    fn a_picture_that_is_soon_lost_again_comes_back_later_each_time() {
        let start = Instant::now();
        let mut estimate = Estimate::new(NEEDED, start);
        let (mut now, mut first_checks) = (start, Vec::new());
        for enough in [1, 1, 1, 30, 1] {
            estimate.update(70_000, now);
            let believed = now + DOUBTED;
            while estimate.poll_timeout().is_some_and(|at| at <= believed) {
                estimate.handle_timeout(estimate.poll_timeout().unwrap());
            }
            let check = estimate.poll_timeout().unwrap();
            first_checks.push((check - believed).as_secs());
            estimate.update(200_000, check);
            now = check + Duration::from_secs(enough);
        }
        assert_eq!(first_checks, [2, 4, 8, 16, 2]);
    }
}
