//! What comes from the devices: frames, and the news that there are none; key frames, and who waits for one.

use std::future::pending;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Runtime;
use crate::agent::device::Device;
use crate::agent::faults::Part;
use crate::agent::machine::{DEVICE_RETRY, Device as DeviceState, DeviceKind, Event};
use crate::capture::still::jpeg;
use crate::capture::{CaptureError, CaptureEvent, Profile};
use crate::control::{Absence, AbsenceReason, Refusal};
use crate::media::{Frame, Track};
use crate::publish::pressure::{DEAD, Pressure};
use crate::publish::quality::{Quality, Reason};

/// A key frame that was asked for gets this long before it is asked for again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(200);

/// The camera's key frames: when one was asked for, and by whom.
#[derive(Debug, Default)]
pub(super) struct KeyFrames {
    asked: Option<Instant>,
    /// Who waits for the next one, to look at it.
    snapshots: Vec<SnapshotAnswer>,
}

/// Where a snapshot, or the reason why there is none, is to go.
pub(super) type SnapshotAnswer = oneshot::Sender<Result<Bytes, Refusal>>;

impl KeyFrames {
    /// Shows a key frame to those who wait for one. It is decoded elsewhere, as that takes some 10 ms.
    fn take_snapshots(&mut self, frame: &Frame, profile: &Profile) {
        if self.snapshots.is_empty() || frame.track != Track::Video || !frame.key {
            return;
        }
        let Some(codec) = profile.video.as_ref().map(|video| video.codec) else { return };
        let (answers, picture) = (std::mem::take(&mut self.snapshots), frame.data.clone());
        tokio::spawn(async move {
            let made = match tokio::task::spawn_blocking(move || jpeg(&picture, codec)).await {
                Ok(Ok(jpeg)) => Ok(jpeg),
                Ok(Err(error)) => Err(Refusal::failed(format!("no snapshot: {error}"))),
                Err(error) => Err(Refusal::failed(format!("no snapshot: {error}"))),
            };
            for answer in answers {
                // Who does not wait any more needs no picture.
                let _ = answer.send(made.clone());
            }
        });
    }

    fn refuse_snapshots(&mut self) {
        for answer in self.snapshots.drain(..) {
            let _ = answer.send(Err(no_picture()));
        }
    }
}

fn no_picture() -> Refusal {
    Refusal::conflict(
        "the camera delivers no picture: turn it on, or look what is wrong with it in the status",
    )
}

impl Runtime {
    pub(super) async fn captured(&mut self, which: DeviceKind, event: CaptureEvent) {
        match event {
            CaptureEvent::Format(format) => {
                self.camera_format = Some(format);
                self.black.prepare(format);
                if Some(format) != self.publisher.format().video && self.machine.carries(DeviceKind::Camera) {
                    tracing::info!(
                        format.width,
                        format.height,
                        format.fps,
                        "the camera delivers another format"
                    );
                    self.publisher.show_camera(format);
                }
            }
            CaptureEvent::Frame(frame) => {
                self.faults.clear(part(which));
                self.decide(Event::Frame(which)).await;
                self.key_frames.take_snapshots(&frame, &self.profile);
                self.take_in(frame);
            }
            CaptureEvent::Level { dbfs } => self.decide(Event::Level { dbfs }).await,
            CaptureEvent::Overrun { lost } => {
                if let Some(more) = self.lost_frames.admit(Instant::now()) {
                    tracing::warn!(lost, ?which, "frames were lost between encoder and segmenter{more}");
                }
                if which == DeviceKind::Camera {
                    self.publisher.lose_pictures();
                    self.ask_for_key_frame();
                }
            }
            CaptureEvent::Failed(error) => {
                if which == DeviceKind::Camera {
                    self.key_frames.refuse_snapshots();
                }
                self.tell_failure(which, error);
                self.decide(Event::Failed(which)).await;
            }
        }
    }

    pub(super) fn close(&mut self, which: DeviceKind) {
        if which == DeviceKind::Camera {
            self.key_frames.refuse_snapshots();
        }
        if let Some(device) = self.device(which) {
            device.close();
        }
        self.publisher.take_back_queued();
    }

    /// Says why a device is lost, once until it is back.
    pub(super) fn tell_failure(&mut self, which: DeviceKind, error: CaptureError) {
        self.fault(part(which), &format!("{error}; trying again every {} s", DEVICE_RETRY.as_secs()));
    }

    fn take_in(&mut self, frame: Frame) {
        if !self.machine.is_flowing() {
            return;
        }
        self.publisher.take_in(frame);
    }

    pub(super) async fn cut(&mut self) {
        if self.machine.is_flowing() {
            self.publisher.cut();
            self.follow_uplink().await;
            self.ask_for_key_frame();
        }
    }

    /// Does what the link has room for, now that a chunk was cut.
    pub(super) async fn follow_uplink(&mut self) {
        let encoding = self.publisher.encoding();
        let mut pictures = 0;
        if let Some(camera) = &mut self.camera {
            camera.set_encoding(encoding);
            pictures = camera.pictures();
        }
        // A camera whose pictures are held back is not silent.
        let came = std::mem::replace(&mut self.pictures, pictures) < pictures;
        if encoding.hold && came {
            self.decide(Event::Frame(DeviceKind::Camera)).await;
        }
        let (quality, reason) = self.publisher.quality();
        if self.reason_told != reason {
            self.reason_told = reason;
            let Quality { bitrate, frame_rate, .. } = quality;
            match reason {
                Reason::Full => tracing::info!("the network carries the whole picture again"),
                Reason::Link => {
                    tracing::info!(bitrate, frame_rate, "the network carries less: the picture follows it");
                }
                Reason::Minimum => tracing::warn!(
                    "the network carries less than capture.min_bitrate: the picture stands still, for the voice to get through"
                ),
                Reason::Stall => tracing::warn!("the network carries nothing for now"),
                Reason::Encoder => tracing::info!(
                    bitrate,
                    "the encoder makes more than it is asked for: it is asked for less"
                ),
            }
        }
        if self.publisher.pressure() == Pressure::Dead {
            let url = self.session_config.endpoint.url();
            let message = format!(
                "the connection with {url} has carried nothing for {} s, so it is given up",
                DEAD.as_secs()
            );
            self.be_away(Absence { reason: AbsenceReason::ConnectionLost, message }, false, None).await;
        }
    }

    /// Does what the receivers need by now. To be called after everything that happened.
    pub(super) fn serve_receivers(&mut self) {
        self.publisher.serve();
        self.ask_for_key_frame();
    }

    fn ask_for_key_frame(&mut self) {
        if self.machine.is_flowing() && self.publisher.wants_key_frame() {
            self.force_key_frame();
        }
    }

    /// Takes a picture for somebody, if the camera delivers any.
    pub(super) fn take_snapshot(&mut self, answer: SnapshotAnswer) {
        if !matches!(
            self.machine.device(DeviceKind::Camera),
            DeviceState::Live { .. } | DeviceState::Opening { .. }
        ) {
            // Who does not wait any more needs no answer.
            let _ = answer.send(Err(no_picture()));
            return;
        }
        self.key_frames.snapshots.push(answer);
        self.force_key_frame();
    }

    pub(super) fn force_key_frame(&mut self) {
        if self.key_frames.asked.is_some_and(|asked| asked.elapsed() < KEY_FRAME_PATIENCE) {
            return;
        }
        if let Some(camera) = &self.camera {
            camera.force_key_frame();
            self.key_frames.asked = Some(Instant::now());
        }
    }
}

/// What comes next from a device, if there is one.
pub(super) async fn next_of(device: &mut Option<Device>) -> CaptureEvent {
    match device {
        Some(device) => device.next().await,
        None => pending().await,
    }
}

fn part(which: DeviceKind) -> Part {
    match which {
        DeviceKind::Camera => Part::Camera,
        DeviceKind::Mic => Part::Mic,
    }
}
