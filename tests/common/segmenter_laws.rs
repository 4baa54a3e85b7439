//! What holds of the segmenter whatever is done to it (docs/receivers.md §2), as read back by a parser that is not ours
//! and judged as browsers do. Operations come from the property tests and from the fuzzer.

use std::time::Duration;

use bytes::Bytes;
use roomcam::media::{CaptureTime, Chunk, Frame, StreamFormat, Track, VideoCodec, VideoFormat};
use roomcam::stream::{Origin, ReplayFrom, Segmenter};

use crate::webm::{ReadBlock, read_chunk};

const AUDIO_MS: u64 = 20;
const TOLERATED_HOLE_MS: u64 = 20;
/// How filler and captured frames are told apart when read back.
const CAPTURED_MARK: u8 = 0xCA;

fn format(fps: u8) -> VideoFormat {
    VideoFormat { codec: VideoCodec::Vp8, width: 64, height: 48, fps }
}

/// A picture that never came to the segmenter.
const LOST: u64 = u64::MAX;

#[derive(Debug, Clone)]
pub enum Op {
    /// Time passes, and camera and microphone deliver, each so many milliseconds late and off its grid.
    Deliver {
        millis: u64,
        video_late: u64,
        audio_late: u64,
        jitter: u64,
        video_lost: bool,
        audio_lost: bool,
        key: bool,
        bytes: usize,
    },
    /// A frame with a time that makes no sense.
    Nonsense {
        audio: bool,
        captured_ms: u64,
        key: bool,
        bytes: usize,
    },
    Cut,
    Skip,
    LosePictures,
    /// So many chunks leave the queue for the viewer.
    Send {
        chunks: usize,
    },
    /// All chunks in the queue leave it as one.
    SendJoined,
    /// The last so many chunks of the queue are not sent after all.
    TakeBack {
        chunks: usize,
    },
    BeginEpoch(Origin),
    Replay(ReplayFrom),
    MaxChunkBytes(usize),
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

/// A receiver's view of a track.
#[derive(Debug, Default, Clone, Copy)]
struct TrackSeen {
    at: Option<u64>,
    /// How long the last block lasts, in nanoseconds.
    duration_ns: u64,
    /// How long it would last if its chunk did not end.
    nominal_ns: u64,
}

/// A strict viewer: what Firefox and Chromium object to, it objects to.
#[derive(Debug, Default)]
struct Viewer {
    audio_only: bool,
    timeline: u32,
    picture_ns: u64,
    video: TrackSeen,
    audio: TrackSeen,
    /// The greatest end of any block of the clusters before, in nanoseconds.
    seen_until_ns: u64,
    /// Clusters of this timeline, so that a replay can be told from something new.
    clusters: Vec<Vec<ReadBlock>>,
    /// The camera's picture that a decoder has now.
    decoded: Option<u64>,
    captured_seen: u64,
    /// What the chunks say that they have captured.
    captured_sent: u64,
    next_mark: u64,
}

impl Viewer {
    fn watch(&mut self, chunk: &Chunk) {
        let read = read_chunk(chunk);
        if chunk.timeline != self.timeline {
            let Self { audio_only, captured_seen, captured_sent, next_mark, .. } = *self;
            let timeline = chunk.timeline;
            *self = Self { audio_only, timeline, captured_seen, captured_sent, next_mark, ..Self::default() };
            assert!(chunk.starts_epoch(), "a timeline starts with an init segment");
        }
        self.picture_ns = read.picture_ns.unwrap_or(self.picture_ns);
        let fresh = read.clusters.len() - self.repeated(chunk, &read.clusters);
        let clusters = &read.clusters[read.clusters.len() - fresh..];
        assert_eq!(fresh, 1 + chunk.joined as usize);
        if chunk.starts_epoch() && !self.audio_only {
            let first_picture = clusters[0].iter().find(|block| block.track == 1);
            assert!(first_picture.is_some_and(|picture| picture.key), "an epoch starts with a key frame");
        }
        let before = self.captured_seen;
        for cluster in clusters {
            self.append(cluster);
        }
        // A key frame of the camera may stand in for a picture, and is not counted then.
        let captured = self.captured_seen - before;
        assert!(
            (captured.saturating_sub(1)..=captured).contains(&chunk.captured()),
            "{captured} of {chunk:?}"
        );
        self.captured_sent += chunk.captured();
        assert!(self.seen_until_ns <= chunk.end.as_millis() * 1_000_000, "{chunk:?} ends later");
    }

    /// How many clusters of the chunk are repeated ones.
    fn repeated(&self, chunk: &Chunk, clusters: &[Vec<ReadBlock>]) -> usize {
        if !chunk.is_replay() {
            return 0;
        }
        let repeated = clusters.len() - 1 - chunk.joined as usize;
        assert!(repeated > 0);
        assert!(self.audio_only || clusters[0].iter().any(|block| block.track == 1 && block.key));
        assert!(self.clusters.ends_with(&clusters[..repeated]), "a replay repeats what was sent last");
        repeated
    }

    fn append(&mut self, cluster: &[ReadBlock]) {
        let first_ns = cluster[0].at * 1_000_000;
        assert!(
            first_ns >= self.seen_until_ns,
            "Firefox: a cluster starts at {first_ns} inside what it has, {}",
            self.seen_until_ns
        );
        for (index, block) in cluster.iter().enumerate() {
            let nominal_ns = if block.track == 1 { self.picture_ns } else { AUDIO_MS * 1_000_000 };
            let next = cluster[index + 1..].iter().find(|next| next.track == block.track);
            let duration_ns = block.duration.map_or(nominal_ns, |millis| millis * 1_000_000);
            let until_next_ns = next.map(|next| (next.at - block.at) * 1_000_000);
            let lasts_ns =
                block.duration.map(|millis| millis * 1_000_000).or(until_next_ns).unwrap_or(nominal_ns);
            self.seen_until_ns = self.seen_until_ns.max(block.at * 1_000_000 + lasts_ns);
            let seen = if block.track == 1 { &mut self.video } else { &mut self.audio };
            match seen.at {
                Some(last) => {
                    assert!(block.at > last, "track {} goes back from {last} to {}", block.track, block.at);
                    let step_ns = (block.at - last) * 1_000_000;
                    assert!(
                        step_ns <= 2 * seen.duration_ns,
                        "Chromium: track {} steps {step_ns} ns behind a block of {} ns",
                        block.track,
                        seen.duration_ns
                    );
                    let hole_ns = step_ns.saturating_sub(seen.nominal_ns);
                    assert!(
                        hole_ns <= TOLERATED_HOLE_MS * 1_000_000,
                        "track {}: a hole of {hole_ns} ns",
                        block.track
                    );
                }
                None => {
                    assert!(block.at <= TOLERATED_HOLE_MS, "track {} starts at {}", block.track, block.at)
                }
            }
            *seen = TrackSeen { at: Some(block.at), duration_ns, nominal_ns };
            self.decode(block);
        }
        self.clusters.push(cluster.to_vec());
    }

    fn decode(&mut self, block: &ReadBlock) {
        if block.data.first() != Some(&CAPTURED_MARK) {
            if block.key && block.track == 1 {
                self.decoded = None;
            }
            return;
        }
        let number = |at: usize| u64::from_be_bytes(block.data[at..at + 8].try_into().expect("a number"));
        let (mark, predecessor) = (number(1), number(9));
        assert!(mark < self.next_mark, "a frame that was never pushed");
        if block.track == 1 {
            self.captured_seen += 1;
            assert!(
                block.key || self.decoded == Some(predecessor),
                "picture {mark} is predicted from {predecessor}, and the decoder has {:?}",
                self.decoded
            );
            self.decoded = Some(mark);
        } else {
            self.captured_seen += 1;
        }
    }
}

/// The two devices: what they deliver, and the marks of it.
struct Devices {
    next_picture: CaptureTime,
    next_packet: CaptureTime,
    picture_ms: u64,
    next_mark: u64,
    /// The picture that the encoder predicts the next one from.
    last_picture: u64,
}

impl Devices {
    fn frame(&mut self, track: Track, captured: CaptureTime, key: bool, bytes: usize) -> Frame {
        let mark = self.next_mark;
        self.next_mark += 1;
        let mut data = [&[CAPTURED_MARK][..], &mark.to_be_bytes(), &self.last_picture.to_be_bytes()].concat();
        data.resize(data.len() + bytes, 0);
        if track == Track::Video {
            self.last_picture = mark;
        }
        Frame { track, captured, key, droppable: false, data: data.into() }
    }
}

/// Applies operations, and lets a viewer watch what is sent. Without `fps` the stream has no video track.
pub fn run(fps: Option<u8>, ops: impl IntoIterator<Item = Op>) {
    let mut max_chunk_bytes = 1 << 20;
    let mut segmenter = Segmenter::new(StreamFormat { video: fps.map(format) }, max_chunk_bytes);
    let mut viewer = Viewer { audio_only: fps.is_none(), ..Viewer::default() };
    let mut now = CaptureTime::from_millis(1000);
    let mut devices = Devices {
        next_picture: now,
        // Off the grid of the pictures.
        next_packet: now.after(Duration::from_millis(7)),
        picture_ms: 1000 / u64::from(fps.unwrap_or(30)),
        next_mark: 0,
        last_picture: LOST,
    };
    let mut seqs = Vec::new();
    let mut epoch = 0;
    let mut queued: Vec<Chunk> = Vec::new();
    for op in ops {
        match op {
            Op::Deliver { millis, video_late, audio_late, jitter, video_lost, audio_lost, key, bytes } => {
                now = now.after(Duration::from_millis(millis));
                while devices.next_picture <= now.before(Duration::from_millis(video_late)) {
                    let captured = devices.next_picture.after(Duration::from_millis(jitter));
                    // An encoder that lost one makes a key frame next only if it is asked to.
                    if !video_lost {
                        let key = key || segmenter.wants_key_frame();
                        let frame = devices.frame(Track::Video, captured, key, bytes);
                        segmenter.push(frame);
                    }
                    devices.next_picture =
                        devices.next_picture.after(Duration::from_millis(devices.picture_ms));
                }
                while devices.next_packet <= now.before(Duration::from_millis(audio_late)) {
                    let captured = devices.next_packet.after(Duration::from_millis(jitter / 2));
                    if !audio_lost {
                        let frame = devices.frame(Track::Audio, captured, true, bytes);
                        segmenter.push(frame);
                    }
                    devices.next_packet = devices.next_packet.after(Duration::from_millis(AUDIO_MS));
                }
            }
            Op::Nonsense { audio, captured_ms, key, bytes } => {
                let track = if audio { Track::Audio } else { Track::Video };
                let frame = devices.frame(track, CaptureTime::from_millis(captured_ms), key || audio, bytes);
                segmenter.push(frame);
            }
            Op::Cut => {
                if let Some(chunk) = segmenter.cut(now) {
                    assert_eq!(chunk.epoch, epoch + u32::from(chunk.starts_epoch()));
                    assert!(
                        !chunk.is_replay() || chunk.bytes.len() <= max_chunk_bytes,
                        "{chunk:?} is too long"
                    );
                    epoch = chunk.epoch;
                    seqs.push(chunk.seq);
                    queued.push(chunk);
                }
            }
            Op::TakeBack { chunks } => {
                let from = queued.len().saturating_sub(chunks);
                let taken: Vec<Chunk> = queued.drain(from..).collect();
                segmenter.take_back(&taken);
            }
            Op::Send { chunks } => {
                viewer.next_mark = devices.next_mark;
                queued.drain(..chunks.min(queued.len())).for_each(|chunk| viewer.watch(&chunk));
            }
            Op::SendJoined => {
                viewer.next_mark = devices.next_mark;
                let mut rest = std::mem::take(&mut queued).into_iter().peekable();
                while let Some(mut chunk) = rest.next() {
                    while let Some(next) = rest.next_if(|next| !next.has_init()) {
                        chunk.join(&next);
                    }
                    viewer.watch(&chunk);
                }
            }
            Op::Skip => segmenter.skip(),
            Op::LosePictures => {
                segmenter.lose_pictures();
                devices.last_picture = LOST;
            }
            Op::BeginEpoch(origin) => segmenter.begin_epoch(origin),
            Op::Replay(from) => segmenter.request_replay(from),
            Op::MaxChunkBytes(bytes) => {
                max_chunk_bytes = bytes;
                segmenter.set_max_chunk_bytes(bytes);
            }
            Op::ShowBlack => segmenter.show_black(Bytes::from_static(b"black")),
            Op::ShowCamera { fps } => {
                devices.picture_ms = 1000 / u64::from(fps);
                segmenter.show_camera(format(fps));
            }
            Op::HearSilence => segmenter.hear_silence(),
            Op::HearMicrophone => segmenter.hear_microphone(),
            Op::Suspend { millis } => now = now.after(Duration::from_millis(millis)),
        }
    }
    viewer.next_mark = devices.next_mark;
    queued.iter().for_each(|chunk| viewer.watch(chunk));
    let counters = segmenter.counters();
    assert_eq!(counters.sent, viewer.captured_sent);
    segmenter.skip();
    let counters = segmenter.counters();
    assert_eq!(counters.pushed, counters.sent + counters.skipped + counters.late);
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
}
