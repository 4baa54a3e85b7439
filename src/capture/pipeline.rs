//! One running pipeline: a device that is open and yields encoded frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{CaptureError, MediaClock, Profile};
use crate::media::{Frame, Track, VideoFormat};

/// How long a device may take to open.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a device may take to close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a pipeline reports, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// What the camera really delivers; before the first frame, and again if it changes. It may differ from
    /// what was asked for. Never sent for a microphone.
    Format(VideoFormat),
    /// One encoded frame.
    Frame(Frame),
    /// This many frames were dropped here, because the channel was full: skipped media (playback.md, rule 3).
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
    track: Track,
    device: String,
    cut: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
}

impl Pipeline {
    /// Opens a camera. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`].
    pub async fn open_camera(
        clock: &MediaClock,
        profile: &Profile,
        settings: &CameraSettings,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        let _ = (clock, profile, settings);
        todo!()
    }

    /// Opens a microphone. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`].
    pub async fn open_mic(
        clock: &MediaClock,
        profile: &Profile,
        settings: &MicSettings,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        let _ = (clock, profile, settings);
        todo!()
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
    pub fn force_key_frame(&self) {}

    /// Changes the encoder's target, in bits per second, without interrupting it.
    pub fn set_bitrate(&self, bits_per_second: u32) {
        let _ = bits_per_second;
    }

    /// Frames dropped because the channel was full, since the pipeline was opened.
    pub fn overruns(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// From the return of this call on, no further frame enters the channel (law 1). The device stays open;
    /// `close` or drop follows.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Cuts, closes the device and waits for it, at most [`CLOSE_TIMEOUT`].
    pub async fn close(self) -> Result<(), CaptureError> {
        Ok(())
    }
}
