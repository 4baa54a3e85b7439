//! Single pictures: the black one that the video track carries while the camera is off (docs/receivers.md §2.5), and
//! one that somebody wants to look at.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;

use super::launch::Launch;
use super::short_run::OneShotPipeline;
use super::{CaptureError, Profile};
use crate::media::{VideoCodec, VideoFormat};

/// Encoding or decoding one picture takes milliseconds; this is for a machine that is starting up.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One black key frame of that format, made by the encoder of the profile. Blocks for some 10 ms.
pub fn black_key_frame(format: VideoFormat, profile: &Profile) -> Result<Bytes, CaptureError> {
    let launch = Launch::black(profile, format)?;
    one(OneShotPipeline::build(&launch)?)
}

/// A key frame as a JPEG. Blocks for some 10 ms.
pub fn jpeg(key_frame: &Bytes, codec: VideoCodec) -> Result<Bytes, CaptureError> {
    let launch = Launch::jpeg(codec);
    let pipeline = OneShotPipeline::build(&launch)?;
    pipeline.feed(key_frame.clone())?;
    one(pipeline)
}

fn one(pipeline: OneShotPipeline<'_>) -> Result<Bytes, CaptureError> {
    let mut frame = Bytes::new();
    pipeline.run(TIMEOUT, |sample| {
        if let Some(mapped) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) {
            // May be kept for as long as the daemon runs: a copy of its own size, not a piece of an encoder's buffer.
            frame = Bytes::copy_from_slice(&mapped);
        }
        ControlFlow::Break(())
    })?;
    Ok(frame)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::capture::Profiles;

    #[test]
    fn a_key_frame_becomes_a_jpeg() {
        let profile = Profiles::usual(None).load("test-pattern").unwrap();
        let format = VideoFormat { codec: VideoCodec::Vp8, width: 320, height: 240, fps: 30 };
        let picture = jpeg(&black_key_frame(format, &profile).unwrap(), VideoCodec::Vp8).unwrap();
        assert_eq!(picture.get(..2), Some(&[0xff, 0xd8][..]), "the start of an image");
        assert_eq!(picture.get(picture.len() - 2..), Some(&[0xff, 0xd9][..]), "its end");
    }

    #[test]
    fn what_is_no_key_frame_becomes_an_error() {
        assert!(jpeg(&Bytes::from_static(b"nonsense"), VideoCodec::Vp8).is_err());
    }
}
