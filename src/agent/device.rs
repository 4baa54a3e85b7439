//! A camera or a microphone as the runtime sees it: closed, opening or open, and one stream of news.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::capture::{
    CameraSettings, CaptureError, CaptureEvent, MediaClock, MicSettings, Pipeline, Profile,
};
use crate::config::Mute;
use crate::media::CaptureTime;

/// How much of what a microphone hears next to the moment of unmuting is given up: an Opus packet, whose first
/// samples the encoder may have taken from before.
const AFTER_SILENCE: Duration = Duration::from_millis(20);
/// What a level is measured over.
const LEVEL_SPAN: Duration = Duration::from_millis(100);

/// What is opened, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A camera.
    Camera(CameraSettings),
    /// A microphone.
    Mic(MicSettings, Mute),
}

type Opened = (Pipeline, mpsc::Receiver<CaptureEvent>);

enum State {
    Closed,
    Opening(Pin<Box<dyn Future<Output = Result<Opened, CaptureError>> + Send>>),
    Open {
        pipeline: Pipeline,
        events: mpsc::Receiver<CaptureEvent>,
        /// What was captured before this time, nobody is to see or hear.
        from: CaptureTime,
    },
    /// Closed as far as anybody can tell, while the device runs: all that comes from it is dropped here.
    Hushed {
        pipeline: Pipeline,
        events: mpsc::Receiver<CaptureEvent>,
    },
}

/// A device that can be opened and closed again and again.
pub struct Device {
    source: Source,
    profile: Profile,
    clock: MediaClock,
    state: State,
    /// Whether what runs was opened with other settings than it has now.
    outdated: bool,
    /// The pipeline that is being closed; a device cannot be opened again before that is done.
    closing: Option<JoinHandle<Result<(), CaptureError>>>,
}

impl Device {
    /// A closed device.
    pub fn new(source: Source, profile: Profile, clock: MediaClock) -> Self {
        Self { source, profile, clock, state: State::Closed, outdated: false, closing: None }
    }

    /// What is opened, and how.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// From the next time on it is opened like this. A microphone that muting kept open is given back.
    pub fn change(&mut self, source: Source, profile: Profile) {
        if matches!(self.state, State::Hushed { .. }) {
            self.give_up();
        }
        (self.source, self.profile) = (source, profile);
        self.outdated = true;
    }

    /// Begins to open it; [`Device::next`] tells how that went.
    pub fn open(&mut self) {
        if let State::Hushed { pipeline, events } = std::mem::replace(&mut self.state, State::Closed) {
            // From the first packet that holds nothing of the time before.
            let from = self.clock.now().after(AFTER_SILENCE);
            self.state = State::Open { pipeline, events, from };
            return;
        }
        self.outdated = false;
        let (clock, profile, source) = (self.clock.clone(), self.profile.clone(), self.source.clone());
        let closing = self.closing.take();
        self.state = State::Opening(Box::pin(async move {
            if let Some(closing) = closing {
                report_close(closing.await);
            }
            match source {
                Source::Camera(settings) => Pipeline::open_camera(&clock, &profile, &settings).await,
                Source::Mic(settings, _) => Pipeline::open_mic(&clock, &profile, &settings).await,
            }
        }));
    }

    /// Closes it, or what counts as that. When this returns, nothing that it captures comes out any more; the
    /// device itself is given back shortly after, unless it is a microphone that muting keeps open.
    pub fn close(&mut self) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open { pipeline, events, .. }
                if !self.outdated && matches!(self.source, Source::Mic(_, Mute::Silence)) =>
            {
                self.state = State::Hushed { pipeline, events };
            }
            State::Hushed { pipeline, events } => self.state = State::Hushed { pipeline, events },
            State::Open { pipeline, .. } => self.give_back(pipeline),
            State::Closed | State::Opening(_) => {}
        }
    }

    /// Closes it, also if muting would keep it open.
    pub fn give_up(&mut self) {
        if let State::Open { pipeline, .. } | State::Hushed { pipeline, .. } =
            std::mem::replace(&mut self.state, State::Closed)
        {
            self.give_back(pipeline);
        }
    }

    /// Closes it for good, and waits until the device is given back.
    pub async fn shut(&mut self) {
        self.give_up();
        if let Some(closing) = self.closing.take() {
            report_close(closing.await);
        }
    }

    fn give_back(&mut self, pipeline: Pipeline) {
        pipeline.cut();
        self.closing = Some(tokio::spawn(pipeline.close()));
    }

    /// What it is called in messages, while it is open.
    pub fn name(&self) -> Option<&str> {
        match &self.state {
            State::Open { pipeline, .. } => Some(pipeline.device()),
            State::Closed | State::Opening(_) | State::Hushed { .. } => None,
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
                        self.state = State::Open { pipeline, events, from: CaptureTime::default() };
                    }
                    Err(error) => {
                        self.state = State::Closed;
                        return CaptureEvent::Failed(error);
                    }
                },
                State::Open { pipeline, events, from } => {
                    let event = next_event(pipeline, events).await;
                    let heard_before = match &event {
                        CaptureEvent::Frame(frame) => frame.captured < *from,
                        CaptureEvent::Level { .. } => self.clock.now() < from.after(LEVEL_SPAN),
                        _ => false,
                    };
                    if heard_before {
                        continue;
                    }
                    if matches!(event, CaptureEvent::Failed(_)) {
                        self.give_up();
                    }
                    return event;
                }
                State::Hushed { pipeline, events } => {
                    if let CaptureEvent::Failed(error) = next_event(pipeline, events).await {
                        tracing::warn!("{error}; it is muted, and opened again when it is needed");
                        self.give_up();
                    }
                }
            }
        }
    }
}

async fn next_event(pipeline: &Pipeline, events: &mut mpsc::Receiver<CaptureEvent>) -> CaptureEvent {
    events
        .recv()
        .await
        .unwrap_or_else(|| CaptureEvent::Failed(CaptureError::Ended { device: pipeline.device().to_owned() }))
}

fn report_close(closed: Result<Result<(), CaptureError>, tokio::task::JoinError>) {
    match closed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("{error}"),
        Err(error) => tracing::warn!("closing a device: {error}"),
    }
}
