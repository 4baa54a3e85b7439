//! A frame or filler at its place: what a chunk is made of, in whatever container.

use bytes::Bytes;

use crate::media::{MediaTime, Track};

/// A frame with its place on the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The track it belongs to.
    pub track: Track,
    /// Where it stands on the timeline.
    pub at: MediaTime,
    /// Whether a decoder can start here.
    pub key: bool,
    /// The encoder's bytes.
    pub data: Bytes,
    /// How long it lasts, where that is less than is usual on its track.
    pub shortened: Option<Shortened>,
}

/// The duration of a block that ends with its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortened {
    /// Milliseconds, at least 1.
    pub duration_ms: u64,
    /// How long before it the previous block of its track starts, in milliseconds; 0 if there is none.
    pub previous_ms: u64,
}
