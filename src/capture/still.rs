//! A picture without a camera: what the video track carries while the camera is off (playback.md, rule 5).

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;

use super::launch::Launch;
use super::short::Short;
use super::{CaptureError, Profile};
use crate::media::VideoFormat;

/// Encoding one picture takes milliseconds; this is for a machine that is starting up.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One black key frame of that format, made by the encoder of the profile. Blocks for some 10 ms.
pub fn black_key_frame(format: VideoFormat, profile: &Profile) -> Result<Bytes, CaptureError> {
    let launch = Launch::black(profile, format)?;
    let mut frame = Bytes::new();
    Short::build(&launch)?.run(TIMEOUT, |sample| {
        if let Some(mapped) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) {
            // Kept for as long as the daemon runs: a copy of its own size, not a piece of an encoder's buffer.
            frame = Bytes::copy_from_slice(&mapped);
        }
        ControlFlow::Break(())
    })?;
    Ok(frame)
}
