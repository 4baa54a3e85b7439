//! One cluster of known size: what a chunk is made of (docs/receivers.md §2).

use bytes::{BufMut, BytesMut};
use mkv_element::prelude::*;

use super::ebml::{put_id, put_size, size_len, uint_len};
use super::{AUDIO_TRACK, VIDEO_TRACK};
use crate::media::{MediaTime, Track};
use crate::stream::block::{Block, Shortened};

/// Bytes of a block before the frame: track number, relative time (2), flags (RFC 9559 §10.1, §10.2).
const BLOCK_HEADER_BYTES: usize = 4;
/// Room for the cluster's id, size and timestamp.
const CLUSTER_HEADER_BYTES: usize = 32;

/// Appends the cluster of `blocks`, which are in order of time across tracks, to `out`.
///
/// The blocks of a cluster must lie within 32 s of each other, the range of a relative timestamp; the
/// segmenter never lets a chunk grow beyond two lead-ins.
pub fn write_cluster(out: &mut BytesMut, blocks: &[Block]) {
    let start = blocks.first().map_or(MediaTime::ZERO, |block| block.at);

    let timestamp_len = uint_len(start.as_millis());
    let timestamp_element_len = 2 + timestamp_len;
    let body_len = timestamp_element_len + blocks.iter().map(element_len).sum::<usize>();

    out.reserve(CLUSTER_HEADER_BYTES + body_len);
    put_id(out, Cluster::ID);
    put_size(out, body_len);
    put_id(out, Timestamp::ID);
    put_size(out, timestamp_len);
    out.put_uint(start.as_millis(), timestamp_len);
    for block in blocks {
        match block.shortened {
            None => put_block(out, SimpleBlock::ID, block, start),
            Some(shortened) => put_block_group(out, block, shortened, start),
        }
    }
}

/// Bytes of a block's element, with its id and size.
fn element_len(block: &Block) -> usize {
    match block.shortened {
        None => 1 + size_len(body_len(block)) + body_len(block),
        Some(shortened) => {
            let len = group_len(block, shortened);
            1 + size_len(len) + len
        }
    }
}

fn body_len(block: &Block) -> usize {
    BLOCK_HEADER_BYTES + block.data.len()
}

fn put_block(out: &mut BytesMut, id: VInt64, block: &Block, cluster_start: MediaTime) {
    const KEY_FRAME: u8 = 0x80;
    let track = match block.track {
        Track::Video => VIDEO_TRACK,
        Track::Audio => AUDIO_TRACK,
    };
    // The flag is a SimpleBlock's alone: a Block is a key frame if its group has no ReferenceBlock.
    let flags = if block.key && id == SimpleBlock::ID { KEY_FRAME } else { 0 };
    put_id(out, id);
    put_size(out, body_len(block));
    put_size(out, track as usize);
    out.put_i16((block.at.as_millis() - cluster_start.as_millis()) as i16);
    out.put_u8(flags);
    out.put_slice(&block.data);
}

fn put_block_group(out: &mut BytesMut, block: &Block, shortened: Shortened, cluster_start: MediaTime) {
    put_id(out, BlockGroup::ID);
    put_size(out, group_len(block, shortened));
    put_block(out, mkv_element::prelude::Block::ID, block, cluster_start);
    let duration_len = uint_len(shortened.duration_ms);
    put_id(out, BlockDuration::ID);
    put_size(out, duration_len);
    out.put_uint(shortened.duration_ms, duration_len);
    if !block.key {
        put_id(out, ReferenceBlock::ID);
        put_size(out, REFERENCE_BYTES);
        out.put_i16(-i16::try_from(shortened.previous_ms).unwrap_or(i16::MAX));
    }
}

/// Bytes of a `ReferenceBlock`'s value.
const REFERENCE_BYTES: usize = 2;

/// Bytes of a block group's body: the Block, its duration, and the reference of a frame that is no key frame.
fn group_len(block: &Block, shortened: Shortened) -> usize {
    let block_len = 1 + size_len(body_len(block)) + body_len(block);
    let duration_len = 2 + uint_len(shortened.duration_ms);
    let reference_len = if block.key { 0 } else { 2 + REFERENCE_BYTES };
    block_len + duration_len + reference_len
}
