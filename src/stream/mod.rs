//! A live stream, pure: no clock, no socket, no GStreamer. Frames and times come in, chunks go out.
//!
//! - `feed`: where a track's pictures and packets come from;
//! - [`timeline`]: where a frame stands, so that no track ever has a hole (law 2); `cut`: where a chunk may end;
//! - `block`: a frame at its place; `unsent`: what has a place and is in no chunk;
//! - `lateness`: how long a device is waited for;
//! - [`segmenter`]: frames in, chunks out; epochs, skips, camera on and off;
//! - `replay`: what a late joiner is sent;
//! - `webm`: how it is written.

mod block;
mod cut;
mod feed;
mod lateness;
mod replay;
pub mod segmenter;
pub mod timeline;
mod unsent;
mod webm;

pub use replay::ReplayFrom;
pub use segmenter::{Counters, Origin, Segmenter};
pub use timeline::AUDIO_FRAME_MS;
pub use webm::SILENT_OPUS_PACKET;
