//! From a profile and settings to the text that GStreamer parses.

use super::profile::{self, AutoDevice, Overlay, Profile};
use super::{CameraSettings, CaptureError, MicSettings, devices};
use crate::media::{Track, VideoCodec, VideoFormat};

/// The appsink that every launch line ends in.
pub(super) const SINK: &str = "frames";
/// The capsfilter behind the scaler of a camera's launch line.
pub(super) const SIZE: &str = "size";
/// The appsrc of a launch line that is fed by us.
pub(super) const INPUT: &str = "input";

/// Seconds between key frames if nobody forces one. The agent forces them where they are needed; this bounds
/// how long a receiver that lost one stays grey.
const KEYFRAME_SECONDS: u32 = 4;

/// What to open: the arguments of [`super::Pipeline`]'s `open_…`, owned, to take along to another thread.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Camera(CameraSettings),
    Mic(MicSettings),
}

impl Request {
    pub(super) fn track(&self) -> Track {
        match self {
            Request::Camera(_) => Track::Video,
            Request::Mic(_) => Track::Audio,
        }
    }

    /// The device as configured, perhaps `auto`.
    pub(super) fn device(&self) -> &str {
        match self {
            Request::Camera(settings) => &settings.device,
            Request::Mic(settings) => &settings.device,
        }
    }
}

/// A launch line, and what the one who runs it has to know.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) profile: String,
    pub(super) track: Track,
    /// The device in messages to people: `auto` resolved.
    pub(super) device: String,
    pub(super) text: String,
    pub(super) looped: bool,
    pub(super) bitrate_property: String,
    pub(super) drop_property: Option<String>,
    pub(super) bitrate_scale: u32,
    pub(super) overlay: Option<Overlay>,
    /// What was asked of a camera.
    pub(super) wanted: Option<VideoFormat>,
}

/// What the two tables of a profile have in common.
struct Table<'a> {
    source: &'a str,
    source_auto: Option<&'a str>,
    auto: Option<AutoDevice>,
}

impl Launch {
    /// Fills in a profile. May look for devices, which blocks for as long as that takes.
    pub(super) fn new(profile: &Profile, request: &Request) -> Result<Self, CaptureError> {
        match request {
            Request::Camera(settings) => Self::camera(profile, settings),
            Request::Mic(settings) => Self::mic(profile, settings),
        }
    }

    fn camera(profile: &Profile, settings: &CameraSettings) -> Result<Self, CaptureError> {
        let video = profile.video()?;
        let table =
            Table { source: &video.source, source_auto: video.source_auto.as_deref(), auto: video.auto };
        let (source, device) = choose_source(profile, Track::Video, &table, &settings.device)?;
        // Passes the pictures on as they are, until a smaller size is asked for.
        let fragment = format!("{source} ! videoscale ! capsfilter name={SIZE} ! {}", video.encoder);
        let mut values = camera_values(settings, video.bitrate_scale);
        values.push(("device", profile::quote(&device)?));
        Ok(Self {
            profile: profile.name.clone(),
            track: Track::Video,
            text: finish(profile, &fragment, &values, video.looped)?,
            device,
            looped: video.looped,
            bitrate_property: video.bitrate_property.clone(),
            drop_property: video.drop_property.clone(),
            bitrate_scale: video.bitrate_scale,
            overlay: video.overlay,
            wanted: Some(VideoFormat {
                codec: video.codec,
                width: settings.width,
                height: settings.height,
                fps: settings.fps,
            }),
        })
    }

    fn mic(profile: &Profile, settings: &MicSettings) -> Result<Self, CaptureError> {
        let audio = profile.audio()?;
        let table =
            Table { source: &audio.source, source_auto: audio.source_auto.as_deref(), auto: audio.auto };
        let (source, device) = choose_source(profile, Track::Audio, &table, &settings.device)?;
        // Tells how loud it is, ten times a second, from which the agent knows whether somebody speaks.
        let fragment = format!("{source} ! level interval=100000000 ! {}", audio.encoder);
        let values = [
            ("device", profile::quote(&device)?),
            ("bitrate", scaled(settings.bitrate, audio.bitrate_scale).to_string()),
            ("loss", settings.loss.to_string()),
        ];
        Ok(Self {
            profile: profile.name.clone(),
            track: Track::Audio,
            text: finish(profile, &fragment, &values, audio.looped)?,
            device,
            looped: audio.looped,
            bitrate_property: audio.bitrate_property.clone(),
            drop_property: None,
            bitrate_scale: audio.bitrate_scale,
            overlay: None,
            wanted: None,
        })
    }

    /// One black picture through the profile's encoder.
    pub(super) fn black(profile: &Profile, format: VideoFormat) -> Result<Self, CaptureError> {
        let video = profile.video()?;
        let VideoFormat { width, height, fps, .. } = format;
        let settings = CameraSettings { device: String::new(), width, height, fps, bitrate: 300_000 };
        let fragment = format!(
            "videotestsrc pattern=black num-buffers=1 \
             ! video/x-raw,format=I420,width={{width}},height={{height}},framerate={{fps}}/1 ! {}",
            video.encoder
        );
        let values = camera_values(&settings, video.bitrate_scale);
        Ok(Self {
            profile: profile.name.clone(),
            track: Track::Video,
            text: finish(profile, &fragment, &values, false)?,
            device: "the black picture".to_owned(),
            looped: false,
            bitrate_property: video.bitrate_property.clone(),
            drop_property: video.drop_property.clone(),
            bitrate_scale: video.bitrate_scale,
            overlay: None,
            wanted: Some(format),
        })
    }

    /// A key frame, fed in at [`INPUT`], as a JPEG.
    pub(super) fn jpeg(codec: VideoCodec) -> Self {
        let (caps, decoder) = match codec {
            VideoCodec::Vp8 => ("video/x-vp8", "vp8dec"),
            VideoCodec::Vp9 => ("video/x-vp9", "vp9dec"),
        };
        Self {
            profile: "snapshot".to_owned(),
            track: Track::Video,
            text: format!(
                "appsrc name={INPUT} format=time caps={caps} ! {decoder} ! videoconvert ! jpegenc \
                 ! appsink name={SINK} sync=false"
            ),
            device: "the snapshot".to_owned(),
            looped: false,
            bitrate_property: String::new(),
            drop_property: None,
            bitrate_scale: 1,
            overlay: None,
            wanted: None,
        }
    }

    /// A bitrate in the unit of the encoder's property, never 0 (which encoders read as "choose yourself").
    pub(super) fn scale_bitrate(&self, bits_per_second: u32) -> u32 {
        scaled(bits_per_second, self.bitrate_scale)
    }
}

fn scaled(bits_per_second: u32, scale: u32) -> u32 {
    (bits_per_second / scale.max(1)).max(1)
}

fn camera_values(settings: &CameraSettings, bitrate_scale: u32) -> Vec<(&'static str, String)> {
    vec![
        ("width", settings.width.to_string()),
        ("height", settings.height.to_string()),
        ("fps", settings.fps.to_string()),
        ("bitrate", scaled(settings.bitrate, bitrate_scale).to_string()),
        ("keyframe_interval", (u32::from(settings.fps) * KEYFRAME_SECONDS).to_string()),
    ]
}

/// Which source fragment to use, and on which device.
fn choose_source<'a>(
    profile: &Profile,
    track: Track,
    table: &Table<'a>,
    device: &str,
) -> Result<(&'a str, String), CaptureError> {
    if !profile::needs_device(table.source) {
        return Ok((table.source, format!("profile {}", profile.name)));
    }
    if device != "auto" {
        return Ok((table.source, device.to_owned()));
    }
    match (table.source_auto, table.auto) {
        (Some(source), _) => Ok((source, format!("the first device of profile {}", profile.name))),
        (None, Some(AutoDevice::FirstV4l2)) => Ok((table.source, devices::first_camera()?)),
        (None, Some(AutoDevice::FirstAlsa)) => Ok((table.source, devices::first_microphone()?)),
        (None, None) => {
            let key = match track {
                Track::Video => "camera",
                Track::Audio => "mic",
            };
            Err(CaptureError::DeviceRequired { profile: profile.name.clone(), key })
        }
    }
}

/// Fills in the placeholders and puts the appsink at the end.
///
/// The sink does not wait for a frame's time: live sources pace themselves, and latency is all that waiting
/// would add. A looped file has nothing else to pace it, so there the sink does.
fn finish(
    profile: &Profile,
    fragment: &str,
    values: &[(&str, String)],
    looped: bool,
) -> Result<String, CaptureError> {
    let filled = profile::fill(fragment, values)
        .map_err(|reason| CaptureError::BadProfile { profile: profile.name.clone(), reason })?;
    Ok(format!(
        "{filled} ! appsink name={SINK} sync={looped} max-buffers=4 enable-last-sample=false qos=false"
    ))
}
