//! From the configuration to what the devices and the session ask for.

use std::path::PathBuf;

use url::Host;

use crate::capture::{CameraSettings, MediaClock, MicSettings, Profile};
use crate::config::{Capture, Config, DeviceChoice, Meeting, Protocol, Secret};
use crate::media::{StreamFormat, VideoFormat};
use crate::meeting::mesh::{Dialect, Form, Names};
use crate::meeting::{SessionConfig, credentials};
use crate::publish::rate::RateLimits;
use crate::publish::relay::Trace;
use crate::publish::{WayOut, mesh, relay};
use crate::rtc::Loopback;
use crate::socketio::{BadUrl, Endpoint};

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

/// The way out that the configuration names; `trace` is for chunks.
pub fn way_out(
    config: &Config,
    format: StreamFormat,
    clock: &MediaClock,
    trace: Option<(PathBuf, Trace)>,
) -> WayOut {
    let Config { meeting, capture, .. } = config;
    let dialect = match meeting.protocol {
        Protocol::Relay => {
            let cadence = capture.cadence.duration();
            return WayOut::Relay(Box::new(relay::Publisher::new(
                format,
                clock.clone(),
                cadence,
                rate_limits(capture),
                trace,
            )));
        }
        Protocol::Mesh => Dialect::Mesh(Names::default()),
        Protocol::Noom => Dialect::Noom(Form::Object),
    };
    let settings = mesh::Settings {
        limits: rate_limits(capture),
        max_peers: usize::from(meeting.max_peers.get()),
        offers_chat: dialect.chats_between_peers(),
        loopback: if is_this_machine(meeting) { Loopback::Too } else { Loopback::IfAlone },
    };
    let publisher = mesh::Publisher::new(format, clock.clone(), settings);
    WayOut::Mesh(Box::new(mesh::Meeting::new(publisher, dialect)))
}

/// Whether the server of the meeting is on this machine: then browsers on it may be participants.
fn is_this_machine(meeting: &Meeting) -> bool {
    match meeting.url.as_url().host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
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
pub fn session_config(meeting: &Meeting) -> Result<SessionConfig, BadUrl> {
    let mut endpoint = Endpoint::new(meeting.url.as_url().as_str())?;
    let user_id = meeting.user_id.as_str();
    endpoint.auth = credentials(meeting.token.as_ref().map(Secret::expose), Some(user_id));
    endpoint.ca_file.clone_from(&meeting.ca_file);
    let mut config = SessionConfig::new(endpoint, meeting.room.as_str(), meeting.username.as_str());
    config.user_id = Some(user_id.to_owned());
    config.avatar_url = meeting.avatar_url.as_ref().map(|url| url.as_str().to_owned());
    Ok(config)
}
