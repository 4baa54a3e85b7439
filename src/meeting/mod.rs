//! The meeting as a participant sees it: the relay's dialect, one joined session, and the queue into it.
//!
//! - [`event`]: what is said and heard (docs/protocol.md §2), as types; [`roster`]: who is in the room and may
//!   broadcast; [`identity`]: which of them is the agent; [`refusal`]: what a relay's error texts mean.
//! - [`mod@outbox`]: the bounded queue of chunks between segmenter and socket, and its law.
//! - [`session`]: one attempt: connect, join, publish, listen, leave; one task; `session_config`: where, and as whom.
//! - [`error`]: why a session ended.
//! - [`spacing`]: how far apart chunks are.
//! - [`backoff`]: how long to wait before the next attempt; pure.
//! - [`mesh`]: the same for meetings over WebRTC: dialects, negotiation, session.
//! - [`whip`]: publishing to a media server by WHIP: a session as a value, HTTP.
//!
//! One attempt, as the agent drives it:
//!
//! ```text
//! let (outbox, receiver) = outbox(OutboxLimits::default());      // a new one for each attempt
//! let mut session = session::spawn(config, presence, receiver);
//! while let Some(event) = session.events.recv().await {
//!     match event {
//!         SessionEvent::Joined(joined) => …                      // a new epoch begins; publish
//!         SessionEvent::Adopted(identity) => …                   // the room knows us by another user id
//!         SessionEvent::Event(heard) => …                        // late joiners, presenter control, errors
//!         SessionEvent::ChunkSent { chunk, queued } => …         // --trace-chunks, metrics
//!         SessionEvent::ChunkTooLarge { .. } => …                // new epoch, lower bitrate
//!         SessionEvent::Ended(why) => …                          // log; wait as Backoff says; spawn again
//!     }
//! }
//! ```
//!
//! Meanwhile, for each chunk: `if outbox.has_room() { outbox.put(chunk, mime, duration) } else { skip }`; for
//! each change of state: `outbox.announce(change)`; when the camera goes dark: `outbox.announce(Camera { has_video: false })`, then
//! `outbox.clear_media()`. On SIGTERM: `session.shutdown().await`.
//!
//! The session does not retry, owns no clock of the media, and publishes nothing before `Joined`.

mod announcer;
pub mod backoff;
mod bounded_list;
pub mod error;
pub mod event;
#[cfg(test)]
mod event_tests;
pub mod identity;
pub mod mesh;
pub mod outbox;
#[cfg(test)]
mod outbox_tests;
pub mod refusal;
pub mod roster;
pub mod session;
mod session_config;
pub mod spacing;
pub mod whip;

pub use backoff::Backoff;
pub use error::SessionError;
pub use event::{Presence, ServerEvent};
pub use identity::Identity;
pub use outbox::{Backlog, Outbox, OutboxLimits, OutboxReceiver, PutError, QueueState, StateChange, outbox};
pub use refusal::ErrorKind;
pub use roster::{BroadcastMode, Participant, PresenterChange, RoomState};
pub use session::{Joined, Left, SessionEvent, SessionHandle};
pub use session_config::{SessionConfig, credentials};
