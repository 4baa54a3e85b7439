//! The words that every room shares: tracks, the two clocks, frames and chunks.
//!
//! Three kinds of time exist in roomcam and must never be mixed (`ARCHITECTURE.md`, glossary):
//! [`CaptureTime`] says when a sample was taken, [`MediaTime`] where it stands on the timeline that viewers
//! see, and wall-clock time (`std::time::SystemTime`) is sent for information, and says where a run's timeline begins.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// When a sample was captured: nanoseconds of running time on the clock that the camera's and the
/// microphone's pipelines share. Starts near zero when the daemon starts and never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CaptureTime(u64);

impl CaptureTime {
    /// The time `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time `millis` milliseconds after the clock's origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the clock's origin, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub const fn since(self, earlier: CaptureTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time moved forward by `by`.
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_nanos() as u64))
    }

    /// This time moved back by `by`, but not before the clock's origin.
    pub const fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by.as_nanos() as u64))
    }
}

/// A place on the timeline as sent: milliseconds, the unit of a WebM block with the default
/// `TimestampScale` of 1 000 000 ns (Matroska, RFC 9559 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaTime(u64);

impl MediaTime {
    /// The start of a timeline.
    pub const ZERO: Self = Self(0);

    /// The place `millis` milliseconds after the start of the timeline.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start of the timeline.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// One of the two tracks of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// The camera's.
    Video,
    /// The microphone's.
    Audio,
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Track::Video => "video",
            Track::Audio => "audio",
        })
    }
}

/// The codec of the video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// VP8 (RFC 6386), WebM codec id `V_VP8`.
    Vp8,
    /// VP9, WebM codec id `V_VP9`.
    Vp9,
}

/// What the video track of a stream looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// The codec.
    pub codec: VideoCodec,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Nominal frames per second, 1 to 120.
    pub fps: u8,
}

/// What a stream is made of. The audio track is always there: a device without a microphone sends silence,
/// because deployed clients know only the three mime types below (docs/receivers.md §2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamFormat {
    /// The video track, or `None` for a device without a camera.
    pub video: Option<VideoFormat>,
}

impl StreamFormat {
    /// The mime type, exactly as clients pass it to `addSourceBuffer` (docs/receivers.md §2.8).
    pub const fn mime_type(&self) -> &'static str {
        match self.video {
            Some(VideoFormat { codec: VideoCodec::Vp8, .. }) => r#"video/webm; codecs="vp8, opus""#,
            Some(VideoFormat { codec: VideoCodec::Vp9, .. }) => r#"video/webm; codecs="vp9, opus""#,
            None => r#"audio/webm; codecs="opus""#,
        }
    }
}

/// One encoded frame: a picture, or an Opus packet of 20 ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which track it belongs to.
    pub track: Track,
    /// When its first sample was captured.
    pub captured: CaptureTime,
    /// Whether a decoder can start here. Always true for audio.
    pub key: bool,
    /// Whether no other frame is decoded from it, so that it may be left out. Encoders make such pictures only
    /// where they are asked for.
    pub droppable: bool,
    /// The encoder's bytes, shared rather than copied.
    pub data: Bytes,
}

/// What a chunk has of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured {
    /// How many frames.
    pub frames: u64,
    /// When the oldest was captured.
    pub first: CaptureTime,
    /// When the newest was captured.
    pub last: CaptureTime,
}

impl Captured {
    /// These frames and one more.
    pub fn and(captured: Option<Self>, at: CaptureTime) -> Self {
        match captured {
            Some(Self { frames, first, last }) => {
                Self { frames: frames + 1, first: first.min(at), last: last.max(at) }
            }
            None => Self { frames: 1, first: at, last: at },
        }
    }

    /// The frames of both.
    fn sum(captured: Option<Self>, more: Option<Self>) -> Option<Self> {
        match (captured, more) {
            (Some(one), Some(other)) => Some(Self {
                frames: one.frames + other.frames,
                first: one.first.min(other.first),
                last: one.last.max(other.last),
            }),
            (one, other) => one.or(other),
        }
    }
}

/// One WebM chunk as it goes to the relay: a whole cluster of known size. Where receivers need it, an init segment
/// precedes the cluster, and for late joiners the clusters that were sent before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// Counts the chunks of a run of the daemon, from 0.
    pub seq: u64,
    /// Counts the epochs of a run of the daemon, from 1.
    pub epoch: u32,
    /// Which timeline the media times are on. They cannot be compared with those of another one.
    pub timeline: u32,
    /// The bytes on the wire.
    pub bytes: Bytes,
    /// Length of the init segment at the start of `bytes`; zero if there is none.
    pub init_len: usize,
    /// Length of the clusters after the init segment that were sent before; zero if the chunk is no replay.
    pub repeated_len: usize,
    /// Media time of the first new video key frame, if there is one.
    pub key: Option<MediaTime>,
    /// Media time of the first new video block, if there is one.
    pub video: Option<MediaTime>,
    /// Media time of the first new audio block, if there is one.
    pub audio: Option<MediaTime>,
    /// Where the chunk before it ends.
    pub before: MediaTime,
    /// Where it ends: no block crosses this time.
    pub end: MediaTime,
    /// The new pictures in it that the camera took; the rest is filler.
    pub camera: Option<Captured>,
    /// The new packets in it that the microphone heard.
    pub mic: Option<Captured>,
    /// How many further chunks were joined to it because they had waited.
    pub joined: u32,
}

impl Chunk {
    /// Whether the chunk starts with an init segment.
    pub const fn has_init(&self) -> bool {
        self.init_len > 0
    }

    /// Whether it repeats, for a late joiner, what was sent before.
    pub const fn is_replay(&self) -> bool {
        self.repeated_len > 0
    }

    /// Whether it is the first of an epoch.
    pub const fn starts_epoch(&self) -> bool {
        self.has_init() && !self.is_replay()
    }

    /// What is new in it.
    pub fn cluster(&self) -> Bytes {
        self.bytes.slice(self.init_len + self.repeated_len..)
    }

    /// How much media is new in it.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.end.as_millis().saturating_sub(self.before.as_millis()))
    }

    /// How many frames in it were captured.
    pub fn captured(&self) -> u64 {
        [self.camera, self.mic].into_iter().flatten().map(|captured| captured.frames).sum()
    }

    /// When the oldest new frame in it was captured; `None` if none was.
    pub fn oldest(&self) -> Option<CaptureTime> {
        [self.camera, self.mic].into_iter().flatten().map(|captured| captured.first).min()
    }

    /// Media time of the first new block.
    pub fn start(&self) -> MediaTime {
        match (self.video, self.audio) {
            (Some(video), Some(audio)) => video.min(audio),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => self.end,
        }
    }

    /// This chunk and the one that follows it as one, if `next` can be read behind it: a receiver that has just begun
    /// needs an init segment at the very start.
    pub fn join(&mut self, next: &Chunk) {
        self.bytes = [self.bytes.as_ref(), &next.bytes].concat().into();
        self.key = self.key.or(next.key);
        self.video = self.video.or(next.video);
        self.audio = self.audio.or(next.audio);
        self.end = next.end;
        self.camera = Captured::sum(self.camera, next.camera);
        self.mic = Captured::sum(self.mic, next.mic);
        self.joined += 1 + next.joined;
    }
}
