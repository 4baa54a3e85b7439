//! What can go wrong between a device and its frames, in the words of whoever mounted it.

use std::path::PathBuf;
use std::time::Duration;

/// Why there is no picture or no sound. Every message names the device, the profile or the package concerned
/// and says what to try; it is meant to be shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// GStreamer itself does not start.
    #[error("GStreamer cannot be started: {reason}; reinstall the package libgstreamer1.0-0")]
    Gstreamer {
        /// What GStreamer says.
        reason: String,
    },

    /// A profile uses an element that is not installed.
    #[error(
        "GStreamer has no element \"{element}\", which profile \"{profile}\" needs; install it: apt-get install {package}"
    )]
    MissingElement {
        /// The profile that asks for it.
        profile: String,
        /// The element, as `gst-inspect-1.0` knows it.
        element: String,
        /// The Debian package that has it.
        package: &'static str,
    },

    /// No directory has a profile of this name.
    #[error("there is no pipeline profile \"{name}\"; there are: {}", .known.join(", "))]
    UnknownProfile {
        /// What was asked for.
        name: String,
        /// The names that exist, sorted.
        known: Vec<String>,
    },

    /// A profile's file cannot be read.
    #[error("cannot read the pipeline profile {}: {reason}", .path.display())]
    UnreadableProfile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },

    /// A profile is not what a profile has to be.
    #[error("pipeline profile \"{profile}\" is wrong: {reason}")]
    BadProfile {
        /// Its name.
        profile: String,
        /// What is wrong, with the line where it is known.
        reason: String,
    },

    /// The profile has no table for this track.
    #[error("profile \"{profile}\" has no {track}; choose another profile or turn the {track} off")]
    NoTrack {
        /// Its name.
        profile: String,
        /// The track that was asked for.
        track: crate::media::Track,
    },

    /// The profile cannot guess a device, and none was named.
    #[error(
        "profile \"{profile}\" cannot choose a device by itself; set {key} to one (for the profile \"file\": the path of a file)"
    )]
    DeviceRequired {
        /// The profile.
        profile: String,
        /// The configuration key to set, `camera` or `mic`.
        key: &'static str,
    },

    /// `camera = "auto"`, and there is no camera.
    #[error(
        "no usable camera found; plug one in, or name it (camera = \"/dev/video0\"); `roomcam devices` lists what is there"
    )]
    NoCamera,

    /// `mic = "auto"`, and there is no microphone.
    #[error(
        "no microphone found; plug one in, or name it (mic = \"plughw:1,0\"); `roomcam devices` lists what is there"
    )]
    NoMicrophone,

    /// A device's name contains characters that no device has.
    #[error("the device name {device:?} contains control characters")]
    BadDeviceName {
        /// The name.
        device: String,
    },

    /// There is no such device.
    #[error("{device}: no such device; is it plugged in? `roomcam devices` lists what is there")]
    NotFound {
        /// The device, as configured.
        device: String,
    },

    /// The node exists and is something else.
    #[error(
        "{device}: is no camera that delivers pictures (USB cameras have a second node, for metadata); `roomcam devices` lists the cameras"
    )]
    NotACamera {
        /// The device, as configured.
        device: String,
    },

    /// Another program has the device.
    #[error("{device}: in use by another program; find it with `fuser -v {}` and stop it", nodes_of(.device))]
    Busy {
        /// The device, as configured.
        device: String,
    },

    /// The user may not open the device.
    #[error(
        "{device}: permission denied; add the user to the group {group}: usermod -aG {group} USER, then restart the service"
    )]
    Permission {
        /// The device, as configured.
        device: String,
        /// `video` or `audio`.
        group: &'static str,
    },

    /// The device was there and is gone.
    #[error("{device}: disappeared while in use; check its cable, its hub and its power supply")]
    Vanished {
        /// The device, as configured.
        device: String,
    },

    /// The device has no format that the profile can use.
    #[error(
        "{device}: cannot deliver {wanted}; it offers: {offered}. Choose one of these sizes, or another profile"
    )]
    UnsupportedFormat {
        /// The device, as configured.
        device: String,
        /// The size and rate that were asked for.
        wanted: String,
        /// What the device offers, or that it is not known.
        offered: String,
    },

    /// The device did not open in time; it may be hung.
    #[error("{device}: did not open within {} s; unplug it and plug it in again", .after.as_secs())]
    OpenTimeout {
        /// The device, as configured.
        device: String,
        /// How long it was given.
        after: Duration,
    },

    /// The device did not close in time; it may be hung.
    #[error("{device}: did not close within {} s; it can be opened again when its driver lets go of it; if it does not, unplug it and plug it in again", .after.as_secs())]
    CloseTimeout {
        /// The device, as configured.
        device: String,
        /// How long it was given.
        after: Duration,
    },

    /// The device opened but delivers nothing.
    #[error("{device}: opened, but delivered nothing for {} s; unplug it and plug it in again, or try a smaller size", .after.as_secs())]
    NoFrame {
        /// The device, as configured.
        device: String,
        /// How long it was given.
        after: Duration,
    },

    /// A file without the track, or in a format that cannot be decoded.
    #[error(
        "{device}: has no {track} that the installed GStreamer plugins can play; for common formats: apt-get install gstreamer1.0-plugins-good gstreamer1.0-libav"
    )]
    Unplayable {
        /// The file, as configured.
        device: String,
        /// The track that was asked for.
        track: crate::media::Track,
    },

    /// The source came to an end.
    #[error("{device}: came to its end")]
    Ended {
        /// The device or file, as configured.
        device: String,
    },

    /// Anything else GStreamer reports about a pipeline.
    #[error("{device}: {reason}")]
    Device {
        /// The device, as configured.
        device: String,
        /// What GStreamer says, on one line.
        reason: String,
    },
}

/// The node, or the nodes, that a program which uses the device holds open.
fn nodes_of(device: &str) -> &str {
    if device.starts_with("/dev/") {
        device
    } else if device.starts_with('/') {
        // libcamera names a camera by its place in the device tree.
        "/dev/video*"
    } else {
        "/dev/snd/*"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_uses_a_device_is_asked_of_a_node() {
        let text = |device: &str| CaptureError::Busy { device: device.to_owned() }.to_string();

        assert!(text("/dev/video0").contains("`fuser -v /dev/video0`"));
        assert!(text("plughw:CARD=Device,DEV=0").contains("`fuser -v /dev/snd/*`"));
        assert!(text("/base/soc/i2c0mux/i2c@1/imx219@10").contains("`fuser -v /dev/video*`"));
    }
}
