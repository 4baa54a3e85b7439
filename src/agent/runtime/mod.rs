//! Drives the machine: everything that has a clock, a socket or a device.
//!
//! One task. Frames come from the two devices, go through the segmenter and, at the cadence, into the outbox;
//! what happens meanwhile goes to the machine, and what it decides is done here. What may take longer than a frame
//! (opening a device, a black picture, writing a file, reading the configuration) is done on other threads.

mod actions;
mod asked;
mod black;
mod captured;
mod heard;
mod lamps;
#[cfg(test)]
mod loop_tests;
mod mesh;
mod reload;
mod supervised;

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::Instant;

use bytes::Bytes;
use tracing::Instrument as _;

use self::black::BlackFrames;
use self::captured::KeyFrames;
use self::lamps::Shown;
use self::reload::Reloading;
use super::choice_file::ChoiceFile;
use super::device::{Device, Source};
use super::faults::{Faults, Part};
use super::machine::{Choice, DeviceKind, Event, Machine};
use super::room::Room;
use super::settings::{DeviceSettings, UnusableNames, dialect, session_config, way_out};
use crate::capture::still::black_key_frame;
use crate::capture::{CaptureError, MediaClock, Profile, Profiles};
use crate::config::{Capture, Config, ConfigErrors};
use crate::control::{Absence, ChatLine, Request, Requests};
use crate::log_limit::LogLimit;
use crate::media::{StreamFormat, VideoFormat};
use crate::meeting::{SessionConfig, SessionEvent, SessionHandle};
use crate::panel::{Panel, PanelError, Pressed};
use crate::publish::quality::Reason;
use crate::publish::relay::Trace;
use crate::publish::{WayOut, until};
use crate::service::Service;
use crate::socketio::BadUrl;

/// How the agent is run, beside its configuration.
#[derive(Default)]
pub struct RunOptions {
    /// Where to write one JSON line per published chunk.
    pub trace_chunks: Option<PathBuf>,
    /// Where to look for pipeline profiles before the usual places.
    pub profiles: Option<PathBuf>,
    /// Where what people chose is kept over a restart; without it, each start is the first.
    pub state_directory: Option<PathBuf>,
    /// What people at the device ask for, beside pressing buttons.
    pub requests: Option<Requests>,
    /// How to read the configuration again.
    pub reload: Option<Reload>,
}

/// Reads the configuration again. It is called on a thread of its own, because it reads files.
pub type Reload = Box<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Why the agent does not start. Once started it tries again whatever fails, but for the panel: without a lamp
/// that can be trusted it does not go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The profile, or an element that it needs.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The relay's URL.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// What the events and fields of a mesh are called.
    #[error(transparent)]
    Names(#[from] UnusableNames),
    /// There would be nothing to send.
    #[error(
        "profile {profile:?} has no video, and capture.mic is \"none\": there is nothing to send; choose a microphone or another profile"
    )]
    NothingToSend {
        /// The profile.
        profile: String,
    },
    /// A lamp or a button that is configured does not work.
    #[error(transparent)]
    Panel(#[from] PanelError),
    /// The trace cannot be written.
    #[error("cannot write the chunk trace {path:?}: {error}")]
    Trace {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

impl AgentError {
    /// Whether the configuration, or the profile that it names, has to be edited before anything can come of another start.
    pub fn is_misconfiguration(&self) -> bool {
        match self {
            Self::Url(_) | Self::Names(_) | Self::NothingToSend { .. } => true,
            Self::Capture(error) => {
                matches!(error, CaptureError::UnknownProfile { .. } | CaptureError::BadProfile { .. })
            }
            Self::Panel(_) | Self::Trace { .. } => false,
        }
    }
}

/// Joins the meeting and stays in it until `shutdown` resolves; then leaves the room.
pub async fn run(
    config: &Config,
    options: RunOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let mut runtime = Runtime::new(config, options)?;
    runtime.run(shutdown).await;
    match runtime.panel_fault {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

struct Runtime {
    machine: Machine,
    publisher: WayOut,
    panel: Panel,
    /// Why the daemon cannot go on: a lamp that cannot be set might lie.
    panel_fault: Option<PanelError>,
    camera: Option<Device>,
    mic: Option<Device>,
    shown: Shown,
    black: BlackFrames,
    camera_format: Option<VideoFormat>,
    key_frames: KeyFrames,
    /// Pictures that the camera had given when a chunk was last cut.
    pictures: u64,
    /// Why the quality is as the log says it is.
    reason_told: Reason,
    lost_frames: LogLimit,
    profile: Profile,
    clock: MediaClock,
    config: Config,
    profiles: Option<PathBuf>,
    state_directory: Option<PathBuf>,
    reloading: Reloading,
    session_config: SessionConfig,
    session: Option<SessionHandle>,
    room: Room,
    /// What was written last, the newest last.
    chat: VecDeque<ChatLine>,
    /// Why the agent is not in the meeting, although it is to be.
    absence: Option<Absence>,
    requests: Option<Requests>,
    choice_file: ChoiceFile,
    service: Service,
    faults: Faults,
    started: Instant,
    stopping: bool,
}

impl Runtime {
    fn new(config: &Config, options: RunOptions) -> Result<Self, AgentError> {
        let RunOptions { trace_chunks, profiles, state_directory, requests, reload } = options;
        let equipment = Equipment::new(config, profiles.clone())?;
        let clock = MediaClock::new()?;
        let black = equipment.black()?;
        let Equipment { profile, format, camera, mic } = equipment;
        let device = |source| Device::new(source, profile.clone(), clock.clone());
        let (choice_file, forgotten) = ChoiceFile::open(state_directory.clone());
        let choice = beginning(&choice_file, config);
        let choice = Choice {
            camera: choice.camera.filter(|_| camera.is_some()),
            mic: choice.mic.filter(|_| mic.is_some()),
            ..choice
        };
        let panel = Panel::open(&config.panel)?;
        let trace = trace_chunks.map(|path| match Trace::create(&path) {
            Ok(trace) => Ok((path, trace)),
            Err(error) => Err(AgentError::Trace { path, error }),
        });
        let mut runtime = Self {
            machine: Machine::new(Instant::now(), choice),
            panel,
            panel_fault: None,
            shown: Shown::new(),
            publisher: way_out(
                config,
                dialect(&config.meeting)?,
                StreamFormat { video: format },
                &clock,
                trace.transpose()?,
                state_directory.as_deref(),
            ),
            camera: camera.map(device),
            mic: mic.map(device),
            black: BlackFrames::new(profile.clone(), black),
            camera_format: format,
            key_frames: KeyFrames::default(),
            pictures: 0,
            reason_told: Reason::Full,
            lost_frames: LogLimit::default(),
            profile: profile.clone(),
            clock: clock.clone(),
            session_config: session_config(&config.meeting)?,
            config: config.clone(),
            profiles,
            state_directory,
            reloading: Reloading::new(reload),
            session: None,
            room: Room::default(),
            chat: VecDeque::new(),
            absence: None,
            requests,
            choice_file,
            service: Service::from_environment(),
            faults: Faults::default(),
            started: Instant::now(),
            stopping: false,
        };
        if let Some(error) = forgotten {
            runtime.fault(Part::ChoiceFile, &error.to_string());
        }
        if !choice.attending {
            tracing::info!("staying out of the meeting, as somebody chose before the restart");
        }
        Ok(runtime)
    }

    async fn run(&mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        self.tell_state();
        while !self.stopping {
            // The journal has it with every line.
            let span = tracing::info_span!("agent", room = self.session_config.room);
            self.run_in_room(shutdown.as_mut()).instrument(span).await;
        }
        while self.choice_file.is_awaited() {
            let kept = self.choice_file.next().await;
            self.choice_kept(kept).await;
        }
        for device in [&mut self.camera, &mut self.mic].into_iter().flatten() {
            device.shut().await;
        }
    }

    /// Until the daemon ends, or the configuration has another room.
    async fn run_in_room(&mut self, mut shutdown: Pin<&mut impl Future<Output = ()>>) {
        let room = self.session_config.room.clone();
        self.decide(Event::Tick).await;
        while !self.stopping && self.session_config.room == room {
            let now = Instant::now();
            self.tell_supervisor(now);
            // Where nothing happens, the loop still shows that it is alive.
            let idle_until = self.service.ping_every().map(|every| now + every);
            let timeout =
                [self.machine.poll_timeout(), self.publisher.poll_timeout()].into_iter().flatten().min();
            let blink = self.panel.poll_timeout();
            let next_cut = self.publisher.next_cut().filter(|_| self.machine.is_flowing());
            let lamps_have_followed = self.lamps_have_followed();
            tokio::select! {
                () = &mut shutdown => {
                    self.service.stopping();
                    self.decide(Event::Shutdown).await;
                }
                event = captured::next_of(&mut self.camera) => self.captured(DeviceKind::Camera, event).await,
                event = captured::next_of(&mut self.mic) => self.captured(DeviceKind::Mic, event).await,
                event = next_session_event(&mut self.session) => self.heard(event).await,
                happened = self.publisher.progress() => self.happened(happened).await,
                () = until(next_cut) => self.cut().await,
                pressed = self.panel.next_press() => self.pressed(pressed).await,
                request = next_request(&mut self.requests) => self.asked(request).await,
                kept = self.choice_file.next() => self.choice_kept(kept).await,
                made = self.black.next() => self.black_made(made),
                read = self.reloading.next(), if lamps_have_followed => self.reloaded(read).await,
                () = until(timeout) => self.decide(Event::Tick).await,
                () = until(idle_until) => {}
                () = until(blink) => {
                    let ticked = self.panel.tick(Instant::now());
                    self.trust_panel(ticked).await;
                }
            }
        }
    }

    /// Tells the machine, and does what it decides.
    async fn decide(&mut self, event: Event) {
        self.machine.handle(event, Instant::now());
        let mut acted = false;
        while let Some(action) = self.machine.poll_action() {
            self.act(action).await;
            acted = true;
        }
        self.serve_receivers();
        // What is closed is not told as closed before it is kept.
        if acted && self.lamps_have_followed() {
            self.tell_state();
        }
    }

    async fn pressed(&mut self, pressed: Result<Pressed, PanelError>) {
        match pressed {
            Ok(pressed) => {
                tracing::info!(pin = pressed.pin, press = ?pressed.press, command = ?pressed.command, "button");
                self.decide(Event::Press(pressed.command)).await;
            }
            Err(error) => self.trust_panel(Err(error)).await,
        }
    }

    /// A lamp that cannot be set may claim that nobody hears the room, and a button that cannot be read leaves
    /// nobody a way to mute: then everything is closed (law 1). Whoever supervises the daemon starts it again.
    async fn trust_panel(&mut self, outcome: Result<(), PanelError>) {
        if let Err(error) = outcome
            && self.panel_fault.is_none()
        {
            tracing::error!("{error}; closing camera and microphone, and ending");
            self.panel_fault = Some(error);
            Box::pin(self.decide(Event::Shutdown)).await;
        }
    }

    /// Something went wrong, and is tried again: logged when it is news.
    fn fault(&mut self, part: Part, message: &str) -> bool {
        let news = self.faults.report(part, message);
        if news {
            match part {
                Part::Meeting | Part::IceServer(_) => tracing::warn!("{message}"),
                Part::Camera | Part::Mic | Part::ChoiceFile => tracing::error!("{message}"),
            }
        }
        news
    }
}

/// How devices begin: as people left them, or else as the configuration says.
fn beginning(choice_file: &ChoiceFile, config: &Config) -> Choice {
    let Capture { start_camera, start_mic, .. } = config.capture;
    let configured = Choice { camera: Some(start_camera), mic: Some(start_mic), attending: true };
    let choice = choice_file.recall(configured);
    if config.panel.has_push_to_talk() { choice.muted() } else { choice }
}

/// What is to be captured, as configuration and profile have it.
struct Equipment {
    profile: Profile,
    format: Option<VideoFormat>,
    camera: Option<Source>,
    mic: Option<Source>,
}

impl Equipment {
    fn new(config: &Config, profiles: Option<PathBuf>) -> Result<Self, AgentError> {
        let profile = Profiles::usual(profiles).load(config.capture.profile.as_str())?;
        let DeviceSettings { format, camera, mic } = DeviceSettings::new(config, &profile);
        if camera.is_none() && mic.is_none() {
            return Err(AgentError::NothingToSend { profile: profile.name });
        }
        let mute = config.capture.mute;
        let (camera, mic) = (camera.map(Source::Camera), mic.map(|settings| Source::Mic(settings, mute)));
        Ok(Self { profile, format, camera, mic })
    }

    /// A black picture, which also shows that the profile's encoder is there.
    fn black(&self) -> Result<Option<(VideoFormat, Bytes)>, AgentError> {
        let Some(format) = self.format else { return Ok(None) };
        Ok(Some((format, black_key_frame(format, &self.profile)?)))
    }
}

/// What is asked next.
async fn next_request(requests: &mut Option<Requests>) -> Request {
    if let Some(asking) = requests {
        if let Some(request) = asking.next().await {
            return request;
        }
        *requests = None;
    }
    pending().await
}

/// What the session says next; `None` if it died without a word.
async fn next_session_event(session: &mut Option<SessionHandle>) -> Option<SessionEvent> {
    match session {
        Some(session) => session.events.recv().await,
        None => pending().await,
    }
}
