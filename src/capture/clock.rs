//! The one clock that the camera's and the microphone's pipelines share.

use gst::prelude::*;
use gstreamer as gst;

use super::CaptureError;
use crate::media::CaptureTime;

/// GStreamer's monotonic system clock and the instant on it that [`CaptureTime`] counts from.
///
/// Every pipeline runs on it. A pipeline gets its own base time, the moment it starts, and its frames'
/// running times are moved by where that moment lies on the axis; so a source that counts from zero (a file)
/// and one that reads the clock (a camera) end up on the same axis, however late they are started.
#[derive(Debug, Clone)]
pub struct MediaClock {
    clock: gst::Clock,
    origin: gst::ClockTime,
}

impl MediaClock {
    /// Starts counting now. Initialises GStreamer if that has not happened yet.
    pub fn new() -> Result<Self, CaptureError> {
        super::init()?;
        let clock = gst::SystemClock::obtain();
        let origin = clock.time();
        Ok(Self { clock, origin })
    }

    /// The time now.
    pub fn now(&self) -> CaptureTime {
        self.offset_of(self.clock.time())
    }

    /// The clock that pipelines are to use.
    pub(super) fn gst(&self) -> &gst::Clock {
        &self.clock
    }

    /// Where `base`, a reading of the clock, lies on the [`CaptureTime`] axis.
    pub(super) fn offset_of(&self, base: gst::ClockTime) -> CaptureTime {
        CaptureTime::from_nanos(base.saturating_sub(self.origin).nseconds())
    }
}
