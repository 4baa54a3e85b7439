//! The rate controller on a simulated link: an encoder that obeys roughly, chunks every 100 ms, a small kernel buffer.

// Helpers of tests may panic like tests do; clippy knows that only of functions marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use roomcam::publish::pressure::{Pressure, PressureGauge};
use roomcam::publish::quality::{Picture, Quality, RateLimits, Reason};
use roomcam::publish::rate::{Observation, RateController};

const TICK: u64 = 10;
const CHUNK: u64 = 100;
const LIMITS: RateLimits =
    RateLimits { min_bitrate: 60_000, max_bitrate: 800_000, frame_rate: 30, other_bitrate: 40_000 };
/// What is sent at full quality, in bits per second.
const FULL: f64 = 840_000.0;

/// Noise without a dependency: xorshift.
struct Noise(u64);

impl Noise {
    /// Evenly from 0.7 to 1.3.
    fn factor(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        0.7 + 0.6 * (self.0 % 10_000) as f64 / 10_000.0
    }
}

struct Chunk {
    cut: u64,
    left: f64,
}

/// Sender and link. All times in milliseconds, all sizes in bytes.
struct Simulation {
    start: Instant,
    now: u64,
    noise: Noise,
    controller: RateController,
    gauge: PressureGauge,
    next_frame: f64,
    frames: u64,
    /// What a picture has at least, however few bits the encoder is given: noise does not get smaller.
    least_picture: f64,
    /// A held picture ends with a key frame.
    key_due: bool,
    /// When pictures were held back by pressure.
    held: Vec<u64>,
    /// Media of the chunk to come.
    open: f64,
    /// Chunks that are not wholly in the kernel.
    queue: VecDeque<Chunk>,
    /// Chunks in the kernel: when they were cut, and what lies in the kernel up to their end.
    kernel: VecDeque<Chunk>,
    delivered: f64,
    /// `(when, from the cut to the receiver)`.
    delays: Vec<(u64, u64)>,
    qualities: Vec<(u64, Quality, Reason)>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: 0,
            noise: Noise(seed.max(1)),
            controller: RateController::new(LIMITS, start),
            gauge: PressureGauge::default(),
            next_frame: 0.0,
            frames: 0,
            least_picture: 0.0,
            key_due: true,
            held: Vec::new(),
            open: 0.0,
            queue: VecDeque::new(),
            kernel: VecDeque::new(),
            delivered: 0.0,
            delays: Vec::new(),
            qualities: vec![],
        }
    }

    fn at(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    /// Runs for so many seconds at so many bits per second.
    fn run(&mut self, seconds: u64, link: f64) -> &mut Self {
        let end = self.now + seconds * 1000;
        while self.now < end {
            self.now += TICK;
            self.encode();
            self.send(link);
            if self.now.is_multiple_of(CHUNK) {
                self.observe();
                self.open += f64::from(LIMITS.other_bitrate) / 8.0 * CHUNK as f64 / 1000.0;
                self.queue.push_back(Chunk { cut: self.now, left: std::mem::take(&mut self.open) });
            }
        }
        self
    }

    fn encode(&mut self) {
        let frame_rate = f64::from(self.controller.quality().frame_rate);
        if (self.now as f64) < self.next_frame {
            return;
        }
        self.next_frame += 1000.0 / frame_rate;
        if self.gauge.pressure() > Pressure::Easy || self.controller.picture() == Picture::Held {
            self.key_due = true;
            self.held.push(self.now);
            return;
        }
        self.frames += 1;
        let delta = f64::from(self.controller.encoder_bitrate()) / 8.0 / frame_rate;
        let key = std::mem::take(&mut self.key_due) || self.frames.is_multiple_of(120);
        let picture = delta * self.noise.factor() * if key { 5.0 } else { 1.0 };
        self.open += picture.max(self.least_picture * if key { 3.5 } else { 1.0 });
    }

    fn send(&mut self, link: f64) {
        let mut credit = link / 8.0 * TICK as f64 / 1000.0;
        while let Some(first) = self.kernel.front_mut() {
            let sent = credit.min(first.left);
            first.left -= sent;
            credit -= sent;
            self.delivered += sent;
            if first.left > 0.01 {
                break;
            }
            self.delays.push((self.now, self.now - first.cut));
            self.kernel.pop_front();
        }
        // In flight, and unsent: 50 ms of the link and 4 KiB.
        let mut room = link / 8.0 * 0.05 + 4096.0 - self.kernel.iter().map(|chunk| chunk.left).sum::<f64>();
        while let Some(first) = self.queue.front_mut() {
            let taken = room.min(first.left).max(0.0);
            room -= taken;
            first.left -= taken;
            let whole = first.left < 0.01;
            match self.kernel.back_mut() {
                Some(last) if last.cut == first.cut => last.left += taken,
                _ => self.kernel.push_back(Chunk { cut: first.cut, left: taken }),
            }
            if !whole {
                break;
            }
            self.queue.pop_front();
        }
    }

    fn observe(&mut self) {
        let oldest = self.kernel.front().or(self.queue.front());
        let age = Duration::from_millis(oldest.map_or(0, |chunk| self.now - chunk.cut));
        let now = self.at();
        if self.gauge.observe(now, age) >= Pressure::Stuck {
            self.queue.truncate(1);
        }
        let delivered = std::mem::take(&mut self.delivered) as u64;
        let seen = Observation { now, age, delivered, busy: !age.is_zero() };
        let quality = self.controller.observe(seen);
        assert!(self.controller.encoder_bitrate() <= LIMITS.max_bitrate);
        assert!(self.controller.encoder_bitrate() >= LIMITS.min_bitrate);
        assert!((5..=LIMITS.frame_rate).contains(&quality.frame_rate));
        if self.qualities.last().is_none_or(|(_, last, _)| *last != quality) {
            self.qualities.push((self.now, quality, self.controller.reason()));
        }
    }

    /// The delay in milliseconds that so many percent of the chunks that arrived since then stay below.
    fn delay(&self, percent: usize, since: u64) -> u64 {
        let mut delays: Vec<u64> =
            self.delays.iter().filter(|(when, _)| *when >= since).map(|(_, delay)| *delay).collect();
        delays.sort_unstable();
        delays[(delays.len() - 1) * percent / 100]
    }

    /// When the quality changed since then.
    fn changes(&self, since: u64) -> Vec<u64> {
        self.qualities.iter().map(|(when, ..)| *when).filter(|when| *when > since).collect()
    }
}

/// The largest number of changes in any 30 s.
fn most_in_30_s(changes: &[u64]) -> usize {
    changes
        .iter()
        .map(|first| changes.iter().filter(|when| (*first..first + 30_000).contains(*when)).count())
        .max()
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_link_that_carries_a_fifth_more_changes_nothing_in_five_minutes(seed: u64) {
        let mut simulation = Simulation::new(seed);
        simulation.run(300, 1.2 * FULL);
        prop_assert_eq!(simulation.changes(0), vec![100], "{:?}", simulation.qualities);
    }

    #[test]
    fn at_half_the_rate_the_delay_is_small_after_three_seconds(seed: u64) {
        let mut simulation = Simulation::new(seed);
        simulation.run(60, 0.5 * FULL);
        let p95 = simulation.delay(95, 3_000);
        prop_assert!(p95 <= 400, "{p95} ms, {:?}", simulation.qualities);
    }

    /// The test picture has noise in it, of some 2600 bytes a picture: at 30 in a second that is half more than the link has, and
    /// two of three pictures were held back.
    #[test]
    fn an_encoder_that_makes_no_small_pictures_is_given_fewer_of_them(seed: u64) {
        let mut simulation = Simulation::new(seed);
        simulation.least_picture = 2600.0;
        simulation.run(60, 0.5 * FULL);
        let held = simulation.held.iter().filter(|when| **when > 4_000).count();
        prop_assert!(held <= 500, "{held} pictures in a minute, {:?}", simulation.qualities);
        let p95 = simulation.delay(95, 4_000);
        prop_assert!(p95 <= 600, "{p95} ms, {:?}", simulation.qualities);
    }

    #[test]
    fn it_converges_within_ten_seconds_and_settles(seed: u64, part in 0.15..1.0_f64) {
        let link = part * FULL;
        let mut simulation = Simulation::new(seed);
        simulation.run(120, link);
        let changes = simulation.changes(10_000);
        prop_assert!(most_in_30_s(&changes) <= 1, "{part}: {:?}", simulation.qualities);
        let quality = simulation.controller.quality();
        let used = f64::from(quality.bitrate + LIMITS.other_bitrate) / link;
        // What misses a few percent is left to the pressure: it holds a picture now and then.
        prop_assert!(used <= 1.04, "{part}: {used} of the link");
        let p95 = simulation.delay(95, 10_000);
        prop_assert!(p95 <= 600, "{part}: {p95} ms");
        prop_assert!(used >= 0.6 || quality.picture == Picture::Held, "{part}: {used} of the link");
    }

    #[test]
    fn full_quality_is_back_within_fifteen_seconds(seed: u64, slow in 5..60_u64) {
        let mut simulation = Simulation::new(seed);
        simulation.run(10, 2.0 * FULL).run(slow, 0.5 * FULL);
        let back = simulation.now;
        prop_assert!(simulation.controller.quality().bitrate < LIMITS.max_bitrate);
        simulation.run(60, 2.0 * FULL);
        let full = simulation.qualities.iter().find(|(when, quality, _)| {
            *when > back && quality.bitrate == LIMITS.max_bitrate && quality.frame_rate == LIMITS.frame_rate
        });
        let (when, _, reason) = full.expect("never full again");
        prop_assert!(*when - back <= 15_000, "after {} ms, {:?}", when - back, simulation.qualities);
        prop_assert_eq!(*reason, Reason::Full);
        prop_assert_eq!(simulation.changes(*when), Vec::<u64>::new(), "it overshot");
    }

    #[test]
    fn a_link_that_carries_only_the_voice_holds_the_picture(seed: u64) {
        let mut simulation = Simulation::new(seed);
        simulation.run(120, 64_000.0);
        prop_assert_eq!(simulation.controller.quality().picture, Picture::Held);
        let p95 = simulation.delay(95, 10_000);
        prop_assert!(p95 <= 1_000, "{p95} ms, {:?}", simulation.qualities);
    }

    #[test]
    fn an_outage_changes_the_quality_only_while_it_lasts(seed: u64) {
        let mut simulation = Simulation::new(seed);
        simulation.run(10, 2.0 * FULL).run(4, 0.0);
        prop_assert_eq!(simulation.controller.reason(), Reason::Stall);
        simulation.run(6, 2.0 * FULL);
        prop_assert_eq!(simulation.controller.reason(), Reason::Full, "{:?}", simulation.qualities);
    }

    /// Whatever is observed, the limits hold.
    #[test]
    fn the_limits_hold_whatever_is_observed(
        seen in prop::collection::vec((0..2_000_u64, 0..9_000_u64, 0..200_000_u64, any::<bool>()), 1..300),
    ) {
        let mut now = Instant::now();
        let mut controller = RateController::new(LIMITS, now);
        for (after, age, delivered, busy) in seen {
            now += Duration::from_millis(after);
            let quality = controller.observe(Observation { now, age: Duration::from_millis(age), delivered, busy });
            for bitrate in [quality.bitrate, controller.encoder_bitrate()] {
                prop_assert!((LIMITS.min_bitrate..=LIMITS.max_bitrate).contains(&bitrate), "{bitrate}");
            }
            prop_assert!((5..=LIMITS.frame_rate).contains(&quality.frame_rate));
        }
    }
}

#[test]
fn what_waits_is_drained_by_half_the_target_once_the_capacity_is_known() {
    let mut now = Instant::now();
    let mut controller = RateController::new(LIMITS, now);
    let mut observe = |age: u64, busy: bool| {
        now += Duration::from_millis(CHUNK);
        let seen = Observation { now, age: Duration::from_millis(age), delivered: 5_000, busy };
        let quality = controller.observe(seen);
        (quality.bitrate, controller.encoder_bitrate())
    };
    for _ in 0..5 {
        assert_eq!(observe(140, true), (LIMITS.max_bitrate, LIMITS.max_bitrate));
    }

    let (bitrate, encoded) = observe(200, true);
    assert!(bitrate < 360_000, "{bitrate} on a link of 400 kbit/s");
    assert_eq!(encoded, bitrate / 2);
    assert_eq!(observe(130, true), (bitrate, bitrate / 2), "until it has gone");
    assert_eq!(observe(100, true), (bitrate, bitrate));
}

#[test]
#[ignore = "prints how it goes, for people who change the constants"]
fn trace() {
    for part in [2.0, 1.2, 0.9, 0.7, 0.5, 0.25, 0.15, 0.076] {
        let mut simulation = Simulation::new(42);
        simulation.run(120, part * FULL);
        println!(
            "{part}: p50 {} p95 {} p99 {} ms",
            simulation.delay(50, 3_000),
            simulation.delay(95, 3_000),
            simulation.delay(99, 3_000)
        );
        for (when, quality, reason) in &simulation.qualities {
            println!("  {when:6} {reason} {quality:?}");
        }
    }
}
