//! Does what the machine decides.

use super::Runtime;
use crate::agent::device::Device;
use crate::agent::machine::{Action, DeviceKind, SILENT_DEVICE};
use crate::capture::CaptureError;
use crate::meeting::{OutboxLimits, Presence, StateChange, outbox, session};

impl Runtime {
    pub(super) async fn act(&mut self, action: Action) {
        match action {
            Action::Connect(presence) => self.connect(presence),
            Action::Exit => self.stopping = true,
            Action::Remember(choice) => self.choice_file.keep(choice),
            Action::ShowPanel(state) => self.show_panel(state).await,
            Action::Leave => {
                if let Some(session) = self.session.take() {
                    let left = session.shutdown().await;
                    tracing::info!(?left, "left the room");
                }
                if self.publisher.leave().await {
                    tracing::info!("left the room");
                }
                self.forget_meeting();
            }
            Action::AnnounceCamera { has_video } => {
                self.publisher.announce(StateChange::Camera { has_video })
            }
            Action::AnnounceMic { is_muted } => self.publisher.announce(StateChange::Mic { is_muted }),
            Action::AnnounceSpeaking { speaking } => {
                self.publisher.announce(StateChange::Speaking { speaking })
            }
            Action::JoinAgain(presence) => {
                self.room.join_again();
                self.publisher.announce(StateChange::JoinAgain(presence));
            }
            Action::Open(which) => {
                if let Some(device) = self.device(which) {
                    device.open();
                }
            }
            Action::Close(which) => self.close(which),
            Action::GiveUp(which) => {
                let device = self.device(which);
                let name = device.as_ref().and_then(|device| device.name().map(str::to_owned));
                if let Some(device) = device {
                    device.give_up();
                }
                self.close(which);
                if let Some(device) = name {
                    self.tell_failure(which, CaptureError::NoFrame { device, after: SILENT_DEVICE });
                }
            }
            Action::ShowCamera => self.show_camera(),
            Action::ShowBlack => self.show_black(),
            Action::HearMicrophone => self.publisher.hear_microphone(),
            Action::HearSilence => self.publisher.hear_silence(),
            Action::StartMedia => self.publisher.start(),
            Action::StopMedia { seat_lost } => self.publisher.stop(seat_lost),
        }
    }

    pub(super) fn device(&mut self, which: DeviceKind) -> Option<&mut Device> {
        match which {
            DeviceKind::Camera => self.camera.as_mut(),
            DeviceKind::Mic => self.mic.as_mut(),
        }
    }

    fn connect(&mut self, presence: Presence) {
        if self.publisher.connect(&self.session_config, presence) {
            return;
        }
        let (outbox, receiver) = outbox(OutboxLimits::default());
        let session = session::spawn(self.session_config.clone(), presence, receiver);
        self.session = Some(session);
        self.publisher.set_outbox(Some(outbox));
    }
}
