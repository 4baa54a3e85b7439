//! Cameras: V4L2 nodes, and what libcamera knows.
//!
//! A `/dev/video*` node need not be a camera: each USB camera has a second one for metadata, and a Pi has a
//! dozen for its codecs. Asking `v4l2src` for its formats tells them apart, and needs no udev, unlike
//! GStreamer's device monitor, which finds nothing in a container or a minimal image.

use std::path::Path;

use gst::prelude::*;
use gstreamer as gst;

use super::{Camera, CameraFormat, is_denied, numbered, read_line};

/// Drivers whose nodes deliver pictures that are not a camera's: codecs, scalers, image signal processors.
const NO_CAMERAS: &[&str] =
    &["bcm2835-codec", "bcm2835-isp", "pispbe", "rp1-cfe", "rpivid", "rpi-hevc-dec", "unicam"];

/// The V4L2 cameras, in the order of their numbers.
pub(super) fn cameras(root: &Path) -> Vec<Camera> {
    candidates(root)
        .filter_map(|(device, name)| {
            let formats = formats_of(&device);
            let profile = profile_for(&formats)?;
            Some(Camera { device, name, profile, formats })
        })
        .collect()
}

/// The first V4L2 camera.
pub(super) fn first_camera(root: &Path) -> Option<String> {
    candidates(root).map(|(device, _)| device).find(|device| profile_for(&formats_of(device)).is_some())
}

/// The first node that may be a camera and that this user may not open.
pub(super) fn first_denied(root: &Path) -> Option<String> {
    candidates(root).map(|(device, _)| device).find(|device| is_denied(Path::new(device)))
}

/// Nodes that are not known to be something else, with their names.
fn candidates(root: &Path) -> impl Iterator<Item = (String, String)> {
    numbered(&root.join("dev"), "video").into_iter().filter_map(move |number| {
        let name = read_line(&root.join(format!("sys/class/video4linux/video{number}/name")))
            .unwrap_or_else(|| format!("video{number}"));
        let known = NO_CAMERAS.iter().any(|driver| name.starts_with(driver));
        (!known).then(|| (format!("/dev/video{number}"), name))
    })
}

/// The profile that takes what the camera offers; `None` if none does (metadata, raw Bayer data). JPEG comes
/// first where both exist: over USB 2 it is what brings 30 fps at the larger sizes.
fn profile_for(formats: &[CameraFormat]) -> Option<&'static str> {
    let has = |wanted: fn(&str) -> bool| formats.iter().any(|format| wanted(&format.format));
    if has(|format| format == "MJPEG") {
        Some("usb-webcam-mjpeg")
    } else if has(|format| format.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())) {
        Some("usb-webcam")
    } else {
        None
    }
}

/// Opens the node for as long as it takes to ask for its formats.
pub(super) fn formats_of(device: &str) -> Vec<CameraFormat> {
    let Ok(source) = gst::ElementFactory::make("v4l2src").property("device", device).build() else {
        return Vec::new();
    };
    let formats = match source.set_state(gst::State::Ready) {
        Ok(_) => source.static_pad("src").map(|pad| from_caps(&pad.query_caps(None))).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    // To NULL a change cannot fail.
    let _ = source.set_state(gst::State::Null);
    formats
}

/// The cameras that libcamera sees, if its plugin is installed.
pub(super) fn libcamera_cameras() -> Vec<Camera> {
    let Some(provider) = gst::DeviceProviderFactory::by_name("libcameraprovider") else {
        return Vec::new();
    };
    provider
        .devices()
        .into_iter()
        .map(|device| Camera {
            device: device.display_name().to_string(),
            name: device.display_name().to_string(),
            profile: "pi-camera",
            formats: device.caps().map(|caps| from_caps(&caps)).unwrap_or_default(),
        })
        .collect()
}

/// The sizes that caps name, each once, with its highest rate. A camera that takes any size in a range says so
/// by its largest.
fn from_caps(caps: &gst::CapsRef) -> Vec<CameraFormat> {
    let mut formats: Vec<CameraFormat> = Vec::new();
    for structure in caps.iter() {
        let (Some(width), Some(height)) = (largest(structure, "width"), largest(structure, "height")) else {
            continue;
        };
        let fps = highest_rate(structure);
        for format in pixel_formats(structure) {
            let same = |known: &&mut CameraFormat| {
                known.format == format && known.width == width && known.height == height
            };
            match formats.iter_mut().find(same) {
                Some(known) => known.fps = known.fps.max(fps),
                None => formats.push(CameraFormat { format, width, height, fps }),
            }
        }
    }
    formats
}

fn pixel_formats(structure: &gst::StructureRef) -> Vec<String> {
    match structure.name().as_str() {
        "image/jpeg" => vec!["MJPEG".to_owned()],
        "video/x-raw" => match structure.get::<gst::List>("format") {
            Ok(list) => list.iter().filter_map(|value| value.get::<String>().ok()).collect(),
            Err(_) => structure.get::<String>("format").into_iter().collect(),
        },
        other => vec![other.trim_start_matches("video/x-").to_owned()],
    }
}

fn largest(structure: &gst::StructureRef, field: &str) -> Option<u32> {
    let value = structure.value(field).ok()?;
    let pixels = value
        .get::<i32>()
        .ok()
        .or_else(|| value.get::<gst::IntRange<i32>>().ok().map(|range| range.max()))
        .or_else(|| value.get::<gst::List>().ok()?.iter().filter_map(|one| one.get::<i32>().ok()).max())?;
    u32::try_from(pixels).ok()
}

fn highest_rate(structure: &gst::StructureRef) -> u32 {
    let Ok(value) = structure.value("framerate") else { return 0 };
    let rates: Vec<gst::Fraction> = if let Ok(one) = value.get::<gst::Fraction>() {
        vec![one]
    } else if let Ok(range) = value.get::<gst::FractionRange>() {
        vec![range.max()]
    } else if let Ok(list) = value.get::<gst::List>() {
        list.iter().filter_map(|one| one.get::<gst::Fraction>().ok()).collect()
    } else {
        Vec::new()
    };
    let rounded = |rate: gst::Fraction| match rate.denom() {
        denom if denom > 0 => u32::try_from((rate.numer() + denom / 2) / denom).unwrap_or(0),
        _ => 0,
    };
    rates.into_iter().map(rounded).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn formats(caps: &str) -> Vec<String> {
        crate::capture::init().unwrap();
        from_caps(&gst::Caps::from_str(caps).unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_webcams_caps_become_sizes_with_their_highest_rate() {
        let caps = "video/x-raw, format=YUY2, width=640, height=480, framerate={ (fraction)30/1, (fraction)15/1 }; \
                    video/x-raw, format=YUY2, width=1280, height=720, framerate=(fraction)10/1; \
                    image/jpeg, width=1280, height=720, framerate=[ 0/1, 30/1 ]";

        assert_eq!(formats(caps), ["YUY2 640x480@30", "YUY2 1280x720@10", "MJPEG 1280x720@30"]);
    }

    #[test]
    fn a_range_of_sizes_is_told_by_its_largest_and_ntsc_rates_are_rounded() {
        let caps = "video/x-raw, format={ I420, NV12 }, width=[ 32, 1920 ], height=[ 32, 1080 ], framerate=30000/1001";

        assert_eq!(formats(caps), ["I420 1920x1080@30", "NV12 1920x1080@30"]);
    }

    #[test]
    fn the_profile_follows_from_the_formats_and_bayer_nodes_are_no_cameras() {
        let suits = |names: &[&str]| {
            let formats: Vec<_> = names
                .iter()
                .map(|name| CameraFormat { format: (*name).to_owned(), width: 640, height: 480, fps: 30 })
                .collect();
            profile_for(&formats)
        };

        assert_eq!(suits(&["YUY2", "MJPEG"]), Some("usb-webcam-mjpeg"));
        assert_eq!(suits(&["YUY2"]), Some("usb-webcam"));
        assert_eq!(suits(&["bayer"]), None);
        assert_eq!(suits(&[]), None);
    }

    #[test]
    fn the_codecs_of_a_pi_are_not_asked() {
        let root = tempfile::tempdir().unwrap();
        for (number, name) in [(10, "bcm2835-codec-decode"), (2, "HD Webcam C270"), (0, "unicam-image")] {
            std::fs::create_dir_all(root.path().join("dev")).unwrap();
            std::fs::write(root.path().join(format!("dev/video{number}")), "").unwrap();
            let class = root.path().join(format!("sys/class/video4linux/video{number}"));
            std::fs::create_dir_all(&class).unwrap();
            std::fs::write(class.join("name"), format!("{name}\n")).unwrap();
        }

        let found: Vec<_> = candidates(root.path()).collect();

        assert_eq!(found, [("/dev/video2".to_owned(), "HD Webcam C270".to_owned())]);
    }
}
