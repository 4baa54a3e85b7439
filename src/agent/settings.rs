//! From the configuration to what the devices and the session ask for.

use std::path::{Path, PathBuf};

use url::Host;

use crate::capture::{CameraSettings, MediaClock, MicSettings, Profile};
use crate::config::{self, Capture, Config, DeviceChoice, Meeting, MeetingUrl, NameTable, Protocol, Secret};
use crate::media::{StreamFormat, VideoFormat};
use crate::meeting::mesh::{Dialect, Form, Names};
use crate::meeting::{SessionConfig, credentials};
use crate::publish::quality::RateLimits;
use crate::publish::relay::Trace;
use crate::publish::{WayOut, mesh, relay, whip};
use crate::rtc::{Loopback, Remote};
use crate::socketio::{BadUrl, Endpoint};

/// Packets in a hundred that may be lost over WebRTC without the voice suffering.
const EXPECTED_LOSS: u8 = 10;
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
    pub fn new(config: &Config, profile: &Profile) -> Self {
        let capture = &config.capture;
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
                loss: match config.meeting.protocol {
                    Protocol::Relay => 0,
                    Protocol::Mesh | Protocol::Noom | Protocol::Whip => EXPECTED_LOSS,
                },
            }),
        }
    }
}

/// How participants of a meeting over WebRTC find each other; `None` where they do not.
///
/// # Errors
/// There is no such preset of names, or no such name.
pub fn dialect(meeting: &Meeting) -> Result<Option<Dialect>, UnusableNames> {
    Ok(Some(match meeting.protocol {
        Protocol::Relay | Protocol::Whip => return Ok(None),
        Protocol::Mesh => Dialect::Mesh(names(&meeting.names)?),
        Protocol::Noom => Dialect::Noom(match meeting.form {
            config::Form::Object => Form::Object,
            config::Form::Args => Form::Args,
            config::Form::Mesh => Form::Mesh,
        }),
    }))
}

/// What a deployment calls its events and fields.
fn names(table: &NameTable) -> Result<Names, UnusableNames> {
    let unusable = |why: String| UnusableNames { table: table.to_string(), why };
    let mut names = Names::preset(&table.preset).ok_or_else(|| {
        let presets: Vec<_> = Names::presets().collect();
        unusable(format!("there is no preset {:?}; there are: {}", table.preset, presets.join(", ")))
    })?;
    for (key, name) in &table.changes {
        names.set(key, name).map_err(|error| unusable(error.to_string()))?;
    }
    Ok(names)
}

/// `meeting.names` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("meeting.names = {table:?}: {why}")]
pub struct UnusableNames {
    table: String,
    why: String,
}

/// The way out that the configuration names. `dialect` is for meetings of participants, `trace` for chunks, and in
/// `state_directory` is what outlives a restart.
pub fn way_out(
    config: &Config,
    dialect: Option<Dialect>,
    format: StreamFormat,
    clock: &MediaClock,
    trace: Option<(PathBuf, Trace)>,
    state_directory: Option<&Path>,
) -> WayOut {
    let Config { meeting, capture, .. } = config;
    if let MeetingUrl::Whip(url) = &meeting.url {
        let media = mesh::Settings {
            limits: rate_limits(capture),
            max_peers: 1,
            offers_chat: false,
            paths: paths(meeting),
            remote: Remote::Server,
        };
        let publisher = mesh::Publisher::new(format, clock.clone(), media);
        let settings = whip::Settings {
            endpoint: url.as_url().clone(),
            token: meeting.token.clone(),
            ca_file: meeting.ca_file.clone(),
            state_directory: state_directory.map(Into::into),
        };
        return WayOut::Whip(Box::new(whip::Client::new(publisher, settings)));
    }
    let Some(dialect) = dialect else {
        let cadence = capture.cadence.duration();
        let limits = rate_limits(capture);
        let publisher = relay::Publisher::new(format, clock.clone(), cadence, limits, trace);
        return WayOut::Relay(Box::new(publisher));
    };
    let settings = mesh::Settings {
        limits: rate_limits(capture),
        max_peers: usize::from(meeting.max_peers.get()),
        offers_chat: dialect.chats_between_peers(),
        paths: paths(meeting),
        remote: Remote::Page,
    };
    let publisher = mesh::Publisher::new(format, clock.clone(), settings);
    WayOut::Mesh(Box::new(mesh::Meeting::new(publisher, dialect)))
}

/// Which ways to this device participants are offered.
pub fn paths(meeting: &Meeting) -> mesh::Paths {
    mesh::Paths {
        loopback: if is_this_machine(meeting) { Loopback::Too } else { Loopback::IfAlone },
        ice_servers: meeting.ice_servers.clone(),
        ca_file: meeting.ca_file.clone(),
    }
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
    let is_relay = meeting.protocol == Protocol::Relay;
    let user_id = meeting.user_id.as_str();
    let token = meeting.token.as_ref().map(Secret::expose);
    // Servers of WebRTC meetings expect no credentials, and some refuse whoever sends any (docs/signalling.md §1).
    endpoint.auth = credentials(token, is_relay.then_some(user_id));
    endpoint.namespace = meeting.namespace.as_str().to_owned().into();
    endpoint.ca_file.clone_from(&meeting.ca_file);
    let mut config = SessionConfig::new(endpoint, meeting.room.as_str(), meeting.username.as_str());
    // An id that the device derived by itself is known to no server; it is a guest there.
    config.user_id = (is_relay || !meeting.user_id_is_derived).then(|| user_id.to_owned());
    config.avatar_url = meeting.avatar_url.as_ref().map(|url| url.as_str().to_owned());
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn session(protocol: &str, more: &[(&str, &str)]) -> SessionConfig {
        let given = [("protocol", protocol), ("url", "http://h"), ("room", "r")];
        let variables = given
            .iter()
            .chain(more)
            .map(|(key, value)| (format!("ROOMCAM_MEETING_{key}").to_uppercase(), (*value).into()));
        let config = Config::load(None, variables, &Overrides::default()).unwrap();
        session_config(&config.meeting).unwrap()
    }

    #[test]
    fn a_relay_is_told_the_user_id_and_a_server_of_a_webrtc_meeting_only_one_that_was_given() {
        for (protocol, more, has_auth, has_id) in [
            ("relay", vec![], true, true),
            ("mesh", vec![], false, false),
            ("noom", vec![], false, false),
            ("mesh", vec![("user_id", "7")], false, true),
            ("whip", vec![], false, false),
        ] {
            let session = session(protocol, &more);
            let got = (session.endpoint.auth.is_some(), session.user_id.is_some());
            assert_eq!(got, (has_auth, has_id), "{protocol} {more:?}");
        }
    }
}
