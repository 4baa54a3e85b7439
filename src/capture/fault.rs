//! From GStreamer's errors to ours: which device, what happened, what to try.

use std::io::ErrorKind;

use gst::prelude::*;
use gstreamer as gst;

use super::CaptureError;
use super::devices;
use super::launch::Launch;
use crate::media::Track;

/// Linux's `ENODEV`, what a node answers whose device is gone.
const ENODEV: i32 = 19;
/// Linux's `EBUSY`.
const EBUSY: i32 = 16;

/// Whether the device had already been opened when the error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    Running,
}

/// An element that is not installed, and the Debian package that has it.
pub(super) fn missing(profile: &str, element: &str) -> CaptureError {
    let package = match element {
        "libcamerasrc" => "gstreamer1.0-libcamera",
        "alsasrc" => "gstreamer1.0-alsa",
        "pipewiresrc" => "gstreamer1.0-pipewire",
        "v4l2src" | "v4l2convert" | "vp8enc" | "vp9enc" | "jpegdec" | "level" | "matroskademux"
        | "qtdemux" | "pulsesrc" | "videoflip" | "videocrop" | "videobalance" => "gstreamer1.0-plugins-good",
        "videotestsrc" | "audiotestsrc" | "videoconvert" | "videoscale" | "videoconvertscale"
        | "videorate" | "audioconvert" | "audioresample" | "audiorate" | "volume" | "opusenc"
        | "decodebin" | "uridecodebin" | "timeoverlay" | "clockoverlay" | "textoverlay" | "appsink" => {
            "gstreamer1.0-plugins-base"
        }
        "queue" | "identity" | "filesrc" | "capsfilter" | "clocksync" | "tee" => "libgstreamer1.0-0",
        _ => "gstreamer1.0-plugins-bad",
    };
    CaptureError::MissingElement { profile: profile.to_owned(), element: element.to_owned(), package }
}

/// What an error on the bus means for whoever mounted the device.
pub(super) fn explain(error: &gst::message::Error, launch: &Launch, phase: Phase) -> CaptureError {
    let source = error.src().map(|src| src.name().to_string()).unwrap_or_default();
    let detail = error.debug().map(|text| text.to_string()).unwrap_or_default();
    tracing::debug!(device = launch.device, source, detail, "GStreamer error: {}", error.error());
    explain_parts(&error.error(), &detail, launch, phase)
}

fn explain_parts(error: &gst::glib::Error, debug: &str, launch: &Launch, phase: Phase) -> CaptureError {
    let device = launch.device.clone();
    // The node itself knows better than the element's translation of it.
    if let Some(found) = ask_node(launch, phase) {
        return found;
    }
    let gone = debug.contains("No such device") || error.message().contains("disconnected");
    if phase == Phase::Running && gone {
        return CaptureError::Vanished { device };
    }
    match error.kind::<gst::ResourceError>() {
        Some(gst::ResourceError::NotFound) => return CaptureError::NotFound { device },
        Some(gst::ResourceError::Busy) => return CaptureError::Busy { device },
        Some(gst::ResourceError::NotAuthorized) => return permission(launch),
        Some(gst::ResourceError::Settings) => return unsupported(launch),
        _ => {}
    }
    if debug.contains("resource busy") || debug.contains("Device or resource busy") {
        return CaptureError::Busy { device };
    }
    if debug.contains("Permission denied") {
        return permission(launch);
    }
    if debug.contains("No such file or directory") || gone {
        return CaptureError::NotFound { device };
    }
    if debug.contains("not-negotiated") {
        return unsupported(launch);
    }
    CaptureError::Device { device, reason: one_line(error.message(), debug) }
}

/// Asks a device node what is wrong with it. Files and ALSA names have no node to ask, except for a missing
/// file.
fn ask_node(launch: &Launch, phase: Phase) -> Option<CaptureError> {
    if !launch.device.starts_with('/') {
        return None;
    }
    let device = launch.device.clone();
    let absent = |device| match phase {
        Phase::Opening => CaptureError::NotFound { device },
        Phase::Running => CaptureError::Vanished { device },
    };
    let opened = std::fs::File::open(&launch.device);
    let problem = opened.err()?;
    match (problem.kind(), problem.raw_os_error()) {
        (ErrorKind::NotFound, _) | (_, Some(ENODEV)) => Some(absent(device)),
        (ErrorKind::PermissionDenied, _) => Some(permission(launch)),
        (_, Some(EBUSY)) => Some(CaptureError::Busy { device }),
        _ => None,
    }
}

fn permission(launch: &Launch) -> CaptureError {
    let group = match launch.track {
        Track::Video => "video",
        Track::Audio => "audio",
    };
    CaptureError::Permission { device: launch.device.clone(), group }
}

fn unsupported(launch: &Launch) -> CaptureError {
    let wanted = match launch.wanted {
        Some(format) => format!("{}x{} at {} fps", format.width, format.height, format.fps),
        None => "raw sound".to_owned(),
    };
    let formats = match launch.track {
        Track::Video => devices::formats_of(&launch.device),
        Track::Audio => Vec::new(),
    };
    let offered = match formats.is_empty() {
        true => "unknown".to_owned(),
        false => formats.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    CaptureError::UnsupportedFormat { device: launch.device.clone(), wanted, offered }
}

/// The message, and the last line of the debug text, which is where elements put the cause.
fn one_line(message: &str, debug: &str) -> String {
    match debug.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(cause) => format!("{} ({cause})", message.trim_end_matches('.')),
        None => message.to_owned(),
    }
}
