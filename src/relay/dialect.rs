//! The payloads of the relay dialect (docs/protocol.md §2), as the relay reads and writes them.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::refusal::Code;
use crate::socketio::Placeholder;

/// What a client may say about itself in its CONNECT packet.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Auth {
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default)]
    pub user_id: Option<String>,
}

/// `join-room`. Absent flags mean no video and muted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinRoom {
    pub room_id: String,
    #[serde(default)]
    pub username: Option<String>,
    /// Snake case on the wire, unlike its siblings.
    #[serde(default, rename = "avatar_url")]
    pub avatar_url: Option<String>,
    #[serde(default)]
    pub has_video: bool,
    #[serde(default = "muted")]
    pub is_muted: bool,
    /// Whether it only watches: a word of this relay's page, where participants connect to each other.
    #[serde(default)]
    pub watch: bool,
}

fn muted() -> bool {
    true
}

/// `media-chunk` as sent, but for `chunk`, which is the attachment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MediaChunk {
    #[serde(default)]
    pub mime_type: Option<String>,
    #[serde(default)]
    pub timestamp: Option<Number>,
}

/// `media-chunk` as forwarded.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForwardedChunk<'a> {
    pub socket_id: &'a str,
    pub user_id: &'a str,
    pub chunk: Placeholder,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<&'a Number>,
}

/// `camera-state-changed`; the user is the one whose socket it came from.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CameraState {
    pub has_video: bool,
}

/// `mic-state-changed`, likewise.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MicState {
    pub is_muted: bool,
}

/// `chat-message` as sent.
#[derive(Deserialize)]
pub(super) struct ChatMessage {
    pub message: String,
}

/// `request-keyframe` as sent: one target, or everybody who publishes.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestKeyframe {
    #[serde(default, alias = "userId")]
    pub target_user_id: Option<String>,
}

/// `set-presenter` as sent: who alone may broadcast, or `null` for everybody.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetPresenter {
    pub user_id: Option<String>,
}

/// A participant in `room-state`, `user-joined` and the presenter events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Participant {
    pub user_id: String,
    pub username: String,
    #[serde(rename = "avatar_url", skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    pub has_video: bool,
    pub is_muted: bool,
    pub can_broadcast: bool,
    pub socket_id: String,
    /// Whether it only watches, of its own will or because it may not do more.
    #[serde(skip)]
    pub watches: bool,
}

/// Who may broadcast in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BroadcastMode {
    /// Everybody.
    All,
    /// The presenter alone.
    Single,
}

/// `room-state`, the answer to a join.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomState {
    pub room_id: String,
    pub participants: Vec<Participant>,
    pub title: String,
    pub host_id: String,
    pub can_broadcast: bool,
    pub broadcast_mode: BroadcastMode,
}

/// `broadcast-presenter-changed`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PresenterChanged {
    pub participants: Vec<Participant>,
    pub presenter_user_id: Option<String>,
    pub broadcast_mode: BroadcastMode,
}

/// `user-left`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserLeft<'a> {
    pub user_id: &'a str,
    pub socket_id: &'a str,
}

/// Something that happened to one participant: `stream-reset`, `speaking-start` and `speaking-stop` as they
/// are, the state events, chat and reactions with their own fields in `what`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About<'a, T> {
    pub room_id: &'a str,
    pub user_id: &'a str,
    #[serde(flatten)]
    pub what: T,
}

/// The fields of a forwarded `chat-message`; `timestamp` is Unix milliseconds at the relay.
#[derive(Serialize)]
pub(super) struct Said<'a> {
    pub username: &'a str,
    pub message: &'a str,
    pub timestamp: u64,
}

/// A reaction, as sent and as forwarded.
#[derive(Serialize, Deserialize)]
pub(super) struct Reaction {
    pub emoji: String,
}

/// What an event about a participant says besides whom it is about: nothing.
#[derive(Serialize)]
pub(super) struct NoMore {}

/// `request-keyframe` as forwarded.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyframeRequested<'a> {
    pub from_user_id: &'a str,
}

/// `error`: every refusal, as text for people and a word for programs.
#[derive(Serialize)]
pub(super) struct Refused<'a> {
    pub message: &'a str,
    pub code: Code,
}

/// What a CONNECT_ERROR carries.
#[derive(Serialize)]
pub(super) struct ConnectError<'a> {
    pub message: &'a str,
    pub data: ConnectErrorData,
}

/// See [`ConnectError`].
#[derive(Serialize)]
pub(super) struct ConnectErrorData {
    pub code: Code,
}

/// The answer to a CONNECT.
#[derive(Serialize)]
pub(super) struct Connected {
    pub sid: String,
}
