//! Drives the machine: everything that has a clock, a socket or a device.
//!
//! One task. Frames come from the two devices, go through the segmenter and, at the cadence, into the outbox;
//! what happens meanwhile goes to the machine, and what it decides is done here.

use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::device::{Device, Source};
use super::machine::{Action, DEVICE_RETRY, Event, LateJoinStrategy, Machine, SILENT_DEVICE, Which};
use super::publisher::Publisher;
use super::settings::{DeviceSettings, session_config};
use super::trace::Trace;
use crate::capture::still::black_key_frame;
use crate::capture::{CaptureError, CaptureEvent, MediaClock, Profile, Profiles};
use crate::config::{Config, LateJoin};
use crate::media::{Frame, StreamFormat, VideoFormat};
use crate::meeting::{
    Joined, OutboxLimits, Presence, ServerEvent, SessionConfig, SessionError, SessionEvent, SessionHandle,
    StateChange, outbox, session,
};
use crate::panel::{Panel, PanelError, Pressed};
use crate::socketio::BadUrl;

/// A key frame that was asked for gets this long before it is asked for again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(200);

/// How the agent is run, beside its configuration.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// Where to write one JSON line per published chunk.
    pub trace_chunks: Option<PathBuf>,
    /// Where to look for pipeline profiles before the usual places.
    pub profiles: Option<PathBuf>,
}

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
    publisher: Publisher,
    panel: Panel,
    /// Why the daemon cannot go on: a lamp that cannot be set might lie.
    panel_fault: Option<PanelError>,
    camera: Option<Device>,
    mic: Option<Device>,
    /// A black key frame of the format it was made for.
    black: Option<(VideoFormat, Bytes)>,
    camera_format: Option<VideoFormat>,
    profile: Profile,
    session_config: SessionConfig,
    late_join: LateJoin,
    session: Option<SessionHandle>,
    cadence: Interval,
    key_frame_asked: Option<Instant>,
    told: Told,
    stopping: bool,
}

/// What was logged last, so that a device or a relay that is tried again and again is not logged each time.
#[derive(Default)]
struct Told {
    camera: Option<CaptureError>,
    mic: Option<CaptureError>,
    session: Option<String>,
}

impl Runtime {
    fn new(config: &Config, options: RunOptions) -> Result<Self, AgentError> {
        let profile = Profiles::usual(options.profiles).load(config.capture.profile.as_str())?;
        let clock = MediaClock::new()?;
        let DeviceSettings { format, camera, mic } = DeviceSettings::new(&config.capture, &profile);
        if camera.is_none() && mic.is_none() {
            return Err(AgentError::NothingToSend { profile: profile.name });
        }
        let black = match format {
            Some(format) => Some((format, black_key_frame(format, &profile)?)),
            None => None,
        };
        let device = |source| Device::new(source, profile.clone(), clock.clone());
        let camera = camera.map(|settings| device(Source::Camera(settings)));
        let mic = mic.map(|settings| device(Source::Mic(settings)));
        let machine = Machine::new(
            Instant::now(),
            camera.is_some().then_some(config.capture.start_camera),
            mic.is_some().then_some(config.capture.start_mic),
        );
        let panel = Panel::open(&config.panel)?;
        let trace = options.trace_chunks.map(|path| match Trace::create(&path) {
            Ok(trace) => Ok((path, trace)),
            Err(error) => Err(AgentError::Trace { path, error }),
        });
        let mut cadence = interval(config.capture.cadence.duration());
        cadence.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Ok(Self {
            machine,
            panel,
            panel_fault: None,
            publisher: Publisher::new(StreamFormat { video: format }, clock, trace.transpose()?),
            camera,
            mic,
            black,
            camera_format: format,
            profile,
            session_config: session_config(&config.meeting)?,
            late_join: config.meeting.late_join,
            session: None,
            cadence,
            key_frame_asked: None,
            told: Told::default(),
            stopping: false,
        })
    }

    async fn run(&mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        self.decide(Event::Tick).await;
        while !self.stopping {
            let timeout = self.machine.poll_timeout();
            let blink = self.panel.poll_timeout();
            tokio::select! {
                () = &mut shutdown => self.decide(Event::Shutdown).await,
                event = next_of(&mut self.camera) => self.captured(Which::Camera, event).await,
                event = next_of(&mut self.mic) => self.captured(Which::Mic, event).await,
                event = next_session_event(&mut self.session) => self.heard(event).await,
                _ = self.cadence.tick() => self.cut(),
                pressed = self.panel.next_press() => self.pressed(pressed).await,
                () = until(timeout) => self.decide(Event::Tick).await,
                () = until(blink) => {
                    let ticked = self.panel.tick(Instant::now());
                    self.trust_panel(ticked).await;
                }
            }
        }
        for device in [&mut self.camera, &mut self.mic].into_iter().flatten() {
            device.closed().await;
        }
    }

    /// Tells the machine, and does what it decides.
    async fn decide(&mut self, event: Event) {
        self.machine.handle(event, Instant::now());
        while let Some(action) = self.machine.poll_action() {
            self.act(action).await;
        }
        self.ask_for_key_frame();
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Connect(presence) => self.connect(presence),
            Action::Exit => self.stopping = true,
            Action::ShowPanel(state) => {
                let shown = self.panel.show(&state, Instant::now());
                self.trust_panel(shown).await;
            }
            Action::Leave => {
                if let Some(session) = self.session.take() {
                    let left = session.shutdown().await;
                    tracing::info!(?left, "left the room");
                }
                self.publisher.set_outbox(None);
            }
            Action::AnnounceCamera { has_video } => {
                self.publisher.announce(StateChange::Camera { has_video })
            }
            Action::AnnounceMic { is_muted } => self.publisher.announce(StateChange::Mic { is_muted }),
            Action::AnnounceSpeaking { speaking } => {
                self.publisher.announce(StateChange::Speaking { speaking })
            }
            Action::AnnounceReset => self.publisher.announce(StateChange::StreamReset),
            Action::Open(which) => {
                if let Some(device) = self.device(which) {
                    device.open();
                }
            }
            Action::Close(which) => self.close(which),
            Action::GiveUp(which) => {
                let name = self.device(which).and_then(|device| device.name().map(str::to_owned));
                self.close(which);
                if let Some(device) = name {
                    self.tell_failure(which, CaptureError::NoFrame { device, after: SILENT_DEVICE });
                }
            }
            Action::ShowCamera => {
                if let Some(format) = self.camera_format {
                    self.publisher.segmenter.show_camera(format);
                }
            }
            Action::ShowBlack => self.show_black().await,
            Action::HearMicrophone => self.publisher.segmenter.hear_microphone(),
            Action::HearSilence => self.publisher.segmenter.hear_silence(),
            Action::StartMedia(origin) | Action::BeginEpoch(origin) => {
                self.publisher.segmenter.begin_epoch(origin)
            }
            Action::StopMedia => {
                self.publisher.take_back_queued();
                self.publisher.segmenter.skip();
            }
            Action::DoubtSent => self.publisher.take_back_recently_sent(),
            Action::Replay => self.replay(),
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

    fn device(&mut self, which: Which) -> Option<&mut Device> {
        match which {
            Which::Camera => self.camera.as_mut(),
            Which::Mic => self.mic.as_mut(),
        }
    }

    fn connect(&mut self, presence: Presence) {
        let (outbox, receiver) = outbox(OutboxLimits::default());
        let session = session::spawn(self.session_config.clone(), presence, receiver);
        self.session = Some(session);
        self.publisher.set_outbox(Some(outbox));
    }

    async fn show_black(&mut self) {
        let Some(format) = self.publisher.segmenter.format().video else { return };
        if self.black.as_ref().is_none_or(|(made_for, _)| *made_for != format) {
            let profile = self.profile.clone();
            let made = tokio::task::spawn_blocking(move || black_key_frame(format, &profile)).await;
            match made {
                Ok(Ok(frame)) => self.black = Some((format, frame)),
                Ok(Err(error)) => tracing::error!("no black picture in the camera's new format: {error}"),
                Err(error) => tracing::error!("no black picture in the camera's new format: {error}"),
            }
        }
        if let Some((_, frame)) = &self.black {
            self.publisher.segmenter.show_black(frame.clone());
        }
    }

    async fn captured(&mut self, which: Which, event: CaptureEvent) {
        match event {
            CaptureEvent::Format(format) => {
                self.camera_format = Some(format);
                if Some(format) != self.publisher.segmenter.format().video
                    && self.machine.carries(Which::Camera)
                {
                    tracing::info!(
                        format.width,
                        format.height,
                        format.fps,
                        "the camera delivers another format"
                    );
                    self.publisher.segmenter.show_camera(format);
                }
            }
            CaptureEvent::Frame(frame) => {
                self.told_of(which).take();
                self.decide(Event::Frame(which)).await;
                self.take_in(frame);
            }
            CaptureEvent::Level { dbfs } => self.decide(Event::Level { dbfs }).await,
            CaptureEvent::Overrun { lost } => {
                tracing::warn!(
                    lost,
                    ?which,
                    "the agent is too slow: frames were lost between encoder and segmenter"
                );
                if which == Which::Camera {
                    self.publisher.segmenter.skip();
                    self.ask_for_key_frame();
                }
            }
            CaptureEvent::Failed(error) => {
                self.tell_failure(which, error);
                self.decide(Event::Failed(which)).await;
            }
        }
    }

    fn close(&mut self, which: Which) {
        if let Some(device) = self.device(which) {
            device.close();
        }
        self.publisher.take_back_queued();
    }

    /// Logs why a device is lost, once until it is back.
    fn tell_failure(&mut self, which: Which, error: CaptureError) {
        let told = self.told_of(which);
        if told.as_ref() != Some(&error) {
            tracing::error!("{error}; trying again every {} s", DEVICE_RETRY.as_secs());
            *told = Some(error);
        }
    }

    fn told_of(&mut self, which: Which) -> &mut Option<CaptureError> {
        match which {
            Which::Camera => &mut self.told.camera,
            Which::Mic => &mut self.told.mic,
        }
    }

    fn take_in(&mut self, frame: Frame) {
        if !self.machine.is_flowing() {
            return;
        }
        if self.publisher.take_in(frame) {
            self.cadence.reset();
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.machine.is_flowing() {
            self.publisher.cut();
            self.ask_for_key_frame();
        }
    }

    fn replay(&mut self) {
        if !self.publisher.replay() {
            // Nothing but a time to try again follows from this, so no action can be due.
            self.machine.handle(Event::NothingToReplay, Instant::now());
        }
        self.key_frame_asked = None;
        self.force_key_frame();
    }

    fn ask_for_key_frame(&mut self) {
        if self.machine.is_flowing() && self.publisher.segmenter.wants_key_frame() {
            self.force_key_frame();
        }
    }

    fn force_key_frame(&mut self) {
        if self.key_frame_asked.is_some_and(|asked| asked.elapsed() < KEY_FRAME_PATIENCE) {
            return;
        }
        if let Some(camera) = &self.camera {
            camera.force_key_frame();
            self.key_frame_asked = Some(Instant::now());
        }
    }

    async fn heard(&mut self, event: Option<SessionEvent>) {
        let Some(event) = event else {
            tracing::error!("the session died without saying why; trying again");
            self.end_session();
            return self.decide(Event::SessionEnded { refused: false, random: rand::random() }).await;
        };
        match event {
            SessionEvent::Joined(joined) => self.joined(joined).await,
            SessionEvent::Event(event) => self.heard_event(event).await,
            SessionEvent::ChunkSent { chunk, queued } => self.publisher.sent(chunk, queued),
            SessionEvent::ChunkTooLarge { chunk, max } => {
                tracing::warn!(
                    bytes = chunk.bytes.len(),
                    max,
                    "the relay does not accept a chunk of this size"
                );
                self.publisher.take_back_from(chunk);
            }
            SessionEvent::Ended(error) => self.session_ended(&error).await,
        }
    }

    async fn joined(&mut self, joined: Joined) {
        self.told.session = None;
        let Joined { room, user_id, max_payload } = joined;
        let may_publish = room.can_broadcast(&user_id);
        let late_join = match self.late_join {
            LateJoin::Auto if room.is_newer_relay() => LateJoinStrategy::Replay,
            LateJoin::Auto | LateJoin::Restart => LateJoinStrategy::Restart,
            LateJoin::Replay => LateJoinStrategy::Replay,
            LateJoin::Reset => LateJoinStrategy::Reset,
        };
        tracing::info!(
            room = self.session_config.room,
            user_id,
            participants = room.participants.len(),
            may_publish,
            ?late_join,
            "joined the room"
        );
        self.publisher.set_max_payload(max_payload);
        self.session_config.user_id = Some(user_id);
        self.decide(Event::Joined { may_publish, late_join }).await;
    }

    async fn heard_event(&mut self, event: ServerEvent) {
        let own_id = self.session_config.user_id.clone().unwrap_or_default();
        match event {
            ServerEvent::UserJoined(who) => {
                tracing::info!(user_id = who.user_id, username = who.username, "somebody joined");
                self.decide(Event::LateJoin).await;
            }
            ServerEvent::UserLeft { user_id } => tracing::info!(user_id, "somebody left"),
            ServerEvent::RequestKeyframe { from } => {
                tracing::debug!(from, "asked for a key frame");
                self.decide(Event::LateJoin).await;
            }
            ServerEvent::RoomState(state) => {
                self.may_publish(state.can_broadcast(&own_id)).await;
            }
            ServerEvent::PresenterChange(change) => {
                if let Some(may_publish) = change.can_broadcast(&own_id) {
                    self.may_publish(may_publish).await;
                }
            }
            ServerEvent::Error { message, .. } => tracing::warn!("the relay says: {message}"),
            ServerEvent::RoomEnded => {
                tracing::info!(room = self.session_config.room, "the meeting is over");
                self.end_session();
                self.decide(Event::SessionEnded { refused: true, random: rand::random() }).await;
            }
            ServerEvent::Ignored { .. } | ServerEvent::Malformed { .. } => {}
        }
    }

    async fn may_publish(&mut self, may_publish: bool) {
        tracing::info!(may_publish, "the relay set the presenter's seat");
        self.decide(Event::MayPublish(may_publish)).await;
    }

    fn end_session(&mut self) {
        self.session = None;
        self.publisher.set_outbox(None);
    }

    async fn session_ended(&mut self, error: &SessionError) {
        self.end_session();
        let refused = matches!(
            error,
            SessionError::Superseded { .. }
                | SessionError::RoomEnded { .. }
                | SessionError::AuthRefused { .. }
        );
        let text = error.to_string();
        if self.told.session.as_ref() != Some(&text) {
            tracing::warn!("{text}; trying again");
            self.told.session = Some(text);
        }
        self.decide(Event::SessionEnded { refused, random: rand::random() }).await;
    }
}

async fn next_of(device: &mut Option<Device>) -> CaptureEvent {
    match device {
        Some(device) => device.next().await,
        None => pending().await,
    }
}

/// What the session says next; `None` if it died without a word.
async fn next_session_event(session: &mut Option<SessionHandle>) -> Option<SessionEvent> {
    match session {
        Some(session) => session.events.recv().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
