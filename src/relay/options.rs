//! What the operator of a relay may decide: its bounds and its token.

use std::fmt;
use std::time::Duration;

use subtle::ConstantTimeEq;

/// The bounds of a relay. Every one of them exists so that no peer can make the relay grow without limit;
/// [`RelayOptions::default`] suits a LAN of a few meeting rooms on a Raspberry Pi.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Rooms that may exist at the same time. A room exists while somebody is in it. Default 64.
    pub max_rooms: usize,
    /// Participants in one room, viewers included. Default 256.
    pub max_participants: usize,
    /// Open TCP connections; further ones wait in the kernel's backlog. Default 512, which leaves room below
    /// the usual limit of 1024 open files.
    pub max_connections: usize,
    /// Largest message in bytes that a participant may send, told to clients as `maxPayload`. A larger one
    /// closes its sender's connection. Default 1 000 000, like `socket.io`.
    pub max_message_bytes: usize,
    /// Joins per second, over all rooms, and in the same measure new sessions per second. Default 256.
    pub max_joins_per_second: u32,
    /// Messages that may wait for one participant before it is cut off. The bytes of a chunk are shared by
    /// everybody it waits for, so this bounds memory per room rather than per participant. Default 256: more
    /// than 5 s of five senders at 10 chunks/s.
    pub outgoing_queue: usize,
    /// How long a participant's connection may refuse to take a single byte before it is cut off. Default 10 s.
    pub stall_timeout: Duration,
    /// If given, a client has to name this token at CONNECT (`{token}`), or it is refused. Default none.
    pub token: Option<SharedToken>,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            max_rooms: 64,
            max_participants: 256,
            max_connections: 512,
            max_message_bytes: 1_000_000,
            max_joins_per_second: 256,
            outgoing_queue: 256,
            stall_timeout: Duration::from_secs(10),
            token: None,
        }
    }
}

/// The token that everybody who may connect knows. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SharedToken(Box<str>);

impl SharedToken {
    /// The token `text`, without the white space around it (token files end with a newline).
    /// `None` if nothing is left: an empty token would let everybody in.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// Whether `offered` is this token. Takes the same time wherever they differ, so that the token cannot be
    /// guessed byte by byte; only its length shows.
    pub(super) fn admits(&self, offered: &str) -> bool {
        self.0.as_bytes().ct_eq(offered.as_bytes()).into()
    }
}

impl fmt::Debug for SharedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_admits_itself_only() {
        let token = SharedToken::new(" s3cret\n").unwrap();
        assert!(token.admits("s3cret"));
        assert!(!token.admits("s3creT"));
        assert!(!token.admits("s3cre"));
        assert!(!token.admits(""));
    }

    #[test]
    fn an_empty_token_is_no_token() {
        assert!(SharedToken::new(" \n").is_none());
    }

    #[test]
    fn a_token_is_not_printed() {
        let options = RelayOptions { token: SharedToken::new("s3cret"), ..RelayOptions::default() };
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
