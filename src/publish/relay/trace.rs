//! `--trace-chunks FILE`: one JSON line per published chunk, for tests and benchmarks.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::media::{CaptureTime, Captured, Chunk};

/// Writes the trace.
#[derive(Debug)]
pub struct Trace(BufWriter<File>);

#[derive(Serialize)]
struct Line {
    /// When the chunk had been written to the socket, in milliseconds on the capture clock.
    t_ms: f64,
    seq: u64,
    epoch: u32,
    bytes: usize,
    key: bool,
    init: bool,
    /// Whether it repeats, for a late joiner, what was sent before.
    replay: bool,
    /// How many further chunks were joined to it because they had waited.
    joined: u32,
    /// Media time at which it ends.
    end_ms: u64,
    /// Media time of the first block of each track; `null` if the chunk has none.
    video_ms: Option<u64>,
    audio_ms: Option<u64>,
    /// How long the chunk waited in the outbox.
    queue_ms: f64,
    /// How long ago its oldest frame was captured; `null` if nothing in it was captured.
    age_ms: Option<f64>,
    /// What the camera and the microphone have in it; `null` if all of the track is filler.
    camera: Option<Span>,
    mic: Option<Span>,
}

/// How many frames, and from when to when they were captured, in milliseconds on the capture clock.
#[derive(Serialize)]
struct Span {
    frames: u64,
    from_ms: f64,
    to_ms: f64,
}

impl From<Captured> for Span {
    fn from(captured: Captured) -> Self {
        let Captured { frames, first, last } = captured;
        Self { frames, from_ms: on_clock(first), to_ms: on_clock(last) }
    }
}

impl Trace {
    /// Starts a new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|file| Self(BufWriter::new(file)))
    }

    /// Adds a chunk that was published at `now` after waiting for `queued`.
    pub fn write(&mut self, chunk: &Chunk, now: CaptureTime, queued: Duration) -> io::Result<()> {
        let line = Line {
            t_ms: on_clock(now),
            seq: chunk.seq,
            epoch: chunk.epoch,
            bytes: chunk.bytes.len(),
            key: chunk.key.is_some(),
            init: chunk.has_init(),
            replay: chunk.is_replay(),
            joined: chunk.joined,
            end_ms: chunk.end.as_millis(),
            video_ms: chunk.video.map(|at| at.as_millis()),
            audio_ms: chunk.audio.map(|at| at.as_millis()),
            queue_ms: millis(queued),
            age_ms: chunk.oldest().map(|oldest| millis(now.since(oldest))),
            camera: chunk.camera.map(Span::from),
            mic: chunk.mic.map(Span::from),
        };
        serde_json::to_writer(&mut self.0, &line)?;
        self.0.write_all(b"\n")?;
        // Readers follow the file while it grows, and a line a tenth of a second costs nothing.
        self.0.flush()
    }
}

fn on_clock(time: CaptureTime) -> f64 {
    millis(time.since(CaptureTime::default()))
}

/// Milliseconds with two decimals.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}
