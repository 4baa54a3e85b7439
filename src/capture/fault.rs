//! From GStreamer's errors to ours: which device, what happened, what to try.

use std::io::ErrorKind;
use std::path::Path;

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
        Some(gst::ResourceError::NotFound | gst::ResourceError::Settings)
            if launch.track == Track::Video && is_node(launch) && devices::formats_of(&device).is_empty() =>
        {
            return CaptureError::NotACamera { device };
        }
        Some(gst::ResourceError::NotFound) => return not_found(launch),
        Some(gst::ResourceError::Busy) => return CaptureError::Busy { device },
        Some(gst::ResourceError::NotAuthorized) => return permission(launch),
        Some(gst::ResourceError::Settings) => return unsupported(launch),
        _ => {}
    }
    let undecodable = matches!(
        error.kind::<gst::StreamError>(),
        Some(gst::StreamError::TypeNotFound | gst::StreamError::WrongType | gst::StreamError::CodecNotFound)
    );
    if launch.looped && (undecodable || error.matches(gst::CoreError::MissingPlugin)) {
        return CaptureError::Unplayable { device, track: launch.track };
    }
    if debug.contains("resource busy") || debug.contains("Device or resource busy") {
        return CaptureError::Busy { device };
    }
    if debug.contains("Permission denied") {
        return permission(launch);
    }
    if debug.contains("No such file or directory") || gone {
        return not_found(launch);
    }
    if debug.contains("not-negotiated") {
        return unsupported(launch);
    }
    CaptureError::Device { device, reason: one_line(error.message(), debug) }
}

/// Whether the device's name is that of a device node. libcamera's and ALSA's names are not, though some start
/// with a slash.
fn is_node(launch: &Launch) -> bool {
    launch.device.starts_with("/dev/")
}

/// Asks a device node, or a file, what is wrong with it.
fn ask_node(launch: &Launch, phase: Phase) -> Option<CaptureError> {
    if !is_node(launch) && !launch.looped {
        return None;
    }
    let device = launch.device.clone();
    let absent = |device| match phase {
        Phase::Opening => CaptureError::NotFound { device },
        Phase::Running => CaptureError::Vanished { device },
    };
    let problem = devices::try_open(Path::new(&launch.device)).err()?;
    match (problem.kind(), problem.raw_os_error()) {
        (ErrorKind::NotFound, _) | (_, Some(ENODEV)) => Some(absent(device)),
        (ErrorKind::PermissionDenied, _) => Some(permission(launch)),
        (_, Some(EBUSY)) => Some(CaptureError::Busy { device }),
        _ => None,
    }
}

/// ALSA's library calls a sound card absent whose nodes the user may not open.
fn not_found(launch: &Launch) -> CaptureError {
    match launch.track {
        Track::Audio if !launch.looped && devices::sound_is_denied() => permission(launch),
        _ => CaptureError::NotFound { device: launch.device.clone() },
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
        false => devices::summary(&formats),
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

#[cfg(test)]
mod tests {
    use gst::glib;

    use super::*;
    use crate::capture::launch::Request;
    use crate::capture::{CameraSettings, Profiles};

    /// What the error means for a V4L2 camera with that device, configured and named by a test.
    fn meaning(device: &str, error: glib::Error, debug: &str, phase: Phase) -> CaptureError {
        let profile = Profiles::usual(None).load("usb-webcam").unwrap();
        let settings =
            CameraSettings { device: device.to_owned(), width: 640, height: 480, fps: 30, bitrate: 800_000 };
        let launch = Launch::new(&profile, &Request::Camera(settings)).unwrap();
        explain_parts(&error, debug, &launch, phase)
    }

    fn resource(kind: gst::ResourceError, text: &str) -> glib::Error {
        glib::Error::new(kind, text)
    }

    #[test]
    fn a_node_that_is_gone_was_never_there_or_has_vanished() {
        let error = || resource(gst::ResourceError::Read, "Could not read from resource.");
        let device = "/dev/video99".to_owned();

        let opening = meaning(&device, error(), "", Phase::Opening);
        let running = meaning(&device, error(), "", Phase::Running);

        assert_eq!(opening, CaptureError::NotFound { device: device.clone() });
        assert_eq!(running, CaptureError::Vanished { device });
    }

    #[test]
    fn what_elements_say_becomes_what_to_do() {
        // A node that exists and can be opened, so that the element's words decide.
        let device = "/dev/null".to_owned();
        let said = |kind, text, debug, phase| meaning("/dev/null", resource(kind, text), debug, phase);
        use gst::ResourceError::{Busy, OpenReadWrite, Read};

        assert_eq!(
            said(Busy, "Device '/dev/null' is busy", "", Phase::Opening),
            CaptureError::Busy { device: device.clone() }
        );
        assert_eq!(
            said(OpenReadWrite, "Could not open device.", "system error: Permission denied", Phase::Opening),
            CaptureError::Permission { device: device.clone(), group: "video" }
        );
        assert_eq!(
            said(Read, "Could not read.", "poll error: No such device (19)", Phase::Running),
            CaptureError::Vanished { device: device.clone() }
        );
        assert_eq!(
            said(Read, "Something new.", "gstfoo.c(1): bar ():\nthe cause", Phase::Running),
            CaptureError::Device { device, reason: "Something new (the cause)".to_owned() }
        );
    }

    #[test]
    fn a_node_that_is_no_camera_is_called_that() {
        let error = resource(gst::ResourceError::NotFound, "Device '/dev/null' is not a capture device.");

        let meaning = meaning("/dev/null", error, "", Phase::Opening);

        assert_eq!(meaning, CaptureError::NotACamera { device: "/dev/null".to_owned() });
    }

    #[test]
    fn a_refused_format_says_what_was_asked_for() {
        let error = glib::Error::new(gst::StreamError::Failed, "Internal data stream error.");

        let meaning =
            meaning("/dev/null", error, "streaming stopped, reason not-negotiated (-4)", Phase::Running);

        let expected = CaptureError::UnsupportedFormat {
            device: "/dev/null".to_owned(),
            wanted: "640x480 at 30 fps".to_owned(),
            offered: "unknown".to_owned(),
        };
        assert_eq!(meaning, expected);
    }
}
