//! What the relay says of itself to load balancers and monitoring.

use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};
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

impl Health {
    /// In Prometheus' text format.
    pub fn metrics(&self) -> Result<String, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str, value: usize| {
            let gauge = IntGauge::new(name, help)?;
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(Box::new(gauge))
        };
        gauge("roomcam_relay_rooms", "Rooms with somebody in them.", self.rooms)?;
        gauge("roomcam_relay_sessions", "Sessions, joined or not.", self.sessions)?;
        let draining = usize::from(self.status == Status::Draining);
        gauge("roomcam_relay_draining", "Whether it is about to end.", draining)?;
        if let Some(redis) = &self.redis {
            gauge("roomcam_relay_redis_up", "Whether Redis answers.", usize::from(redis.is_there()))?;
            gauge("roomcam_relay_others", "Other relays that have been heard of lately.", redis.relays)?;
            let name = "roomcam_relay_redis_dropped_messages_total";
            let dropped =
                IntCounter::new(name, "Messages for other relays that Redis did not take in time.")?;
            dropped.inc_by(redis.dropped);
            registry.register(Box::new(dropped))?;
        }
        TextEncoder::new().encode_to_string(&registry.gather())
    }
}
