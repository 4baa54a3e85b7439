//! The way out over WebRTC: one peer connection to each participant, one encoder for all of them.
//!
//! - [`meeting`]: the session with the server, who offers to whom, and the connections, brought together;
//! - [`publisher`]: frames in, packets out, with the clock;
//! - `network`: the sockets, and the STUN and TURN servers;
//! - `viewers`: the connections, and what they share; pure;
//! - `tracks`: the camera or black, the microphone or silence; pure;
//! - `trickle`: candidates as signalling tells them; pure;
//! - `share`: what one encoder makes for links that carry different amounts, and who gets which pictures; pure;
//! - `voice_loss`: whether pictures cost somebody the voice; pure;
//! - `key_frames`: how often key frames are forced; pure.

mod key_frames;
pub mod meeting;
mod network;
pub mod publisher;
mod share;
mod tracks;
mod trickle;
mod viewers;
#[cfg(test)]
mod viewers_tests;
mod voice_loss;

pub use meeting::{Delivery, Happened, Meeting};
pub use network::Paths;
pub use publisher::{Publisher, Settings, Trouble};
pub use share::Pictures;
pub use tracks::Tracks;
pub use viewers::{PathEvent, Refused};
