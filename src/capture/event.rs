//! What comes out of a pipeline.

use super::CaptureError;
use crate::media::{Frame, VideoFormat};

/// How many events wait for the consumer at most: a second of pictures at 30 fps, or 0.6 s of sound. A consumer
/// that is later than that has a problem that more memory does not solve.
pub(super) const CHANNEL: usize = 32;

/// What a pipeline reports, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum CaptureEvent {
    /// What the camera really delivers; before the first frame, and again if it changes. It may differ from
    /// what was asked for. Never sent for a microphone.
    Format(VideoFormat),
    /// One encoded frame.
    Frame(Frame),
    /// How loud the microphone is: root mean square over the last 100 ms, in dB below full scale. One that
    /// finds the channel full is left out.
    Level {
        /// 0 is full scale, a quiet room about -60, silence minus infinity.
        dbfs: f64,
    },
    /// This many frames were lost here: they found the channel full, or nobody knows when they were captured. The
    /// pictures after them build on them, so the next one to show is a key frame.
    Overrun {
        /// At least 1.
        lost: u64,
    },
    /// The pipeline is dead and its device closed; nothing follows.
    Failed(CaptureError),
}
