//! Why a session ended.

use std::time::Duration;

use super::event::EncodeError;
use super::refusal::ErrorKind;
use super::session_config::SessionConfig;
use super::whip::WhipError;
use crate::socketio::{ConnectionError, Fault};

/// Why a session ended, naming the relay and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The relay could not be reached, or is no relay.
    #[error(transparent)]
    Connect(ConnectionError),
    /// The relay refused our credentials, at CONNECT or at the join.
    #[error("relay {url}: refused the credentials: {message}; check the token and the user id")]
    AuthRefused {
        /// The relay.
        url: String,
        /// Its words.
        message: String,
    },
    /// The relay refused the join.
    #[error("relay {url}: refused the join of room {room:?}: {message}; ask whoever runs the meeting")]
    JoinRefused {
        /// The relay.
        url: String,
        /// The room.
        room: String,
        /// Its words.
        message: String,
    },
    /// The relay knows no such room.
    #[error(
        "relay {url}: knows no room {room:?}: {message}; check meeting.room, and that the meeting exists"
    )]
    UnknownRoom {
        /// The relay.
        url: String,
        /// The room.
        room: String,
        /// Its words.
        message: String,
    },
    /// Another connection of the same user took the seat.
    #[error(
        "relay {url}: another login of the same user took the seat: {message}; give this device a user id of its own"
    )]
    Superseded {
        /// The relay.
        url: String,
        /// Its words.
        message: String,
    },
    /// The relay disconnected us without a word (docs/protocol.md §3.5).
    #[error(
        "relay {url}: disconnected us without saying why; most likely another login of the same user took the seat: \
         give this device a user id of its own"
    )]
    Disconnected {
        /// The relay.
        url: String,
    },
    /// The meeting is over.
    #[error(
        "relay {url}: the meeting in room {room:?} is over; for another meeting, put its id into meeting.room"
    )]
    RoomEnded {
        /// The relay.
        url: String,
        /// The room.
        room: String,
    },
    /// The relay put us into a room we did not ask for.
    #[error("relay {url}: joined room {got:?} when asked for {asked:?}; check the room's name and the relay")]
    WrongRoom {
        /// The relay.
        url: String,
        /// The configured room.
        asked: String,
        /// The room of its `room-state`.
        got: String,
    },
    /// The relay did not answer the join.
    #[error(
        "relay {url}: no room-state for room {room:?} within {} s of join-room; check that it is a meeting relay",
        after.as_secs_f32()
    )]
    JoinTimeout {
        /// The relay.
        url: String,
        /// The room.
        room: String,
        /// The time allowed.
        after: Duration,
    },
    /// The answer to the join makes no sense.
    #[error("relay {url}: sent a room-state that makes no sense ({why}); check that it is a meeting relay")]
    BadRoomState {
        /// The relay.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The connection broke between CONNECT and `room-state`.
    #[error("while joining room {room:?}: {error}")]
    ClosedWhileJoining {
        /// The room.
        room: String,
        /// What happened to the connection.
        #[source]
        error: ConnectionError,
    },
    /// The connection broke after the join.
    #[error(transparent)]
    Lost(ConnectionError),
    /// A WHIP session ended, or did not begin.
    #[error(transparent)]
    Whip(#[from] WhipError),
    /// An event could not be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl SessionError {
    /// The relay did not answer the join in the time that is configured.
    pub(super) fn join_timeout(config: &SessionConfig) -> Self {
        Self::JoinTimeout {
            url: config.endpoint.url(),
            room: config.room.clone(),
            after: config.join_timeout,
        }
    }

    /// Connecting failed.
    pub(super) fn connecting(error: ConnectionError) -> Self {
        match error {
            ConnectionError { url, fault: Fault::ConnectRefused { message } } => {
                Self::AuthRefused { url, message }
            }
            other => Self::Connect(other),
        }
    }

    /// The relay answered the join with an `error` event.
    pub(super) fn refused(url: String, room: &str, kind: ErrorKind, message: String) -> Self {
        match Self::dismissed(url.clone(), room, kind, message.clone()) {
            Some(error) => error,
            None if kind == ErrorKind::UnknownRoom => {
                Self::UnknownRoom { url, room: room.to_owned(), message }
            }
            None => Self::JoinRefused { url, room: room.to_owned(), message },
        }
    }

    /// The connection broke after the join, and the relay had said nothing that explains it.
    pub(super) fn lost(error: ConnectionError) -> Self {
        match error {
            ConnectionError { url, fault: Fault::Disconnected } => Self::Disconnected { url },
            other => Self::Lost(other),
        }
    }

    /// The relay said something after which it hangs up, if this is such a thing.
    pub(super) fn dismissed(url: String, room: &str, kind: ErrorKind, message: String) -> Option<Self> {
        match kind {
            ErrorKind::Superseded => Some(Self::Superseded { url, message }),
            ErrorKind::RoomEnded => Some(Self::RoomEnded { url, room: room.to_owned() }),
            ErrorKind::Auth => Some(Self::AuthRefused { url, message }),
            ErrorKind::UnknownRoom | ErrorKind::Other => None,
        }
    }
}
