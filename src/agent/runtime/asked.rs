//! What people at the device ask for over the control socket, and what they are told.

use std::time::{Duration, Instant};

use super::Runtime;
use crate::agent::faults::Part;
use crate::agent::machine::{Device, DeviceKind, Event, Seat};
use crate::capture;
use crate::control::{
    CameraState, CameraStatus, Command, LampStatus, MeetingState, MicState, MicStatus, Participant,
    QueueStatus, Refusal, Request, State, Status, StreamStatus, UplinkStatus, Versions,
};
use crate::meeting::Identity;

impl Runtime {
    pub(super) async fn asked(&mut self, request: Request) {
        // Who has gone away meanwhile needs no answer.
        match request {
            Request::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Request::Snapshot(answer) => self.take_snapshot(answer),
            Request::Command(Command::Reload, answer) => self.read_again(answer),
            Request::Command(command, answer) => {
                let done = self.obey(command).await;
                self.answer(answer, done);
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Camera { on } => self.choose(DeviceKind::Camera, on).await?,
            Command::Mic { muted } => self.choose(DeviceKind::Mic, !muted).await?,
            Command::KeyFrame => {
                if !matches!(self.machine.device(DeviceKind::Camera), Device::Live { .. }) {
                    return Err(Refusal::conflict(
                        "the camera is off: there is nothing to make a key frame of",
                    ));
                }
                tracing::debug!("asked over the control socket: a key frame");
                self.force_key_frame();
            }
            Command::Leave => {
                tracing::info!("asked to leave the meeting");
                self.decide(Event::Leave).await;
            }
            Command::Join => {
                tracing::info!("asked to join the meeting");
                self.decide(Event::Join).await;
            }
            Command::Say { text } => {
                // What people write is not for the log.
                tracing::debug!("asked over the control socket: a line for everybody to read");
                self.write_to_all(&text)?;
            }
            // Takes a while, and is answered then.
            Command::Reload => {}
        }
        Ok(())
    }

    async fn choose(&mut self, which: DeviceKind, on: bool) -> Result<(), Refusal> {
        if self.machine.device(which) == Device::Absent {
            let (device, key) = match which {
                DeviceKind::Camera => ("camera", "capture.camera"),
                DeviceKind::Mic => ("microphone", "capture.mic"),
            };
            return Err(Refusal::conflict(format!(
                "there is no {device} in this configuration: {key} is \"none\", or the profile has none"
            )));
        }
        let (device, state) = match (which, on) {
            (DeviceKind::Camera, true) => ("camera", "on"),
            (DeviceKind::Camera, false) => ("camera", "off"),
            (DeviceKind::Mic, true) => ("microphone", "live"),
            (DeviceKind::Mic, false) => ("microphone", "muted"),
        };
        tracing::info!("asked over the control socket: {device} {state}");
        self.decide(Event::Choose(which, on)).await;
        Ok(())
    }

    /// Lets those who watch know what is, if it is something new.
    pub(super) fn tell_state(&mut self) {
        let summary = self.summary();
        self.service.status(&summary);
        if let Some(requests) = &self.requests {
            requests.tell(self.state());
        }
    }

    pub(super) fn status(&self) -> Status {
        let counters = self.publisher.counters();
        let sent = self.publisher.traffic(Instant::now());
        let waiting = self.publisher.waiting();
        let (quality, reason) = self.publisher.quality();
        Status {
            versions: Versions {
                roomcam: env!("CARGO_PKG_VERSION").to_owned(),
                gstreamer: capture::gstreamer_version(),
            },
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            next_attempt_seconds: self.next_attempt().map(|wait| wait.as_secs_f64()),
            state: self.state(),
            stream: StreamStatus {
                chunks_sent: sent.chunks,
                bytes_sent: sent.bytes,
                bits_per_second: sent.bits_per_second,
                video_bitrate: self.config.capture.video_bitrate.get(),
                audio_bitrate: self.config.capture.audio_bitrate.get(),
                frames_captured: counters.pushed,
                frames_sent: counters.sent,
                frames_skipped: counters.skipped,
                frames_filled: counters.filler,
            },
            uplink: UplinkStatus {
                pressure: self.publisher.pressure().to_string(),
                video_bitrate: quality.bitrate,
                frame_rate: quality.frame_rate,
                picture_held: self.publisher.holds_picture(),
                reason: reason.to_string(),
            },
            queue: QueueStatus {
                chunks: waiting.chunks as u64,
                bytes: waiting.bytes as u64,
                milliseconds: waiting.media.as_millis().try_into().unwrap_or(u64::MAX),
            },
        }
    }

    /// How long until the next attempt to join; `None` while there is none to wait for.
    pub(super) fn next_attempt(&self) -> Option<Duration> {
        match self.machine.seat() {
            Seat::Away { retry } => Some(retry.saturating_duration_since(Instant::now())),
            Seat::Joining { .. } | Seat::Joined { .. } | Seat::Leaving | Seat::Left => None,
        }
    }

    fn fails(&self, part: Part) -> bool {
        let lost = |which| matches!(self.machine.device(which), Device::Lost { .. } | Device::Reopening);
        match part {
            Part::Camera => lost(DeviceKind::Camera),
            Part::Mic => lost(DeviceKind::Mic),
            Part::Meeting => self.absence.is_some(),
            Part::IceServer(_) | Part::ChoiceFile => true,
        }
    }

    /// The user id under which the room knows the agent, or will.
    fn user_id(&self) -> &str {
        let configured = || self.session_config.user_id.as_deref().unwrap_or_default();
        self.room.identity().map_or_else(configured, Identity::user_id)
    }

    fn state(&self) -> State {
        let panel = self.machine.panel_state();
        let name = |which| {
            let device = match which {
                DeviceKind::Camera => &self.camera,
                DeviceKind::Mic => &self.mic,
            };
            device.as_ref().and_then(|device| device.name()).map(str::to_owned)
        };
        let choice = self.machine.choice();
        State {
            protocol: self.config.meeting.protocol.as_str().to_owned(),
            relay: self.config.meeting.url.to_string(),
            room: self.session_config.room.clone(),
            user_id: self.user_id().to_owned(),
            username: self.session_config.username.clone(),
            meeting: match self.machine.seat() {
                Seat::Away { .. } | Seat::Joining { .. } => MeetingState::Connecting,
                Seat::Joined { may_publish: true, .. } => MeetingState::Joined,
                Seat::Joined { may_publish: false, .. } => MeetingState::WaitingForSeat,
                Seat::Leaving | Seat::Left => MeetingState::Left,
            },
            absence: self.absence.clone(),
            participants: self
                .room
                .others()
                .iter()
                .map(|other| Participant {
                    user_id: other.user_id.clone(),
                    username: other.username.clone(),
                    media: self.delivery_to(&other.user_id),
                })
                .collect(),
            chat: self.chat.iter().cloned().collect(),
            camera: CameraStatus {
                wanted_on: choice.camera.unwrap_or(false),
                state: match self.machine.device(DeviceKind::Camera) {
                    Device::Absent => CameraState::Absent,
                    Device::Closed => CameraState::Off,
                    Device::Opening { .. } => CameraState::Opening,
                    Device::Live { .. } => CameraState::On,
                    Device::Lost { .. } | Device::Reopening => CameraState::Fault,
                },
                device: name(DeviceKind::Camera),
            },
            mic: MicStatus {
                wanted_muted: !choice.mic.unwrap_or(false),
                state: match self.machine.device(DeviceKind::Mic) {
                    Device::Absent => MicState::Absent,
                    Device::Closed => MicState::Muted,
                    Device::Opening { .. } => MicState::Opening,
                    Device::Live { .. } => MicState::Live,
                    Device::Lost { .. } | Device::Reopening => MicState::Fault,
                },
                device: name(DeviceKind::Mic),
                speaking: panel.speaking,
            },
            flowing: self.machine.is_flowing(),
            lamps: self
                .panel
                .lamps()
                .map(|lamp| LampStatus {
                    place: lamp.place.to_owned(),
                    shows: lamp.shows.to_string(),
                    pattern: lamp.pattern.to_string(),
                })
                .collect(),
            epoch: self.publisher.epoch(),
            faults: self.faults.history(|part| self.fails(part)),
        }
    }
}
