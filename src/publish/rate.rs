//! Which quality a link carries: from the age of unsent media and the bytes delivered to bitrate, frame rate and size.
//!
//! [`RateController`] is pure: time and measurements come in as an [`Observation`], a [`Quality`] goes out. It is put
//! together from known algorithms, fitted to a sender on TCP that sees neither loss nor round trips:
//!
//! - Down: the rate delivered while media waits is the link's capacity, and the target becomes 85 % of it. The factor is
//!   that of Google Congestion Control (draft-ietf-rmcat-gcc-02 §5.5); deriving the target from the delivered rate instead
//!   of halving the old one is common to it and to the dynamic bitrate of OBS Studio's RTMP output, which also begins at
//!   200 ms of waiting media.
//! - Only a link that has something to do is measured: what is delivered while nothing waits tells of the encoder and not
//!   of the link, the "application-limited" samples of BBR (draft-ietf-ccwg-bbr §4.1.2.4).
//! - Up: the encoder is given more for a moment, as in BBR's `ProbeBW_UP` state. If the age stays low, that is the new
//!   quality, and the next probe follows at once; if not, the next one waits longer. A probe is no change of quality.
//! - What waits is drained before anything else: until it has gone the encoder aims at half its target, as in BBR's `Drain`.
//!   An encoder follows a lowered target after some 300 ms only, and what it makes until then would hold the picture.
//! - A link that delivers nothing stalls. That tells nothing of its capacity, so the quality stays as it is.

use std::time::{Duration, Instant};

use super::capacity::Capacity;
use super::pressure::{CALM, TIGHT};
use super::quality::{Picture, Quality, RateLimits, Reason, SizeStep};

/// What a target is of the capacity measured; the rest drains what waits.
const UTILISATION: f64 = 0.85;
/// A capacity below this part of what is sent does not carry it. Above it, noise of the encoder has made media wait.
const CARRIES: f64 = 0.97;
/// The target is lowered by an observed capacity only by at least this factor …
const DOWN_STEP: f64 = 0.9;
/// … and raised only by at least this one: what is measured varies.
const UP_STEP: f64 = 1.15;
/// How long media may wait though the link carries the target, before the target is lowered all the same: the encoder does
/// not keep to it.
const OVERSHOOT: Duration = Duration::from_secs(3);
/// The age from which more is sent than the link carries: two chunks wait for a third.
const LATE: Duration = Duration::from_millis(150);

/// What of its target the encoder aims at while the link drains.
const DRAIN: f64 = 0.5;

/// What a probe sends, of what is sent otherwise …
const PROBE_GAIN: f64 = 1.5;
/// … and of the capacity last measured at least: less would not show in the age within the time of a probe, because the encoder
/// does not make all that it may.
const PROBE_ABOVE: f64 = 1.3;
/// What the kernel and the network may take in during a probe before media waits, in bits: a probe lasts longer by the time
/// that they take to be sent.
const HIDDEN: f64 = 16.0 * 1024.0 * 8.0;
/// How long a probe lasts beside that.
const PROBE: Duration = Duration::from_millis(1500);
/// A probe during which less than this part of what is allowed was sent proves nothing.
const BINDING: f64 = 0.9;
/// A probe that the highest bitrate keeps below this part of the capacity last measured is a close one.
const CLOSE: f64 = 1.2;
/// How long a close probe lasts.
const PROBE_CLOSE: Duration = Duration::from_secs(10);
/// How long a close probe waits longer than others: most of the quality is there already.
const CLOSE_BACK_OFF: u32 = 8;
/// How long after a probe that succeeded the next begins.
const PROBE_AGAIN: Duration = Duration::from_millis(500);
/// How long after a lowered target, or a first failed probe, the next begins.
const PROBE_FIRST: Duration = Duration::from_secs(4);
/// How long failed probes make the next one wait at most.
const PROBE_LONGEST: Duration = Duration::from_secs(6);
/// The same while the picture is held: there a probe that fails is heard, as a gap in the voice.
const PROBE_LONGEST_HELD: Duration = Duration::from_secs(64);

/// How long the bitrate must have been too low, or high enough, for another size.
const SIZE_AFTER: Duration = Duration::from_secs(4);
/// How long a size stays at least: a new one is a new epoch.
const SIZE_STAYS: Duration = Duration::from_secs(30);

/// What the sender saw since the observation before. About ten a second are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The time now; never goes back.
    pub now: Instant,
    /// The age of the oldest unsent media, as in [`super::pressure`].
    pub age: Duration,
    /// Bytes that arrived since the observation before; of messages in part, too, for a large one takes seconds on a slow
    /// link and would look like a stall.
    pub delivered: u64,
    /// Whether media waited all the time since then. If not, the link may carry more than was delivered.
    pub busy: bool,
}

/// Decides on the quality of one connection's media.
#[derive(Debug, Clone)]
pub struct RateController {
    limits: RateLimits,
    quality: Quality,
    reason: Reason,
    capacity: Capacity,
    /// The capacity last found too small, in bits per second; `None` since a probe has shown that there is more.
    limit: Option<f64>,
    /// The probe under way.
    probe: Option<Probe>,
    /// When the next probe may begin.
    probe_from: Instant,
    /// How long a probe that fails makes the next one wait.
    back_off: Duration,
    /// Media has waited for longer than [`LATE`] on a link whose capacity is known, and is not calm yet.
    drains: bool,
    /// Since when media has waited for longer than [`LATE`].
    late_since: Option<Instant>,
    /// Since when the bitrate has asked for another size.
    size_wanted_since: Option<Instant>,
    size_changed: Option<Instant>,
    observed: Instant,
}

impl RateController {
    /// Begins with the best quality.
    pub fn new(limits: RateLimits, now: Instant) -> Self {
        let quality = limits.best_quality();
        Self {
            limits: RateLimits { min_bitrate: limits.min_bitrate.min(limits.max_bitrate), ..limits },
            quality,
            reason: Reason::Full,
            capacity: Capacity::default(),
            limit: None,
            probe: None,
            probe_from: now,
            back_off: PROBE_FIRST,
            drains: false,
            late_since: None,
            size_wanted_since: None,
            size_changed: None,
            observed: now,
        }
    }

    /// What the link is trusted to carry. Does not follow probes.
    pub fn quality(&self) -> Quality {
        self.quality
    }

    /// Why the link is not trusted to carry more.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the link was last found to carry, in bits per second, since when no probe has shown that there is more.
    pub fn limit(&self) -> Option<u32> {
        self.limit.map(to_bitrate)
    }

    /// Whether a probe is under way.
    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether less is made than the link carries, until what waits has gone.
    pub fn drains(&self) -> bool {
        self.drains
    }

    /// Whether new pictures are sent now: as the quality says, and during a probe from a held picture.
    pub fn picture(&self) -> Picture {
        if self.probe.is_some() && self.reason != Reason::Stall {
            Picture::Moving
        } else {
            self.quality.picture
        }
    }

    /// The target of the encoder now, in bits per second: the quality's, that of a probe, or less while the link drains.
    pub fn encoder_bitrate(&self) -> u32 {
        if self.drains {
            to_bitrate(f64::from(self.quality.bitrate) * DRAIN).max(self.limits.min_bitrate)
        } else {
            self.sent_bitrate()
        }
    }

    /// What is sent of the video, but for draining.
    fn sent_bitrate(&self) -> u32 {
        if self.probe.is_some() { self.probed_bitrate() } else { self.quality.bitrate }
    }

    /// A new connection: nothing is known of it but what the last one carried.
    pub fn reconnected(&mut self, now: Instant) {
        self.capacity = Capacity::default();
        (self.probe, self.drains, self.late_since, self.observed) = (None, false, None, now);
        if self.reason == Reason::Stall {
            self.resume(now);
        }
    }

    /// Takes note of what happened, and says the quality from here on.
    pub fn observe(&mut self, seen: Observation) -> Quality {
        let now = seen.now;
        let elapsed = now.saturating_duration_since(self.observed);
        self.observed = now;
        self.capacity.observe(elapsed, &seen);
        self.late_since = if seen.age >= LATE { self.late_since.or(Some(now)) } else { None };

        if self.reason == Reason::Stall {
            if seen.age < CALM {
                self.resume(now);
            }
        } else if self.capacity.stalls() {
            self.stall();
        } else if let Some(probe) = self.probe {
            self.watch_probe(&seen, probe);
            // What waits because of a probe says nothing of what is sent without it.
            self.late_since = None;
        } else if seen.age >= LATE {
            self.relieve(now);
        } else if seen.age < CALM && now >= self.probe_from && self.can_rise() {
            let until = now + self.probe_time();
            self.probe = Some(Probe { since: now, until, sent: 0, tight: false });
        }
        let waits = if self.drains { CALM } else { LATE };
        self.drains = self.probe.is_none() && self.limit.is_some() && seen.age >= waits;
        self.choose_size(now);
        self.quality
    }

    /// The link was found to carry so many bits per second, by nothing being sent until all had arrived.
    pub fn carried(&mut self, bits_per_second: f64, now: Instant) {
        if self.lacks(bits_per_second) && self.reason != Reason::Stall && self.probe.is_none() {
            self.follow(bits_per_second, now);
        }
    }

    /// What is sent in all, but for draining, in bits per second.
    fn sent(&self) -> f64 {
        f64::from(self.sent_bitrate()) + f64::from(self.limits.other_bitrate)
    }

    fn can_rise(&self) -> bool {
        self.quality.picture == Picture::Held || self.quality.bitrate < self.limits.max_bitrate
    }

    /// Whether the highest bitrate is hardly more than the link is known to carry.
    fn is_close(&self) -> bool {
        let most = f64::from(self.limits.max_bitrate) + f64::from(self.limits.other_bitrate);
        self.limit.is_some_and(|limit| most < limit * CLOSE)
    }

    fn probe_time(&self) -> Duration {
        let hidden = Duration::try_from_secs_f64(HIDDEN / self.sent()).unwrap_or(PROBE).min(PROBE);
        hidden + if self.is_close() { PROBE_CLOSE } else { PROBE }
    }

    /// When the next probe may begin, after less was found than is sent.
    fn wait_to_probe(&mut self, now: Instant) {
        let back_off = if self.is_close() { self.back_off * CLOSE_BACK_OFF } else { self.back_off };
        self.probe_from = now + back_off;
    }

    /// What a probe gives the encoder: a held picture begins with the least.
    fn probed_bitrate(&self) -> u32 {
        match self.quality.picture {
            Picture::Held => self.limits.min_bitrate,
            Picture::Moving => {
                let other = f64::from(self.limits.other_bitrate);
                let total = (f64::from(self.quality.bitrate) + other) * PROBE_GAIN;
                let total = self.limit.map_or(total, |limit| total.max(limit * PROBE_ABOVE));
                to_bitrate(total - other).min(self.limits.max_bitrate)
            }
        }
    }

    /// The capacity that was measured, if it is less than what is sent.
    fn lacking(&self) -> Option<f64> {
        self.capacity.bits_per_second().filter(|capacity| self.lacks(*capacity))
    }

    fn lacks(&self, capacity: f64) -> bool {
        capacity < self.sent() * CARRIES
    }

    /// The target becomes what the link carries.
    fn follow(&mut self, capacity: f64, now: Instant) {
        self.set_target(capacity, Reason::Link);
        self.wait_to_probe(now);
    }

    /// Media waits: lowers the target, if that is because of the link, or if it goes on.
    fn relieve(&mut self, now: Instant) {
        if let Some(capacity) = self.lacking() {
            self.follow(capacity, now);
        } else if self.late_since.is_some_and(|since| now.duration_since(since) >= OVERSHOOT) {
            self.set_target(self.sent(), Reason::Encoder);
            self.late_since = Some(now);
            self.wait_to_probe(now);
        }
    }

    fn watch_probe(&mut self, seen: &Observation, mut probe: Probe) {
        let now = seen.now;
        probe.tight |= seen.age >= TIGHT;
        probe.sent += seen.delivered;
        self.probe = Some(probe);
        let lacking = self.lacking().filter(|_| seen.age >= CALM);
        if let Some(capacity) = lacking {
            self.probe = None;
            self.set_target(capacity, Reason::Link);
            self.probe_failed(now);
        } else if now >= probe.until && probe.tight {
            self.probe = None;
            self.probe_failed(now);
        } else if now >= probe.until && self.proves_nothing(&probe, now) {
            self.probe = None;
            self.wait_to_probe(now);
        } else if now >= probe.until && seen.age < CALM {
            let bitrate = self.probed_bitrate();
            (self.probe, self.limit) = (None, None);
            self.set_quality(bitrate, Picture::Moving, Reason::Link);
            self.probe_from = now + PROBE_AGAIN;
            self.back_off = PROBE_FIRST;
        }
    }

    /// Whether no more was sent than the quality allows without the probe: a picture that hardly changes, or a camera that is
    /// off, tells nothing of the link.
    fn proves_nothing(&self, probe: &Probe, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(probe.since).as_secs_f64();
        let allowed = f64::from(self.quality.bitrate) + f64::from(self.limits.other_bitrate);
        #[allow(clippy::cast_precision_loss, reason = "a probe is far from 2^52 bytes")]
        let sent = probe.sent as f64 * 8.0;
        self.quality.picture == Picture::Moving && sent < allowed * seconds * BINDING
    }

    fn probe_failed(&mut self, now: Instant) {
        self.wait_to_probe(now);
        let longest = match self.quality.picture {
            Picture::Moving => PROBE_LONGEST,
            Picture::Held => PROBE_LONGEST_HELD,
        };
        self.back_off = (self.back_off * 2).min(longest);
    }

    /// Sets the target to what fits into the capacity, if that differs by more than the measurement varies.
    fn set_target(&mut self, capacity: f64, reason: Reason) {
        self.limit = Some(capacity);
        let fitting = capacity * UTILISATION - f64::from(self.limits.other_bitrate);
        let ratio = fitting / f64::from(self.quality.bitrate);
        if fitting < f64::from(self.limits.min_bitrate) {
            self.set_quality(self.limits.min_bitrate, Picture::Held, Reason::Minimum);
        } else if !(DOWN_STEP..UP_STEP).contains(&ratio) {
            self.set_quality(to_bitrate(fitting), self.quality.picture, reason);
        }
    }

    fn set_quality(&mut self, bitrate: u32, picture: Picture, reason: Reason) {
        let RateLimits { min_bitrate, max_bitrate, .. } = self.limits;
        self.quality.bitrate = bitrate.clamp(min_bitrate, max_bitrate);
        self.quality.picture = picture;
        self.quality.frame_rate = self.frame_rate();
        let full = self.quality.bitrate == max_bitrate && picture == Picture::Moving;
        self.reason = if full { Reason::Full } else { reason };
    }

    fn stall(&mut self) {
        self.probe = None;
        self.quality.picture = Picture::Held;
        self.reason = Reason::Stall;
    }

    /// The link delivers again: what it carried before is tried first.
    fn resume(&mut self, now: Instant) {
        self.capacity = Capacity::default();
        self.set_quality(self.quality.bitrate, Picture::Moving, Reason::Link);
        self.probe_from = now + PROBE_AGAIN;
    }

    /// How much of the highest bitrate a picture of the present area has: 1 is as many bits per pixel as configured.
    fn share(&self, size: SizeStep) -> f64 {
        f64::from(self.quality.bitrate) / f64::from(self.limits.max_bitrate) / size.area()
    }

    /// Fewer frames for fewer bits, so that each of them can still be seen. Never below 5, unless the camera is.
    fn frame_rate(&self) -> u8 {
        self.limits.frame_rate_of(self.share(self.quality.size))
    }

    /// Measured with VP8 at 640x480 and 800 kbit/s: below 160 kbit/s a moving picture has less than 5 frames per second
    /// whatever the encoder tries, and 30 of them at half the size.
    fn choose_size(&mut self, now: Instant) {
        let share = self.share(SizeStep::Full);
        let wanted = match self.quality.size {
            SizeStep::Full if share < 0.2 => SizeStep::Half,
            SizeStep::Half if share > 0.35 => SizeStep::Full,
            size => size,
        };
        if wanted == self.quality.size || self.reason == Reason::Stall {
            self.size_wanted_since = None;
            return;
        }
        let since = *self.size_wanted_since.get_or_insert(now);
        let stayed = self.size_changed.is_none_or(|changed| now.duration_since(changed) >= SIZE_STAYS);
        if stayed && now.duration_since(since) >= SIZE_AFTER {
            self.quality.size = wanted;
            self.quality.frame_rate = self.frame_rate();
            self.size_changed = Some(now);
            self.size_wanted_since = None;
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and a bitrate has no fraction"
)]
fn to_bitrate(bits_per_second: f64) -> u32 {
    bits_per_second as u32
}

/// More is sent than the quality allows, to see whether the link carries it.
#[derive(Debug, Clone, Copy)]
struct Probe {
    since: Instant,
    until: Instant,
    /// Bytes sent since its beginning.
    sent: u64,
    /// Whether media waited for as long as [`TIGHT`]. Pictures were then left out, so that a low age proves nothing.
    tight: bool,
}
