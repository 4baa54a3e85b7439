//! One running pipeline: a device that is open and yields encoded frames.

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::sync::mpsc;

use super::frame_rate::FrameRateLimit;
use super::opening::{Closing, Opening, WorkerThread};
use super::sink::{self, SharedOutlet};
use super::worker::Wake;
use super::{CaptureError, MediaClock, Profile};
use crate::media::{Frame, Track, VideoFormat};

/// How long a device may take to open and to deliver its first frame.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a device may take to close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How many events wait for the consumer at most: a second of pictures at 30 fps, or 0.6 s of sound. A consumer
/// that is later than that has a problem that more memory does not solve.
pub(super) const CHANNEL: usize = 32;

/// What a pipeline reports, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum CaptureEvent {
    /// What the camera really delivers; before the first frame, and again if it changes. It may differ from
    /// what was asked for. Never sent for a microphone.
    Format(VideoFormat),
    /// One encoded frame.
    Frame(Frame),
    /// How loud the microphone is: root mean square over the last 100 ms, in dB below full scale. One that
    /// finds the channel full is left out.
    Level {
        /// 0 is full scale, a quiet room about -60, silence minus infinity.
        dbfs: f64,
    },
    /// This many frames were lost here: they found the channel full, or nobody knows when they were captured. The
    /// pictures after them build on them, so the next one to show is a key frame.
    Overrun {
        /// At least 1.
        lost: u64,
    },
    /// The pipeline is dead and its device closed; nothing follows.
    Failed(CaptureError),
}

/// What is asked of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSettings {
    /// `auto`, or what the profile's `{device}` is: `/dev/video0`, a libcamera name, a file's path.
    pub device: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second.
    pub fps: u8,
    /// Bits per second.
    pub bitrate: u32,
}

/// What is asked of a microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicSettings {
    /// `auto`, or what the profile's `{device}` is: an ALSA name like `plughw:1,0`, a file's path.
    pub device: String,
    /// Bits per second.
    pub bitrate: u32,
}

/// An open device and its encoder. Dropping it closes the device in the background; [`Pipeline::close`] waits
/// for that.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) track: Track,
    pub(super) device: String,
    pub(super) outlet: SharedOutlet,
    pub(super) frame_rate: FrameRateLimit,
    /// The appsink's pad: events pushed into it travel upstream.
    pub(super) pad: Option<gst::Pad>,
    pub(super) thread: WorkerThread,
}

impl Pipeline {
    /// Opens a camera. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`] and a moment
    /// for the explanation.
    ///
    /// That the device delivered once does not mean that it goes on: watch for [`CaptureEvent::Frame`]s.
    pub async fn open_camera(
        clock: &MediaClock,
        profile: &Profile,
        settings: &CameraSettings,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        Opening::camera(clock, profile, settings)?.done().await
    }

    /// Opens a microphone. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`] and a
    /// moment for the explanation.
    pub async fn open_mic(
        clock: &MediaClock,
        profile: &Profile,
        settings: &MicSettings,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        Opening::mic(clock, profile, settings)?.done().await
    }

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

    /// Changes the encoder's target, in bits per second, without interrupting it.
    pub fn set_bitrate(&self, bits_per_second: u32) {
        self.thread.wake(Wake::SetBitrate(bits_per_second));
    }

    /// Lets at most `fps` pictures a second into the encoder from now on; 0 lets all in. The encoder goes on without a key
    /// frame and within the same format. Nothing happens for a microphone.
    pub fn set_frame_rate(&self, fps: u8) {
        self.frame_rate.set(fps);
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
