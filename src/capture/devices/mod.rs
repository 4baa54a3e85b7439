//! What is plugged in: cameras, microphones, GPIO chips.
//!
//! Everything here looks and touches nothing: no device is started, though cameras are opened for a moment to
//! ask for their formats. Looking takes up to a second per camera, so call it from a thread that may block.

mod alsa;
mod gpio;
mod video;

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use super::CaptureError;

/// What is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// Devices that deliver pictures.
    pub cameras: Vec<Camera>,
    /// Sound cards that can record.
    pub microphones: Vec<Microphone>,
    /// Chips with lines for lamps and buttons.
    pub gpio_chips: Vec<GpioChip>,
}

/// A camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Camera {
    /// What to write as `camera = …`.
    pub device: String,
    /// What the maker calls it.
    pub name: String,
    /// The profile that suits it.
    pub profile: &'static str,
    /// What it delivers.
    pub formats: Vec<CameraFormat>,
}

/// One size that a camera delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraFormat {
    /// GStreamer's name of the pixel format (`YUY2`), or `MJPEG`, or the name of a codec.
    pub format: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The highest rate at this size, frames per second, rounded; 0 where the camera does not tell.
    pub fps: u32,
}

/// A microphone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Microphone {
    /// What to write as `mic = …`: an ALSA name that survives a reboot.
    pub device: String,
    /// What the maker calls it.
    pub name: String,
}

/// A GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpioChip {
    /// The character device.
    pub device: String,
    /// What the kernel calls it, e.g. `pinctrl-bcm2711`.
    pub label: String,
}

/// Looks for everything. What cannot be looked at (no sound driver, no GPIO) is simply not there.
pub fn list() -> Result<Devices, CaptureError> {
    super::init()?;
    let mut cameras = video::cameras(Path::new("/"));
    cameras.extend(video::libcamera_cameras());
    Ok(Devices {
        cameras,
        microphones: alsa::microphones(Path::new("/")),
        gpio_chips: gpio::chips(Path::new("/")),
    })
}

/// The V4L2 camera that `auto` means: the first node, by number, that delivers pictures.
pub fn first_camera() -> Result<String, CaptureError> {
    super::init()?;
    let root = Path::new("/");
    video::first_camera(root).ok_or_else(|| match video::first_denied(root) {
        Some(device) => CaptureError::Permission { device, group: "video" },
        None => CaptureError::NoCamera,
    })
}

/// The microphone that `auto` means: the first ALSA card, by number, that records.
pub fn first_microphone() -> Result<String, CaptureError> {
    let first = alsa::microphones(Path::new("/")).into_iter().next();
    first.map(|microphone| microphone.device).ok_or(CaptureError::NoMicrophone)
}

/// Whether there are sound cards that this user may not open. To ALSA's library they do not exist then.
pub(super) fn sound_is_denied() -> bool {
    alsa::is_denied(Path::new("/"))
}

/// What a V4L2 camera offers; empty if it cannot be asked.
pub(super) fn formats_of(device: &str) -> Vec<CameraFormat> {
    video::formats_of(device)
}

impl fmt::Display for CameraFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}", self.format, self.width, self.height)?;
        match self.fps {
            0 => Ok(()),
            fps => write!(f, "@{fps}"),
        }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Cameras")?;
        if self.cameras.is_empty() {
            writeln!(f, "  none found")?;
        }
        for camera in &self.cameras {
            writeln!(f, "  {}  {}  (profile {})", camera.device, camera.name, camera.profile)?;
            for (formats, sizes) in by_sizes(&camera.formats) {
                writeln!(f, "      {:<6} {}", shortened(&formats), sizes.join("  "))?;
            }
        }
        writeln!(f, "Microphones")?;
        if self.microphones.is_empty() {
            writeln!(f, "  none found")?;
        }
        for microphone in &self.microphones {
            writeln!(f, "  {}  {}", microphone.device, microphone.name)?;
        }
        writeln!(f, "GPIO chips")?;
        if self.gpio_chips.is_empty() {
            writeln!(f, "  none found")?;
        }
        for chip in &self.gpio_chips {
            writeln!(f, "  {}  {}", chip.device, chip.label)?;
        }
        Ok(())
    }
}

/// The formats on one line.
pub(super) fn summary(formats: &[CameraFormat]) -> String {
    let lines = by_sizes(formats);
    let told = lines.iter().map(|(formats, sizes)| format!("{} {}", shortened(formats), sizes.join(", ")));
    told.collect::<Vec<_>>().join("; ")
}

/// How many formats of the same sizes are named.
const NAMED_FORMATS: usize = 4;

/// The names of formats; of many, the first few.
fn shortened(formats: &[&str]) -> String {
    match formats.len() {
        0..=NAMED_FORMATS => formats.join(", "),
        all => format!("{} and {} others", formats[..NAMED_FORMATS].join(", "), all - NAMED_FORMATS),
    }
}

/// The formats that come in the same sizes, with these: cameras that convert offer dozens of formats.
fn by_sizes(formats: &[CameraFormat]) -> Vec<(Vec<&str>, Vec<String>)> {
    let mut lines: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (format, sizes) in by_format(formats) {
        match lines.iter_mut().find(|(_, known)| *known == sizes) {
            Some((formats, _)) => formats.push(format),
            None => lines.push((vec![format], sizes)),
        }
    }
    lines
}

/// The sizes of each format, in the order in which the camera names them.
fn by_format(formats: &[CameraFormat]) -> Vec<(&str, Vec<String>)> {
    let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
    for CameraFormat { format, width, height, fps } in formats {
        let size = match fps {
            0 => format!("{width}x{height}"),
            fps => format!("{width}x{height}@{fps}"),
        };
        match lines.iter_mut().find(|(known, _)| known == format) {
            Some((_, sizes)) => sizes.push(size),
            None => lines.push((format, vec![size])),
        }
    }
    lines
}

/// Linux's `O_NONBLOCK`: asking must not hang where the device did.
const O_NONBLOCK: i32 = 0o4000;

/// Opens a device node for a moment, to see whether that works.
pub(super) fn try_open(node: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(node).map(drop)
}

/// Whether this user may not open the node.
fn is_denied(node: &Path) -> bool {
    try_open(node).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// A file's text without the newline, or `None` if there is no such file.
fn read_line(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}

/// The entries of a directory whose names are `prefix` and a number, in the order of the numbers.
fn numbered(directory: &Path, prefix: &str) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Devices {
        let format =
            |format: &str, width, height, fps| CameraFormat { format: format.to_owned(), width, height, fps };
        Devices {
            cameras: vec![Camera {
                device: "/dev/video0".to_owned(),
                name: "HD Webcam C270".to_owned(),
                profile: "usb-webcam-mjpeg",
                formats: vec![
                    format("YUY2", 640, 480, 30),
                    format("MJPEG", 1280, 720, 30),
                    format("YUY2", 320, 240, 0),
                ],
            }],
            microphones: vec![Microphone {
                device: "plughw:CARD=C270,DEV=0".to_owned(),
                name: "HD Webcam C270".to_owned(),
            }],
            gpio_chips: Vec::new(),
        }
    }

    #[test]
    fn the_list_reads_well_on_a_terminal() {
        let text = some().to_string();

        let expected = "\
Cameras
  /dev/video0  HD Webcam C270  (profile usb-webcam-mjpeg)
      YUY2   640x480@30  320x240
      MJPEG  1280x720@30
Microphones
  plughw:CARD=C270,DEV=0  HD Webcam C270
GPIO chips
  none found
";
        assert_eq!(text, expected);
    }

    #[test]
    fn formats_of_the_same_sizes_are_told_together() {
        let names = ["YUY2", "UYVY", "NV12", "I420", "RGB", "BGR"];
        let sizes = [(640, 480), (320, 240)];
        let mut formats: Vec<CameraFormat> = names
            .iter()
            .flat_map(|name| sizes.map(|(width, height)| (name, width, height)))
            .map(|(name, width, height)| CameraFormat { format: (*name).to_owned(), width, height, fps: 30 })
            .collect();
        formats.push(CameraFormat { format: "MJPEG".to_owned(), width: 1280, height: 720, fps: 30 });

        let text = summary(&formats);

        assert_eq!(text, "YUY2, UYVY, NV12, I420 and 2 others 640x480@30, 320x240@30; MJPEG 1280x720@30");
    }

    #[test]
    fn the_json_has_the_same_facts() {
        let json = serde_json::to_value(some()).unwrap();

        assert_eq!(json["cameras"][0]["formats"][1]["width"], 1280);
        assert_eq!(json["microphones"][0]["device"], "plughw:CARD=C270,DEV=0");
        assert_eq!(json["gpio_chips"], serde_json::json!([]));
    }
}
