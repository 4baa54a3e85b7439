//! Chunks through a relay.
//!
//! - `publisher`: the media path, from frames through the segmenter to the outbox of the session;
//! - [`audience`]: what the receivers need and when: a new timeline, a replay, filler to jump over; pure;
//! - `late_join`: when those who came late are served; pure;
//! - `beat`: when chunks are cut; pure;
//! - `clearance`: whether the chunk before has got through; pure;
//! - `trace`: one JSON line per published chunk;
//! - `traffic`: how much is sent.

pub mod audience;
mod beat;
mod clearance;
mod late_join;
mod publisher;
mod trace;
mod traffic;

pub use audience::{Audience, LateJoinStrategy};
pub use late_join::{LATE_JOIN_INTERVAL, LONGEST_SETTLING};
pub use publisher::Publisher;
pub use trace::Trace;
pub use traffic::Sent;
pub(in crate::publish) use traffic::Traffic;
