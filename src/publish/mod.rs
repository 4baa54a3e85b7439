//! Ways out of one capture: what is captured goes in, frame by frame, and leaves for those who watch.
//!
//! What a way can do: take in a frame; carry the camera or black, the microphone or silence; go silent, which is law 1:
//! on return nothing that was captured before is queued anywhere; say what it needs (a key frame) and how it is.
//!
//! - [`WayOut`]: the one that the configuration names;
//! - [`relay`]: WebM chunks through a Socket.IO relay;
//! - [`mesh`]: WebRTC to each participant;
//! - [`whip`]: WebRTC to a media server;
//! - [`pressure`]: how urgently media must be left out, from the age of what is unsent; pure;
//! - [`rate`]: which [`quality`] the link carries, from age and delivered bytes, with an estimate of its `capacity`; pure.

mod capacity;
pub mod mesh;
pub mod pressure;
pub mod quality;
pub mod rate;
pub mod relay;
pub mod uplink;
mod way_out;
pub mod whip;

use std::future::pending;
use std::time::Instant;

use tokio::time::sleep_until;
pub use way_out::WayOut;

/// Waits until then; without a time, for ever.
pub(crate) async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}
