//! A camera or a microphone as the runtime sees it: closed, opening or open, and one stream of news.

use std::future::{Future, pending};
use std::pin::Pin;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::capture::{
    CameraSettings, CaptureError, CaptureEvent, MediaClock, MicSettings, Pipeline, Profile,
};

/// What is opened, and how.
#[derive(Debug, Clone)]
pub enum Source {
    /// A camera.
    Camera(CameraSettings),
    /// A microphone.
    Mic(MicSettings),
}

type Opened = (Pipeline, mpsc::Receiver<CaptureEvent>);

enum State {
    Closed,
    Opening(Pin<Box<dyn Future<Output = Result<Opened, CaptureError>> + Send>>),
    Open { pipeline: Pipeline, events: mpsc::Receiver<CaptureEvent> },
}

/// A device that can be opened and closed again and again.
pub struct Device {
    source: Source,
    profile: Profile,
    clock: MediaClock,
    state: State,
    /// The pipeline that is being closed; a device cannot be opened again before that is done.
    closing: Option<JoinHandle<Result<(), CaptureError>>>,
}

impl Device {
    /// A closed device.
    pub fn new(source: Source, profile: Profile, clock: MediaClock) -> Self {
        Self { source, profile, clock, state: State::Closed, closing: None }
    }

    /// Begins to open it; [`Device::next`] tells how that went.
    pub fn open(&mut self) {
        let (clock, profile, source) = (self.clock.clone(), self.profile.clone(), self.source.clone());
        let closing = self.closing.take();
        self.state = State::Opening(Box::pin(async move {
            if let Some(closing) = closing {
                report_close(closing.await);
            }
            match source {
                Source::Camera(settings) => Pipeline::open_camera(&clock, &profile, &settings).await,
                Source::Mic(settings) => Pipeline::open_mic(&clock, &profile, &settings).await,
            }
        }));
    }

    /// Closes it. When this returns, nothing that it captures comes out any more; the device itself is given
    /// back shortly after.
    pub fn close(&mut self) {
        if let State::Open { pipeline, .. } = std::mem::replace(&mut self.state, State::Closed) {
            pipeline.cut();
            self.closing = Some(tokio::spawn(pipeline.close()));
        }
    }

    /// What it is called in messages, while it is open.
    pub fn name(&self) -> Option<&str> {
        match &self.state {
            State::Open { pipeline, .. } => Some(pipeline.device()),
            State::Closed | State::Opening(_) => None,
        }
    }

    /// Waits until a device that was closed is given back.
    pub async fn closed(&mut self) {
        if let Some(closing) = self.closing.take() {
            report_close(closing.await);
        }
    }

    /// Makes the encoder's next picture a key frame.
    pub fn force_key_frame(&self) {
        if let State::Open { pipeline, .. } = &self.state {
            pipeline.force_key_frame();
        }
    }

    /// What comes next from the device; never resolves while it is closed. Can be dropped while it waits
    /// without losing anything.
    pub async fn next(&mut self) -> CaptureEvent {
        loop {
            match &mut self.state {
                State::Closed => return pending().await,
                State::Opening(opening) => match opening.as_mut().await {
                    Ok((pipeline, events)) => {
                        tracing::info!(device = pipeline.device(), "{} opened", pipeline.track());
                        self.state = State::Open { pipeline, events };
                    }
                    Err(error) => {
                        self.state = State::Closed;
                        return CaptureEvent::Failed(error);
                    }
                },
                State::Open { pipeline, events } => {
                    let event = events.recv().await.unwrap_or_else(|| {
                        CaptureEvent::Failed(CaptureError::Ended { device: pipeline.device().to_owned() })
                    });
                    if matches!(event, CaptureEvent::Failed(_)) {
                        self.close();
                    }
                    return event;
                }
            }
        }
    }
}

fn report_close(closed: Result<Result<(), CaptureError>, tokio::task::JoinError>) {
    match closed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("{error}"),
        Err(error) => tracing::warn!("closing a device: {error}"),
    }
}
