//! What the agent decides, as a value machine: events and the time come in, actions go out.
//!
//! It knows no clock, no socket and no device. Three things happen independently, and each has a state of its
//! own: the [`Seat`] in the meeting, and the two devices ([`Device`]). Media flows while the seat may publish
//! and at least one device is on the air (playback.md, rule 5).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use super::event::{Action, Choice, Event, LateJoinStrategy, Which};
use super::late_join::LateJoiners;
pub use super::late_join::{LATE_JOIN_INTERVAL, REPLAY_RETRY};
pub use super::side::Device;
use super::side::Side;
use super::speaking::SpeechDetector;
use crate::meeting::{Backoff, Presence};
use crate::panel::{Camera, Command, Meeting, Mic, PanelState};
use crate::webm::Origin;

/// A live device that delivers nothing for this long is lost.
pub const SILENT_DEVICE: Duration = Duration::from_secs(5);
/// How long after a device was lost it is tried again. A device that comes back must be seen within 5 s.
pub const DEVICE_RETRY: Duration = Duration::from_secs(2);
/// How long the voice waits for a camera that is opening, at the start of a stream.
pub const OPENING_GRACE: Duration = Duration::from_millis(1500);
/// After so long without media, receivers may have played all that they had.
pub const RUNS_DRY: Duration = Duration::from_millis(200);

/// The place in the meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// Not connected; the next attempt is due at `retry`.
    Away {
        /// When to try again.
        retry: Instant,
    },
    /// Connecting, or waiting for `room-state`.
    Joining {
        /// What the relay will tell the room about us.
        presence: Presence,
    },
    /// In the room.
    Joined {
        /// Since when.
        since: Instant,
        /// Whether the relay forwards our chunks.
        may_publish: bool,
        /// How late joiners are served.
        late_join: LateJoinStrategy,
    },
    /// Somebody asked to leave; what is open is closed first.
    Leaving,
    /// Out of the meeting, until somebody asks to join again.
    Left,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    seat: Seat,
    camera: Side,
    mic: Side,
    flowing: bool,
    /// The daemon is to end.
    ending: bool,
    /// Whether people want the device to be in the meeting.
    attending: bool,
    /// What was last remembered of their choice.
    remembered: Choice,
    speech: SpeechDetector,
    /// Whether the room was told that somebody speaks.
    told_speaking: bool,
    /// What the lamps were last let tell.
    shown: Option<PanelState>,
    /// When the flow was last stopped.
    stopped: Option<Instant>,
    /// The origin of the next epoch that starts the flow.
    next_origin: Origin,
    backoff: Backoff,
    late_joiners: LateJoiners,
    actions: VecDeque<Action>,
}

impl Machine {
    /// A machine at rest; its first event, usually [`Event::Tick`], sets it in motion. `choice` says which
    /// devices the configuration has, and what people chose last.
    pub fn new(now: Instant, choice: Choice) -> Self {
        let mut machine = Self {
            seat: if choice.attending { Seat::Away { retry: now } } else { Seat::Left },
            camera: Side::new(Which::Camera, choice.camera),
            mic: Side::new(Which::Mic, choice.mic),
            flowing: false,
            ending: false,
            attending: choice.attending,
            remembered: choice,
            speech: SpeechDetector::default(),
            told_speaking: false,
            shown: None,
            stopped: None,
            next_origin: Origin::Continue,
            backoff: Backoff::default(),
            late_joiners: LateJoiners::default(),
            actions: VecDeque::new(),
        };
        if choice.camera == Some(false) {
            machine.actions.push_back(Action::ShowBlack);
        }
        if choice.mic != Some(true) {
            machine.actions.push_back(Action::HearSilence);
        }
        machine
    }

    /// The place in the meeting.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// A device's state.
    pub fn device(&self, which: Which) -> Device {
        self.side(which).device
    }

    /// Whether the track carries the device, rather than filler.
    pub fn carries(&self, which: Which) -> bool {
        self.side(which).carried
    }

    /// What people chose last.
    pub fn choice(&self) -> Choice {
        Choice { camera: self.camera.choice(), mic: self.mic.choice(), attending: self.attending }
    }

    /// Whether media flows.
    pub fn is_flowing(&self) -> bool {
        self.flowing
    }

    /// Takes in an event that happened at `now`; [`Machine::poll_action`] has what follows from it.
    pub fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Tick => {}
            Event::Shutdown => {
                self.ending = true;
                self.seat = Seat::Leaving;
            }
            Event::Press(command) => self.press(command, now),
            Event::Choose(which, on) => self.side_mut(which).choose(on),
            Event::Join => self.attend(now),
            Event::Leave => self.stay_out(),
            Event::Reopen(which) => self.reopen(which, now),
            Event::Equip(which, start) => self.equip(which, start),
            Event::Rejoin => self.rejoin(now),
            Event::Level { dbfs } => self.speech.hear(dbfs, now),
            Event::Frame(which) => {
                let device = &mut self.side_mut(which).device;
                if device.is_open() {
                    *device = Device::Live { last_frame: now };
                }
            }
            Event::Failed(which) => {
                let device = &mut self.side_mut(which).device;
                if device.is_open() {
                    *device = Device::Lost { retry: now + DEVICE_RETRY };
                }
            }
            Event::Joined { may_publish, late_join } => self.joined(may_publish, late_join, now),
            Event::MayPublish(may) => {
                if let Seat::Joined { may_publish, .. } = &mut self.seat {
                    *may_publish = may;
                }
            }
            Event::LateJoin => {
                if self.flowing {
                    self.late_joiners.add(now);
                }
            }
            Event::NothingToReplay => self.late_joiners.nothing_to_replay(now),
            Event::SessionEnded { refused, random } => self.session_ended(refused, random, now),
        }
        self.settle(now);
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let device = |side: &Side| match side.device {
            Device::Lost { retry } => Some(retry),
            Device::Live { last_frame } => Some(last_frame + SILENT_DEVICE),
            Device::Opening { since } if side.carried => Some(since + OPENING_GRACE),
            _ => None,
        };
        let seat = match self.seat {
            Seat::Away { retry } => Some(retry),
            _ => None,
        };
        [seat, device(&self.camera), device(&self.mic), self.late_joiners.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn joined(&mut self, may_publish: bool, late_join: LateJoinStrategy, now: Instant) {
        let Seat::Joining { presence } = self.seat else { return };
        self.seat = Seat::Joined { since: now, may_publish, late_join };
        // What changed while the join was under way is announced now.
        self.camera.told = presence.has_video;
        self.mic.told = !presence.is_muted;
        // Receivers have one MediaSource per connection of the sender, so theirs is new now. Those that cannot
        // jump to the live edge would never start in the middle of a timeline.
        self.next_origin = match late_join {
            LateJoinStrategy::Replay => Origin::ContinueAfresh,
            LateJoinStrategy::Reset | LateJoinStrategy::Restart => Origin::Zero,
        };
        self.late_joiners = LateJoiners::default();
    }

    fn session_ended(&mut self, refused: bool, random: f64, now: Instant) {
        if let Seat::Joined { since, .. } = self.seat
            && now.saturating_duration_since(since) >= Backoff::HEALTHY
        {
            self.backoff.reset();
        }
        if matches!(self.seat, Seat::Leaving | Seat::Left) {
            return;
        }
        let wait =
            if refused { self.backoff.after_refusal(random) } else { self.backoff.after_failure(random) };
        self.seat = Seat::Away { retry: now + wait };
    }

    /// What people in the room decide; nobody else can.
    fn press(&mut self, command: Command, now: Instant) {
        match command {
            Command::ToggleMic => self.mic.choose(!self.mic.wanted),
            Command::ToggleCamera => self.camera.choose(!self.camera.wanted),
            // Nobody chose to be heard for longer than the button is held.
            Command::Unmute => self.mic.want(true),
            Command::Mute => self.mic.choose(false),
            // The same button brings the device back into the meeting.
            Command::Leave if self.attending => self.stay_out(),
            Command::Leave => self.attend(now),
        }
    }

    fn attend(&mut self, now: Instant) {
        self.attending = true;
        if self.seat == Seat::Left {
            self.seat = Seat::Away { retry: now };
        }
    }

    fn stay_out(&mut self) {
        self.attending = false;
        if self.seat != Seat::Left {
            self.seat = Seat::Leaving;
        }
    }

    /// A device that has other settings now is closed, and opened with them if it is wanted.
    fn reopen(&mut self, which: Which, now: Instant) {
        match &mut self.side_mut(which).device {
            Device::Lost { retry } => *retry = now,
            device if device.is_open() => {
                *device = Device::Closed;
                self.actions.push_back(Action::Close(which));
            }
            _ => {}
        }
    }

    fn equip(&mut self, which: Which, start: Option<bool>) {
        let side = self.side_mut(which);
        let was_open = side.device.is_open();
        side.device = if start.is_some() { Device::Closed } else { Device::Absent };
        side.choose(start == Some(true));
        if was_open {
            self.actions.push_back(Action::Close(which));
        }
    }

    /// The meeting is another one now: out of the old one, and into it.
    fn rejoin(&mut self, now: Instant) {
        if self.attending && self.seat != Seat::Leaving {
            self.actions.push_back(Action::Leave);
            self.seat = Seat::Away { retry: now };
            self.backoff.reset();
        }
    }

    /// Brings what is closer to what should be: the one place where actions follow from states.
    ///
    /// The order is law 1. Going quiet: cut the media, drop what is queued, then light the lamp. Going live:
    /// lamp first, then media.
    fn settle(&mut self, now: Instant) {
        self.time_out_devices(now);
        self.announce();
        self.close_devices();
        self.feed_tracks(now);
        self.start_or_stop_media(now);
        self.remember(self.remembered.no_more_open_than(self.choice()));
        self.show_panel();
        self.open_devices(now);
        self.feed_tracks(now);
        self.leave();
        self.connect(now);
        self.start_or_stop_media(now);
        self.announce_speaking();
        self.show_panel();
        self.remember(self.choice());
        self.serve_late_joiners(now);
    }

    /// What was closed is remembered before a lamp says so, and what was opened after: whenever the daemon dies,
    /// it comes up no more open than it was.
    fn remember(&mut self, choice: Choice) {
        if self.remembered != choice {
            self.remembered = choice;
            self.actions.push_back(Action::Remember(choice));
        }
    }

    fn leave(&mut self) {
        if self.seat == Seat::Leaving {
            self.seat = Seat::Left;
            self.actions.push_back(Action::Leave);
            if self.ending {
                self.actions.push_back(Action::Exit);
            }
        }
    }

    fn show_panel(&mut self) {
        let state = self.panel_state();
        if self.shown != Some(state) {
            self.shown = Some(state);
            self.actions.push_back(Action::ShowPanel(state));
        }
    }

    /// What the lamps are to tell.
    pub fn panel_state(&self) -> PanelState {
        PanelState {
            camera: match self.camera.device {
                Device::Absent | Device::Closed => Camera::Off,
                Device::Opening { .. } => Camera::Opening,
                Device::Live { .. } => Camera::On,
                Device::Lost { .. } | Device::Reopening => Camera::Fault,
            },
            mic: match self.mic.device {
                Device::Absent | Device::Closed => Mic::Muted,
                Device::Opening { .. } => Mic::Opening,
                Device::Live { .. } => Mic::Live,
                Device::Lost { .. } | Device::Reopening => Mic::Fault,
            },
            meeting: match self.seat {
                Seat::Away { .. } | Seat::Joining { .. } => Meeting::Connecting,
                Seat::Joined { may_publish: true, .. } => Meeting::Joined,
                Seat::Joined { may_publish: false, .. } => Meeting::WaitingForSeat,
                Seat::Leaving | Seat::Left => Meeting::Away,
            },
            speaking: self.told_speaking,
        }
    }

    fn announce_speaking(&mut self) {
        let live = self.flowing && matches!(self.mic.device, Device::Live { .. });
        if !live {
            self.speech = SpeechDetector::default();
        }
        let speaking = self.speech.is_speaking();
        if speaking != self.told_speaking {
            self.told_speaking = speaking;
            if matches!(self.seat, Seat::Joined { .. }) {
                self.actions.push_back(Action::AnnounceSpeaking { speaking });
            }
        }
    }

    /// A seat that may not publish needs no devices. While there is no seat they stay open, so that a rejoin
    /// shows a picture at once.
    fn may_capture(&self) -> bool {
        !matches!(self.seat, Seat::Leaving | Seat::Left | Seat::Joined { may_publish: false, .. })
    }

    fn time_out_devices(&mut self, now: Instant) {
        for side in [&mut self.camera, &mut self.mic] {
            if let Device::Live { last_frame } = side.device
                && now >= last_frame + SILENT_DEVICE
            {
                side.device = Device::Lost { retry: now + DEVICE_RETRY };
                self.actions.push_back(Action::GiveUp(side.which));
            }
        }
    }

    /// State first, media second (rule 7): the room hears of a change before a device moves or a track changes.
    fn announce(&mut self) {
        let may_capture = self.may_capture();
        let joined = matches!(self.seat, Seat::Joined { .. });
        for side in [&mut self.camera, &mut self.mic] {
            let on_air =
                may_capture && side.wanted && (side.device.is_on_air() || side.device == Device::Closed);
            if on_air == side.told {
                continue;
            }
            side.told = on_air;
            if joined {
                self.actions.push_back(match side.which {
                    Which::Camera => Action::AnnounceCamera { has_video: on_air },
                    Which::Mic => Action::AnnounceMic { is_muted: !on_air },
                });
            }
        }
    }

    fn close_devices(&mut self) {
        let may_capture = self.may_capture();
        for side in [&mut self.camera, &mut self.mic] {
            if may_capture && side.wanted {
                continue;
            }
            match side.device {
                Device::Opening { .. } | Device::Live { .. } | Device::Reopening => {
                    side.device = Device::Closed;
                    self.actions.push_back(Action::Close(side.which));
                }
                Device::Lost { .. } => side.device = Device::Closed,
                Device::Absent | Device::Closed => {}
            }
        }
    }

    fn open_devices(&mut self, now: Instant) {
        let may_capture = self.may_capture();
        let mut opening = Vec::new();
        for side in [&mut self.camera, &mut self.mic] {
            match side.device {
                Device::Closed if may_capture && side.wanted => side.device = Device::Opening { since: now },
                Device::Lost { retry } if now >= retry => side.device = Device::Reopening,
                _ => continue,
            }
            opening.push(Action::Open(side.which));
        }
        self.show_panel();
        self.actions.extend(opening);
    }

    fn connect(&mut self, now: Instant) {
        if let Seat::Away { retry } = self.seat
            && now >= retry
        {
            let presence = Presence { has_video: self.camera.told, is_muted: !self.mic.told };
            self.seat = Seat::Joining { presence };
            self.actions.push_back(Action::Connect(presence));
        }
    }

    /// A device that is opening while nothing is sent is waited for; while something is sent, what was on its
    /// track goes on until its first frame.
    fn feed_tracks(&mut self, now: Instant) {
        let flowing = self.flowing;
        for side in [&mut self.camera, &mut self.mic] {
            let carried = match side.device {
                Device::Live { .. } => true,
                Device::Opening { since } => (side.carried || !flowing) && now < since + OPENING_GRACE,
                Device::Absent | Device::Closed | Device::Lost { .. } | Device::Reopening => false,
            };
            if carried == side.carried {
                continue;
            }
            side.carried = carried;
            self.actions.push_back(match (side.which, carried) {
                (Which::Camera, true) => Action::ShowCamera,
                (Which::Camera, false) => Action::ShowBlack,
                (Which::Mic, true) => Action::HearMicrophone,
                (Which::Mic, false) => Action::HearSilence,
            });
        }
    }

    fn start_or_stop_media(&mut self, now: Instant) {
        let on_air = self.camera.device.is_on_air() || self.mic.device.is_on_air();
        let flowing = on_air && matches!(self.seat, Seat::Joined { may_publish: true, .. });
        if flowing == self.flowing {
            return;
        }
        self.flowing = flowing;
        if flowing {
            let origin = std::mem::replace(&mut self.next_origin, Origin::Continue);
            let origin = if origin == Origin::Continue { self.origin_after_pause(now) } else { origin };
            self.actions.push_back(Action::StartMedia(origin));
        } else {
            self.stopped = Some(now);
            self.late_joiners.send_away();
            self.actions.push_back(Action::StopMedia);
            if matches!(self.seat, Seat::Joined { may_publish: false, .. }) {
                self.actions.push_back(Action::DoubtSent);
            }
        }
    }

    /// Only clients that jump are helped by a lead-in; it is those of relays whose late joiners get a replay.
    fn origin_after_pause(&self, now: Instant) -> Origin {
        let jumps = matches!(self.seat, Seat::Joined { late_join: LateJoinStrategy::Replay, .. });
        let dry = self.stopped.is_some_and(|stopped| now.saturating_duration_since(stopped) >= RUNS_DRY);
        if jumps && dry { Origin::ContinueAfterPause } else { Origin::Continue }
    }

    fn serve_late_joiners(&mut self, now: Instant) {
        let Seat::Joined { late_join, .. } = self.seat else { return };
        if !self.flowing || !self.late_joiners.take_due(now) {
            return;
        }
        match late_join {
            LateJoinStrategy::Replay => {
                self.actions.push_back(Action::Replay);
                self.late_joiners.replay_again(now);
            }
            LateJoinStrategy::Reset => {
                self.actions.extend([Action::AnnounceReset, Action::BeginEpoch(Origin::Zero)]);
            }
            LateJoinStrategy::Restart => self.actions.push_back(Action::BeginEpoch(Origin::Zero)),
        }
    }

    fn side(&self, which: Which) -> &Side {
        match which {
            Which::Camera => &self.camera,
            Which::Mic => &self.mic,
        }
    }

    fn side_mut(&mut self, which: Which) -> &mut Side {
        match which {
            Which::Camera => &mut self.camera,
            Which::Mic => &mut self.mic,
        }
    }
}
