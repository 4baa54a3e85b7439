//! A camera or a microphone as the runtime sees it: closed, opening or open, and one stream of news.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc;

use super::former::FormerWorkers;
use crate::capture::{
    CameraSettings, CaptureError, CaptureEvent, Encoding, MediaClock, MicSettings, Opening, Pipeline, Profile,
};
use crate::config::Mute;
use crate::media::CaptureTime;

/// Audio discarded after unmuting: one Opus packet, because it may contain samples from before.
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

impl Source {
    /// The device as configured, perhaps `auto`.
    fn configured(&self) -> &str {
        match self {
            Self::Camera(settings) => &settings.device,
            Self::Mic(settings, _) => &settings.device,
        }
    }
}

enum State {
    Closed,
    /// To be opened as soon as its former worker has let go of it.
    Waiting,
    Opening(Opening),
    Open {
        pipeline: Pipeline,
        events: mpsc::Receiver<CaptureEvent>,
        /// What was captured before this time, nobody is to see or hear.
        from: CaptureTime,
    },
    /// Closed as far as anybody can tell, while the device runs: all that comes from it is dropped here.
    MutedOpen {
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
    /// The device as configured when it was last opened.
    opened_as: String,
    /// What a camera's encoder is to make; `None` for what it was opened with.
    encoding: Option<Encoding>,
    former: FormerWorkers,
}

impl Device {
    /// A closed device.
    pub fn new(source: Source, profile: Profile, clock: MediaClock) -> Self {
        Self {
            source,
            profile,
            clock,
            state: State::Closed,
            outdated: false,
            opened_as: String::new(),
            encoding: None,
            former: FormerWorkers::default(),
        }
    }

    /// What is opened, and how.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// From the next time on it is opened like this. A microphone that muting kept open is given back.
    pub fn change(&mut self, source: Source, profile: Profile) {
        if matches!(self.state, State::MutedOpen { .. }) {
            self.give_up();
        }
        (self.source, self.profile) = (source, profile);
        self.outdated = true;
    }

    /// Begins to open it; [`Device::next`] tells how that went. A device whose driver hangs is opened as soon as the
    /// driver comes back: that is a failure once, and again after each [`Device::close`].
    pub fn open(&mut self) {
        match std::mem::replace(&mut self.state, State::Waiting) {
            State::MutedOpen { pipeline, events } => {
                // From the first packet that holds nothing of the time before.
                let from = self.clock.now().after(AFTER_SILENCE);
                self.state = State::Open { pipeline, events, from };
            }
            state => self.give_back(state),
        }
    }

    /// Closes it, or what counts as that. When this returns, nothing that it captures comes out any more; the
    /// device itself is given back shortly after, or as soon as its driver lets go of it, unless it is a microphone
    /// that muting keeps open.
    pub fn close(&mut self) {
        self.former.tell_again();
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open { pipeline, events, .. }
                if !self.outdated && matches!(self.source, Source::Mic(_, Mute::Silence)) =>
            {
                self.state = State::MutedOpen { pipeline, events };
            }
            State::MutedOpen { pipeline, events } => self.state = State::MutedOpen { pipeline, events },
            state => self.give_back(state),
        }
    }

    /// Closes it, also if muting would keep it open.
    pub fn give_up(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.give_back(state);
    }

    /// Closes it for good, and waits until the device is given back, or until it is known that its driver hangs.
    pub async fn shut(&mut self) {
        self.give_up();
        self.former.end().await;
    }

    fn give_back(&mut self, state: State) {
        let (device, closing) = match state {
            State::Closed | State::Waiting => return,
            State::Opening(opening) => (self.opened_as.clone(), opening.cancel()),
            State::Open { pipeline, .. } | State::MutedOpen { pipeline, .. } => {
                (pipeline.device().to_owned(), pipeline.begin_close())
            }
        };
        self.former.closes(self.opened_as.clone(), device, closing);
    }

    /// Starts a worker.
    fn begin(&mut self) -> Result<(), CaptureError> {
        self.outdated = false;
        self.opened_as = self.source.configured().to_owned();
        self.state = State::Opening(match &self.source {
            Source::Camera(settings) => Opening::camera(&self.clock, &self.profile, settings)?,
            Source::Mic(settings, _) => Opening::mic(&self.clock, &self.profile, settings)?,
        });
        Ok(())
    }

    /// Opening has failed.
    fn failed(&mut self, error: CaptureError) -> CaptureEvent {
        match (std::mem::replace(&mut self.state, State::Closed), &error) {
            (State::Opening(opening), CaptureError::OpenTimeout { .. }) => {
                self.former.hangs(self.opened_as.clone(), error.clone(), opening.cancel());
            }
            (state, _) => self.give_back(state),
        }
        CaptureEvent::Failed(error)
    }

    /// What it is called in messages, while it is open.
    pub fn name(&self) -> Option<&str> {
        match &self.state {
            State::Open { pipeline, .. } => Some(pipeline.device()),
            State::Closed | State::Waiting | State::Opening(_) | State::MutedOpen { .. } => None,
        }
    }

    /// Changes what a camera's encoder makes, now and whenever it is opened.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        if self.encoding.replace(encoding) == Some(encoding) {
            return;
        }
        if let State::Open { pipeline, .. } = &self.state {
            pipeline.set_encoding(encoding);
        }
    }

    /// Pictures that the camera gave since it was opened, also those that were held back before the encoder; 0 while it is
    /// closed.
    pub fn pictures(&self) -> u64 {
        match &self.state {
            State::Open { pipeline, .. } => pipeline.pictures(),
            State::Closed | State::Waiting | State::Opening(_) | State::MutedOpen { .. } => 0,
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
                State::Waiting => {
                    let free = self.former.gone(self.source.configured()).await;
                    if let Err(error) = free.and_then(|()| self.begin()) {
                        return self.failed(error);
                    }
                }
                State::Opening(opening) => match opening.done().await {
                    Ok((pipeline, events)) => {
                        tracing::info!(device = pipeline.device(), "{} opened", pipeline.track());
                        if let Some(encoding) = self.encoding {
                            pipeline.set_encoding(encoding);
                        }
                        self.state = State::Open { pipeline, events, from: CaptureTime::default() };
                    }
                    Err(error) => return self.failed(error),
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
                State::MutedOpen { pipeline, events } => {
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
