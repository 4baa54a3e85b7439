//! What a running agent tells of itself. Field names are what clients see in JSON.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// What is running.
    pub versions: Versions,
    /// Since when the daemon runs, in seconds.
    pub uptime_seconds: f64,
    /// When the next attempt to join begins, in seconds from now; `null` while there is none to wait for.
    pub next_attempt_seconds: Option<f64>,
    /// What clients of `/v1/events` hear of when it changes.
    #[serde(flatten)]
    pub state: State,
    /// The media that leave.
    pub stream: StreamStatus,
    /// What waits to be sent.
    pub queue: QueueStatus,
    /// What the network has room for.
    pub uplink: UplinkStatus,
}

/// What is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// roomcam's own.
    pub roomcam: String,
    /// GStreamer's.
    pub gstreamer: String,
}

/// What people care about, and counters have no part in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct State {
    /// Where the server is, without password or token.
    pub relay: String,
    /// How the meeting is spoken to, as `meeting.protocol` calls it.
    #[serde(default)]
    pub protocol: String,
    /// Id of the room.
    pub room: String,
    /// Under which id the device is known there.
    pub user_id: String,
    /// The name that the others see.
    pub username: String,
    /// The place in the meeting.
    pub meeting: MeetingState,
    /// Why the device is not in the meeting, although it is to be; `null` while it is, before the first attempt has
    /// failed, and while it is out because somebody asked for that.
    pub absence: Option<Absence>,
    /// Who else is in the room; empty while not in it.
    pub participants: Vec<Participant>,
    /// What was written last in a meeting over WebRTC, the newest last; ten lines. It is shown and does nothing else.
    #[serde(default)]
    pub chat: Vec<ChatLine>,
    /// The camera.
    pub camera: CameraStatus,
    /// The microphone.
    pub mic: MicStatus,
    /// Whether media leave at all.
    pub flowing: bool,
    /// The lamps, in the order of the configuration.
    pub lamps: Vec<LampStatus>,
    /// The number of the epoch; 0 before the first.
    pub epoch: u32,
    /// What went wrong last, the newest first; ten, and those that go on.
    pub faults: Vec<DeviceFault>,
}

/// The place in the meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MeetingState {
    /// Out of it, because somebody in the room asked for that.
    #[default]
    Left,
    /// On the way into it, also after the relay was lost.
    Connecting,
    /// In it, and the relay forwards media.
    Joined,
    /// In it, but somebody else has the presenter's seat: the relay forwards nothing.
    WaitingForSeat,
}

impl MeetingState {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Connecting, Self::Joined, Self::WaitingForSeat];
}

/// Why the device is not in the meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Absence {
    /// In one word.
    pub reason: AbsenceReason,
    /// In a sentence, with what to do about it.
    pub message: String,
}

/// Why the device is not in the meeting, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AbsenceReason {
    /// The meeting is over.
    RoomEnded,
    /// The relay knows no such room.
    UnknownRoom,
    /// The relay refuses the token or the user id.
    CredentialsRefused,
    /// The relay refuses the join for another reason.
    JoinRefused,
    /// Another login of the same user took the seat.
    Superseded,
    /// The relay disconnected the device without a word: most likely another login of the same user.
    Disconnected,
    /// No relay answers at the address.
    Unreachable,
    /// The connection broke, or the relay closed it.
    ConnectionLost,
    /// What answers does not behave as a relay does.
    JoinFailed,
}

impl fmt::Display for AbsenceReason {
    /// What stands after "not in the meeting:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoomEnded => "it is over",
            Self::UnknownRoom => "the relay knows no such room",
            Self::CredentialsRefused => "the relay refuses the credentials",
            Self::JoinRefused => "the relay refuses the join",
            Self::Superseded => "another login of the same user took the seat",
            Self::Disconnected => "the relay disconnected us, probably for another login of the same user",
            Self::Unreachable => "the relay cannot be reached",
            Self::ConnectionLost => "the connection was lost",
            Self::JoinFailed => "the relay does not behave as one",
        })
    }
}

/// Somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Participant {
    /// The user's id.
    pub user_id: String,
    /// The name, where the server says it.
    pub username: Option<String>,
    /// How media get there, in a meeting over WebRTC; `null` in one over a relay, which sends to all.
    #[serde(default)]
    pub media: Option<Delivery>,
}

/// How media get to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// There is no connection yet, or it was lost.
    Connecting,
    /// They arrive.
    Connected,
    /// The voice arrives, and fewer pictures than others get: the link carries much less than the best one.
    FewerPictures,
    /// The voice arrives: the link carries no picture beside it.
    VoiceOnly,
    /// None are sent: there are as many participants as `meeting.max_peers` allows.
    Refused,
}

/// Something that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatLine {
    /// The name of its writer, where it is known; nobody vouches for it.
    pub from: Option<String>,
    /// What it says.
    pub text: String,
    /// When it came, in seconds since 1970.
    pub at: u64,
}

/// The camera.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CameraStatus {
    /// What the people in the room chose: whether it is to be on.
    pub wanted_on: bool,
    /// What is.
    pub state: CameraState,
    /// Which one it is, while it is open.
    pub device: Option<String>,
}

/// What the camera is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CameraState {
    /// There is none in this configuration.
    #[default]
    Absent,
    /// Closed; no picture leaves.
    Off,
    /// On its way to `on`.
    Opening,
    /// It delivers.
    On,
    /// It should be on, and cannot be; it is tried again.
    Fault,
}

impl CameraState {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Absent, Self::Off, Self::Opening, Self::On, Self::Fault];
}

/// The microphone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MicStatus {
    /// What the people in the room chose: whether it is to be muted.
    pub wanted_muted: bool,
    /// What is.
    pub state: MicState,
    /// Which one it is, while it is open.
    pub device: Option<String>,
    /// Whether it hears somebody.
    pub speaking: bool,
}

/// What the microphone is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MicState {
    /// There is none in this configuration.
    #[default]
    Absent,
    /// No sound leaves.
    Muted,
    /// On its way to `live`.
    Opening,
    /// It delivers.
    Live,
    /// It should be live, and cannot be; it is tried again.
    Fault,
}

impl MicState {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Absent, Self::Muted, Self::Opening, Self::Live, Self::Fault];
}

/// A lamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LampStatus {
    /// Its pin or LED, such as `pin 17`.
    pub place: String,
    /// What it tells, such as `mic-muted`.
    pub shows: String,
    /// How it is lit: `off`, `on`, `quick`, `slow` or `double`.
    pub pattern: String,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceFault {
    /// Where: `camera`, `mic`, `meeting`, `ice-server` or `choice-file`.
    pub part: String,
    /// What the log says about it.
    pub message: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Whether it goes on.
    pub ongoing: bool,
}

/// The media that leave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamStatus {
    /// Chunks sent since the start.
    pub chunks_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Bits per second that left over the last ten seconds.
    pub bits_per_second: u64,
    /// What the video encoder aims at, in bits per second.
    pub video_bitrate: u32,
    /// What the audio encoder aims at, in bits per second.
    pub audio_bitrate: u32,
    /// Frames and packets that came from the devices.
    pub frames_captured: u64,
    /// Those of them that were sent.
    pub frames_sent: u64,
    /// Those that were given up, mostly because the relay did not keep up.
    pub frames_skipped: u64,
    /// Pictures and packets sent that nobody captured.
    pub frames_filled: u64,
}

/// What the network between here and the relay has room for, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UplinkStatus {
    /// How urgently media are left out: `easy` (nothing is), `tight` (new pictures), `stuck` (all but the newest), `dead`
    /// (the connection is given up).
    pub pressure: String,
    /// What the video encoder may make of `video_bitrate`, in bits per second.
    pub video_bitrate: u32,
    /// Pictures per second that it may make.
    pub frame_rate: u8,
    /// Whether the picture stands still, so that the voice gets through.
    pub picture_held: bool,
    /// Why it is no more: `full` (nothing limits it), `link`, `minimum` (the link carries less than `min_bitrate`), `stall`
    /// (the link carries nothing), `encoder` (it makes more than it is asked for).
    pub reason: String,
}

/// What waits to be sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueStatus {
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long the media last that wait, in milliseconds.
    pub milliseconds: u64,
}
