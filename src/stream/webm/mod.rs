//! How a stream is written as WebM: an init segment, clusters of known size, and filler in the codecs that WebM carries.
//!
//! - `ebml`: ids and sizes, with the ids of the `mkv-element` crate;
//! - `init_segment`, `cluster`: what receivers get;
//! - `filler`, `vp8_repeat`: what goes on a track whose device is silent.

mod cluster;
mod ebml;
mod filler;
mod init_segment;
mod vp8_repeat;

use bytes::{Bytes, BytesMut};

pub use self::filler::SILENT_OPUS_PACKET;
use super::block::Block;
use crate::media::StreamFormat;

/// Track number of the video track, as in the files of every browser.
const VIDEO_TRACK: u64 = 1;
/// Track number of the audio track.
const AUDIO_TRACK: u64 = 2;

/// Writes streams of one format.
#[derive(Debug)]
pub struct Writer {
    init_segment: Bytes,
    repeat: Bytes,
}

impl Writer {
    /// A writer for streams of this format.
    pub fn new(format: &StreamFormat) -> Self {
        Self {
            init_segment: init_segment::init_segment(format),
            repeat: format.video.as_ref().map_or(Bytes::new(), filler::repeat_last_picture),
        }
    }

    /// What an epoch and a replay begin with.
    pub fn init_segment(&self) -> &Bytes {
        &self.init_segment
    }

    /// The frame that shows the picture before it once more and changes nothing in the decoder; empty without video.
    pub fn repeat(&self) -> &Bytes {
        &self.repeat
    }

    /// Appends `blocks`, which are in order of time across tracks, to `out`.
    pub fn write(&self, out: &mut BytesMut, blocks: &[Block]) {
        cluster::write_cluster(out, blocks);
    }
}
