//! Who is in the room, and who may broadcast: what `room-state` and the presenter events carry.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::bounded_list::bounded_list;
use super::identity::Identity;

/// Most participants kept from one list; what a relay says beyond that is skipped. Bounds the memory that a
/// message of a few MiB can turn into; no meeting of browsers comes near it.
const MAX_PARTICIPANTS: usize = 4096;

/// One seat of the room as the relay describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// The user's id. Numbers are read as their text.
    #[serde(deserialize_with = "id")]
    pub user_id: String,
    /// The name the others see.
    #[serde(default, deserialize_with = "lenient")]
    pub username: Option<String>,
    /// Whether the camera is on.
    #[serde(default, deserialize_with = "lenient")]
    pub has_video: Option<bool>,
    /// Whether the microphone is muted.
    #[serde(default, deserialize_with = "lenient")]
    pub is_muted: Option<bool>,
    /// Whether the relay forwards this user's chunks; absent means yes.
    #[serde(default, deserialize_with = "lenient")]
    pub can_broadcast: Option<bool>,
    /// The Socket.IO session id of the user's connection.
    #[serde(default, deserialize_with = "lenient")]
    pub socket_id: Option<String>,
}

/// `room-state`: the join worked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomState {
    /// The room that was joined, where the relay says it.
    #[serde(default, deserialize_with = "optional_id")]
    pub room_id: Option<String>,
    /// Who is in the room; the agent itself included by some relays and not by others.
    #[serde(default, deserialize_with = "participants")]
    pub participants: Vec<Participant>,
    /// The meeting's title.
    #[serde(default, deserialize_with = "lenient")]
    pub title: Option<String>,
    /// Whether the relay forwards the agent's own chunks; absent means yes.
    #[serde(default, deserialize_with = "lenient")]
    pub can_broadcast: Option<bool>,
    /// Who may broadcast.
    #[serde(default, deserialize_with = "lenient")]
    pub broadcast_mode: Option<BroadcastMode>,
}

impl RoomState {
    /// Whether the agent may publish: the relay's word about the joiner, else about the agent in the list, else yes.
    pub fn can_broadcast(&self, agent: &Identity) -> bool {
        self.can_broadcast.or_else(|| listed(&self.participants, agent)).unwrap_or(true)
    }

    /// Whether the relay is of the later generations, whose clients jump to the live edge (docs/protocol.md §3.4):
    /// it says `canBroadcast` or `broadcastMode`.
    pub fn is_newer_relay(&self) -> bool {
        self.can_broadcast.is_some()
            || self.broadcast_mode.is_some()
            || self.participants.iter().any(|participant| participant.can_broadcast.is_some())
    }
}

/// Who may broadcast in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BroadcastMode {
    /// The presenter only.
    Single,
    /// Everybody.
    All,
}

/// What the three presenter events (`participant-list-changed`, `broadcast-presenter-changed`,
/// `broadcast-mode-changed`) say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenterChange {
    /// Who is in the room; empty where the relay leaves the list out.
    #[serde(default, deserialize_with = "participants")]
    pub participants: Vec<Participant>,
    /// The presenter in `single` mode.
    #[serde(default, deserialize_with = "optional_id")]
    pub presenter_user_id: Option<String>,
    /// Who may broadcast.
    #[serde(default, deserialize_with = "lenient")]
    pub broadcast_mode: Option<BroadcastMode>,
}

impl PresenterChange {
    /// Whether the agent may publish from now on, or `None` if the event does not say (docs/protocol.md §2.4).
    pub fn can_broadcast(&self, agent: &Identity) -> Option<bool> {
        listed(&self.participants, agent).or(match (self.broadcast_mode, &self.presenter_user_id) {
            (Some(BroadcastMode::All), _) => Some(true),
            (_, Some(presenter)) => Some(presenter == agent.user_id()),
            (_, None) => None,
        })
    }
}

fn listed(participants: &[Participant], agent: &Identity) -> Option<bool> {
    agent.find(participants)?.can_broadcast
}

// The readers below go through `RawValue`, not through serde's untagged enums: those build the whole value in
// memory first, at many times its size on the wire.

/// A value of the expected kind, or `None` for anything else.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A text, or a whole number as its text; `None` for anything else.
pub(super) fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if raw.get().starts_with('"') {
        return Ok(serde_json::from_str(raw.get()).ok());
    }
    Ok(serde_json::from_str::<i64>(raw.get()).ok().map(|number| number.to_string()))
}

/// The same where it cannot be missing.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional_id(deserializer)?.ok_or_else(|| D::Error::custom("a user id that is no text"))
}

/// A list of at most [`MAX_PARTICIPANTS`]; entries that are no participants are left out. What is no list is
/// an empty one.
fn participants<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Participant>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let read = |entry: &RawValue| serde_json::from_str(entry.get()).ok();
    Ok(bounded_list(raw.get(), MAX_PARTICIPANTS, read).unwrap_or_default())
}
