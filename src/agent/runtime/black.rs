//! The black picture that the video track carries while the camera is off, made ahead of time for the format that the
//! camera delivers. Making one takes some 10 ms, and seconds on a machine that is starting up: too long for the loop.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;

use super::Runtime;
use crate::agent::background::Background;
use crate::capture::still::black_key_frame;
use crate::capture::{CaptureError, Profile};
use crate::media::VideoFormat;

/// How many formats are kept; a camera has one or two.
const MOST_FORMATS: usize = 4;

type Made = Result<Bytes, CaptureError>;

/// Black key frames, by their format.
pub(super) struct BlackFrames {
    /// The newest last.
    made: Vec<(VideoFormat, Bytes)>,
    making: Option<(VideoFormat, Background<Made>)>,
    /// What is made after that.
    next: Option<VideoFormat>,
    make: Arc<dyn Fn(VideoFormat) -> Made + Send + Sync>,
    /// Whether the video track is to carry one as soon as there is one.
    due: bool,
}

impl BlackFrames {
    /// Made by the profile's encoder; `first` is there already.
    pub(super) fn new(profile: Profile, first: Option<(VideoFormat, Bytes)>) -> Self {
        let make = Arc::new(move |format| black_key_frame(format, &profile));
        Self { made: first.into_iter().collect(), making: None, next: None, make, due: false }
    }

    /// Begins to make one, unless it is there.
    pub(super) fn prepare(&mut self, format: VideoFormat) {
        if self.get(format).is_some() {
            return;
        }
        match &self.making {
            Some((making, _)) if *making == format => self.next = None,
            Some(_) => self.next = Some(format),
            None => {
                let make = self.make.clone();
                self.making = Some((format, Background::start("black", move || make(format))));
            }
        }
    }

    fn get(&self, format: VideoFormat) -> Option<&Bytes> {
        self.made.iter().find(|(made_for, _)| *made_for == format).map(|(_, frame)| frame)
    }

    /// Waits until one more is made, or cannot be made; for ever if there is none in the making. Can be dropped while
    /// it waits.
    pub(super) async fn next(&mut self) -> Result<(), CaptureError> {
        let Some((format, job)) = &mut self.making else { return pending().await };
        let made = job.done().await;
        let format = *format;
        self.making = None;
        if let Some(next) = self.next.take() {
            self.prepare(next);
        }
        let reason = |lost| CaptureError::Device { device: "the black picture".to_owned(), reason: lost };
        let frame = made.map_err(|lost| reason(lost.to_string()))??;
        if self.made.len() == MOST_FORMATS {
            self.made.remove(0);
        }
        self.made.push((format, frame));
        Ok(())
    }
}

impl Runtime {
    /// Black from the next chunk on, or as soon as the black picture is made. Nothing of the camera goes out meanwhile:
    /// its pictures that wait are given up, and the last one that was shown stays.
    pub(super) fn show_black(&mut self) {
        let Some(format) = self.publisher.format().video else { return };
        if let Some(frame) = self.black.get(format).cloned() {
            self.black.due = false;
            self.publisher.show_black(frame);
        } else {
            self.black.due = true;
            self.publisher.show_nothing(format);
            self.black.prepare(format);
        }
    }

    /// The encoder is another one, or has other settings; `first` is made by it.
    pub(super) fn renew_black(&mut self, profile: Profile, first: Option<(VideoFormat, Bytes)>) {
        let due = std::mem::replace(&mut self.black, BlackFrames::new(profile, first)).due;
        if due {
            self.show_black();
        } else if let Some(format) = self.publisher.format().video {
            self.black.prepare(format);
        }
    }

    /// The camera is shown, or about to be.
    pub(super) fn show_camera(&mut self) {
        self.black.due = false;
        if let Some(format) = self.camera_format {
            self.publisher.show_camera(format);
        }
    }

    pub(super) fn black_made(&mut self, made: Result<(), CaptureError>) {
        match made {
            Ok(()) if self.black.due => self.show_black(),
            Ok(()) => {}
            Err(error) => {
                tracing::error!("no black picture in the camera's format: {error}");
                if std::mem::take(&mut self.black.due)
                    && let Some((_, other)) = self.black.made.last()
                {
                    // One of another size is better than the room.
                    self.publisher.show_black(other.clone());
                }
            }
        }
    }
}

#[cfg(test)]
impl BlackFrames {
    /// They are made when the gate is open.
    pub(super) fn be_slow(&mut self, gate: crate::agent::gate::Gate) {
        let make = self.make.clone();
        self.make = Arc::new(move |format| {
            gate.pass();
            make(format)
        });
    }
}
