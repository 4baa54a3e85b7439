//! What the operator of a relay may decide: who may do what, and its bounds.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::fleet::RedisOptions;
use super::rate::Allowance;
use crate::config::IceServer;
use crate::http::origin;

/// The bounds of a relay and who is let in. Every bound exists so that no peer can make the relay grow without
/// limit; [`RelayOptions::default`] suits a LAN of a few meeting rooms on a Raspberry Pi.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Rooms that may exist at the same time. A room exists while somebody is in it. Default 64.
    pub max_rooms: usize,
    /// Participants in one room, viewers included. Default 256.
    pub max_participants: usize,
    /// Sessions, which is participants in all rooms and those who are about to join. Clients of one address, but for
    /// this machine's, get half of them at most. Default 1024.
    pub max_sessions: usize,
    /// How many of the sessions may use HTTP long-polling, with the same share for one address. Default 64.
    pub max_polling_sessions: usize,
    /// Open connections that are no WebSocket: pages, and requests of long-polling. When there are more, one that waits
    /// for a request makes room, of the address with most of them. Default 256.
    pub max_connections: usize,
    /// Largest message in bytes that a participant may send, told to clients as `maxPayload`. A larger one
    /// closes its sender's connection. Default 1 000 000, like `socket.io`.
    pub max_message_bytes: usize,
    /// Joins per second, over all rooms, and in the same measure new sessions per second, with the same share for one
    /// address. Default 256.
    pub max_joins_per_second: u32,
    /// Bytes that may wait for one participant before it is cut off; never less than two messages of
    /// `max_message_bytes`. Default 4 000 000: more than 5 s of five senders.
    pub outgoing_bytes: usize,
    /// Bytes that may wait in the whole relay, counted once for all whom they wait for, and in the same measure
    /// bytes of messages that have not arrived completely. Beyond it, the participant for whom most waits is cut
    /// off. Default 64 000 000.
    pub max_waiting_bytes: usize,
    /// How long a participant's connection may refuse to take a single byte before it is cut off. Default 10 s.
    pub stall_timeout: Duration,
    /// How long the relay goes on serving its participants when it is asked to end, while it takes no new ones. Default
    /// zero.
    pub drain: Duration,
    /// How much one participant may send.
    pub rates: Rates,
    /// Who may connect, and do what.
    pub access: Access,
    /// Where other relays are met that share the rooms. Default none.
    pub redis: Option<RedisOptions>,
    /// Origins of pages served from elsewhere that may connect, besides the relay's own.
    pub allowed_origins: Vec<Origin>,
    /// STUN and TURN servers of which participants of WebRTC meetings are told, for the relay's page to reach cameras in
    /// other networks. Default none.
    pub ice_servers: Vec<IceServer>,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            max_rooms: 64,
            max_participants: 256,
            max_sessions: 1024,
            max_polling_sessions: 64,
            max_connections: 256,
            max_message_bytes: 1_000_000,
            max_joins_per_second: 256,
            outgoing_bytes: 4_000_000,
            max_waiting_bytes: 64_000_000,
            stall_timeout: Duration::from_secs(10),
            drain: Duration::ZERO,
            rates: Rates::default(),
            access: Access::Open,
            redis: None,
            allowed_origins: Vec::new(),
            ice_servers: Vec::new(),
        }
    }
}

/// How much one participant may send, by kind. What is more is refused; whose media is refused, or too much else,
/// is disconnected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// WebSocket messages of any kind.
    pub messages: Allowance,
    /// `media-chunk`.
    pub chunks: Allowance,
    /// Bytes of media.
    pub media_bytes: Allowance,
    /// `chat-message`.
    pub chat: Allowance,
    /// `reaction`.
    pub reactions: Allowance,
    /// `set-presenter`.
    pub presenter: Allowance,
    /// `speaking-start` and `speaking-stop`.
    pub speaking: Allowance,
    /// `camera-state-changed`, `mic-state-changed` and `stream-reset`.
    pub states: Allowance,
    /// `request-keyframe`.
    pub keyframes: Allowance,
    /// Of WebRTC: offers, answers and candidates.
    pub signals: Allowance,
    /// `join-room` and `leave-room`.
    pub joins: Allowance,
    /// Refusals, before the participant is disconnected.
    pub refusals: Allowance,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            messages: Allowance::new(300, 1200),
            chunks: Allowance::new(50, 200),
            media_bytes: Allowance::new(2_000_000, 4_000_000),
            chat: Allowance::new(2, 10),
            reactions: Allowance::new(5, 20),
            presenter: Allowance::new(1, 10),
            speaking: Allowance::new(10, 30),
            states: Allowance::new(5, 20),
            keyframes: Allowance::new(2, 10),
            // Some 15 for each of 32 participants at once, and again.
            signals: Allowance::new(100, 1000),
            joins: Allowance::new(1, 10),
            refusals: Allowance::new(1, 30),
        }
    }
}

/// Who may connect to a relay, and do what there.
#[derive(Debug, Clone)]
pub enum Access {
    /// Everybody may publish.
    Open,
    /// Who shows the token may publish.
    Shared(Token),
    /// Who shows the token `publish` may publish. Others may watch, if they show the token `view` where there is one.
    Split {
        /// For cameras.
        publish: Token,
        /// For people who watch.
        view: Option<Token>,
    },
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Everything.
    Publisher,
    /// Everything that needs no camera and no say.
    Viewer,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAccess {
    /// No token was shown.
    Missing,
    /// Another one was.
    Wrong,
}

impl Access {
    /// What somebody may do who shows this token.
    pub(super) fn admit(&self, shown: Option<&str>) -> Result<Role, NoAccess> {
        let refusal = if shown.is_some() { NoAccess::Wrong } else { NoAccess::Missing };
        let shows = |token: &Token| shown.is_some_and(|shown| token.is(shown));
        match self {
            Self::Open => Ok(Role::Publisher),
            Self::Shared(token) if shows(token) => Ok(Role::Publisher),
            Self::Split { publish, .. } if shows(publish) => Ok(Role::Publisher),
            Self::Split { view: None, .. } => Ok(Role::Viewer),
            Self::Split { view: Some(token), .. } if shows(token) => Ok(Role::Viewer),
            Self::Shared(_) | Self::Split { .. } => Err(refusal),
        }
    }
}

/// A token of the relay. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// The token `text`, without the white space around it (token files end with a newline).
    /// `None` if nothing is left: an empty token would let everybody in.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// Whether `other` is this token. Takes the same time wherever they differ, so that the token cannot be
    /// guessed byte by byte; only its length shows.
    pub fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl AsRef<str> for Token {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The origin of a page: scheme, host, and the port if it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    authority: String,
}

/// A text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "wanted is the origin of a page, such as https://meet.example or http://192.0.2.7:8080, without a path"
)]
pub struct BadOrigin;

impl std::str::FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let authority = origin::authority_of(text).ok_or(BadOrigin)?;
        let scheme = text.split("://").next().unwrap_or_default();
        Ok(Self { text: format!("{scheme}://{authority}"), authority })
    }
}

impl Origin {
    /// Whether an Origin header names this one.
    pub(super) fn is(&self, header: &str) -> bool {
        self.text.eq_ignore_ascii_case(header)
    }

    /// Whether a Host header names this one's host, as a proxy before the relay passes it on.
    pub(super) fn is_host(&self, header: &str) -> bool {
        self.authority.eq_ignore_ascii_case(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text).unwrap()
    }

    #[test]
    fn a_token_is_itself_only() {
        let token = token(" s3cret\n");
        assert!(token.is("s3cret"));
        for other in ["s3creT", "s3cre", ""] {
            assert!(!token.is(other), "{other}");
        }
    }

    #[test]
    fn an_empty_token_is_no_token() {
        assert!(Token::new(" \n").is_none());
    }

    #[test]
    fn a_token_is_not_printed() {
        let access = Access::Split { publish: token("s3cret"), view: Some(token("s3cret")) };
        let options = RelayOptions { access, ..RelayOptions::default() };
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn a_token_opens_what_it_is_for() {
        use NoAccess::{Missing, Wrong};
        use Role::{Publisher, Viewer};
        let asked =
            |access: &Access| [None, Some("p"), Some("v"), Some("x")].map(|shown| access.admit(shown));

        assert_eq!(asked(&Access::Open), [Ok(Publisher); 4]);
        let shared = asked(&Access::Shared(token("p")));
        assert_eq!(shared, [Err(Missing), Ok(Publisher), Err(Wrong), Err(Wrong)]);
        let split = asked(&Access::Split { publish: token("p"), view: Some(token("v")) });
        assert_eq!(split, [Err(Missing), Ok(Publisher), Ok(Viewer), Err(Wrong)]);
        let watched_by_all = asked(&Access::Split { publish: token("p"), view: None });
        assert_eq!(watched_by_all, [Ok(Viewer), Ok(Publisher), Ok(Viewer), Ok(Viewer)]);
    }

    #[test]
    fn an_origin_has_no_path_and_no_usual_port() {
        let origin: Origin = "https://Meet.example:443".parse().unwrap();
        assert!(origin.is("https://meet.example") && origin.is_host("meet.example"));
        assert!(!origin.is("http://meet.example"));
        for bad in ["*", "meet.example", "https://meet.example/", "https://", "ftp://meet.example"] {
            assert_eq!(bad.parse::<Origin>(), Err(BadOrigin), "{bad}");
        }
    }
}
