//! The words of the meeting (protocol.md §2) as types: what a participant says and what it hears.
//!
//! Deployed relays vary. Fields that are missing or of an unexpected kind are read as absent where the
//! meeting can go on without them; an event that cannot be understood at all becomes
//! [`ServerEvent::Malformed`], which is logged and ignored.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::socketio::{Event, PacketError, Placeholder, quote};

/// Most participants kept from one list; what a relay says beyond that is skipped. Bounds the memory that a
/// message of a few MiB can turn into; no meeting of browsers comes near it.
const MAX_PARTICIPANTS: usize = 4096;

/// What the agent says about its seat when it joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Whether the camera is on.
    pub has_video: bool,
    /// Whether the microphone is muted.
    pub is_muted: bool,
}

/// Who is talking where: every state event carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat<'a> {
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
        /// Whose.
        seat: Seat<'a>,
        /// Whether the camera is on now.
        has_video: bool,
    },
    /// `mic-state-changed`.
    MicStateChanged {
        /// Whose.
        seat: Seat<'a>,
        /// Whether the microphone is muted now.
        is_muted: bool,
    },
    /// `stream-reset`: receivers are to throw away their `MediaSource` for this user.
    StreamReset {
        /// Whose.
        seat: Seat<'a>,
    },
    /// `speaking-start`.
    SpeakingStart {
        /// Whose.
        seat: Seat<'a>,
    },
    /// `speaking-stop`.
    SpeakingStop {
        /// Whose.
        seat: Seat<'a>,
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
            seat: Seat<'a>,
            has_video: bool,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Mic<'a> {
            #[serde(flatten)]
            seat: Seat<'a>,
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
            Self::CameraStateChanged { seat, has_video } => {
                Event::new("camera-state-changed", &Camera { seat: *seat, has_video: *has_video })?
            }
            Self::MicStateChanged { seat, is_muted } => {
                Event::new("mic-state-changed", &Mic { seat: *seat, is_muted: *is_muted })?
            }
            Self::StreamReset { seat } => Event::new("stream-reset", seat)?,
            Self::SpeakingStart { seat } => Event::new("speaking-start", seat)?,
            Self::SpeakingStop { seat } => Event::new("speaking-stop", seat)?,
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
    /// Whether `user` may publish: the relay's word about the agent itself, else about `user` in the list,
    /// else yes.
    pub fn can_broadcast(&self, user: &str) -> bool {
        self.can_broadcast.or_else(|| listed(&self.participants, user)).unwrap_or(true)
    }

    /// Whether the relay is of the newer kind, whose clients jump to the live edge (playback.md, rule 6):
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
    /// Whether `user` may publish from now on, or `None` if the event does not say.
    ///
    /// The list decides; without an entry in it, mode `all` means yes and a named presenter means them only.
    pub fn can_broadcast(&self, user: &str) -> Option<bool> {
        listed(&self.participants, user).or(match (self.broadcast_mode, &self.presenter_user_id) {
            (Some(BroadcastMode::All), _) => Some(true),
            (_, Some(presenter)) => Some(presenter == user),
            (_, None) => None,
        })
    }
}

fn listed(participants: &[Participant], user: &str) -> Option<bool> {
    participants.iter().find(|participant| participant.user_id == user)?.can_broadcast
}

/// What the text of an `error` event is about, as far as its words tell ([`ErrorKind::of`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another connection of the same user took the seat.
    Superseded,
    /// The meeting is over.
    RoomEnded,
    /// The credentials were refused.
    Auth,
    /// Anything else: the room does not exist, is full, …
    Other,
}

impl ErrorKind {
    /// Reads the human text of a relay's error. Deployed relays have no codes and their wording varies, so
    /// this looks for parts of it, in lower case, in this order:
    ///
    /// - *superseded*: `다른 기기`, `다른 브라우저`, `다른 곳에서`, `다른 위치에서`, `중복 로그인`, `중복 접속`; or `another`, `other`
    ///   or `new` directly before `login`, `session`, `device`, `connection`, `tab`, `browser`, `location`;
    ///   or `duplicate login`, `duplicate session`, `logged in elsewhere`, `connected elsewhere`.
    /// - *room ended*: `종료된 회의`, `회의가 종료`, `종료된 방`, `방이 종료`, `미팅이 종료`, `종료되었습니다`; or `meeting`/`room` together with `ended`,
    ///   `has been closed` or `is over`.
    /// - *auth*: `인증`, `토큰`, `권한이 없`, `로그인이 필요`; `unauthorized`, `unauthenticated`, `authenticat`, `token`,
    ///   `jwt`, `forbidden`, `not logged in`, `login required`.
    pub fn of(message: &str) -> Self {
        const SUPERSEDED: &[&str] = &[
            "다른 기기",
            "다른 브라우저",
            "다른 곳에서",
            "다른 위치에서",
            "중복 로그인",
            "중복 접속",
            "duplicate login",
            "duplicate session",
            "logged in elsewhere",
            "connected elsewhere",
        ];
        const OTHER: &[&str] = &["another", "other", "new"];
        const LOGIN: &[&str] = &["login", "session", "device", "connection", "tab", "browser", "location"];
        const ENDED_KO: &[&str] =
            &["종료된 회의", "회의가 종료", "종료된 방", "방이 종료", "미팅이 종료", "종료되었습니다"];
        const ENDED: &[&str] = &["ended", "has been closed", "is over"];
        const AUTH: &[&str] = &[
            "인증",
            "토큰",
            "권한이 없",
            "로그인이 필요",
            "unauthorized",
            "unauthenticated",
            "authenticat",
            "token",
            "jwt",
            "forbidden",
            "not logged in",
            "login required",
        ];

        let text = message.to_lowercase();
        let has_any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let another_login = words.windows(2).any(|pair| {
            OTHER.contains(&pair[0]) && LOGIN.iter().any(|login| pair[1].trim_end_matches('s') == *login)
        });
        let of_the_room = words.iter().any(|word| ["meeting", "room"].contains(word));
        if another_login || has_any(SUPERSEDED) {
            Self::Superseded
        } else if has_any(ENDED_KO) || (of_the_room && has_any(ENDED)) {
            Self::RoomEnded
        } else if has_any(AUTH) {
            Self::Auth
        } else {
            Self::Other
        }
    }
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
        /// Who.
        user_id: String,
    },
    /// `request-keyframe`: to be treated as a late join.
    RequestKeyframe {
        /// Who asks, where the relay says it.
        from: Option<String>,
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

// The readers below go through `RawValue`, not through serde's untagged enums: those build the whole value in
// memory first, at many times its size on the wire.

/// A value of the expected kind, or `None` for anything else.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A text, or a whole number as its text.
fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if raw.get().starts_with('"') {
        return Ok(serde_json::from_str(raw.get()).ok());
    }
    Ok(serde_json::from_str::<i64>(raw.get()).ok().map(|number| number.to_string()))
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional_id(deserializer)?.ok_or_else(|| D::Error::custom("a user id that is no text"))
}

/// A list of at most [`MAX_PARTICIPANTS`]; entries that are no participants are left out. What is no list is
/// an empty one.
fn participants<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Participant>, D::Error> {
    struct List;
    impl<'de> Visitor<'de> for List {
        type Value = Vec<Participant>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of participants")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while list.len() < MAX_PARTICIPANTS {
                let Some(entry) = seq.next_element::<Box<RawValue>>()? else { return Ok(list) };
                list.extend(serde_json::from_str::<Participant>(entry.get()));
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(list)
        }
    }
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if !raw.get().starts_with('[') {
        return Ok(Vec::new());
    }
    serde_json::Deserializer::from_str(raw.get()).deserialize_seq(List).map_err(D::Error::custom)
}
