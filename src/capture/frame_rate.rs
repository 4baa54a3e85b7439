//! Limits the frame rate before the encoder, while the pipeline runs.
//!
//! A probe on the encoder's pad drops pictures. That leaves the caps as they are; `videorate max-rate=…` changes them, and
//! `vp8enc` answers new caps with a new encoder and a key frame. The encoder's rate control counts on the pictures' times,
//! so each of the fewer pictures gets more bits.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

/// How much earlier than due a picture may come, in nanoseconds: cameras jitter, and without this a picture that is 1 ms
/// early would be dropped for one that is a whole frame late. Never more than a quarter of the interval.
const TOLERANCE: u64 = 10_000_000;

/// Frames per second that may reach the encoder; shared with the thread that encodes. 0 means all.
#[derive(Debug, Clone, Default)]
pub(super) struct FrameRateLimit(Arc<AtomicU8>);

impl FrameRateLimit {
    /// Lets at most `fps` frames per second through from now on; 0 lets all through.
    pub(super) fn set(&self, fps: u8) {
        self.0.store(fps, Ordering::Relaxed);
    }

    /// Applies the limit to every picture that passes the pad.
    pub(super) fn attach(&self, pad: &gst::Pad) {
        let limit = self.clone();
        let schedule = Mutex::new(Schedule::default());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let time = info.buffer().and_then(|picture| picture.pts());
            let (Some(time), Ok(mut schedule)) = (time, schedule.lock()) else {
                return gst::PadProbeReturn::Ok;
            };
            match schedule.admit(time.nseconds(), limit.0.load(Ordering::Relaxed)) {
                true => gst::PadProbeReturn::Ok,
                false => gst::PadProbeReturn::Drop,
            }
        });
    }
}

/// When the next picture is due, in nanoseconds of the pictures' time stamps.
#[derive(Debug, Default)]
struct Schedule {
    due: u64,
}

impl Schedule {
    /// Whether a picture of this time passes. The schedule is an even grid, so that 20 of 30 pictures are two of three.
    fn admit(&mut self, time: u64, fps: u8) -> bool {
        let Some(interval) = 1_000_000_000_u64.checked_div(u64::from(fps)) else {
            self.due = 0;
            return true;
        };
        let tolerance = TOLERANCE.min(interval / 4);
        // Further ahead are only a limit since raised, and a clock that went back.
        let due = self.due.min(time + interval + tolerance);
        if time + tolerance < due {
            self.due = due;
            return false;
        }
        let next = due + interval;
        self.due = if next > time { next } else { time + interval };
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: u64 = 1_000_000_000 / 30;

    fn passed(schedule: &mut Schedule, times: impl Iterator<Item = u64>, fps: u8) -> usize {
        times.filter(|time| schedule.admit(*time, fps)).count()
    }

    #[test]
    fn without_a_limit_every_picture_passes() {
        assert_eq!(passed(&mut Schedule::default(), (0..30).map(|n| n * FRAME), 0), 30);
    }

    #[test]
    fn a_raised_limit_is_followed_at_once() {
        let mut schedule = Schedule::default();
        assert_eq!(passed(&mut schedule, (0..30).map(|n| n * FRAME), 1), 1);

        assert_eq!(passed(&mut schedule, (30..60).map(|n| n * FRAME), 30), 30);
    }

    proptest! {
        #[test]
        fn the_limit_is_met_evenly_in_spite_of_jitter(
            fps in 1_u8..=30,
            jitter in prop::collection::vec(0..FRAME / 8, 300),
        ) {
            let mut schedule = Schedule::default();
            let times = jitter.iter().zip(0_u64..).map(|(jitter, n)| n * FRAME + jitter);
            let passed: Vec<u64> = times.filter(|time| schedule.admit(*time, fps)).collect();

            // 300 pictures are 10 s.
            let wanted = usize::from(fps) * 10;
            prop_assert!(passed.len().abs_diff(wanted) <= 1 + wanted / 50, "{} of {wanted}", passed.len());
            let interval = 1_000_000_000 / u64::from(fps);
            let widest = passed.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            prop_assert!(widest <= interval + 2 * FRAME, "{widest} ns at {fps} fps");
        }
    }
}
