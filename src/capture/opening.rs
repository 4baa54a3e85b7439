//! A device that is being opened.

use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::event::{CHANNEL, CaptureEvent};
use super::gate::FrameGate;
use super::launch::Request;
use super::pipeline::Pipeline;
use super::settings::{CameraSettings, MicSettings};
use super::sink::{Outlet, SharedOutlet};
use super::thread::{Closing, WorkerThread};
use super::worker::{EXPLANATION, OPEN_TIMEOUT, Opened, Worker};
use super::{CaptureError, MediaClock, Profile};
use crate::media::Track;

/// Opens a camera. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`] and a moment
/// for the explanation.
///
/// That the device delivered once does not mean that it goes on: watch for [`CaptureEvent::Frame`]s.
pub async fn open_camera(
    clock: &MediaClock,
    profile: &Profile,
    settings: &CameraSettings,
) -> Result<(Pipeline, mpsc::Receiver<CaptureEvent>), CaptureError> {
    Opening::camera(clock, profile, settings)?.done().await
}

/// Opens a microphone. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`] and a
/// moment for the explanation.
pub async fn open_mic(
    clock: &MediaClock,
    profile: &Profile,
    settings: &MicSettings,
) -> Result<(Pipeline, mpsc::Receiver<CaptureEvent>), CaptureError> {
    Opening::mic(clock, profile, settings)?.done().await
}

/// A device that is being opened. Dropping it gives the attempt up, as [`Opening::cancel`] does without telling when
/// the device is free again.
#[derive(Debug)]
pub struct Opening {
    track: Track,
    /// The device as configured.
    configured: String,
    outlet: SharedOutlet,
    gate: FrameGate,
    events: Option<mpsc::Receiver<CaptureEvent>>,
    opened: oneshot::Receiver<Result<Opened, CaptureError>>,
    deadline: Instant,
    thread: Option<WorkerThread>,
}

impl Opening {
    /// Begins to open a camera, on a thread of its own.
    pub fn camera(
        clock: &MediaClock,
        profile: &Profile,
        settings: &CameraSettings,
    ) -> Result<Self, CaptureError> {
        Self::begin(clock, profile, Request::Camera(settings.clone()))
    }

    /// Begins to open a microphone, on a thread of its own.
    pub fn mic(clock: &MediaClock, profile: &Profile, settings: &MicSettings) -> Result<Self, CaptureError> {
        Self::begin(clock, profile, Request::Mic(settings.clone()))
    }

    fn begin(clock: &MediaClock, profile: &Profile, request: Request) -> Result<Self, CaptureError> {
        let (events, receiver) = mpsc::channel(CHANNEL);
        let (waker, wakes) = std_mpsc::channel();
        let outlet = Arc::new(Mutex::new(Outlet::new(events.clone())));
        let gate = FrameGate::default();
        let (track, configured) = (request.track(), request.device().to_owned());
        let worker = Worker {
            clock: clock.clone(),
            profile: profile.clone(),
            request,
            outlet: outlet.clone(),
            gate: gate.clone(),
            failures: events,
            waker: waker.clone(),
            wakes,
        };
        let (opened_sender, opened) = oneshot::channel();
        let thread = WorkerThread::spawn(worker, opened_sender, waker, &configured)?;
        let deadline = Instant::now() + OPEN_TIMEOUT + EXPLANATION;
        Ok(Self {
            track,
            configured,
            outlet,
            gate,
            events: Some(receiver),
            opened,
            deadline,
            thread: Some(thread),
        })
    }

    /// Waits until the device is open and has delivered its first frame, or until that has failed; at most
    /// [`OPEN_TIMEOUT`] since the opening began, and a moment for the explanation. Can be dropped while it waits
    /// without losing anything; after it has returned, it only fails.
    ///
    /// After [`CaptureError::OpenTimeout`] the driver still has the thread: until [`Opening::cancel`]'s end, the
    /// device cannot be opened again.
    pub async fn done(&mut self) -> Result<(Pipeline, mpsc::Receiver<CaptureEvent>), CaptureError> {
        let hung = || CaptureError::OpenTimeout { device: self.configured.clone(), after: OPEN_TIMEOUT };
        let Opened { device, pad } = match tokio::time::timeout_at(self.deadline, &mut self.opened).await {
            Ok(Ok(opened)) => opened?,
            // Too late, or the thread died.
            Ok(Err(_)) | Err(_) => return Err(hung()),
        };
        let (Some(thread), Some(events)) = (self.thread.take(), self.events.take()) else {
            return Err(hung());
        };
        let (outlet, gate) = (self.outlet.clone(), self.gate.clone());
        let pipeline = Pipeline { track: self.track, device, outlet, gate, pad, thread };
        Ok((pipeline, events))
    }

    /// Gives the attempt up: what is open already is closed. A driver that is busy opening finishes that first.
    pub fn cancel(mut self) -> Closing {
        self.thread.take().map_or_else(Closing::over, |mut thread| thread.stop())
    }
}
