//! A pipeline that runs for a moment, on the caller's thread: for the doctor's probes and the black picture.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;

use super::CaptureError;
use super::fault::{self, Phase};
use super::launch::{Launch, SINK};
use super::sink;
use super::worker::{self, EXPLANATION, Running};

/// How long to wait for a sample before asking whether something has gone wrong meanwhile.
const SLICE: Duration = Duration::from_millis(100);

/// A built pipeline that has not been started.
pub(super) struct Short<'a> {
    launch: &'a Launch,
    running: Running,
}

impl<'a> Short<'a> {
    pub(super) fn build(launch: &'a Launch) -> Result<Self, CaptureError> {
        super::init()?;
        Ok(Self { launch, running: Running(worker::build(launch)?) })
    }

    /// The pad where raw media enters the encoder.
    pub(super) fn encoder_input(&self) -> Option<gst::Pad> {
        worker::encoder_input(&self.running.0)
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
            return Err(self
                .posted_error(Phase::Opening, EXPLANATION)
                .unwrap_or_else(|| self.nothing(timeout)));
        }
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(sample) = appsink.try_pull_sample(gst::ClockTime::try_from(SLICE).ok()) {
                if each(sample).is_break() {
                    return Ok(());
                }
            } else if let Some(error) = self.posted_error(Phase::Running, Duration::ZERO) {
                return Err(error);
            } else if appsink.is_eos() {
                return Err(CaptureError::Ended { device: self.launch.device.clone() });
            }
        }
        Err(self.nothing(timeout))
    }

    fn posted_error(&self, phase: Phase, wait: Duration) -> Option<CaptureError> {
        let wait = gst::ClockTime::try_from(wait).ok();
        let message = self.running.0.bus()?.timed_pop_filtered(wait, &[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(fault::explain(error, self.launch, phase)),
            _ => None,
        }
    }

    fn nothing(&self, after: Duration) -> CaptureError {
        CaptureError::NoFrame { device: self.launch.device.clone(), after }
    }
}
