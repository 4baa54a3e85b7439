//! Whatever arrives, in whatever order: the segmenter's laws hold (playback.md, rules 1 to 5), as read back by
//! a parser that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;
use mkv_element::io::blocking_impl::ReadFrom;
use mkv_element::prelude::*;
use proptest::prelude::*;
use roomcam::media::{CaptureTime, Chunk, Frame, StreamFormat, Track, VideoCodec, VideoFormat};
use roomcam::webm::{Origin, Segmenter};

const FRAME_MS: u64 = 33;
const AUDIO_MS: u64 = 20;
const TOLERATED_HOLE_MS: u64 = 20;
const FORMAT: VideoFormat = VideoFormat { codec: VideoCodec::Vp8, width: 64, height: 48, fps: 30 };
/// How filler and captured frames are told apart when read back.
const CAPTURED_MARK: u8 = 0xCA;

#[derive(Debug, Clone)]
enum Op {
    /// Time passes, and camera and microphone deliver, each so many milliseconds late.
    Deliver {
        millis: u64,
        video_late: u64,
        audio_late: u64,
        video_lost: bool,
        audio_lost: bool,
        key: bool,
    },
    /// A frame with a time that makes no sense.
    Nonsense {
        audio: bool,
        captured_ms: u64,
        key: bool,
    },
    Cut,
    Skip,
    /// So many chunks leave the queue for the viewer.
    Send {
        chunks: usize,
    },
    /// The last so many chunks of the queue are not sent after all.
    TakeBack {
        chunks: usize,
    },
    BeginEpoch(Origin),
    ShowBlack,
    ShowCamera {
        fps: u8,
    },
    HearSilence,
    HearMicrophone,
    Suspend {
        millis: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (1u64..120, 0u64..300, 0u64..300, prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(millis, video_late, audio_late, video_lost, audio_lost, key)| Op::Deliver {
                millis, video_late, audio_late, video_lost, audio_lost, key
            }),
        1 => (any::<bool>(), 0u64..100_000_000, any::<bool>())
            .prop_map(|(audio, captured_ms, key)| Op::Nonsense { audio, captured_ms, key }),
        8 => Just(Op::Cut),
        1 => Just(Op::Skip),
        3 => (1usize..5).prop_map(|chunks| Op::Send { chunks }),
        1 => (1usize..5).prop_map(|chunks| Op::TakeBack { chunks }),
        2 => prop_oneof![Just(Origin::Continue), Just(Origin::ContinueAfterPause)].prop_map(Op::BeginEpoch),
        1 => Just(Op::ShowBlack),
        1 => prop_oneof![Just(5u8), Just(15), Just(30)].prop_map(|fps| Op::ShowCamera { fps }),
        1 => Just(Op::HearSilence),
        1 => Just(Op::HearMicrophone),
        1 => (0u64..20_000).prop_map(|millis| Op::Suspend { millis }),
    ]
}

/// One block as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReadBlock {
    track: u64,
    at: u64,
    key: bool,
    data: Vec<u8>,
}

/// Reads a chunk with a foreign parser: an init segment if there should be one, exactly one cluster, no rest.
fn read_chunk(chunk: &Chunk) -> Vec<ReadBlock> {
    let mut rest: &[u8] = &chunk.bytes;
    if chunk.has_init() {
        Ebml::read_from(&mut rest).expect("EBML header");
        let segment = Header::read_from(&mut rest).expect("segment");
        assert_eq!(segment.id, Segment::ID);
        Info::read_from(&mut rest).expect("info");
        Tracks::read_from(&mut rest).expect("tracks");
        assert_eq!(chunk.bytes.len() - rest.len(), chunk.init_len);
    }
    let cluster = Cluster::read_from(&mut rest).expect("a whole cluster of known size");
    assert!(rest.is_empty(), "bytes after the cluster");
    cluster
        .frames()
        .map(|frame| {
            let frame = frame.expect("block");
            let mkv_element::FrameData::Single(data) = frame.data else { panic!("lacing") };
            ReadBlock {
                track: frame.track_number,
                at: u64::try_from(frame.timestamp).expect("no negative time"),
                key: frame.is_keyframe,
                data: data.to_vec(),
            }
        })
        .collect()
}

/// A chunk that has been cut and not yet sent.
struct Queued {
    chunk: Chunk,
    /// Something was skipped before it.
    key_due: bool,
    /// How long a picture may last.
    frame_ms: u64,
}

/// What a strict viewer has seen so far.
#[derive(Default)]
struct Viewer {
    last_picture: Option<u64>,
    last_audio: Option<u64>,
    frame_ms: u64,
    captured_seen: u64,
    next_mark: u64,
}

impl Viewer {
    fn watch(&mut self, queued: &Queued) {
        let Queued { chunk, key_due, frame_ms } = queued;
        self.frame_ms = *frame_ms;
        let blocks = read_chunk(chunk);
        assert!(!blocks.is_empty(), "an empty cluster");
        assert!(blocks.windows(2).all(|pair| pair[0].at <= pair[1].at), "blocks out of order: {blocks:?}");
        let first_picture = blocks.iter().find(|block| block.track == 1);
        if chunk.has_init() {
            assert!(first_picture.is_some_and(|picture| picture.key), "an epoch starts with a key frame");
        }
        if *key_due {
            assert!(first_picture.is_some_and(|picture| picture.key), "a key frame after a skip: {blocks:?}");
        }
        for block in &blocks {
            let (last, duration) = match block.track {
                1 => (&mut self.last_picture, self.frame_ms),
                _ => (&mut self.last_audio, AUDIO_MS),
            };
            if let Some(last) = *last {
                assert!(block.at > last, "track {} goes back from {last} to {}", block.track, block.at);
                let hole = (block.at - last).saturating_sub(duration);
                assert!(
                    hole <= TOLERATED_HOLE_MS,
                    "track {}: hole of {hole} ms at {}",
                    block.track,
                    block.at
                );
            } else {
                assert!(block.at <= TOLERATED_HOLE_MS, "track {} starts at {}", block.track, block.at);
            }
            *last = Some(block.at);
            if block.data.first() == Some(&CAPTURED_MARK) {
                self.captured_seen += 1;
                let mark = u64::from_be_bytes(block.data[1..9].try_into().expect("mark"));
                assert!(mark < self.next_mark, "a frame that was never pushed");
            }
        }
    }
}

fn frame(track: Track, captured: CaptureTime, key: bool, mark: u64) -> Frame {
    let data: Bytes = [&[CAPTURED_MARK][..], &mark.to_be_bytes()].concat().into();
    Frame { track, captured, key, data }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn the_timeline_has_no_holes_whatever_arrives(ops in prop::collection::vec(op(), 1..150)) {
        let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
        let mut viewer = Viewer::default();
        let mut now = CaptureTime::from_millis(1000);
        let (mut next_picture, mut next_packet) = (now, now);
        let mut seqs = Vec::new();
        let mut epoch = 0;
        let mut key_due = true;
        let mut slowest_ms = FRAME_MS;
        let mut queued: Vec<Queued> = Vec::new();
        for op in ops {
            match op {
                Op::Deliver { millis, video_late, audio_late, video_lost, audio_lost, key } => {
                    now = now.after(Duration::from_millis(millis));
                    while next_picture <= now.before(Duration::from_millis(video_late)) {
                        if !video_lost {
                            let key = key || segmenter.wants_key_frame();
                            segmenter.push(frame(Track::Video, next_picture, key, viewer.next_mark));
                            viewer.next_mark += 1;
                        }
                        next_picture = next_picture.after(Duration::from_millis(FRAME_MS));
                    }
                    while next_packet <= now.before(Duration::from_millis(audio_late)) {
                        if !audio_lost {
                            segmenter.push(frame(Track::Audio, next_packet, true, viewer.next_mark));
                            viewer.next_mark += 1;
                        }
                        next_packet = next_packet.after(Duration::from_millis(AUDIO_MS));
                    }
                }
                Op::Nonsense { audio, captured_ms, key } => {
                    let track = if audio { Track::Audio } else { Track::Video };
                    segmenter.push(frame(track, CaptureTime::from_millis(captured_ms), key || audio, viewer.next_mark));
                    viewer.next_mark += 1;
                }
                Op::Cut => {
                    if let Some(chunk) = segmenter.cut(now) {
                        // Frame rates differ between epochs; a picture lasts as long as its epoch's rate says.
                        let frame_ms = 1000 / u64::from(segmenter.format().video.unwrap().fps);
                        prop_assert_eq!(chunk.epoch, epoch + u32::from(chunk.has_init()));
                        epoch = chunk.epoch;
                        seqs.push(chunk.seq);
                        queued.push(Queued { chunk, key_due, frame_ms: slowest_ms.max(frame_ms) });
                        slowest_ms = frame_ms;
                        key_due = false;
                    }
                }
                Op::TakeBack { chunks } => {
                    let from = queued.len().saturating_sub(chunks);
                    let taken: Vec<Chunk> = queued.drain(from..).map(|queued| queued.chunk).collect();
                    segmenter.take_back(&taken);
                    key_due |= !taken.is_empty();
                    slowest_ms = 200;
                }
                Op::Send { chunks } => {
                    for queued in queued.drain(..chunks.min(queued.len())) {
                        viewer.watch(&queued);
                    }
                }
                Op::Skip => { segmenter.skip(); key_due = true; }
                Op::BeginEpoch(origin) => { segmenter.begin_epoch(origin); key_due = true; }
                Op::ShowBlack => segmenter.show_black(Bytes::from_static(b"black")),
                Op::ShowCamera { fps } => segmenter.show_camera(VideoFormat { fps, ..FORMAT }),
                Op::HearSilence => segmenter.hear_silence(),
                Op::HearMicrophone => segmenter.hear_microphone(),
                Op::Suspend { millis } => now = now.after(Duration::from_millis(millis)),
            }
        }
        for queued in &queued {
            viewer.watch(queued);
        }
        let counters = segmenter.counters();
        prop_assert_eq!(counters.sent, viewer.captured_seen);
        segmenter.skip();
        let counters = segmenter.counters();
        prop_assert_eq!(counters.pushed, counters.sent + counters.skipped + counters.late);
        prop_assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
}
