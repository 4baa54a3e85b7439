//! A pipeline that runs for a moment, on the caller's thread: for `roomcam check` and the black picture.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::CaptureError;
use super::fault::{self, Phase};
use super::launch::{INPUT, Launch, SINK};
use super::sink;
use super::worker::{self, EXPLANATION, Running};

/// How long to wait for a sample before asking whether something has gone wrong meanwhile.
const SLICE: Duration = Duration::from_millis(100);

/// A built pipeline that has not been started.
pub(super) struct OneShotPipeline<'a> {
    launch: &'a Launch,
    running: Running,
}

impl<'a> OneShotPipeline<'a> {
    pub(super) fn build(launch: &'a Launch) -> Result<Self, CaptureError> {
        super::init()?;
        Ok(Self { launch, running: Running(worker::build(launch)?) })
    }

    /// The pad where raw media enters the encoder.
    pub(super) fn encoder_input(&self) -> Option<gst::Pad> {
        worker::encoder_input(&self.running.0)
    }

    /// Lets the pipeline have one frame, and nothing after it.
    pub(super) fn feed(&self, frame: Bytes) -> Result<(), CaptureError> {
        let refused = |reason: &str| CaptureError::Device {
            device: self.launch.device.clone(),
            reason: format!("cannot decode a key frame: {reason}"),
        };
        let input = self.running.0.by_name(INPUT).and_then(|input| input.downcast::<gst_app::AppSrc>().ok());
        let input = input.ok_or_else(|| refused("the pipeline has no input"))?;
        input.push_buffer(gst::Buffer::from_slice(frame)).map_err(|error| refused(&error.to_string()))?;
        input.end_of_stream().map_err(|error| refused(&error.to_string()))?;
        Ok(())
    }

    /// Starts the pipeline and hands over samples until told to stop. [`CaptureError::NoFrame`] if that takes
    /// longer than `timeout`.
    pub(super) fn run(
        self,
        timeout: Duration,
        mut each: impl FnMut(gst::Sample) -> ControlFlow<()>,
    ) -> Result<(), CaptureError> {
        let appsink = sink::find(&self.running.0, SINK)?;
        if self.running.0.set_state(gst::State::Playing).is_err() {
            return Err(self.explanation().unwrap_or_else(|| self.nothing(timeout)));
        }
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(sample) = appsink.try_pull_sample(gst::ClockTime::try_from(SLICE).ok()) {
                if each(sample).is_break() {
                    return Ok(());
                }
                continue;
            }
            // In this order: a source that fails posts its error before it ends the stream.
            let ended = appsink.is_eos();
            if let Some(error) = self.posted_error() {
                return Err(error);
            }
            if ended {
                return Err(CaptureError::Ended { device: self.launch.device.clone() });
            }
        }
        Err(self.nothing(timeout))
    }

    /// The error that is on the bus now. `timed_pop_filtered` with no time to wait looks at nothing.
    fn posted_error(&self) -> Option<CaptureError> {
        self.explain(self.running.0.bus()?.pop_filtered(&[gst::MessageType::Error])?, Phase::Running)
    }

    /// The error that comes with a refused state change, perhaps a moment later.
    fn explanation(&self) -> Option<CaptureError> {
        let wait = gst::ClockTime::try_from(EXPLANATION).ok();
        let message = self.running.0.bus()?.timed_pop_filtered(wait, &[gst::MessageType::Error])?;
        self.explain(message, Phase::Opening)
    }

    fn explain(&self, message: gst::Message, phase: Phase) -> Option<CaptureError> {
        match message.view() {
            gst::MessageView::Error(error) => Some(fault::explain(error, self.launch, phase)),
            _ => None,
        }
    }

    fn nothing(&self, after: Duration) -> CaptureError {
        CaptureError::NoFrame { device: self.launch.device.clone(), after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::launch::Request;
    use crate::capture::{CameraSettings, Profile};

    #[test]
    fn a_source_that_fails_says_why_rather_than_that_it_ended() {
        // No caps, so that nothing behind the source takes what comes; the source reports that and then ends the stream.
        let text = "description = \"no caps\"\n[video]\nsource = \"fakesrc sizetype=fixed\"\n\
                    encoder = \"vp8enc name=encoder\"\ncodec = \"vp8\"\nbitrate_property = \"target-bitrate\"\n";
        let profile = Profile::parse("no-caps", text).unwrap();
        let settings =
            CameraSettings { device: String::new(), width: 640, height: 480, fps: 30, bitrate: 800_000 };
        let launch = Launch::new(&profile, &Request::Camera(settings)).unwrap();

        let error = OneShotPipeline::build(&launch)
            .unwrap()
            .run(Duration::from_secs(5), |_| ControlFlow::Break(()))
            .unwrap_err();

        assert!(matches!(error, CaptureError::UnsupportedFormat { .. }), "{error}");
    }
}
