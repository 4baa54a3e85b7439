//! One running pipeline: a device that is open and yields encoded frames.

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::CaptureError;
use super::gate::{Encoding, FrameGate};
use super::sink::{self, SharedOutlet};
use super::thread::{Closing, WorkerThread};
use super::worker::Wake;
use crate::media::Track;

/// How long a device may take to close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// An open device and its encoder. Dropping it closes the device in the background; [`Pipeline::close`] waits
/// for that.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) track: Track,
    pub(super) device: String,
    pub(super) outlet: SharedOutlet,
    pub(super) gate: FrameGate,
    /// The appsink's pad: events pushed into it travel upstream.
    pub(super) pad: Option<gst::Pad>,
    pub(super) thread: WorkerThread,
}

impl Pipeline {
    /// What it captures.
    pub fn track(&self) -> Track {
        self.track
    }

    /// The device it really uses (`auto` resolved), for messages.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Makes the next picture that enters the encoder a key frame. Nothing happens for a microphone.
    pub fn force_key_frame(&self) {
        if let (Track::Video, Some(pad)) = (self.track, &self.pad) {
            pad.push_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
        }
    }

    /// Changes what a camera's encoder makes, without a key frame and within the same format unless the size changes.
    pub fn set_encoding(&self, encoding: Encoding) {
        self.thread.wake(Wake::SetEncoding(encoding));
        self.gate.set_frame_rate(encoding.frame_rate);
    }

    /// Pictures that the camera gave so far, also those that were held back before the encoder.
    pub fn pictures(&self) -> u64 {
        self.gate.came()
    }

    /// Frames lost since the pipeline was opened.
    pub fn overruns(&self) -> u64 {
        sink::lock(&self.outlet).lost()
    }

    /// From the return of this call on, no further frame enters the channel (law 1); what is in it already goes
    /// when the receiver is dropped. The device stays open until `close` or drop.
    pub fn cut(&self) {
        sink::lock(&self.outlet).cut();
    }

    /// Cuts and begins to close the device.
    pub fn begin_close(mut self) -> Closing {
        self.cut();
        // A pad keeps its element alive; the device's element must not outlive its thread.
        self.pad = None;
        self.thread.stop()
    }

    /// Cuts, closes the device and waits for it, at most [`CLOSE_TIMEOUT`].
    pub async fn close(self) -> Result<(), CaptureError> {
        let device = self.device.clone();
        let mut closing = self.begin_close();
        tokio::time::timeout(CLOSE_TIMEOUT, closing.done())
            .await
            .map_err(|_| CaptureError::CloseTimeout { device, after: CLOSE_TIMEOUT })
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.cut();
    }
}
