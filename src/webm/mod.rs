//! WebM for live streams, pure: no clock, no socket, no GStreamer. Frames and times come in, chunks go out.
//!
//! - `ebml`, `init_segment`, `cluster`: bytes, with the ids of the `mkv-element` crate;
//! - `feed`: where a track's pictures and packets come from;
//! - `filler`, `vp8_repeat`: what goes on a track whose device is silent;
//! - [`timeline`]: where a frame stands, so that no track ever has a hole (law 2); `cut`: where a chunk may end;
//! - `unsent`: what has a place and is in no chunk;
//! - `lateness`: how long a device is waited for;
//! - [`segmenter`]: frames in, chunks out; epochs, skips, camera on and off;
//! - `replay`: what a late joiner is sent.

mod cluster;
mod cut;
mod ebml;
mod feed;
mod filler;
mod init_segment;
mod lateness;
mod replay;
pub mod segmenter;
pub mod timeline;
mod unsent;
mod vp8_repeat;

pub use init_segment::init_segment;
pub use replay::ReplayFrom;
pub use segmenter::{Counters, Origin, Segmenter};

/// Track number of the video track, as in the files of every browser.
const VIDEO_TRACK: u64 = 1;
/// Track number of the audio track.
const AUDIO_TRACK: u64 = 2;
/// Duration of one Opus packet, in milliseconds.
pub const AUDIO_FRAME_MS: u64 = 20;
