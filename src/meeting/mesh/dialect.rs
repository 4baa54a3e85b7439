//! The dialects of WebRTC signalling (docs/signalling.md), from and to Socket.IO events.

use std::time::Duration;

use serde_json::Value;

use super::names::Names;
use super::signal::{Heard, Said};
use super::{addressed, noom};
use crate::meeting::event::EncodeError;
use crate::socketio::Event;

/// How long pages of "mesh" have to offer: two ways through the server, and the making of the offer.
const PATIENCE: Duration = Duration::from_millis(700);

/// How the server and the pages of a meeting speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// "mesh": many participants, addressed by socket id; names vary.
    Mesh(Names),
    /// "noom": one to one, addressed by the room's name, or the mesh that grew out of it.
    Noom(Form),
}

/// The forms of "noom".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// One to one; each event has one object: `{offer, roomName}`.
    Object,
    /// One to one; each event has arguments: `offer, roomName`.
    Args,
    /// Many participants, addressed by socket id; arguments.
    Mesh,
}

/// How long to wait for somebody's offer before offering; `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferWaits {
    /// From those who were there already.
    pub found: Option<Duration>,
    /// From somebody who came.
    pub came: Option<Duration>,
}

/// As whom the agent joins, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room.
    pub room: String,
    /// The name that the others see.
    pub username: String,
    /// The id of the user, where the deployment has such ids.
    pub user_id: Option<String>,
}

impl Dialect {
    /// Who begins (docs/signalling.md §3).
    pub const fn offer_waits(&self) -> OfferWaits {
        match self {
            Self::Mesh(_) => OfferWaits { found: Some(PATIENCE), came: Some(PATIENCE) },
            // `welcome` asks whoever was there to offer at once.
            Self::Noom(Form::Object | Form::Args) => OfferWaits { found: None, came: Some(Duration::ZERO) },
            // The newcomer offers at once; those who were there hear of it by its offer.
            Self::Noom(Form::Mesh) => OfferWaits { found: Some(Duration::ZERO), came: None },
        }
    }

    /// Whether there is one other participant at most, whom nobody tells apart from its successor.
    pub const fn is_one_to_one(&self) -> bool {
        matches!(self, Self::Noom(Form::Object | Form::Args))
    }

    /// Whether the server tells a newcomer that it is in the room.
    pub const fn confirms_join(&self) -> bool {
        !self.is_one_to_one()
    }

    /// Whether chat goes through the data channel `chat` of each peer instead of the server.
    pub const fn chats_between_peers(&self) -> bool {
        self.is_one_to_one()
    }

    /// The event that says it, or `None` where the dialect has no word for it.
    ///
    /// # Errors
    /// [`EncodeError`] if it has no JSON form.
    pub fn write(&self, said: &Said, place: &Place) -> Result<Option<Event>, EncodeError> {
        match self {
            Self::Mesh(names) => addressed::write(names, said, place).map(Some),
            Self::Noom(form) => noom::write(*form, said, place),
        }
    }

    /// What an event says.
    pub fn read(&self, event: &Event) -> Heard {
        match self {
            Self::Mesh(names) => addressed::read(names, event),
            Self::Noom(form) => noom::read(*form, event),
        }
    }
}

/// A description as browsers take it.
pub(super) fn description(kind: &str, sdp: &str) -> Value {
    serde_json::json!({ "type": kind, "sdp": sdp })
}

/// A candidate as browsers take it.
pub(super) fn candidate(candidate: &super::signal::Candidate) -> Value {
    serde_json::json!({
        "candidate": candidate.candidate,
        "sdpMid": candidate.sdp_mid,
        "sdpMLineIndex": candidate.sdp_m_line_index,
        "usernameFragment": candidate.username_fragment,
    })
}
