//! What the relay says of itself to load balancers and monitoring.

use serde::Serialize;

use super::fleet::RedisHealth;

/// The answer of `/healthz`.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    pub status: Status,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Sessions, joined or not.
    pub sessions: usize,
    /// Of a relay that shares its rooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisHealth>,
}

/// Whether the relay takes new participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It does.
    Ok,
    /// It is about to end, and does not.
    Draining,
}
