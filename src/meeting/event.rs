//! The words of the meeting (docs/protocol.md §2) as types: what a participant says and what it hears.
//!
//! Deployed relays vary. Fields that are missing or of an unexpected kind are read as absent where the
//! meeting can go on without them; an event that cannot be understood at all becomes
//! [`ServerEvent::Malformed`], which is logged and ignored.

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::refusal::ErrorKind;
use super::roster::{Participant, PresenterChange, RoomState, id, lenient, optional_id};
use crate::socketio::{Event, PacketError, Placeholder, quote};

/// What the agent says of itself when it joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Whether the camera is on.
    pub has_video: bool,
    /// Whether the microphone is muted.
    pub is_muted: bool,
}

/// In which room the agent is, and as whom: every state event carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership<'a> {
    /// The room.
    pub room_id: &'a str,
    /// The agent's user id.
    pub user_id: &'a str,
}

/// What a participant sends.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent<'a> {
    /// `join-room`, after every (re)connect.
    JoinRoom {
        /// The room.
        room: &'a str,
        /// The name the others see.
        username: &'a str,
        /// A picture to show while the camera is off.
        avatar_url: Option<&'a str>,
        /// Camera and microphone at the moment of joining.
        presence: Presence,
    },
    /// `media-chunk`.
    MediaChunk {
        /// The WebM bytes; they travel as an attachment and are never copied into JSON.
        chunk: Bytes,
        /// What receivers pass to `addSourceBuffer`.
        mime: &'a str,
        /// Unix time of sending in milliseconds, from which newer clients show the latency.
        timestamp: u64,
    },
    /// `camera-state-changed`.
    CameraStateChanged {
        /// In which room the agent is, and as whom.
        membership: Membership<'a>,
        /// Whether the camera is on now.
        has_video: bool,
    },
    /// `mic-state-changed`.
    MicStateChanged {
        /// In which room the agent is, and as whom.
        membership: Membership<'a>,
        /// Whether the microphone is muted now.
        is_muted: bool,
    },
    /// `stream-reset`: receivers are to throw away their `MediaSource` for this user.
    StreamReset {
        /// In which room the agent is, and as whom.
        membership: Membership<'a>,
    },
    /// `speaking-start`.
    SpeakingStart {
        /// In which room the agent is, and as whom.
        membership: Membership<'a>,
    },
    /// `speaking-stop`.
    SpeakingStop {
        /// In which room the agent is, and as whom.
        membership: Membership<'a>,
    },
    /// `leave-room`; asks for an acknowledgement.
    LeaveRoom {
        /// The id under which the acknowledgement comes.
        ack: u64,
    },
}

impl ClientEvent<'_> {
    /// The Socket.IO event.
    pub fn to_event(&self) -> Result<Event, EncodeError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct JoinRoom<'a> {
            room_id: &'a str,
            username: &'a str,
            #[serde(rename = "avatar_url", skip_serializing_if = "Option::is_none")]
            avatar_url: Option<&'a str>,
            has_video: bool,
            is_muted: bool,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct MediaChunk<'a> {
            chunk: Placeholder,
            mime_type: &'a str,
            timestamp: u64,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Camera<'a> {
            #[serde(flatten)]
            membership: Membership<'a>,
            has_video: bool,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Mic<'a> {
            #[serde(flatten)]
            membership: Membership<'a>,
            is_muted: bool,
        }
        #[derive(Serialize)]
        struct Nothing {}

        Ok(match self {
            Self::JoinRoom { room, username, avatar_url, presence } => Event::new(
                "join-room",
                &JoinRoom {
                    room_id: room,
                    username,
                    avatar_url: *avatar_url,
                    has_video: presence.has_video,
                    is_muted: presence.is_muted,
                },
            )?,
            Self::MediaChunk { chunk, mime, timestamp } => Event::new(
                "media-chunk",
                &MediaChunk { chunk: Placeholder::new(0), mime_type: mime, timestamp: *timestamp },
            )?
            .with_attachments(vec![chunk.clone()])?,
            Self::CameraStateChanged { membership, has_video } => Event::new(
                "camera-state-changed",
                &Camera { membership: *membership, has_video: *has_video },
            )?,
            Self::MicStateChanged { membership, is_muted } => {
                Event::new("mic-state-changed", &Mic { membership: *membership, is_muted: *is_muted })?
            }
            Self::StreamReset { membership } => Event::new("stream-reset", membership)?,
            Self::SpeakingStart { membership } => Event::new("speaking-start", membership)?,
            Self::SpeakingStop { membership } => Event::new("speaking-stop", membership)?,
            Self::LeaveRoom { ack } => Event::new("leave-room", &Nothing {})?.with_ack(*ack),
        })
    }
}

/// Why an event could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A value has no JSON form.
    #[error("cannot write the event as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The packet would break the protocol.
    #[error("cannot write the event: {0}")]
    Packet(#[from] PacketError),
}

/// What a participant hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEvent {
    /// `room-state`.
    RoomState(RoomState),
    /// `user-joined`: a late joiner.
    UserJoined(Participant),
    /// `user-left`.
    UserLeft {
        /// The user id of whoever left.
        user_id: String,
    },
    /// `request-keyframe`: to be treated as a late join.
    RequestKeyframe {
        /// Who asks, where the relay says it.
        from: Option<String>,
    },
    /// `camera-state-changed` of somebody else.
    CameraStateChanged {
        /// Whose camera.
        user_id: String,
        /// Whether it is on now, where the relay says it.
        has_video: Option<bool>,
    },
    /// `mic-state-changed` of somebody else.
    MicStateChanged {
        /// Whose microphone.
        user_id: String,
        /// Whether it is muted now, where the relay says it.
        is_muted: Option<bool>,
    },
    /// One of the three presenter events.
    PresenterChange(PresenterChange),
    /// `error`.
    Error {
        /// The relay's words, cut to the length of a line.
        message: String,
        /// What they are about.
        kind: ErrorKind,
    },
    /// `room-ended`.
    RoomEnded,
    /// An event that is none of the agent's business; its content was not looked at.
    Ignored {
        /// Its name.
        name: String,
    },
    /// An event that should have been one of the above and made no sense.
    Malformed {
        /// Its name.
        event: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ServerEvent {
    /// Reads an event of the relay.
    pub fn read(event: &Event) -> Self {
        let read = match event.name() {
            "room-state" => required(event).map(Self::RoomState),
            "user-joined" => required(event).map(Self::UserJoined),
            "user-left" => required(event).map(|UserLeft { user_id }| Self::UserLeft { user_id }),
            "camera-state-changed" => required(event)
                .map(|CameraState { user_id, has_video }| Self::CameraStateChanged { user_id, has_video }),
            "mic-state-changed" => required(event)
                .map(|MicState { user_id, is_muted }| Self::MicStateChanged { user_id, is_muted }),
            // Its payload only informs; the wish is in the name.
            "request-keyframe" => Ok(Self::RequestKeyframe {
                from: required(event).ok().and_then(|RequestKeyframe { from_user_id }| from_user_id),
            }),
            "participant-list-changed" | "broadcast-presenter-changed" | "broadcast-mode-changed" => {
                required(event).map(Self::PresenterChange)
            }
            "error" => required(event).map(|ErrorText(message)| {
                let message = quote(&message);
                let kind = ErrorKind::of(&message);
                Self::Error { message, kind }
            }),
            "room-ended" => Ok(Self::RoomEnded),
            name => Ok(Self::Ignored { name: quote(name) }),
        };
        read.unwrap_or_else(|why| Self::Malformed { event: event.name().to_owned(), why: quote(&why) })
    }
}

fn required<T: DeserializeOwned>(event: &Event) -> Result<T, String> {
    match event.argument() {
        Ok(Some(argument)) => Ok(argument),
        Ok(None) => Err("it has no payload".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserLeft {
    #[serde(deserialize_with = "id")]
    user_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CameraState {
    #[serde(deserialize_with = "id")]
    user_id: String,
    #[serde(default, deserialize_with = "lenient")]
    has_video: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MicState {
    #[serde(deserialize_with = "id")]
    user_id: String,
    #[serde(default, deserialize_with = "lenient")]
    is_muted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestKeyframe {
    #[serde(default, deserialize_with = "optional_id")]
    from_user_id: Option<String>,
}

/// `{message}`, or the bare text that some relays send. A message that is no text (validation errors come as a
/// list) is its JSON.
struct ErrorText(String);

impl<'de> Deserialize<'de> for ErrorText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            message: Box<RawValue>,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let message = match serde_json::from_str::<Object>(raw.get()) {
            Ok(object) => object.message,
            Err(_) if raw.get().starts_with('"') => raw,
            Err(error) => return Err(D::Error::custom(error)),
        };
        Ok(Self(serde_json::from_str(message.get()).unwrap_or_else(|_| message.get().to_owned())))
    }
}
