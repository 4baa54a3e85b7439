//! What the operator decided: typed configuration, its layers and its errors.
//!
//! Layers, each winning over those before it: defaults, a TOML file, the environment (`ROOMCAM_SECTION_KEY`),
//! flags. `schema` lists the keys, `values` their types, `layers` reads and merges, `load` makes the whole,
//! `panel` and `control`, each with its values, are the sections of those names, `ice` is its list of STUN and TURN servers,
//! `mesh_values` and `whip_values` are those of meetings over WebRTC, `secret` keeps a token, `host` knows
//! the names a device has by itself. Imports from no other room.

mod control;
mod control_values;
mod error;
mod host;
mod ice;
mod ice_values;
mod layers;
mod load;
mod mesh_values;
mod panel;
mod panel_values;
mod schema;
mod secret;
mod values;
mod warning;
mod whip_values;

use std::path::PathBuf;

pub use control::ControlApi;
pub use control_values::{SocketChoice, SocketPath};
pub use error::{ConfigErrors, Origin, Problem};
pub use ice::{IceCredentials, IceServer};
pub use ice_values::{IceScheme, IceTransport, IceUrl};
pub use load::Overrides;
pub use mesh_values::{Form, MaxPeers, NameTable, Protocol};
pub use panel::{Button, ButtonAction, Lamp, LampPlace, Panel};
pub use panel_values::{
    Backend, ButtonCommand, ChipChoice, DebounceMs, HoldMs, LedName, Percent, Pin, Pull, Shows,
};
pub use schema::{KEYS, Key, LISTS, List, Unset};
pub use secret::{Secret, SecretError};
pub use values::{
    AudioBitrate, AvatarUrl, Cadence, DeviceChoice, Fps, LateJoin, Mute, Name, Namespace, Pixels,
    ProfileName, RelayUrl, ValueError, VideoBitrate,
};
pub use warning::Warning;
pub use whip_values::{MeetingUrl, WhipUrl};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[meeting]`: where to go and as whom.
    pub meeting: Meeting,
    /// `[capture]`: what to send.
    pub capture: Capture,
    /// `[panel]`: lamps and buttons.
    pub panel: Panel,
    /// `[control]`: where the daemon hears those who ask it something.
    pub control: ControlApi,
    /// What works but should be told to the operator, once.
    pub warnings: Vec<Warning>,
}

/// `[meeting]`: which room of which relay the device joins, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Where the server is. Required.
    pub url: MeetingUrl,
    /// Id of the room. Required, but for WHIP, where it is only a name in status and log: there the host by default.
    pub room: Name,
    /// The name the others see. Default: the host name.
    pub username: Name,
    /// The id the relay knows the device by; two connections with the same id throw each other out.
    /// Default: derived from the hardware or the machine id, so that it stays the same over restarts.
    pub user_id: Name,
    /// Whether that is the default. Servers of WebRTC meetings are not told an id that nobody gave the device.
    pub user_id_is_derived: bool,
    /// Picture shown while the camera is off, if any.
    pub avatar_url: Option<AvatarUrl>,
    /// The token to show at CONNECT, if any.
    pub token: Option<Secret>,
    /// File with further root certificates (PEM), beside those of the platform.
    pub ca_file: Option<PathBuf>,
    /// How a late viewer gets its first picture. Of no use but to relays.
    pub late_join: LateJoin,
    /// How the meeting is spoken to, and how media travel.
    pub protocol: Protocol,
    /// How many participants are sent to over WebRTC. Of no use to relays.
    pub max_peers: MaxPeers,
    /// The namespace of the server that the meeting is in.
    pub namespace: Namespace,
    /// How the events of `noom` are written. Of no use to the others.
    pub form: Form,
    /// What the events and fields of `mesh` are called. Of no use to the others.
    pub names: NameTable,
    /// STUN and TURN servers, in the order of the file. Of no use to relays.
    pub ice_servers: Vec<IceServer>,
}

impl Meeting {
    /// Whether media leave in the same way as with `other`: the same protocol, and all that it is asked for.
    pub fn leads_out_like(&self, other: &Self) -> bool {
        let of = |meeting: &Self| (meeting.protocol, meeting.max_peers, meeting.form, meeting.names.clone());
        let servers = |meeting: &Self| (meeting.ice_servers.clone(), meeting.ca_file.clone());
        of(self) == of(other)
            && (self.ice_servers.is_empty() && other.ice_servers.is_empty()
                || servers(self) == servers(other))
            // The client of a WHIP endpoint knows where it is.
            && (self.protocol != Protocol::Whip || self == other)
    }
}

/// `[capture]`: which devices are captured, and how they are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Which of `pipelines/*.toml` says how to capture and encode.
    pub profile: ProfileName,
    /// The camera. Never [`DeviceChoice::None`] together with `mic`.
    pub camera: DeviceChoice,
    /// The microphone.
    pub mic: DeviceChoice,
    /// Width of the picture.
    pub width: Pixels,
    /// Height of the picture.
    pub height: Pixels,
    /// Pictures per second.
    pub fps: Fps,
    /// Target of the video encoder, where the network carries it.
    pub video_bitrate: VideoBitrate,
    /// Its lowest target on a slow network; below it the picture stands still. One above `video_bitrate` means that one.
    pub min_bitrate: VideoBitrate,
    /// Target of the audio encoder.
    pub audio_bitrate: AudioBitrate,
    /// Media per chunk.
    pub cadence: Cadence,
    /// Whether the camera is on when the daemon starts for the first time.
    pub start_camera: bool,
    /// Whether the microphone is on (not muted) when the daemon starts for the first time.
    pub start_mic: bool,
    /// What muting does with the microphone.
    pub mute: Mute,
}
