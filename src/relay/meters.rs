//! How much one participant has sent lately, by kind.

use std::time::Instant;

use super::options::Rates;
use super::rate::Rate;
use super::refusal::{Code, Refusal};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Meters {
    messages: Rate,
    chunks: Rate,
    media_bytes: Rate,
    chat: Rate,
    reactions: Rate,
    presenter: Rate,
    speaking: Rate,
    states: Rate,
    keyframes: Rate,
    signals: Rate,
    joins: Rate,
    refusals: Rate,
}

impl Meters {
    pub fn new(rates: &Rates, now: Instant) -> Self {
        let of = |allowance| Rate::new(allowance, now);
        Self {
            messages: of(rates.messages),
            chunks: of(rates.chunks),
            media_bytes: of(rates.media_bytes),
            chat: of(rates.chat),
            reactions: of(rates.reactions),
            presenter: of(rates.presenter),
            speaking: of(rates.speaking),
            states: of(rates.states),
            keyframes: of(rates.keyframes),
            signals: of(rates.signals),
            joins: of(rates.joins),
            refusals: of(rates.refusals),
        }
    }

    /// Counts a message of any kind.
    pub fn message(&mut self, now: Instant) -> Result<(), Refusal> {
        if self.messages.admits(now) {
            return Ok(());
        }
        Err(Refusal::last(
            Code::TooMany,
            "This connection sends too many messages; connect anew, and send fewer",
        ))
    }

    /// Counts an event by its name. One that the relay does not know is not counted.
    pub fn event(&mut self, name: &str, now: Instant) -> Result<(), Refusal> {
        let (rate, what) = match name {
            "chat-message" | "message" | "chat" => (&mut self.chat, "chat messages"),
            "reaction" => (&mut self.reactions, "reactions"),
            "set-presenter" => (&mut self.presenter, "changes of the presenter"),
            "speaking-start" | "speaking-stop" => (&mut self.speaking, "speaking events"),
            "camera-state-changed"
            | "mic-state-changed"
            | "stream-reset"
            | "toggle_video"
            | "toggle_audio" => (&mut self.states, "state changes"),
            "offer" | "answer" | "ice_candidate" | "ice" => (&mut self.signals, "signals"),
            "request-keyframe" => (&mut self.keyframes, "requests for a key frame"),
            "join-room" | "join_room" | "leave-room" => (&mut self.joins, "joins"),
            _ => return Ok(()),
        };
        if rate.admits(now) {
            return Ok(());
        }
        Err(Refusal::new(Code::TooMany, format!("Too many {what} from this connection; wait a moment")))
    }

    /// Counts a chunk. One that is refused would leave a hole, so it ends the session.
    pub fn chunk(&mut self, bytes: usize, now: Instant) -> Result<(), Refusal> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.chunks.admits(now) && self.media_bytes.admits_all(bytes, now) {
            return Ok(());
        }
        Err(Refusal::last(
            Code::TooMany,
            "This connection sends more media than the relay takes; lower its bitrate",
        ))
    }

    /// Counts a refusal; whether there have been few enough.
    pub fn refusal(&mut self, now: Instant) -> bool {
        self.refusals.admits(now)
    }
}
