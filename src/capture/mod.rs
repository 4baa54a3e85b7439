//! The capture room: GStreamer pipelines that turn devices into encoded frames.
//!
//! Camera and microphone are two [`Pipeline`]s on one [`MediaClock`], so that either can be closed, lost or
//! restarted without the other noticing. What a pipeline is made of comes from a [`Profile`], a text file.
//! GStreamer's threads never wait for the rest of the program: a frame that finds the channel full is dropped
//! and counted ([`CaptureEvent::Overrun`]).

mod clock;
pub mod devices;
mod error;
mod event;
#[cfg(test)]
pub(crate) mod fake_camera;
mod fault;
mod gate;
mod launch;
mod layers;
mod opening;
mod overlay;
mod pipeline;
pub mod probe;
mod profile;
mod profiles;
mod settings;
mod short_run;
mod sink;
#[cfg(test)]
mod sink_tests;
pub mod still;
mod thread;
mod worker;

use std::sync::OnceLock;

use gstreamer as gst;

pub use clock::MediaClock;
pub use error::CaptureError;
pub use event::CaptureEvent;
pub use gate::Encoding;
pub use opening::{Opening, open_camera, open_mic};
pub use pipeline::{CLOSE_TIMEOUT, Pipeline};
pub use profile::{AudioProfile, AutoDevice, Overlay, Profile, VideoProfile};
pub use profiles::Profiles;
pub use settings::{CameraSettings, MicSettings};
pub use thread::Closing;
pub use worker::OPEN_TIMEOUT;

/// An environment variable that must be set to anything before the process has a second thread.
///
/// GStreamer 1.22's `v4l2src` loses its buffer pool each time it stops, and with it memory and the open device,
/// unless this makes it collect its buffers first (`gst_v4l2_object_stop` drops its reference on that path only).
/// Beside the leak, a camera that is plugged in again would come back as another node, as the old one is in use.
pub const V4L2_COLLECT_BUFFERS: &str = "GST_V4L2_FORCE_DRAIN";

/// Starts GStreamer, once per process. On a fresh machine the first call scans the installed plugins, which
/// takes seconds on a Pi; the result is cached in the user's home (`GST_REGISTRY`).
pub fn init() -> Result<(), CaptureError> {
    static STARTED: OnceLock<Result<(), CaptureError>> = OnceLock::new();
    STARTED.get_or_init(|| gst::init().map_err(|e| CaptureError::Gstreamer { reason: e.to_string() })).clone()
}

/// Which GStreamer this is, such as `1.22.0`.
pub fn gstreamer_version() -> String {
    let (major, minor, micro, _) = gst::version();
    format!("{major}.{minor}.{micro}")
}
