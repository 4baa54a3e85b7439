//! What follows from the states: the steps that bring what is closer to what should be, in their order.

use std::time::Instant;

use super::{Action, Choice, DEVICE_RETRY, Device, DeviceKind, Machine, OPENING_GRACE, SILENT_DEVICE, Seat};
use crate::agent::speaking::SpeechDetector;
use crate::meeting::Presence;
use crate::panel::{Camera, Meeting, Mic, PanelState};

impl Machine {
    /// Brings what is closer to what should be: the one place where actions follow from states.
    ///
    /// The order is law 1. Going quiet: cut the media, drop what is queued, then light the lamp. Going live:
    /// lamp first, then media.
    pub(super) fn settle(&mut self, now: Instant) {
        self.time_out_devices(now);
        self.announce();
        self.close_devices();
        self.feed_tracks(now);
        self.start_or_stop_media();
        self.remember(self.remembered.no_more_open_than(self.choice()));
        self.show_panel();
        self.open_devices(now);
        self.feed_tracks(now);
        self.leave();
        self.connect(now);
        self.start_or_stop_media();
        self.announce_speaking();
        self.show_panel();
        self.remember(self.choice());
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
        for control in [&mut self.camera, &mut self.mic] {
            if let Device::Live { last_frame } = control.device
                && now >= last_frame + SILENT_DEVICE
            {
                control.device = Device::Lost { retry: now + DEVICE_RETRY };
                self.actions.push_back(Action::GiveUp(control.which));
            }
        }
    }

    /// State first, media second (docs/receivers.md §2): the room hears of a change before a device moves or a track changes.
    fn announce(&mut self) {
        let may_capture = self.may_capture();
        let joined = matches!(self.seat, Seat::Joined { .. });
        for control in [&mut self.camera, &mut self.mic] {
            let on_air = may_capture
                && control.wanted
                && (control.device.is_on_air() || control.device == Device::Closed);
            if on_air == control.told {
                continue;
            }
            control.told = on_air;
            if joined {
                self.actions.push_back(match control.which {
                    DeviceKind::Camera => Action::AnnounceCamera { has_video: on_air },
                    DeviceKind::Mic => Action::AnnounceMic { is_muted: !on_air },
                });
            }
        }
    }

    fn close_devices(&mut self) {
        let may_capture = self.may_capture();
        for control in [&mut self.camera, &mut self.mic] {
            if may_capture && control.wanted {
                continue;
            }
            match control.device {
                Device::Opening { .. } | Device::Live { .. } | Device::Reopening => {
                    control.device = Device::Closed;
                    self.actions.push_back(Action::Close(control.which));
                }
                Device::Lost { .. } => control.device = Device::Closed,
                Device::Absent | Device::Closed => {}
            }
        }
    }

    fn open_devices(&mut self, now: Instant) {
        let may_capture = self.may_capture();
        let mut opening = Vec::new();
        for control in [&mut self.camera, &mut self.mic] {
            match control.device {
                Device::Closed if may_capture && control.wanted => {
                    control.device = Device::Opening { since: now }
                }
                Device::Lost { retry } if now >= retry => control.device = Device::Reopening,
                _ => continue,
            }
            opening.push(Action::Open(control.which));
        }
        self.show_panel();
        self.actions.extend(opening);
    }

    fn connect(&mut self, now: Instant) {
        if let Seat::Away { retry } = self.seat
            && now >= retry
        {
            let presence = Presence { has_video: self.camera.told, is_muted: !self.mic.told };
            self.seat = Seat::Joining { since: now, presence };
            self.actions.push_back(Action::Connect(presence));
        }
    }

    /// A device that is opening while nothing is sent is waited for; while something is sent, what was on its
    /// track goes on until its first frame.
    fn feed_tracks(&mut self, now: Instant) {
        let flowing = self.flowing;
        for control in [&mut self.camera, &mut self.mic] {
            let carried = match control.device {
                Device::Live { .. } => true,
                Device::Opening { since } => (control.carried || !flowing) && now < since + OPENING_GRACE,
                Device::Absent | Device::Closed | Device::Lost { .. } | Device::Reopening => false,
            };
            if carried == control.carried {
                continue;
            }
            control.carried = carried;
            self.actions.push_back(match (control.which, carried) {
                (DeviceKind::Camera, true) => Action::ShowCamera,
                (DeviceKind::Camera, false) => Action::ShowBlack,
                (DeviceKind::Mic, true) => Action::HearMicrophone,
                (DeviceKind::Mic, false) => Action::HearSilence,
            });
        }
    }

    fn start_or_stop_media(&mut self) {
        let on_air = self.camera.device.is_on_air() || self.mic.device.is_on_air();
        let flowing = on_air && matches!(self.seat, Seat::Joined { may_publish: true, .. });
        if flowing == self.flowing {
            return;
        }
        self.flowing = flowing;
        self.actions.push_back(if flowing {
            Action::StartMedia
        } else {
            Action::StopMedia { seat_lost: matches!(self.seat, Seat::Joined { may_publish: false, .. }) }
        });
    }
}
