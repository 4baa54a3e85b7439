//! What may enter the video encoder, while the pipeline runs: as many pictures a second as the link has room for.
//!
//! A probe on the encoder's pad drops pictures. Nothing is predicted from a picture that was never encoded, so this costs
//! no key frame, and it leaves the caps as they are; `videorate max-rate=…` changes them, and `vp8enc` answers new caps
//! with a new encoder and a key frame. The encoder's rate control counts on the pictures' times, so each of the fewer
//! pictures gets more bits. That is also why no pictures at all are no way to make it silent: the first one after a pause
//! gets what the whole pause left over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

/// How much earlier than due a picture may come, in nanoseconds: cameras jitter, and without this a picture that is 1 ms
/// early would be dropped for one that is a whole frame late. Never more than a quarter of the interval.
const TOLERANCE: u64 = 10_000_000;

/// What the encoder of a picture that stands still aims at, in bits per second: a new picture every second or two, which is
/// next to nothing, and keeps its rate control going.
const HELD_BITRATE: u32 = 10_000;

/// What the video encoder is to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Its target in bits per second.
    pub bitrate: u32,
    /// What of the target one picture of four gets, in bits per second, if the others are to be droppable
    /// ([`crate::media::Frame::droppable`]). At most half is used.
    pub base_bitrate: Option<u32>,
    /// Pictures a second that may enter it, at most; 0 lets all in.
    pub frame_rate: u8,
    /// Whether the encoder may leave out pictures to keep to its target.
    pub drop: bool,
    /// Whether width and height are halved: then another format begins, with a key frame.
    pub halved: bool,
    /// Whether the picture is to stand still: the encoder then aims at 10 kbit/s.
    pub hold: bool,
}

impl Encoding {
    pub(super) fn target(&self) -> u32 {
        if self.hold { HELD_BITRATE } else { self.bitrate }
    }
}

/// Lets pictures into the encoder; shared with the thread that encodes and the one that sets it.
#[derive(Debug, Clone, Default)]
pub(super) struct FrameGate(Arc<Mutex<Gate>>);

impl FrameGate {
    /// Lets in at most so many pictures a second from now on; 0 lets all in.
    pub(super) fn set_frame_rate(&self, fps: u8) {
        self.lock().frame_rate = fps;
    }

    /// Pictures that came so far, whether they passed or not.
    pub(super) fn came(&self) -> u64 {
        self.lock().came
    }

    /// Stands before the pad from now on.
    pub(super) fn attach(&self, pad: &gst::Pad) {
        let gate = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(time) = info.buffer().and_then(|picture| picture.pts()) else {
                return gst::PadProbeReturn::Ok;
            };
            // With GStreamer 1.22, `Drop` ends in a complaint about an object that is not there.
            match gate.lock().admit(time.nseconds()) {
                true => gst::PadProbeReturn::Ok,
                false => gst::PadProbeReturn::Handled,
            }
        });
    }

    /// A panic elsewhere leaves nothing half-done in it, so poison does not matter.
    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Gate {
    /// Pictures a second, at most; 0 means all.
    frame_rate: u8,
    schedule: Schedule,
    /// Pictures that came, whether they passed or not.
    came: u64,
}

impl Gate {
    /// Whether a picture of this time passes.
    fn admit(&mut self, time: u64) -> bool {
        self.came += 1;
        self.schedule.admit(time, self.frame_rate)
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
