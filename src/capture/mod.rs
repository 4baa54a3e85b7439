//! The capture room: GStreamer pipelines that turn devices into encoded frames.
//!
//! Camera and microphone are two [`Pipeline`]s on one [`MediaClock`], so that either can be closed, lost or
//! restarted without the other noticing. What a pipeline is made of comes from a [`Profile`], a text file.
//! GStreamer's threads never wait for the rest of the program: a frame that finds the channel full is dropped
//! and counted ([`CaptureEvent::Overrun`]).

mod clock;
pub mod devices;
mod error;
mod fault;
mod launch;
mod overlay;
mod pipeline;
pub mod probe;
mod profile;
mod profiles;
mod short;
mod sink;
pub mod still;
mod worker;

use std::sync::OnceLock;

use gstreamer as gst;

pub use clock::MediaClock;
pub use error::CaptureError;
pub use pipeline::{CLOSE_TIMEOUT, CameraSettings, CaptureEvent, MicSettings, OPEN_TIMEOUT, Pipeline};
pub use profile::{AudioProfile, AutoDevice, Overlay, Profile, VideoProfile};
pub use profiles::Profiles;

/// Starts GStreamer, once per process. On a fresh machine the first call scans the installed plugins, which
/// takes seconds on a Pi; the result is cached in the user's home (`GST_REGISTRY`).
pub fn init() -> Result<(), CaptureError> {
    static STARTED: OnceLock<Result<(), CaptureError>> = OnceLock::new();
    STARTED.get_or_init(|| gst::init().map_err(|e| CaptureError::Gstreamer { reason: e.to_string() })).clone()
}
