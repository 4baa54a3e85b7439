//! A reader of chunks that shares no code with the writer: written from RFC 8794 and RFC 9559, and strict.

#![allow(dead_code, reason = "each test file uses its part")]

use roomcam::media::Chunk;

/// One block as read back. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBlock {
    pub track: u64,
    pub at: u64,
    pub key: bool,
    /// What its group says; `None` for a SimpleBlock.
    pub duration: Option<u64>,
    pub data: Vec<u8>,
}

/// A chunk as read back: the nominal duration of a picture in nanoseconds, if there is an init segment, and the blocks of
/// each cluster.
#[derive(Debug)]
pub struct ReadChunk {
    pub picture_ns: Option<u64>,
    pub clusters: Vec<Vec<ReadBlock>>,
}

const EBML: u64 = 0x1A45_DFA3;
const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_A966;
const TRACKS: u64 = 0x1654_AE6B;
const TRACK_ENTRY: u64 = 0xAE;
const TRACK_TYPE: u64 = 0x83;
const DEFAULT_DURATION: u64 = 0x23_E383;
const CLUSTER: u64 = 0x1F43_B675;
const TIMESTAMP: u64 = 0xE7;
const SIMPLE_BLOCK: u64 = 0xA3;
const BLOCK_GROUP: u64 = 0xA0;
const BLOCK: u64 = 0xA1;
const BLOCK_DURATION: u64 = 0x9B;
const REFERENCE_BLOCK: u64 = 0xFB;

/// Reads a whole chunk, and panics at anything that is not as it should be.
pub fn read_chunk(chunk: &Chunk) -> ReadChunk {
    let mut rest: &[u8] = &chunk.bytes;
    let mut read = ReadChunk { picture_ns: None, clusters: Vec::new() };
    while !rest.is_empty() {
        match element(&mut rest) {
            (EBML, Some(_)) => assert!(read.clusters.is_empty(), "an init segment behind a cluster"),
            // Its children follow it as if they were on its level.
            (SEGMENT, None) | (INFO, Some(_)) => {}
            (TRACKS, Some(body)) => read.picture_ns = Some(picture_duration(body)),
            (CLUSTER, Some(body)) => read.clusters.push(cluster(body)),
            (id, _) => panic!("element {id:x} in a chunk"),
        }
    }
    assert_eq!(read.picture_ns.is_some(), chunk.has_init());
    read
}

fn cluster(mut rest: &[u8]) -> Vec<ReadBlock> {
    let (TIMESTAMP, Some(start)) = element(&mut rest) else { panic!("a cluster starts with its timestamp") };
    let start = uint(start);
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        match element(&mut rest) {
            (SIMPLE_BLOCK, Some(body)) => {
                let (mut block, flags) = block(body, start);
                assert_eq!(flags & 0x7f, 0, "flags {flags:x}");
                block.key = flags & 0x80 != 0;
                blocks.push(block);
            }
            (BLOCK_GROUP, Some(mut group)) => {
                let (BLOCK, Some(body)) = element(&mut group) else {
                    panic!("a group starts with its block")
                };
                let (mut block, flags) = block(body, start);
                assert_eq!(flags, 0);
                block.key = true;
                while !group.is_empty() {
                    match element(&mut group) {
                        (BLOCK_DURATION, Some(body)) => block.duration = Some(uint(body)),
                        (REFERENCE_BLOCK, Some(_)) => block.key = false,
                        (id, _) => panic!("element {id:x} in a block group"),
                    }
                }
                blocks.push(block);
            }
            (id, _) => panic!("element {id:x} in a cluster"),
        }
    }
    assert!(!blocks.is_empty(), "an empty cluster");
    assert!(blocks.windows(2).all(|pair| pair[0].at <= pair[1].at), "blocks out of order: {blocks:?}");
    blocks
}

fn block(mut body: &[u8], start: u64) -> (ReadBlock, u8) {
    let track = size(&mut body).expect("a track number");
    let relative = i16::from_be_bytes([body[0], body[1]]);
    let at = start.checked_add_signed(relative.into()).expect("no negative time");
    (ReadBlock { track, at, key: false, duration: None, data: body[3..].to_vec() }, body[2])
}

fn picture_duration(mut tracks: &[u8]) -> u64 {
    let mut duration = 0;
    while !tracks.is_empty() {
        let (TRACK_ENTRY, Some(mut entry)) = element(&mut tracks) else { panic!("not a track") };
        let (mut kind, mut default) = (0, 0);
        while !entry.is_empty() {
            match element(&mut entry) {
                (TRACK_TYPE, Some(body)) => kind = uint(body),
                (DEFAULT_DURATION, Some(body)) => default = uint(body),
                _ => {}
            }
        }
        if kind == 1 {
            duration = default;
        }
    }
    duration
}

/// Id and body of the next element; no body where the size is unknown.
fn element<'a>(rest: &mut &'a [u8]) -> (u64, Option<&'a [u8]>) {
    let id_len = rest[0].leading_zeros() as usize + 1;
    let id = uint(&rest[..id_len]);
    *rest = &rest[id_len..];
    let Some(len) = size(rest) else { return (id, None) };
    let len = usize::try_from(len).expect("a size that fits");
    assert!(len <= rest.len(), "element {id:x} of {len} bytes, {} left", rest.len());
    let (body, behind) = rest.split_at(len);
    *rest = behind;
    (id, Some(body))
}

/// A size, or `None` for the unknown one.
fn size(rest: &mut &[u8]) -> Option<u64> {
    let len = rest[0].leading_zeros() as usize + 1;
    let marked = uint(&rest[..len]);
    *rest = &rest[len..];
    let value = marked & !(1 << (7 * len));
    (value != (1 << (7 * len)) - 1).then_some(value)
}

fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
