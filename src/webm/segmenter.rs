//! Frames in, chunks out: epochs, skips, and tracks that never stop (playback.md, rules 1 to 5).
//!
//! The caller pushes frames as they come and calls [`Segmenter::cut`] at its cadence; a cut makes one chunk of
//! all that has arrived. What cannot be sent is given up with [`Segmenter::skip`], before it is cut: a chunk
//! once made is committed, because the timeline goes on from its end.

use std::time::Duration;

use bytes::Bytes;

use super::cluster::{Block, write_chunk};
use super::filler::{SILENT_OPUS_PACKET, repeat_last_picture};
use super::init_segment::init_segment;
use super::lateness::Lateness;
use super::replay::{ENOUGH_TO_JUMP_INTO, ReplayCache};
use super::timeline::Timeline;
use crate::media::{
    CaptureTime, Captured, Chunk, Frame, MediaTime, StreamFormat, Track, TrackEnds, VideoFormat,
};

/// How far behind the clock filler ends, so that a device that goes live finds its place free.
const FILLER_LAG: Duration = Duration::from_millis(100);
/// A pause between cuts beyond which nothing is filled: the time is skipped (the machine was suspended, or the
/// process stopped).
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Most frames that wait for a cut or a start; a caller that does not come round in this time, some 6 s, skips.
const MOST_WAITING_FRAMES: usize = 512;

/// Each time Chromium runs out of media, it wants twice as much of it before it plays on: 200 ms, at last 3 s, in
/// which viewers see nothing move. A jump starts that anew, and newer clients jump when they are more than 5 s
/// behind (playback.md). So they are put that far behind.
pub const LEAD_IN: Duration = Duration::from_millis(5200);

/// Where the timeline of a new epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Where the last epoch ended (rule 2).
    Continue,
    /// Where the last epoch ended, for receivers whose MediaSource is new: the first chunk has enough media for
    /// their jump to the live edge to land in it.
    ContinueAfresh,
    /// Where the last epoch ended, after a pause in which receivers played all they had: the first chunk begins with
    /// [`LEAD_IN`] of its first picture, and silence.
    ContinueAfterPause,
    /// At zero, for receivers that throw their MediaSource away or never had one.
    Zero,
}

/// What became of the frames. `pushed` is always the sum of the others and of what is still waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames that came in.
    pub pushed: u64,
    /// Frames that went out in a chunk.
    pub sent: u64,
    /// Frames given up by a skip, at the start of an epoch, or because their device was turned off.
    pub skipped: u64,
    /// Audio packets that came after their time had been filled.
    pub late: u64,
    /// Pictures and packets that went out without having been captured.
    pub filler: u64,
}

/// Where the video track's pictures come from.
#[derive(Debug)]
enum VideoFeed {
    /// There is no video track.
    Absent,
    /// From the camera. While `awaiting_key`, its frames are given up until a key frame comes.
    Camera { awaiting_key: bool },
    /// A black picture, repeated. `shown` once its key frame is out.
    Black { key_frame: Bytes, shown: bool },
}

/// Where the audio track's packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AudioFeed {
    Microphone,
    Silence,
}

/// Whether media flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Something was skipped, or nothing was sent yet: the next chunk closes up.
    Interrupted,
    /// Chunks follow each other.
    Running,
}

/// Cuts frames into chunks.
#[derive(Debug)]
pub struct Segmenter {
    format: StreamFormat,
    init: Bytes,
    repeat: Bytes,
    timeline: Timeline,
    video: VideoFeed,
    audio: AudioFeed,
    flow: Flow,
    /// The next chunk that can start an epoch does.
    epoch_due: bool,
    /// The first chunk is for receivers that begin in the middle of the timeline.
    afresh: bool,
    /// The first chunk is for receivers that have run out of media.
    leads_in: bool,
    /// What the camera's pictures will look like from its next key frame on.
    camera_format: Option<VideoFormat>,
    waiting: Vec<Frame>,
    camera_lateness: Lateness,
    mic_lateness: Lateness,
    last_cut: Option<CaptureTime>,
    epoch: u32,
    seq: u64,
    replay: ReplayCache,
    counters: Counters,
}

impl Segmenter {
    /// A segmenter for streams of this format, with camera and microphone live. `max_chunk_bytes` bounds what
    /// a late joiner is sent.
    pub fn new(format: StreamFormat, max_chunk_bytes: usize) -> Self {
        let video = match format.video {
            Some(_) => VideoFeed::Camera { awaiting_key: true },
            None => VideoFeed::Absent,
        };
        Self {
            init: init_segment(&format),
            repeat: format.video.as_ref().map_or(Bytes::new(), repeat_last_picture),
            timeline: Timeline::new(format.video.map_or(1, |video| video.fps)),
            format,
            video,
            audio: AudioFeed::Microphone,
            flow: Flow::Interrupted,
            epoch_due: true,
            afresh: false,
            leads_in: false,
            camera_format: None,
            waiting: Vec::new(),
            camera_lateness: Lateness::default(),
            mic_lateness: Lateness::default(),
            last_cut: None,
            epoch: 0,
            seq: 0,
            replay: ReplayCache::new(max_chunk_bytes),
            counters: Counters::default(),
        }
    }

    /// What the stream is made of.
    pub fn format(&self) -> &StreamFormat {
        &self.format
    }

    /// What became of the frames so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether nothing can go out, or a new epoch cannot start, until the camera's encoder makes a key frame.
    pub fn wants_key_frame(&self) -> bool {
        matches!(self.video, VideoFeed::Camera { awaiting_key: true })
            && !self.waiting.iter().any(|frame| frame.track == Track::Video && frame.key)
    }

    /// Whether a key frame that was waited for has come, so that a cut now would end an interruption or start
    /// an epoch.
    pub fn has_awaited_key_frame(&self) -> bool {
        matches!(self.video, VideoFeed::Camera { awaiting_key: true }) && !self.wants_key_frame()
    }

    /// Takes in a frame. Frames of one track come in the order of their encoder.
    pub fn push(&mut self, frame: Frame) {
        self.counters.pushed += 1;
        if self.waiting.len() >= MOST_WAITING_FRAMES {
            self.skip();
        }
        let wanted = match (frame.track, &self.video) {
            (Track::Video, VideoFeed::Camera { awaiting_key }) => {
                !awaiting_key || frame.key || !self.wants_key_frame()
            }
            (Track::Video, VideoFeed::Absent | VideoFeed::Black { .. }) => false,
            (Track::Audio, _) => self.audio == AudioFeed::Microphone,
        };
        if !wanted {
            self.counters.skipped += 1;
            return;
        }
        self.waiting.push(frame);
    }

    /// The video track shows the camera from its next key frame on, in a new epoch. Until then what is shown
    /// goes on.
    pub fn show_camera(&mut self, format: VideoFormat) {
        if self.format.video.is_none() {
            return;
        }
        self.give_up(|frame| frame.track == Track::Video);
        self.camera_format = Some(format);
        if matches!(self.video, VideoFeed::Black { shown: false, .. }) {
            // No black picture was ever shown that could be repeated meanwhile.
            self.flow = Flow::Interrupted;
        }
        self.video = VideoFeed::Camera { awaiting_key: true };
        self.epoch_due = true;
    }

    /// The video track shows black from the next chunk on, in a new epoch; the camera's frames that wait are
    /// given up. `key_frame` is a black key frame of the format.
    pub fn show_black(&mut self, key_frame: Bytes) {
        if matches!(self.video, VideoFeed::Absent) {
            return;
        }
        self.give_up(|frame| frame.track == Track::Video);
        self.camera_format = None;
        self.video = VideoFeed::Black { key_frame, shown: false };
        self.epoch_due = true;
    }

    /// The audio track carries the microphone from here on.
    pub fn hear_microphone(&mut self) {
        self.audio = AudioFeed::Microphone;
    }

    /// The audio track carries silence from here on; packets that wait are given up.
    pub fn hear_silence(&mut self) {
        self.audio = AudioFeed::Silence;
        self.give_up(|frame| frame.track == Track::Audio);
    }

    /// Gives up what waits; the timeline closes up over it, and the video starts with a key frame (rule 3).
    pub fn skip(&mut self) {
        self.give_up(|_| true);
        self.flow = Flow::Interrupted;
        match &mut self.video {
            VideoFeed::Absent => {}
            VideoFeed::Camera { awaiting_key } => *awaiting_key = true,
            VideoFeed::Black { shown, .. } => *shown = false,
        }
    }

    /// Takes back chunks, oldest first, that were cut last and will not be sent after all: their time is given
    /// to what comes next.
    pub fn take_back(&mut self, chunks: &[Chunk]) {
        let fresh = || chunks.iter().filter(|chunk| !chunk.replay);
        let Some(first) = fresh().next() else { return };
        self.timeline.rewind(first.before);
        for chunk in fresh() {
            self.epoch_due |= chunk.has_init();
            self.counters.sent -= chunk.captured();
            self.counters.skipped += chunk.captured();
        }
        self.replay.clear();
        self.skip();
    }

    /// Starts a new epoch: gives up what waits, and the next chunk has an init segment and a key frame.
    pub fn begin_epoch(&mut self, origin: Origin) {
        self.skip();
        self.epoch_due = true;
        self.afresh = origin == Origin::ContinueAfresh;
        self.leads_in = origin == Origin::ContinueAfterPause;
        if origin == Origin::Zero {
            self.timeline.restart();
        }
    }

    /// Makes a chunk of what has arrived. `None` if there is nothing to send yet.
    pub fn cut(&mut self, now: CaptureTime) -> Option<Chunk> {
        if self.last_cut.is_some_and(|last| now.since(last) > LONGEST_PAUSE) && self.flow == Flow::Running {
            self.skip();
        }
        self.last_cut = Some(now);
        for frame in &mut self.waiting {
            // A driver's nonsense must not be believed: nothing is captured in the future, or long ago.
            frame.captured = frame.captured.clamp(now.before(LONGEST_PAUSE), now);
        }
        let newest = |track| self.waiting.iter().rfind(|frame| frame.track == track);
        self.camera_lateness.observe(newest(Track::Video).map(|frame| now.since(frame.captured)));
        self.mic_lateness.observe(newest(Track::Audio).map(|frame| now.since(frame.captured)));
        self.adopt_camera_format();
        if self.flow == Flow::Interrupted {
            let start = self.start_point(now)?;
            let in_the_middle = self.afresh && self.timeline.end() > MediaTime::ZERO;
            if in_the_middle && now.since(start) < ENOUGH_TO_JUMP_INTO + FILLER_LAG {
                return None;
            }
            self.afresh = false;
            self.give_up(|frame| frame.track == Track::Audio && ends_before(frame, start));
            self.timeline.close_up(start);
            if std::mem::take(&mut self.leads_in) {
                // What is captured has its place behind; what is before it gets filled like any other gap.
                self.timeline.leave_room(LEAD_IN);
            }
            self.flow = Flow::Running;
        }
        let before = self.timeline.ends();
        let mut blocks = Blocks::default();
        self.take_video(now, &mut blocks);
        self.take_audio(now, &mut blocks);
        (!blocks.all.is_empty()).then(|| self.make_chunk(before, blocks))
    }

    /// Makes a chunk for a late joiner: init segment and every cluster since a key frame at least 0.4 s ago
    /// (playback.md, rule 6). Those who watch already have all of it. `None` if there is no such key frame
    /// within the bounds; then one must be forced, and asked again 0.4 s later.
    pub fn replay(&mut self) -> Option<Chunk> {
        let replay = self.replay.since_key_frame()?;
        let chunk = Chunk {
            seq: self.seq,
            epoch: self.epoch,
            init_len: self.init.len(),
            bytes: [self.init.as_ref(), &replay.clusters].concat().into(),
            key: true,
            video: Some(replay.start),
            audio: Some(replay.start),
            before: self.timeline.ends(),
            end: replay.end,
            camera: None,
            mic: None,
            replay: true,
        };
        self.seq += 1;
        Some(chunk)
    }

    /// The capture time from which media can flow again.
    fn start_point(&self, now: CaptureTime) -> Option<CaptureTime> {
        let first =
            |track| self.waiting.iter().find(|frame| frame.track == track).map(|frame| frame.captured);
        match self.video {
            VideoFeed::Camera { .. } => first(Track::Video),
            VideoFeed::Black { .. } => Some(first(Track::Audio).unwrap_or(now.before(FILLER_LAG))),
            VideoFeed::Absent => first(Track::Audio),
        }
    }

    fn take_video(&mut self, now: CaptureTime, blocks: &mut Blocks) {
        let lag = match &mut self.video {
            VideoFeed::Absent => return,
            VideoFeed::Black { key_frame, shown } => {
                if !*shown {
                    *shown = true;
                    blocks.filler(
                        Track::Video,
                        self.timeline.place_picture_at_end(),
                        true,
                        key_frame.clone(),
                    );
                }
                FILLER_LAG
            }
            VideoFeed::Camera { awaiting_key } => {
                for frame in self.waiting.extract_if(.., |frame| frame.track == Track::Video) {
                    if std::mem::take(awaiting_key) {
                        blocks.captured(self.timeline.place_picture_at_end(), frame);
                    } else {
                        let placed = self.timeline.place_picture(frame.captured);
                        for at in placed.fill {
                            blocks.filler(Track::Video, at, false, self.repeat.clone());
                        }
                        blocks.captured(placed.at, frame);
                    }
                }
                if *awaiting_key { FILLER_LAG } else { self.camera_lateness.patience() }
            }
        };
        for at in self.timeline.fill_video(now.before(lag)) {
            blocks.filler(Track::Video, at, false, self.repeat.clone());
        }
    }

    fn take_audio(&mut self, now: CaptureTime, blocks: &mut Blocks) {
        for frame in self.waiting.extract_if(.., |frame| frame.track == Track::Audio) {
            let Some(placed) = self.timeline.place_audio(frame.captured) else {
                self.counters.late += 1;
                continue;
            };
            for at in placed.fill {
                blocks.filler(Track::Audio, at, true, SILENT_OPUS_PACKET);
            }
            blocks.captured(placed.at, frame);
        }
        let lag = match self.audio {
            AudioFeed::Silence => FILLER_LAG,
            AudioFeed::Microphone => self.mic_lateness.patience(),
        };
        for at in self.timeline.fill_audio(now.before(lag)) {
            blocks.filler(Track::Audio, at, true, SILENT_OPUS_PACKET);
        }
    }

    fn make_chunk(&mut self, before: TrackEnds, blocks: Blocks) -> Chunk {
        let starts_epoch = self.epoch_due && !matches!(self.video, VideoFeed::Camera { awaiting_key: true });
        if starts_epoch {
            self.epoch_due = false;
            self.epoch += 1;
            self.replay.clear();
        }
        let init = starts_epoch.then_some(&self.init);
        let written = blocks.all.len() as u64;
        let first =
            |track| blocks.all.iter().filter(|block| block.track == track).map(|block| block.at).min();
        let chunk = Chunk {
            seq: self.seq,
            epoch: self.epoch,
            init_len: init.map_or(0, Bytes::len),
            key: blocks.all.iter().any(|block| block.track == Track::Video && block.key),
            video: first(Track::Video),
            audio: first(Track::Audio),
            before,
            end: self.timeline.end(),
            camera: blocks.camera,
            mic: blocks.mic,
            replay: false,
            bytes: write_chunk(init, blocks.all),
        };
        self.counters.sent += chunk.captured();
        self.counters.filler += written - chunk.captured();
        self.seq += 1;
        self.replay.record(&chunk, matches!(self.video, VideoFeed::Absent));
        chunk
    }

    /// From the camera's key frame on the stream looks as the camera says; until then what went before goes on.
    fn adopt_camera_format(&mut self) {
        if self.wants_key_frame() {
            return;
        }
        if let Some(format) = self.camera_format.take() {
            self.format.video = Some(format);
            self.init = init_segment(&self.format);
            self.repeat = repeat_last_picture(&format);
            self.timeline.set_fps(format.fps);
        }
    }

    fn give_up(&mut self, unwanted: impl Fn(&Frame) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(|frame| !unwanted(frame));
        self.counters.skipped += (before - self.waiting.len()) as u64;
    }
}

/// Whether an audio packet is over, or as good as over, at `start`.
fn ends_before(frame: &Frame, start: CaptureTime) -> bool {
    frame.captured.after(Duration::from_millis(super::AUDIO_FRAME_MS / 2)) < start
}

/// The blocks of a chunk in the making.
#[derive(Debug, Default)]
struct Blocks {
    all: Vec<Block>,
    camera: Option<Captured>,
    mic: Option<Captured>,
}

impl Blocks {
    fn captured(&mut self, at: MediaTime, frame: Frame) {
        let captured = match frame.track {
            Track::Video => &mut self.camera,
            Track::Audio => &mut self.mic,
        };
        *captured = Some(Captured::and(*captured, frame.captured));
        self.all.push(Block { track: frame.track, at, key: frame.key, data: frame.data });
    }

    fn filler(&mut self, track: Track, at: MediaTime, key: bool, data: Bytes) {
        self.all.push(Block { track, at, key, data });
    }
}
