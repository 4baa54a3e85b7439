//! What the uplink of a session has room for: [`PressureGauge`] and [`RateController`] asked in one place, and what both
//! mean for the encoder. Pure.

use std::time::Instant;

use super::pressure::{Pressure, PressureGauge};
use super::quality::{Picture, Quality, RateLimits, Reason, SizeStep};
use super::rate::{Observation, RateController};
use crate::capture::Encoding;
use crate::meeting::Backlog;

/// One uplink, over all sessions.
#[derive(Debug)]
pub struct Uplink {
    gauge: PressureGauge,
    rate: RateController,
    /// What is sent beside the video, in bits per second.
    other_bitrate: u32,
    /// [`Backlog::delivered`] of the backlog before.
    delivered: u64,
}

impl Uplink {
    /// An uplink that nothing is known of, so the best quality is tried.
    pub fn new(limits: RateLimits, now: Instant) -> Self {
        Self {
            gauge: PressureGauge::default(),
            rate: RateController::new(limits, now),
            other_bitrate: limits.other_bitrate,
            delivered: 0,
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
        self.delivered = 0;
    }

    /// Takes note of the backlog; about ten times a second while media flow.
    pub fn observe(&mut self, now: Instant, backlog: Backlog) -> Pressure {
        let before = std::mem::replace(&mut self.delivered, backlog.delivered);
        let delivered = backlog.delivered.saturating_sub(before);
        self.rate.observe(Observation { now, age: backlog.age, delivered, busy: backlog.busy });
        self.gauge.observe(now, backlog.age)
    }

    /// What is sent at most, in bits per second: what the link is trusted to carry, or what a probe tries.
    pub fn expected_bitrate(&self) -> u32 {
        self.rate.quality().bitrate.max(self.rate.encoder_bitrate()).saturating_add(self.other_bitrate)
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
