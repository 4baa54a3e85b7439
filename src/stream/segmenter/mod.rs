//! Frames in, chunks out: epochs, skips, and tracks that never stop (docs/receivers.md §2).
//!
//! The caller pushes frames as they come and calls [`Segmenter::cut`] at its cadence. A cut gives every frame that has
//! arrived its place on the timeline and makes a chunk of what lies before the latest time at which a chunk may end; the
//! rest waits for the next one. What cannot be sent is given up with [`Segmenter::skip`], before it is cut: a chunk once
//! made is committed, because the timeline goes on from its end.

mod making;
mod placing;

use std::time::Duration;

use bytes::Bytes;

use super::feed::{AudioFeed, CameraFeed, VideoFeed};
use super::lateness::Lateness;
use super::replay::{ReplayCache, ReplayFrom};
use super::timeline::Timeline;
use super::unsent::Unsent;
use super::webm::Writer;
use crate::media::{CaptureTime, Chunk, Frame, MediaTime, StreamFormat, Track, VideoFormat};

/// A pause between cuts beyond which nothing is filled: the time is skipped (the machine was suspended, or the
/// process stopped).
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Most frames that wait for a cut or a start; a caller that does not come round in this time, some 6 s, skips.
const MOST_WAITING_FRAMES: usize = 512;

/// Clients that steer towards the live edge jump to it when they are more than 5 s behind. A stream that begins with so
/// much filler makes them jump at once, also after up to half a second was taken back (docs/receivers.md §3, §4.3).
pub const LEAD_IN: Duration = Duration::from_millis(5800);

/// How much filler a timeline from zero begins with. Receivers that do not steer have so much media in hand from then on,
/// also those that had begun a moment before (docs/receivers.md §5.2).
const IN_HAND: Duration = Duration::from_millis(400);

/// Where the timeline of a new epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// Where the last epoch ended.
    #[default]
    Continue,
    /// [`LEAD_IN`] behind the end of the last epoch, the time between being filled with its first picture and silence:
    /// for receivers that jump to the live edge and have no media to play.
    LeadIn,
    /// At zero, for receivers that throw their MediaSource away and do not seek.
    Zero,
}

impl Origin {
    fn lead_in(self) -> Duration {
        match self {
            Self::Continue => Duration::ZERO,
            Self::LeadIn => LEAD_IN,
            Self::Zero => IN_HAND,
        }
    }
}

/// What became of the frames. `pushed` is always the sum of `sent`, `skipped`, `late` and of what is still waiting.
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
    /// Chunks that were replays for late joiners.
    pub replays: u64,
    /// Replays that were asked for and could not be made in time.
    pub replays_missed: u64,
}

/// Whether media flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Something was skipped, or nothing was sent yet: the next chunk closes up.
    Interrupted {
        /// When the first cut found it so.
        since: Option<CaptureTime>,
        /// How much filler the next chunk begins with.
        lead_in: Duration,
    },
    /// Chunks follow each other.
    Running,
}

/// A replay that was asked for.
#[derive(Debug, Clone, Copy)]
struct ReplayRequest {
    from: ReplayFrom,
    /// When the first cut found it.
    since: Option<CaptureTime>,
}

/// Cuts frames into chunks.
#[derive(Debug)]
pub struct Segmenter {
    format: StreamFormat,
    writer: Writer,
    /// What the last init segment says of the video track. It is behind `format` while a key frame of another format waits
    /// to start an epoch.
    announced: Option<VideoFormat>,
    timeline: Timeline,
    video: VideoFeed,
    audio: AudioFeed,
    /// Pictures are left out before they come here, and that is as it should be.
    gaps_expected: bool,
    /// The camera's pictures are given up.
    picture_held: bool,
    flow: Flow,
    /// The next chunk that can start an epoch does.
    epoch_due: bool,
    /// Frames that have no place yet.
    waiting: Vec<Frame>,
    /// What has a place and is in no chunk.
    unsent: Unsent,
    camera_lateness: Lateness,
    mic_lateness: Lateness,
    last_cut: Option<CaptureTime>,
    last_chunk: Option<CaptureTime>,
    /// Since when chunks have come evenly.
    even_since: CaptureTime,
    epoch: u32,
    seq: u64,
    max_chunk_bytes: usize,
    replay: ReplayCache,
    replay_request: Option<ReplayRequest>,
    counters: Counters,
}

impl Segmenter {
    /// A segmenter for streams of this format, with camera and microphone live. No replay makes a chunk larger than
    /// `max_chunk_bytes`.
    pub fn new(format: StreamFormat, max_chunk_bytes: usize) -> Self {
        Self {
            writer: Writer::new(&format),
            timeline: Timeline::new(format.video.map_or(1, |video| video.fps)),
            video: match format.video {
                Some(_) => VideoFeed::Camera(CameraFeed::default()),
                None => VideoFeed::Absent,
            },
            announced: format.video,
            format,
            audio: AudioFeed::Microphone,
            gaps_expected: false,
            picture_held: false,
            flow: Flow::Interrupted { since: None, lead_in: Duration::ZERO },
            epoch_due: true,
            waiting: Vec::new(),
            unsent: Unsent::default(),
            camera_lateness: Lateness::default(),
            mic_lateness: Lateness::default(),
            last_cut: None,
            last_chunk: None,
            even_since: CaptureTime::default(),
            epoch: 0,
            seq: 0,
            max_chunk_bytes,
            replay: ReplayCache::new(max_chunk_bytes),
            replay_request: None,
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

    /// From now on no replay makes a chunk larger than this.
    pub fn set_max_chunk_bytes(&mut self, max_chunk_bytes: usize) {
        self.max_chunk_bytes = max_chunk_bytes;
        self.replay.set_max_bytes(max_chunk_bytes);
    }

    /// Whether something waits for a key frame of the camera: the stream, a new epoch or a replay.
    pub fn wants_key_frame(&self) -> bool {
        let VideoFeed::Camera(camera) = &self.video else { return false };
        if self.picture_held {
            return false;
        }
        if camera.awaiting_key {
            return !self.key_frame_waits();
        }
        let request = self.replay_request.is_some_and(|request| {
            self.replay.reaches(request.from)
                || (request.from != ReplayFrom::Start && !self.replay.has_entry())
        });
        request && !self.key_frame_waits() && !self.unsent.has_key_frame()
    }

    /// Whether a key frame that was waited for has come, so that a cut now would end an interruption or start
    /// an epoch.
    pub fn has_awaited_key_frame(&self) -> bool {
        self.video.awaits_key() && self.key_frame_waits()
    }

    /// Takes in a frame. Frames of one track come in the order of their encoder.
    pub fn push(&mut self, frame: Frame) {
        self.counters.pushed += 1;
        if self.waiting.len() + self.unsent.len() >= MOST_WAITING_FRAMES {
            self.skip();
        }
        let wanted = match (frame.track, &self.video) {
            (Track::Video, VideoFeed::Camera(camera)) => {
                !self.picture_held && (!camera.awaiting_key || frame.key || self.key_frame_waits())
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
        let changes_format = matches!(self.video, VideoFeed::Camera(_))
            && self.announced.is_some_and(|announced| announced != format);
        let interrupted = match &self.video {
            VideoFeed::Absent => return,
            // No black picture was ever shown that could be repeated meanwhile.
            VideoFeed::Black { shown, .. } => !shown,
            VideoFeed::Camera(_) => false,
        };
        self.give_up(Track::Video);
        self.replay.clear();
        if interrupted {
            self.flow = Flow::Interrupted { since: None, lead_in: self.lead_in_due() };
        }
        self.video = VideoFeed::Camera(CameraFeed { next_format: Some(format), ..CameraFeed::default() });
        // Another format begins an epoch by itself. Until then the running one goes on, also after a skip.
        self.epoch_due |= !changes_format;
    }

    /// The video track shows black from the next chunk on, in a new epoch; the camera's pictures that wait are
    /// given up. `key_frame` is a black key frame of the format.
    pub fn show_black(&mut self, key_frame: Bytes) {
        if matches!(self.video, VideoFeed::Absent) {
            return;
        }
        self.give_up(Track::Video);
        self.replay.clear();
        self.video = VideoFeed::Black { key_frame, shown: false };
        self.epoch_due = true;
    }

    /// The audio track carries the microphone from here on.
    pub fn hear_microphone(&mut self) {
        if self.audio == AudioFeed::Silence {
            // Silence that waits gives its place to what is heard.
            self.give_up(Track::Audio);
        }
        self.audio = AudioFeed::Microphone;
    }

    /// The audio track carries silence from here on; packets that wait are given up, and what was heard is not
    /// replayed.
    pub fn hear_silence(&mut self) {
        self.audio = AudioFeed::Silence;
        self.give_up(Track::Audio);
        self.replay.clear();
    }

    /// Pictures of the camera were lost before they came here. Those that follow cannot be decoded until a key frame
    /// comes; what was shown last is repeated meanwhile, and the voice goes on.
    pub fn lose_pictures(&mut self) {
        if let VideoFeed::Camera(camera) = &mut self.video {
            camera.awaiting_key = true;
            let waiting = self.waiting.extract_if(.., |frame| frame.track == Track::Video).count();
            self.counters.skipped += waiting as u64;
        }
    }

    /// Bytes of the frames that a chunk cut now has at least: all that wait but the newest picture, which may be left to the
    /// next chunk.
    pub fn waiting_bytes(&self) -> u64 {
        let newest_picture = self.waiting.iter().rposition(|frame| frame.track == Track::Video);
        let sure = self.waiting.iter().enumerate().filter(|(at, _)| Some(*at) != newest_picture);
        sure.map(|(_, frame)| frame.data.len() as u64).sum()
    }

    /// Whether pictures are left out on purpose from now on. Then hardly any is waited for where none comes: the last one is
    /// repeated, and the voice goes on.
    pub fn expect_gaps(&mut self, expected: bool) {
        self.gaps_expected = expected;
    }

    /// Whether the camera's pictures are given up and the last one is repeated. Afterwards a key frame is waited for.
    pub fn hold_picture(&mut self, hold: bool) {
        if hold && !self.picture_held {
            self.lose_pictures();
        }
        self.picture_held = hold;
    }

    /// Gives up what waits; the timeline closes up over it, and the camera goes on with a key frame.
    pub fn skip(&mut self) {
        self.give_up(Track::Video);
        self.give_up(Track::Audio);
        self.replay.clear();
        self.flow = Flow::Interrupted { since: None, lead_in: self.lead_in_due() };
        match &mut self.video {
            VideoFeed::Absent => {}
            VideoFeed::Camera(camera) => camera.awaiting_key = true,
            VideoFeed::Black { shown, .. } => *shown = false,
        }
    }

    /// Takes back chunks, oldest first, that were cut last and will not be sent after all: their time is given
    /// to what comes next, if they are of the timeline that goes on.
    pub fn take_back(&mut self, chunks: &[Chunk]) {
        for chunk in chunks {
            self.counters.sent -= chunk.captured();
            self.counters.skipped += chunk.captured();
        }
        let current = || chunks.iter().filter(|chunk| chunk.timeline == self.timeline.generation());
        let Some(first) = current().next() else { return };
        let before = first.before;
        let starts_epoch = current().any(Chunk::starts_epoch);
        self.skip();
        self.epoch_due |= starts_epoch;
        self.timeline.rewind(before);
    }

    /// Starts a new epoch: gives up what waits, and the next chunk has an init segment and a key frame.
    pub fn begin_epoch(&mut self, origin: Origin) {
        self.skip();
        self.epoch_due = true;
        self.flow = Flow::Interrupted { since: None, lead_in: origin.lead_in() };
        self.replay_request = None;
        if origin == Origin::Zero {
            self.timeline.restart();
        }
    }

    /// Lets the timeline begin at `at`, if nothing of it was sent yet.
    pub fn begin_at(&mut self, at: MediaTime) {
        if self.epoch == 0 {
            self.timeline.rewind(at);
        }
    }

    /// Makes the next chunk, as soon as that is possible, a replay: an init segment and what was sent before precede
    /// what is new. Those who watch have all of it; those who came late can begin with it.
    pub fn request_replay(&mut self, from: ReplayFrom) {
        self.replay_request = Some(ReplayRequest { from, since: None });
    }

    /// Makes a chunk of what has arrived. `None` if there is nothing to send yet.
    pub fn cut(&mut self, now: CaptureTime) -> Option<Chunk> {
        if self.last_cut.is_some_and(|last| now.since(last) > LONGEST_PAUSE) && self.flow == Flow::Running {
            self.skip();
        }
        self.last_cut = Some(now);
        self.age_replay_request(now);
        for frame in &mut self.waiting {
            // A driver's nonsense must not be believed: nothing is captured in the future, or long ago.
            frame.captured = frame.captured.clamp(now.before(LONGEST_PAUSE), now);
        }
        let newest = |track| self.waiting.iter().rfind(|frame| frame.track == track);
        self.camera_lateness.observe(newest(Track::Video).map(|frame| now.since(frame.captured)));
        self.mic_lateness.observe(newest(Track::Audio).map(|frame| now.since(frame.captured)));
        self.adopt_camera_format();
        self.start(now)?;
        self.place_pictures();
        self.place_packets();
        self.fill_video(now);
        self.fill_audio(now);
        let end = self.unsent.latest_cut(&self.timeline, self.format.video.is_some())?;
        self.make_chunk(end, now)
    }

    /// From the camera's key frame on the stream looks as the camera says; until then what went before goes on.
    fn adopt_camera_format(&mut self) {
        if !self.key_frame_waits() {
            return;
        }
        let VideoFeed::Camera(camera) = &mut self.video else { return };
        if let Some(format) = camera.next_format.take() {
            self.adopt(format);
        }
    }

    fn adopt(&mut self, format: VideoFormat) {
        self.format.video = Some(format);
        self.writer = Writer::new(&self.format);
        self.timeline.set_fps(format.fps);
    }

    /// The key frame that was to start an epoch with another format is given up: what was announced goes on.
    fn return_to_announced_format(&mut self) {
        if self.announced == self.format.video {
            return;
        }
        if let VideoFeed::Camera(camera) = &mut self.video
            && camera.next_format.is_none()
        {
            camera.next_format = self.format.video;
        }
        if let Some(announced) = self.announced {
            self.adopt(announced);
        }
    }

    fn key_frame_waits(&self) -> bool {
        self.waiting.iter().any(|frame| frame.track == Track::Video && frame.key)
    }

    fn lead_in_due(&self) -> Duration {
        match self.flow {
            Flow::Interrupted { lead_in, .. } => lead_in,
            Flow::Running => Duration::ZERO,
        }
    }

    /// Gives up what waits of a track and what has a place and is in no chunk.
    fn give_up(&mut self, track: Track) {
        self.counters.skipped += self.waiting.extract_if(.., |frame| frame.track == track).count() as u64;
        self.counters.skipped += self.unsent.forget(track, &mut self.timeline);
        if track == Track::Video {
            self.return_to_announced_format();
        }
    }
}
