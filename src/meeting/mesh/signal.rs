//! What participants of a WebRTC meeting tell each other and the server, whatever the dialect calls it.

use std::fmt;
use std::sync::Arc;

/// Who is meant: the socket id by which the server addresses a participant, opaque.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(Arc<str>);

impl ParticipantId {
    /// The participant with this socket id.
    pub fn new(socket_id: &str) -> Self {
        Self(socket_id.into())
    }

    /// The one other participant of a one-to-one room, where nobody has an id.
    pub fn other() -> Self {
        Self::new("")
    }

    /// The socket id; empty for [`ParticipantId::other`].
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the other participant" } else { &self.0 })
    }
}

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An ICE candidate, with the fields of the browsers' `RTCIceCandidateInit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `candidate:…`, never empty.
    pub candidate: String,
    /// The `mid` of the media section that it belongs to.
    pub sdp_mid: Option<String>,
    /// The index of that section.
    pub sdp_m_line_index: Option<u16>,
    /// The `ice-ufrag` of the description that it belongs to.
    pub username_fragment: Option<String>,
}

/// A step of a negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An offer, as SDP.
    Offer(String),
    /// An answer, as SDP.
    Answer(String),
    /// A candidate.
    Candidate(Candidate),
}

/// A step and with whom: the recipient of what is sent, the sender of what is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// With whom.
    pub peer: ParticipantId,
    /// The step.
    pub step: Step,
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Joins the room; the first that is said.
    Join,
    /// A step of the negotiation with a participant.
    Signal(Signal),
    /// The camera is on or off from now on.
    Camera {
        /// Whether it is on.
        on: bool,
    },
    /// The microphone is unmuted or muted from now on.
    Mic {
        /// Whether it is unmuted.
        on: bool,
    },
    /// A line for everybody to read.
    Chat(String),
}

/// A participant, as the server introduces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Its socket id.
    pub id: ParticipantId,
    /// The id of its user, where the server tells it: some say with it alone that somebody left.
    pub user_id: Option<String>,
    /// The name that it gave.
    pub name: Option<String>,
}

/// What the agent hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The join worked. Lists those who were there already; some servers list the agent too.
    Joined(Vec<Participant>),
    /// Somebody came.
    Came(Participant),
    /// Somebody left.
    Left(Departed),
    /// A step of the negotiation with a participant.
    Signal(Signal),
    /// A participant's camera is on or off from now on.
    Camera {
        /// The participant.
        whose: ParticipantId,
        /// Whether it is on.
        on: bool,
    },
    /// A participant's microphone is unmuted or muted from now on.
    Mic {
        /// The participant.
        whose: ParticipantId,
        /// Whether it is unmuted.
        on: bool,
    },
    /// A line of chat.
    Chat {
        /// The name of its writer, where the server tells it.
        from: Option<String>,
        /// What it says.
        text: String,
    },
    /// The server does not let the agent into the room; says why.
    Refused(String),
    /// The server complains.
    Error(String),
    /// Nothing that concerns the agent; it was not looked at.
    Ignored,
    /// Something that makes no sense.
    Malformed {
        /// The event.
        event: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// What a server says of somebody who left; each part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Departed {
    /// The socket id.
    pub id: Option<ParticipantId>,
    /// The id of the user.
    pub user_id: Option<String>,
}
