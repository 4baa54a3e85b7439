//! From the configuration to what the devices and the session ask for.

use std::time::Duration;

use crate::capture::{CameraSettings, MicSettings, Profile};
use crate::config::{Capture, DeviceChoice, Meeting, Secret};
use crate::media::VideoFormat;
use crate::meeting::{SessionConfig, credentials};
use crate::publish::rate::RateLimits;
use crate::socketio::{BadUrl, Endpoint};

/// How much media the kernel may have on the way; it takes twice as much. So a round trip of 300 ms is no limit.
const ON_THE_WAY: Duration = Duration::from_millis(150);
/// The least of it in bytes.
const LEAST_ON_THE_WAY: u32 = 16 * 1024;
/// What blocks, clusters and events take beside what the encoders make, in bits per second: with pictures at 30 fps and
/// chunks of 100 ms.
const CONTAINER_BITRATE: u32 = 30_000;

/// What is asked of the devices that the configuration and the profile have together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSettings {
    /// What the video track looks like, if there is one.
    pub format: Option<VideoFormat>,
    /// The camera, if there is one.
    pub camera: Option<CameraSettings>,
    /// The microphone, if there is one.
    pub mic: Option<MicSettings>,
}

impl DeviceSettings {
    /// A device is there if the configuration does not say `none` and the profile knows how to capture it.
    pub fn new(capture: &Capture, profile: &Profile) -> Self {
        let video = profile.video.as_ref().filter(|_| capture.camera != DeviceChoice::None);
        let audio = profile.audio.as_ref().filter(|_| capture.mic != DeviceChoice::None);
        let (width, height, fps) = (capture.width.get(), capture.height.get(), capture.fps.get());
        Self {
            format: video.map(|video| VideoFormat { codec: video.codec, width, height, fps }),
            camera: video.map(|_| CameraSettings {
                device: capture.camera.to_string(),
                width,
                height,
                fps,
                bitrate: capture.video_bitrate.get(),
            }),
            mic: audio.map(|_| MicSettings {
                device: capture.mic.to_string(),
                bitrate: capture.audio_bitrate.get(),
            }),
        }
    }
}

/// Within which bounds the video follows the link.
pub fn rate_limits(capture: &Capture) -> RateLimits {
    RateLimits {
        min_bitrate: capture.min_bitrate.get(),
        max_bitrate: capture.video_bitrate.get(),
        frame_rate: capture.fps.get(),
        other_bitrate: capture.audio_bitrate.get() + CONTAINER_BITRATE,
    }
}

/// What the session needs to join the meeting.
pub fn session_config(meeting: &Meeting, capture: &Capture) -> Result<SessionConfig, BadUrl> {
    let mut endpoint = Endpoint::new(meeting.url.as_url().as_str())?;
    let user_id = meeting.user_id.as_str();
    endpoint.auth = credentials(meeting.token.as_ref().map(Secret::expose), Some(user_id));
    endpoint.ca_file.clone_from(&meeting.ca_file);
    let mut config = SessionConfig::new(endpoint, meeting.room.as_str(), meeting.username.as_str());
    config.user_id = Some(user_id.to_owned());
    let media = u64::from(capture.video_bitrate.get()) + u64::from(capture.audio_bitrate.get());
    let on_the_way = media * u64::from(ON_THE_WAY.subsec_millis()) / 8000;
    config.limits.send_buffer = u32::try_from(on_the_way).unwrap_or(u32::MAX).max(LEAST_ON_THE_WAY);
    config.avatar_url = meeting.avatar_url.as_ref().map(|url| url.as_str().to_owned());
    Ok(config)
}
