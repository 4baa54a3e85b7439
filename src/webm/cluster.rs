//! One cluster of known size: what a chunk is made of (playback.md, rule 1).

use bytes::{BufMut, Bytes, BytesMut};
use mkv_element::prelude::*;

use super::{AUDIO_TRACK, VIDEO_TRACK};
use crate::media::{MediaTime, Track};

/// One block of a cluster: a frame with its place on the timeline.
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
}

/// Bytes of a SimpleBlock before the frame: track number, relative time (2), flags (RFC 9559 §10.2).
const SIMPLE_BLOCK_HEADER_BYTES: usize = 4;
/// Room for the cluster's id, size and timestamp.
const CLUSTER_HEADER_BYTES: usize = 32;

/// Writes `init`, if any, and the cluster of `blocks`, in order of time across tracks.
///
/// The blocks of a cluster must lie within 32 s of each other, the range of a relative timestamp; the
/// segmenter never lets a chunk grow beyond two.
pub fn write_chunk(init: Option<&Bytes>, mut blocks: Vec<Block>) -> Bytes {
    // Stable: blocks of one track that share a millisecond keep their order.
    blocks.sort_by_key(|block| block.at);
    let start = blocks.first().map_or(MediaTime::ZERO, |block| block.at);

    let timestamp_len = minimal_len(start.as_millis());
    let timestamp_element_len = 2 + timestamp_len;
    let body_len = timestamp_element_len + blocks.iter().map(block_len).sum::<usize>();

    let init_len = init.map_or(0, Bytes::len);
    let mut out = BytesMut::with_capacity(init_len + CLUSTER_HEADER_BYTES + body_len);
    if let Some(init) = init {
        out.put_slice(init);
    }
    put_vint(&mut out, Cluster::ID);
    put_vint(&mut out, VInt64::new(body_len as u64));
    put_vint(&mut out, Timestamp::ID);
    put_vint(&mut out, VInt64::new(timestamp_len as u64));
    out.put_uint(start.as_millis(), timestamp_len);
    for block in &blocks {
        put_simple_block(&mut out, block, start);
    }
    out.freeze()
}

/// Bytes of a block with its id and size.
fn block_len(block: &Block) -> usize {
    let body_len = SIMPLE_BLOCK_HEADER_BYTES + block.data.len();
    vint_len(SimpleBlock::ID) + vint_len(VInt64::new(body_len as u64)) + body_len
}

fn put_simple_block(out: &mut BytesMut, block: &Block, cluster_start: MediaTime) {
    const KEY_FRAME: u8 = 0x80;
    let track = match block.track {
        Track::Video => VIDEO_TRACK,
        Track::Audio => AUDIO_TRACK,
    };
    put_vint(out, SimpleBlock::ID);
    put_vint(out, VInt64::new((SIMPLE_BLOCK_HEADER_BYTES + block.data.len()) as u64));
    put_vint(out, VInt64::new(track));
    out.put_i16((block.at.as_millis() - cluster_start.as_millis()) as i16);
    out.put_u8(if block.key { KEY_FRAME } else { 0 });
    out.put_slice(&block.data);
}

/// Writes an id or a size, in as few bytes as it takes.
fn put_vint(out: &mut BytesMut, vint: VInt64) {
    out.put_uint(vint.as_encoded(), vint_len(vint));
}

fn vint_len(vint: VInt64) -> usize {
    minimal_len(vint.as_encoded())
}

/// Bytes that an unsigned integer takes; one for zero.
fn minimal_len(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()).div_ceil(8).max(1) as usize
}
