//! Where a session joins, and as whom.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::socketio::{Auth, Endpoint, Limits};

/// How long the relay may take from `join-room` to `room-state`.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to join, and as whom.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The relay, with the credentials of [`credentials`].
    pub endpoint: Endpoint,
    /// How far to trust the relay.
    pub limits: Limits,
    /// How long the relay may take from `join-room` to `room-state`.
    pub join_timeout: Duration,
    /// The room.
    pub room: String,
    /// The name the others see.
    pub username: String,
    /// The agent's user id, until the relay gives our connection another one ([`Identity`](super::Identity)).
    pub user_id: Option<String>,
    /// A picture for the others to show while the camera is off.
    pub avatar_url: Option<String>,
}

impl SessionConfig {
    /// Joins `room` at `endpoint` as `username`, with the usual limits. The handshake names the room, by which a load
    /// balancer keeps its participants together (docs/protocol.md §1.1).
    pub fn new(mut endpoint: Endpoint, room: &str, username: &str) -> Self {
        endpoint.query = vec![("room", room.to_owned())];
        Self {
            endpoint,
            limits: Limits::default(),
            join_timeout: JOIN_TIMEOUT,
            room: room.to_owned(),
            username: username.to_owned(),
            user_id: None,
            avatar_url: None,
        }
    }
}

/// What the CONNECT packet carries in a meeting: `{"token":…,"userId":…}`, each where it is known.
pub fn credentials(token: Option<&str>, user_id: Option<&str>) -> Option<Auth> {
    let fields = [("token", token), ("userId", user_id)];
    let known: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect();
    (!known.is_empty()).then(|| Auth::new(known))
}
