//! The media path: frames in, chunks out, and what happens to chunks that do not go out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::trace::Trace;
use super::traffic::{Sent, Traffic};
use crate::capture::MediaClock;
use crate::media::{Chunk, Frame, StreamFormat};
use crate::meeting::{Outbox, QueueState, StateChange};
use crate::webm::{Origin, Segmenter};

/// The largest replay for a late joiner, and the largest chunk until the relay says how much it takes.
const MAX_CHUNK_BYTES: usize = 900_000;
/// What an event around a chunk takes at most of the relay's `maxPayload`.
const EVENT_OVERHEAD_BYTES: usize = 1_000;
/// How long before the relay took the presenter's seat away it may have begun to drop chunks: the time that
/// its word takes to us, and a chunk.
const DOUBTFUL: Duration = Duration::from_millis(500);

/// From frames to the outbox of the running session.
pub struct Publisher {
    /// Cuts frames into chunks.
    pub segmenter: Segmenter,
    clock: MediaClock,
    outbox: Option<Outbox>,
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
    /// Whether the relay takes less than the devices give, and that was logged.
    behind: bool,
}

impl Publisher {
    /// A publisher without a session.
    pub fn new(format: StreamFormat, clock: MediaClock, trace: Option<(PathBuf, Trace)>) -> Self {
        Self {
            segmenter: Segmenter::new(format, MAX_CHUNK_BYTES),
            clock,
            outbox: None,
            max_chunk_bytes: MAX_CHUNK_BYTES,
            recently_sent: VecDeque::new(),
            trace,
            traffic: Traffic::default(),
            epoch: 0,
            last_cut: None,
            behind: false,
        }
    }

    /// The stream has other tracks from now on: a new one, that begins anew.
    pub fn set_format(&mut self, format: StreamFormat) {
        self.segmenter = Segmenter::new(format, MAX_CHUNK_BYTES);
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

    /// Media begin to flow, in a new epoch.
    pub fn begin(&mut self, origin: Origin) {
        self.last_cut = None;
        self.segmenter.begin_epoch(origin);
    }

    /// The number of the epoch that was sent last; 0 before the first.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A new session begins, or there is none any more.
    pub fn set_outbox(&mut self, outbox: Option<Outbox>) {
        self.outbox = outbox;
        self.max_chunk_bytes = MAX_CHUNK_BYTES;
        self.recently_sent.clear();
    }

    /// The relay accepts messages up to so many bytes.
    pub fn set_max_payload(&mut self, max_payload: usize) {
        self.max_chunk_bytes = max_payload.saturating_sub(EVENT_OVERHEAD_BYTES);
    }

    /// Tells the room, if there is one.
    pub fn announce(&self, change: StateChange) {
        if let Some(outbox) = &self.outbox {
            outbox.announce(change);
        }
    }

    /// Takes in a frame. Says whether it is worth a cut before the next one is due: a key frame that everybody
    /// waits for.
    pub fn take_in(&mut self, frame: Frame) -> bool {
        self.segmenter.push(frame);
        self.segmenter.has_awaited_key_frame()
    }

    /// Cuts a chunk of what has arrived and commits it; or skips it, if the relay does not keep up.
    pub fn cut(&mut self) {
        let Some(outbox) = &self.outbox else { return };
        if !outbox.has_room() {
            if !std::mem::replace(&mut self.behind, true) {
                tracing::warn!(
                    "the relay takes less than the camera gives: media is skipped until it has caught up"
                );
            }
            self.segmenter.skip();
            self.last_cut = Some(Instant::now());
        } else if let Some(chunk) = self.segmenter.cut(self.clock.now()) {
            self.behind = false;
            self.last_cut = Some(Instant::now());
            self.publish(chunk);
        }
    }

    /// Sends a late joiner what came since a key frame. `false` if there is nothing that would do.
    pub fn replay(&mut self) -> bool {
        let replay = self.segmenter.replay().filter(|replay| replay.bytes.len() <= self.max_chunk_bytes);
        match replay {
            Some(replay) => {
                self.publish(replay);
                true
            }
            None => false,
        }
    }

    fn publish(&mut self, chunk: Chunk) {
        let Some(outbox) = &self.outbox else { return };
        if chunk.bytes.len() > self.max_chunk_bytes {
            tracing::warn!(
                bytes = chunk.bytes.len(),
                max = self.max_chunk_bytes,
                "a chunk is larger than the relay accepts and is skipped; lower capture.video_bitrate or capture.cadence_ms"
            );
            self.segmenter.take_back(&[chunk]);
            return;
        }
        let before = chunk.before.video.max(chunk.before.audio);
        let media = chunk.end.as_millis().saturating_sub(before.as_millis());
        let mime = self.segmenter.format().mime_type();
        if let Err(error) = outbox.put(chunk.clone(), mime, Duration::from_millis(media)) {
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
    pub fn take_back_recently_sent(&mut self) {
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
        if chunk.has_init() && !chunk.replay {
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
