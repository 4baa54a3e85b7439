//! What the agent decides, as a value machine: events and the time come in, actions go out.
//!
//! It knows no clock, no socket and no device. Three things happen independently, and each has a state of its
//! own: the [`Seat`] in the meeting, and the two devices ([`Device`]). Media flows while the seat may publish
//! and at least one device is on the air (docs/receivers.md §2).

mod settle;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use super::device_control::Device;
use super::device_control::DeviceControl;
pub use super::event::{Action, Choice, DeviceKind, Event};
use super::speaking::SpeechDetector;
use crate::meeting::{Backoff, Presence};
use crate::panel::{Command, PanelState};

/// A live device that delivers nothing for this long is lost.
pub const SILENT_DEVICE: Duration = Duration::from_secs(5);
/// How long after a device was lost it is tried again. A device that comes back must be seen within 5 s.
pub const DEVICE_RETRY: Duration = Duration::from_secs(2);
/// How long the voice waits for a camera that is opening, at the start of a stream.
pub const OPENING_GRACE: Duration = Duration::from_millis(1500);
/// After so long, what is no news is answered again too: it comes from a newcomer, not from another agent.
const ANSWERED_AGAIN: Duration = Duration::from_secs(5);

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
        /// Since when.
        since: Instant,
        /// What the relay will tell the room about us.
        presence: Presence,
    },
    /// In the room.
    Joined {
        /// Since when.
        since: Instant,
        /// Whether the relay forwards our chunks.
        may_publish: bool,
        /// Whether the relay is of the first generation.
        first_generation: bool,
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
    camera: DeviceControl,
    mic: DeviceControl,
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
    backoff: Backoff,
    /// What the relay was told at the join.
    joined_as: Presence,
    /// When our state was last repeated because somebody's had changed.
    repeated: Option<Instant>,
    actions: VecDeque<Action>,
}

impl Machine {
    /// A machine at rest; its first event, usually [`Event::Tick`], sets it in motion. `choice` says which
    /// devices the configuration has, and what people chose last.
    pub fn new(now: Instant, choice: Choice) -> Self {
        let mut machine = Self {
            seat: if choice.attending { Seat::Away { retry: now } } else { Seat::Left },
            camera: DeviceControl::new(DeviceKind::Camera, choice.camera),
            mic: DeviceControl::new(DeviceKind::Mic, choice.mic),
            flowing: false,
            ending: false,
            attending: choice.attending,
            remembered: choice,
            speech: SpeechDetector::default(),
            told_speaking: false,
            shown: None,
            backoff: Backoff::default(),
            joined_as: Presence { has_video: false, is_muted: true },
            repeated: None,
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
    pub fn device(&self, which: DeviceKind) -> Device {
        self.control(which).device
    }

    /// Whether the track carries the device, rather than filler.
    pub fn carries(&self, which: DeviceKind) -> bool {
        self.control(which).carried
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
            Event::Choose(which, on) => self.control_mut(which).choose(on),
            Event::Join => self.attend(now),
            Event::Leave => self.stay_out(),
            Event::Reopen(which) => self.reopen(which, now),
            Event::Equip(which, start) => self.equip(which, start),
            Event::Rejoin => self.rejoin(now),
            Event::Level { dbfs } => self.speech.hear(dbfs, now),
            Event::Frame(which) => {
                let device = &mut self.control_mut(which).device;
                if device.is_open() {
                    *device = Device::Live { last_frame: now };
                }
            }
            Event::Failed(which) => {
                let device = &mut self.control_mut(which).device;
                if device.is_open() {
                    *device = Device::Lost { retry: now + DEVICE_RETRY };
                }
            }
            Event::Joined { may_publish, first_generation } => {
                self.joined(may_publish, first_generation, now);
            }
            Event::MayPublish(may) => {
                if let Seat::Joined { may_publish, .. } = &mut self.seat {
                    *may_publish = may;
                }
            }
            Event::LateJoin => self.repeat_state(),
            Event::OtherChanged { news } => self.other_changed(news, now),
            Event::CardMoved => self.card_moved(),
            Event::SessionEnded { refused, random } => self.session_ended(refused, random, now),
            Event::NotBefore(wait) => {
                if let Seat::Away { retry } = &mut self.seat {
                    *retry = (*retry).max(now + wait);
                }
            }
        }
        self.settle(now);
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let device = |control: &DeviceControl| match control.device {
            Device::Lost { retry } => Some(retry),
            Device::Live { last_frame } => Some(last_frame + SILENT_DEVICE),
            Device::Opening { since } if control.carried => Some(since + OPENING_GRACE),
            _ => None,
        };
        let seat = match self.seat {
            Seat::Away { retry } => Some(retry),
            _ => None,
        };
        [seat, device(&self.camera), device(&self.mic)].into_iter().flatten().min()
    }

    fn joined(&mut self, may_publish: bool, first_generation: bool, now: Instant) {
        let Seat::Joining { presence, .. } = self.seat else { return };
        self.seat = Seat::Joined { since: now, may_publish, first_generation };
        // What changed while the join was under way is announced now.
        self.camera.told = presence.has_video;
        self.mic.told = !presence.is_muted;
        self.joined_as = presence;
    }

    /// Gateways of the first generation tell newcomers what they were told at our join.
    fn repeat_state(&mut self) {
        if !self.is_among_first_generation() {
            return;
        }
        let Presence { has_video, is_muted } = self.joined_as;
        if self.camera.told != has_video {
            self.actions.push_back(Action::AnnounceCamera { has_video: self.camera.told });
        }
        if self.mic.told == is_muted {
            self.actions.push_back(Action::AnnounceMic { is_muted: !self.mic.told });
        }
    }

    /// At an event of somebody first-generation clients throw away what they have, but for the client that told of it,
    /// which hears no event. It does as the others at one of ours, which costs them nothing more. Agents in the same room
    /// answer each other only once: what they repeat is no news (docs/receivers.md §5.2).
    fn other_changed(&mut self, news: bool, now: Instant) {
        let is_due =
            news || self.repeated.is_none_or(|at| now.saturating_duration_since(at) >= ANSWERED_AGAIN);
        if self.is_among_first_generation() && is_due {
            self.repeated = Some(now);
            self.actions.push_back(Action::AnnounceMic { is_muted: !self.mic.told });
        }
    }

    /// A first-generation client keeps the MediaSource of the element that was at the agent's former place. It throws that away when we join (docs/receivers.md §5).
    fn card_moved(&mut self) {
        if self.is_among_first_generation() {
            let presence = Presence { has_video: self.camera.told, is_muted: !self.mic.told };
            self.joined_as = presence;
            self.actions.push_back(Action::JoinAgain(presence));
        }
    }

    fn is_among_first_generation(&self) -> bool {
        matches!(self.seat, Seat::Joined { first_generation: true, .. })
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
        let took = match self.seat {
            Seat::Joining { since, .. } => now.saturating_duration_since(since),
            _ => Duration::ZERO,
        };
        let wait = if refused {
            self.backoff.after_refusal(random)
        } else {
            self.backoff.after_failure(took, random)
        };
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
    fn reopen(&mut self, which: DeviceKind, now: Instant) {
        match &mut self.control_mut(which).device {
            Device::Lost { retry } => *retry = now,
            device if device.is_open() => {
                *device = Device::Closed;
                self.actions.push_back(Action::Close(which));
            }
            _ => {}
        }
    }

    fn equip(&mut self, which: DeviceKind, start: Option<bool>) {
        let control = self.control_mut(which);
        let was_open = control.device.is_open();
        control.device = if start.is_some() { Device::Closed } else { Device::Absent };
        control.choose(start == Some(true));
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

    fn control(&self, which: DeviceKind) -> &DeviceControl {
        match which {
            DeviceKind::Camera => &self.camera,
            DeviceKind::Mic => &self.mic,
        }
    }

    fn control_mut(&mut self, which: DeviceKind) -> &mut DeviceControl {
        match which {
            DeviceKind::Camera => &mut self.camera,
            DeviceKind::Mic => &mut self.mic,
        }
    }
}
