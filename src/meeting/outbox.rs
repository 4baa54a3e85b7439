//! The queue between the segmenter and the socket, and its law.
//!
//! **A chunk once put in is committed**: it is sent, in order, or dropped together with everything else that
//! is queued ([`Outbox::clear_media`], or the end of the session). Leaving out a single chunk afterwards would be a hole in
//! the viewers' timeline (docs/receivers.md §2.2). So the segmenter asks [`Outbox::has_room`] *before* it cuts,
//! and skips media, closing the timeline up, while there is none.
//!
//! State events go on a lane of their own and overtake queued media (rule 7: state first, media second). Of
//! each kind only the newest waits, so the lane is bounded without a limit. The exception is
//! [`StateChange::StreamReset`]: it speaks about the chunks after it, keeps its place among them, and
//! survives [`Outbox::clear_media`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::event::Presence;
use crate::media::Chunk;
use crate::socketio::{SendProgress, SendQueue};

/// How much may wait. The last chunk let in may exceed either limit by its own size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Media time that may be queued before [`Outbox::has_room`] says no. More than this and a viewer sees old
    /// pictures rather than a skip.
    pub media: Duration,
    /// Bytes that may be queued.
    pub bytes: usize,
}

impl Default for OutboxLimits {
    /// 1000 ms and 1 MiB (1000 ms of the highest bitrate that makes sense on a Pi, 8 Mbit/s).
    fn default() -> Self {
        Self { media: Duration::from_millis(1000), bytes: 1 << 20 }
    }
}

/// Something to tell the room about this agent. Room and user are the session's to fill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// `camera-state-changed`.
    Camera {
        /// Whether the camera is on now.
        has_video: bool,
    },
    /// `mic-state-changed`.
    Mic {
        /// Whether the microphone is muted now.
        is_muted: bool,
    },
    /// `speaking-start` or `speaking-stop`.
    Speaking {
        /// Whether somebody is speaking now.
        speaking: bool,
    },
    /// `join-room` once more, with this presence: the room hears of the agent as of a newcomer.
    JoinAgain(Presence),
    /// `stream-reset`: the chunks queued after this need a new `MediaSource`.
    StreamReset,
}

/// A chunk on its way.
#[derive(Debug, Clone)]
pub struct QueuedChunk {
    /// The chunk.
    pub chunk: Chunk,
    /// Its stream's mime type.
    pub mime: &'static str,
    /// How much media it carries.
    pub duration: Duration,
    /// When it was put in.
    pub since: Instant,
}

impl QueuedChunk {
    /// Whether `next` may be sent in one message with it. An init segment must come first in its message, for receivers
    /// that have just begun.
    fn can_be_joined_by(&self, next: &Self, max_bytes: usize) -> bool {
        !next.chunk.has_init()
            && next.mime == self.mime
            && self.chunk.bytes.len() + next.chunk.bytes.len() <= max_bytes
    }
}

/// What waits at this moment, the chunk being written to the socket included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Chunks.
    pub chunks: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Their media time.
    pub media: Duration,
}

/// What waits, in the queue and in the kernel behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How long the oldest chunk has waited since it could have been sent, of those that did not arrive as a whole, wherever
    /// they are: here, in the kernel or on the way. Less what the way takes when nothing is in it: two round trips, for a
    /// large chunk goes in two parts. Zero if none waits.
    pub age: Duration,
    /// Bytes that arrived since the session began.
    pub delivered: u64,
    /// Bytes that did not arrive yet, as far as is known, wherever they are.
    pub waiting: u64,
    /// How long it takes on an empty way until an arrival is known.
    pub round_trip: Duration,
    /// How long ago the other end last said what has arrived, or anything else.
    pub since_heard: Duration,
    /// Whether something waits: then the link has been busy since the chunk before was put in.
    pub busy: bool,
}

/// Why a chunk was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// [`Outbox::has_room`] would have said no.
    #[error("the outbox has no room; the segmenter has to ask before it cuts")]
    Full,
    /// The session is over.
    #[error("the outbox is closed; its session is over")]
    Closed,
}

/// The agent's end. One outbox serves one session; the next session gets a new one, so nothing of the old
/// stream can leak into it.
#[derive(Debug)]
pub struct Outbox(Arc<Shared>);

/// The session's end.
#[derive(Debug)]
pub struct OutboxReceiver(Arc<Shared>);

/// What the session is to send next.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are chunks")]
pub(crate) enum Outgoing {
    State(StateChange),
    Chunk(QueuedChunk),
}

#[derive(Debug)]
struct Shared {
    limits: OutboxLimits,
    queue: Mutex<Queue>,
    /// Woken when something is put in.
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    closed: bool,
    states: VecDeque<StateChange>,
    /// Chunks and resets in their order.
    media: VecDeque<Outgoing>,
    /// The chunk handed to the session and not yet reported as sent.
    in_flight: Option<InFlight>,
    /// Of `media` and `in_flight` together.
    bytes: usize,
    duration: Duration,
    /// Before this time no chunk may be sent, for the sake of the receivers.
    chunk_from: Option<Instant>,
    /// The kernel's queue, while there is a connection.
    send_queue: Option<SendQueue>,
    /// Of chunks that the kernel took and that may not have arrived yet: where each ends among the bytes that it took, and since when it
    /// could have been sent.
    taken: VecDeque<(u64, Instant)>,
}

/// A chunk on its way into the kernel.
#[derive(Debug)]
struct InFlight {
    bytes: usize,
    duration: Duration,
    /// When it was put in.
    since: Instant,
    /// What the kernel had taken before it.
    taken_before: u64,
}

/// A new, empty outbox.
pub fn outbox(limits: OutboxLimits) -> (Outbox, OutboxReceiver) {
    let shared = Arc::new(Shared { limits, queue: Mutex::default(), filled: Notify::new() });
    (Outbox(Arc::clone(&shared)), OutboxReceiver(shared))
}

impl Shared {
    /// The lock is held for a few moves of pointers, never across an await. A panic inside it cannot leave
    /// the queue half changed in a way that matters, so a poisoned lock is used on.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn has_room(&self, limits: &OutboxLimits) -> bool {
        !self.closed && self.duration < limits.media && self.bytes < limits.bytes
    }

    fn release(&mut self, bytes: usize, duration: Duration) {
        self.bytes -= bytes;
        self.duration -= duration;
    }

    /// Since when the next chunk, put in at `since`, can be sent.
    fn could_leave(&self, since: Option<Instant>) -> Option<Instant> {
        since.map(|since| self.chunk_from.map_or(since, |from| from.max(since)))
    }

    /// Bytes that the kernel took, none without a connection.
    fn taken_by_kernel(&self) -> u64 {
        self.send_queue.as_ref().map(SendQueue::taken).unwrap_or_default()
    }

    /// Bytes that did not arrive yet, when the kernel's have come so far.
    fn waiting(&self, progress: SendProgress) -> u64 {
        let taken = self.taken_by_kernel();
        let taken_of_chunk = self.in_flight.as_ref().map_or(0, |chunk| taken - chunk.taken_before);
        // With what the session adds to it, more of a chunk may have been taken than it has.
        (self.bytes as u64).saturating_sub(taken_of_chunk) + taken.saturating_sub(progress.delivered)
    }

    /// When each chunk was put in that waits to be written, oldest first.
    fn chunks(&self) -> impl Iterator<Item = Instant> {
        self.media.iter().filter_map(|item| match item {
            Outgoing::Chunk(queued) => Some(queued.since),
            Outgoing::State(_) => None,
        })
    }
}

impl Outbox {
    /// Whether a chunk may be cut now. A yes stays true until the next [`Outbox::put`].
    pub fn has_room(&self) -> bool {
        self.0.lock().has_room(&self.0.limits)
    }

    /// Commits `chunk`, whose media is of type `mime`.
    pub fn put(&self, chunk: Chunk, mime: &'static str) -> Result<(), PutError> {
        let duration = chunk.duration();
        let mut queue = self.0.lock();
        if queue.closed {
            return Err(PutError::Closed);
        }
        if !queue.has_room(&self.0.limits) {
            return Err(PutError::Full);
        }
        queue.bytes += chunk.bytes.len();
        queue.duration += duration;
        queue.media.push_back(Outgoing::Chunk(QueuedChunk { chunk, mime, duration, since: Instant::now() }));
        drop(queue);
        self.0.filled.notify_one();
        Ok(())
    }

    /// Announces a change of state; it replaces one of the same kind that still waits.
    pub fn announce(&self, change: StateChange) {
        let mut queue = self.0.lock();
        if change == StateChange::StreamReset {
            // Two resets with nothing between them are one.
            if !matches!(queue.media.back(), Some(Outgoing::State(_))) {
                queue.media.push_back(Outgoing::State(change));
            }
        } else {
            let kind = std::mem::discriminant(&change);
            queue.states.retain(|waiting| std::mem::discriminant(waiting) != kind);
            queue.states.push_back(change);
        }
        drop(queue);
        self.0.filled.notify_one();
    }

    /// Takes back every chunk that has not begun to leave, oldest first, so that the timeline can be closed up
    /// over them. For the moment the camera goes dark: what was filmed before must not go out after.
    pub fn clear_media(&self) -> Vec<Chunk> {
        let mut queue = self.0.lock();
        let mut cleared = Vec::new();
        let mut reset = None;
        for item in std::mem::take(&mut queue.media) {
            match item {
                Outgoing::Chunk(QueuedChunk { chunk, duration, .. }) => {
                    queue.release(chunk.bytes.len(), duration);
                    cleared.push(chunk);
                }
                Outgoing::State(change) => reset = Some(Outgoing::State(change)),
            }
        }
        queue.media.extend(reset);
        cleared
    }

    /// What waits now.
    pub fn state(&self) -> QueueState {
        let queue = self.0.lock();
        QueueState {
            chunks: queue.in_flight.iter().count() + queue.chunks().count(),
            bytes: queue.bytes,
            media: queue.duration,
        }
    }

    /// So much is sent from now on, over a link with this round trip that is too slow for all of it or not: the kernel is to
    /// hold no more than that needs.
    pub fn expect(&self, bits_per_second: u32, round_trip: Duration, is_slow: bool) {
        let send_queue = self.0.lock().send_queue.clone();
        if let Some(send_queue) = send_queue {
            send_queue.expect(bits_per_second, round_trip, is_slow);
        }
    }

    /// What waits, here and in the kernel.
    pub fn backlog(&self) -> Backlog {
        let mut queue = self.0.lock();
        let progress = queue.send_queue.as_ref().map(SendQueue::progress).unwrap_or_default();
        while queue.taken.front().is_some_and(|(end, _)| *end <= progress.acknowledged) {
            queue.taken.pop_front();
        }
        let on_the_way = queue.taken.front().map(|(_, from)| *from);
        let oldest =
            on_the_way.or_else(|| queue.could_leave(queue.in_flight.as_ref().map(|chunk| chunk.since)));
        let oldest = oldest.or_else(|| queue.could_leave(queue.chunks().next()));
        let waited = oldest.map(|from| from.elapsed()).unwrap_or_default();
        let age = waited.saturating_sub(2 * progress.round_trip);
        let SendProgress { delivered, round_trip, since_heard, .. } = progress;
        let waiting = queue.waiting(progress);
        Backlog { age, delivered, waiting, round_trip, since_heard, busy: !age.is_zero() }
    }
}

impl OutboxReceiver {
    /// What waits in the kernel's queue is part of the backlog from now on.
    pub(crate) fn watch(&mut self, send_queue: SendQueue) {
        self.0.lock().send_queue = Some(send_queue);
    }

    /// The next thing to send: states first, a chunk not before `chunk_from`. Chunks that have waited until then are
    /// joined into one of at most `max_bytes`, for receivers fail on chunks that come close together. Waits while there
    /// is nothing; can be dropped while it waits without losing anything. A chunk keeps counting as queued until
    /// [`OutboxReceiver::chunk_gone`].
    pub(crate) async fn next(&mut self, chunk_from: Instant, max_bytes: usize) -> Outgoing {
        loop {
            if let Some(item) = self.take(chunk_from, max_bytes) {
                return item;
            }
            tokio::select! {
                () = self.0.filled.notified() => {}
                // Made when it is polled: outside a runtime, where nothing waits, there is no clock for it.
                () = async { sleep_until(chunk_from).await }, if Instant::now() < chunk_from => {}
            }
        }
    }

    fn take(&mut self, chunk_from: Instant, max_bytes: usize) -> Option<Outgoing> {
        let mut queue = self.0.lock();
        queue.chunk_from = Some(chunk_from);
        if let Some(change) = queue.states.pop_front() {
            return Some(Outgoing::State(change));
        }
        if Instant::now() < chunk_from {
            return None;
        }
        let mut item = queue.media.pop_front()?;
        if let Outgoing::Chunk(first) = &mut item {
            while let Some(Outgoing::Chunk(next)) = queue.media.front()
                && first.can_be_joined_by(next, max_bytes)
            {
                first.chunk.join(&next.chunk);
                first.duration += next.duration;
                queue.media.pop_front();
            }
            let taken_before = queue.taken_by_kernel();
            let (bytes, duration, since) = (first.chunk.bytes.len(), first.duration, first.since);
            queue.in_flight = Some(InFlight { bytes, duration, since, taken_before });
        }
        Some(item)
    }

    /// The chunk that [`OutboxReceiver::next`] gave has left, or has been given up.
    pub(crate) fn chunk_gone(&mut self) {
        let mut queue = self.0.lock();
        if let Some(InFlight { bytes, duration, since, .. }) = queue.in_flight.take() {
            if let (Some(from), Some(send_queue)) = (queue.could_leave(Some(since)), &queue.send_queue) {
                let end = send_queue.taken();
                queue.taken.push_back((end, from));
            }
            queue.release(bytes, duration);
        }
    }
}

impl Drop for OutboxReceiver {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        *queue = Queue { closed: true, ..Queue::default() };
    }
}
