//! The media path: frames in, chunks out, and what happens to chunks that do not go out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::audience::{Audience, LateJoinStrategy, Service, Start};
use super::beat::{Beat, Cut};
use super::clearance::Clearance;
use super::trace::Trace;
use super::traffic::{Sent, Traffic};
use crate::capture::{Encoding, MediaClock};
use crate::log_limit::LogLimit;
use crate::media::{Chunk, Frame, MediaTime, StreamFormat, VideoFormat};
use crate::meeting::session::EVENT_OVERHEAD_BYTES;
use crate::meeting::{Backlog, Outbox, QueueState, StateChange};
use crate::publish::pressure::{Pressure, STUCK};
use crate::publish::quality::{Quality, RateLimits, Reason};
use crate::publish::uplink::Uplink;
use crate::stream::{Counters, Origin, Segmenter};

/// The largest chunk, also where a relay takes more.
const MAX_CHUNK_BYTES: usize = 900_000;
/// How long before the relay took the presenter's seat away it may have begun to drop chunks: the time that
/// its word takes to us, and a chunk.
const DOUBTFUL: Duration = Duration::from_millis(500);

/// Where the link has room for the voice alone, a chunk has so much more media in it: what every chunk costs beside its
/// media, 3 kbit/s for each in a second, is then as much as the voice.
const VOICE_CADENCES: u32 = 3;

/// From frames to the outbox of the running session.
pub struct Publisher {
    segmenter: Segmenter,
    audience: Audience,
    clock: MediaClock,
    cadence: Duration,
    beat: Beat,
    clearance: Clearance,
    outbox: Option<Outbox>,
    uplink: Uplink,
    /// The largest chunk that the relay takes.
    max_chunk_bytes: usize,
    /// Chunks sent a moment ago, of which the relay may have dropped the last.
    recently_sent: VecDeque<(Instant, Chunk)>,
    trace: Option<(PathBuf, Trace)>,
    traffic: Traffic,
    /// The epoch of the chunk last sent; 0 before the first.
    epoch: u32,
    /// When a chunk was last cut or skipped while media flow.
    last_cut: Option<Instant>,
    /// Warnings that the relay takes less than the devices give.
    behind: LogLimit,
    /// Warnings that a chunk is too large.
    oversized: LogLimit,
    /// Warnings that a late joiner cannot be served.
    unserved: LogLimit,
}

impl Publisher {
    /// A publisher without a session.
    pub fn new(
        format: StreamFormat,
        clock: MediaClock,
        cadence: Duration,
        limits: RateLimits,
        trace: Option<(PathBuf, Trace)>,
    ) -> Self {
        Self {
            segmenter: Segmenter::new(format, MAX_CHUNK_BYTES),
            audience: Audience::default(),
            clock,
            cadence,
            beat: Beat::new(cadence, Instant::now()),
            clearance: Clearance::default(),
            outbox: None,
            uplink: Uplink::new(limits, Instant::now()),
            max_chunk_bytes: MAX_CHUNK_BYTES,
            recently_sent: VecDeque::new(),
            trace,
            traffic: Traffic::default(),
            epoch: 0,
            last_cut: None,
            behind: LogLimit::default(),
            oversized: LogLimit::default(),
            unserved: LogLimit::default(),
        }
    }

    /// The stream has other tracks from now on: a new one, that begins anew.
    pub fn set_format(&mut self, format: StreamFormat) {
        self.segmenter = Segmenter::new(format, self.max_chunk_bytes);
    }

    /// Cuts at another cadence from now on.
    pub fn set_cadence(&mut self, cadence: Duration) {
        self.cadence = cadence;
        self.beat.set_period(cadence, Instant::now());
    }

    /// From now on the video has other bounds, and the link is found out anew.
    pub fn set_limits(&mut self, limits: RateLimits) {
        self.uplink.set_limits(limits, Instant::now());
    }

    /// What was sent.
    pub fn traffic(&self, now: Instant) -> Sent {
        self.traffic.sums(now)
    }

    /// What waits to be sent.
    pub fn waiting(&self) -> QueueState {
        self.outbox.as_ref().map(Outbox::state).unwrap_or_default()
    }

    /// When a chunk was last cut or skipped; `None` since media began to flow.
    pub fn last_cut(&self) -> Option<Instant> {
        self.last_cut
    }

    /// What became of the frames.
    pub fn counters(&self) -> Counters {
        self.segmenter.counters()
    }

    /// What the stream is made of.
    pub fn format(&self) -> StreamFormat {
        *self.segmenter.format()
    }

    /// Media begin to flow, in a new epoch.
    pub fn start(&mut self) {
        let Start { origin, hold } = self.audience.start(Instant::now());
        if origin == Origin::LeadIn {
            // Later than what an earlier run of the daemon sent: some receivers still have it, and seek to its end
            // whenever they are more than some seconds before it (docs/receivers.md §4.5).
            self.segmenter.begin_at(wall_clock());
        }
        self.begin(origin, hold);
    }

    /// No media flow from here on. Whoever had the seat in the room taken away may have sent for a while what the relay
    /// did not forward.
    pub fn stop(&mut self, seat_lost: bool) {
        self.audience.stop(Instant::now());
        self.take_back_queued();
        self.segmenter.skip();
        if seat_lost {
            self.take_back_recently_sent();
        }
    }

    /// A new epoch, of which nothing is sent for so long.
    fn begin(&mut self, origin: Origin, hold: Duration) {
        self.last_cut = None;
        if origin == Origin::Zero {
            // What waits is of a timeline that receivers throw away.
            self.take_back_queued();
        }
        self.segmenter.begin_epoch(origin);
        self.beat.hold(Instant::now() + hold);
    }

    /// The video track shows the camera from its next key frame on, in a new epoch.
    pub fn show_camera(&mut self, format: VideoFormat) {
        self.segmenter.show_camera(format);
    }

    /// The video track shows black from the next chunk on; `key_frame` is a black key frame of the stream's format.
    pub fn show_black(&mut self, key_frame: Bytes) {
        self.segmenter.show_black(key_frame);
    }

    /// The audio track carries the microphone from here on.
    pub fn hear_microphone(&mut self) {
        self.segmenter.hear_microphone();
    }

    /// The audio track carries silence from here on.
    pub fn hear_silence(&mut self) {
        self.segmenter.hear_silence();
    }

    /// Pictures of the camera were lost before they came here.
    pub fn lose_pictures(&mut self) {
        self.segmenter.lose_pictures();
    }

    /// Whether something waits for a key frame of the camera, and there is room for one.
    pub fn wants_key_frame(&self) -> bool {
        !self.uplink.holds_picture() && self.segmenter.wants_key_frame()
    }

    /// What the video encoder is to make, as far as the link carries it.
    pub fn encoding(&self) -> Encoding {
        self.uplink.encoding()
    }

    /// What the link is trusted to carry, and why no more.
    pub fn quality(&self) -> (Quality, Reason) {
        self.uplink.quality()
    }

    /// Whether the picture stands still for want of room.
    pub fn holds_picture(&self) -> bool {
        self.uplink.holds_picture()
    }

    /// How urgently media are left out. [`Pressure::Dead`] is for the caller to end the session.
    pub fn pressure(&self) -> Pressure {
        self.uplink.pressure()
    }

    /// The number of the epoch that was sent last; 0 before the first.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A new session begins, or there is none any more.
    pub fn set_outbox(&mut self, outbox: Option<Outbox>) {
        match outbox {
            Some(_) => self.uplink.reconnected(Instant::now()),
            None => self.audience.left(),
        }
        self.outbox = outbox;
        self.limit_chunks(MAX_CHUNK_BYTES);
        self.recently_sent.clear();
        self.clearance = Clearance::default();
    }

    /// The relay took the join. It accepts messages up to `max_payload` bytes.
    pub fn joined(&mut self, late_join: LateJoinStrategy, max_payload: usize) {
        self.audience.joined(late_join, Instant::now());
        self.limit_chunks(max_payload.saturating_sub(EVENT_OVERHEAD_BYTES));
    }

    fn limit_chunks(&mut self, max_bytes: usize) {
        self.max_chunk_bytes = max_bytes.min(MAX_CHUNK_BYTES);
        self.segmenter.set_max_chunk_bytes(self.max_chunk_bytes);
    }

    /// Tells the room, if there is one.
    pub fn announce(&mut self, change: StateChange) {
        let Some(outbox) = &self.outbox else { return };
        outbox.announce(change);
        if matches!(change, StateChange::Camera { .. } | StateChange::Mic { .. } | StateChange::JoinAgain(_))
        {
            self.audience.detach();
        }
    }

    /// Somebody joined.
    pub fn late_join(&mut self) {
        self.audience.late_join(Instant::now());
    }

    /// Somebody who watched asks for a key frame.
    pub fn player_lost(&mut self) {
        self.audience.player_lost(Instant::now());
    }

    /// Something happened at which clients of the first generation throw away what they have.
    pub fn receivers_detach(&mut self) {
        self.audience.detach();
    }

    /// Does what the receivers need by now. To be called after everything that happened, and when
    /// [`Publisher::poll_timeout`] says so.
    pub fn serve(&mut self) {
        while let Some(service) = self.audience.poll(Instant::now()) {
            match service {
                Service::Restart { hold } => {
                    // Where it is not known, it is ignored. Some clients between the generations know it, and do not throw
                    // away by themselves what they have.
                    self.announce(StateChange::StreamReset);
                    self.begin(Origin::Zero, hold);
                }
                Service::Replay(from) => self.segmenter.request_replay(from),
            }
        }
    }

    /// When [`Publisher::serve`] is due, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.audience.poll_timeout()
    }

    /// Takes in a frame. A key frame that everybody waits for is not kept waiting for the beat.
    pub fn take_in(&mut self, frame: Frame) {
        self.segmenter.push(frame);
        if self.segmenter.has_awaited_key_frame() {
            self.beat.hasten(Instant::now());
        }
    }

    /// When [`Publisher::cut`] is due.
    pub fn next_cut(&self) -> Instant {
        self.beat.due()
    }

    /// Cuts a chunk of what has arrived and commits it; or skips it, if the relay does not keep up.
    pub fn cut(&mut self) {
        let now = Instant::now();
        let made = self.cut_chunk(now);
        self.beat.cut(now, made);
    }

    fn cut_chunk(&mut self, now: Instant) -> Cut {
        let Some(backlog) = self.outbox.as_ref().map(Outbox::backlog) else { return Cut::Nothing };
        self.uplink.watch(now, backlog);
        let (_, reason) = self.uplink.quality();
        let was_emptying = self.uplink.is_emptying();
        let was_slow = was_emptying || reason != Reason::Full;
        // The uplink does not hear of a chunk that is put off there: what is blocked for a moment says nothing of what a link
        // carries that is not known to be slow.
        if !was_slow && let Some(again) = self.put_off(now, backlog) {
            return Cut::PutOff(again);
        }
        let pressure = self.uplink.observe(now, backlog, self.segmenter.waiting_bytes());
        let is_emptying = self.uplink.is_emptying();
        if is_emptying && !was_emptying {
            self.segmenter.lose_pictures();
        }
        let Some(outbox) = &self.outbox else { return Cut::Nothing };
        let (_, reason) = self.uplink.quality();
        outbox.expect(self.uplink.expected_bitrate(), backlog.round_trip, reason != Reason::Full);
        tracing::trace!(?backlog, %pressure, encoding = ?self.uplink.encoding(), "uplink");
        self.segmenter.expect_gaps(self.uplink.leaves_out_pictures());
        let no_picture = self.uplink.carries_no_picture();
        self.segmenter.hold_picture(no_picture);
        self.beat.set_period(if no_picture { self.cadence * VOICE_CADENCES } else { self.cadence }, now);
        let has_room = outbox.has_room();
        // Where the link is slow, the uplink has heard of it by now. The voice that was captured with pictures that were just
        // given up makes a small chunk, and there is much before it.
        if (is_emptying || was_slow)
            && let Some(again) = self.put_off(now, backlog)
        {
            return Cut::PutOff(again);
        }
        if pressure >= Pressure::Stuck || !has_room {
            if let Some(more) = self.behind.admit(now) {
                tracing::warn!(
                    "the way to the relay carries nothing for now: media is skipped until it does{more}"
                );
            }
            self.take_back_queued();
            self.segmenter.skip();
            self.last_cut = Some(now);
            return Cut::Nothing;
        }
        let missed = self.segmenter.counters().replays_missed;
        let chunk = self.segmenter.cut(self.clock.now());
        if self.segmenter.counters().replays_missed > missed
            && let Some(more) = self.unserved.admit(now)
        {
            tracing::warn!(
                max = self.max_chunk_bytes,
                "a viewer that came late cannot be served: what it needs to begin with is not there, or larger than the relay accepts; lower capture.video_bitrate{more}"
            );
        }
        let Some(chunk) = chunk else { return Cut::Nothing };
        self.last_cut = Some(now);
        let made = if chunk.has_init() { Cut::InitSegment } else { Cut::Chunk };
        self.publish(chunk);
        made
    }

    /// When to ask again whether the way is clear for a chunk; `None` if it is, or if it takes too long to wait for that.
    fn put_off(&mut self, now: Instant, backlog: Backlog) -> Option<Instant> {
        if backlog.age >= STUCK && !self.uplink.is_emptying() {
            return None;
        }
        let (_, reason) = self.uplink.quality();
        if reason == Reason::Full {
            let blocked = self.clearance.ask_again(now, backlog);
            if blocked.is_some() || self.uplink.pressure() == Pressure::Easy {
                return blocked;
            }
        }
        // Nothing of any size is to follow what a link that is emptying still has to deliver.
        let bytes = if self.uplink.is_emptying() { 0 } else { self.segmenter.waiting_bytes() };
        let rate = self.uplink.known_bitrate();
        self.clearance.ask_again_if_slow(now, backlog, rate, bytes)
    }

    fn publish(&mut self, chunk: Chunk) {
        let Some(outbox) = &self.outbox else { return };
        if chunk.bytes.len() > self.max_chunk_bytes {
            if let Some(more) = self.oversized.admit(Instant::now()) {
                tracing::warn!(
                    bytes = chunk.bytes.len(),
                    max = self.max_chunk_bytes,
                    "a chunk is larger than the relay accepts and is skipped; lower capture.video_bitrate or capture.cadence_ms{more}"
                );
            }
            self.segmenter.take_back(&[chunk]);
            return;
        }
        let mime = self.segmenter.format().mime_type();
        if let Err(error) = outbox.put(chunk.clone(), mime) {
            tracing::debug!("{error}");
            self.segmenter.take_back(&[chunk]);
        }
    }

    /// What waits in the outbox does not go out: it was captured before a device was closed.
    pub fn take_back_queued(&mut self) {
        if let Some(outbox) = &self.outbox {
            self.segmenter.take_back(&outbox.clear_media());
        }
    }

    /// The relay did not accept `chunk`, and what is queued behind it must not follow a hole.
    pub fn take_back_from(&mut self, chunk: Chunk) {
        let mut unsent = vec![chunk];
        unsent.extend(self.outbox.iter().flat_map(Outbox::clear_media));
        self.segmenter.take_back(&unsent);
    }

    /// The relay may have dropped what it got last. A stretch of time sent twice is replaced by the viewers'
    /// browsers; a stretch missing would freeze them for seconds.
    fn take_back_recently_sent(&mut self) {
        self.forget_sent_before(Instant::now());
        let doubtful: Vec<Chunk> = self.recently_sent.drain(..).map(|(_, chunk)| chunk).collect();
        self.segmenter.take_back(&doubtful);
    }

    fn forget_sent_before(&mut self, now: Instant) {
        while self.recently_sent.front().is_some_and(|(sent, _)| now.duration_since(*sent) >= DOUBTFUL) {
            self.recently_sent.pop_front();
        }
    }

    /// A chunk has gone to the kernel after waiting for `queued`. Says whether it began an epoch.
    pub fn sent(&mut self, chunk: Chunk, queued: Duration) -> bool {
        if chunk.starts_epoch() {
            tracing::info!(epoch = chunk.epoch, bytes = chunk.bytes.len(), "an epoch began");
        }
        if let Some((path, trace)) = &mut self.trace
            && let Err(error) = trace.write(&chunk, self.clock.now(), queued)
        {
            tracing::error!("cannot write the chunk trace {path:?}: {error}; it ends here");
            self.trace = None;
        }
        let now = Instant::now();
        let began = std::mem::replace(&mut self.epoch, chunk.epoch) != chunk.epoch;
        self.traffic.add(chunk.bytes.len(), now);
        self.forget_sent_before(now);
        self.recently_sent.push_back((now, chunk));
        began
    }
}

/// The time of day as a place on a timeline. It begins anew every 50 days, which leaves as many for a run: Firefox fails to
/// decode at some seeks beyond 2^53 ns, 104 days (docs/receivers.md §6.4).
fn wall_clock() -> MediaTime {
    const TURN: Duration = Duration::from_secs(50 * 24 * 60 * 60);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    MediaTime::from_millis((now.as_millis() % TURN.as_millis()) as u64)
}
