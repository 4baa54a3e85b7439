//! Makes a chunk of what has a place, with a replay in front of it where one is due.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{ReplayRequest, Segmenter, VideoFeed};
use crate::media::{CaptureTime, Chunk, MediaTime, Track};
use crate::stream::replay::ReplayFrom;

/// How long a replay waits for what spares those who watch a pause: a key frame behind it, for until then they cannot go on,
/// and chunks that came evenly before it, for who has run out of media takes a replay badly (docs/receivers.md §4.4).
const REPLAY_PATIENCE: Duration = Duration::from_millis(500);
/// So long have chunks come evenly before a replay.
const EVEN_FOR: Duration = Duration::from_millis(300);
/// A pause between two chunks that viewers may notice.
const UNEVEN: Duration = Duration::from_millis(200);
/// A replay that could not be made in this time is given up.
const REPLAY_EXPIRES: Duration = Duration::from_secs(2);

impl Segmenter {
    pub(super) fn make_chunk(&mut self, end: MediaTime, now: CaptureTime) -> Option<Chunk> {
        let before = self.timeline.last_cut();
        let part = self.unsent.take_until(end, &mut self.timeline, self.format.video.as_ref());
        if part.blocks.is_empty() {
            return None;
        }
        let first = |track| part.blocks.iter().find(|block| block.track == track);
        let key_first = first(Track::Video).map_or(self.format.video.is_none(), |picture| picture.key);
        let starts_epoch = (self.epoch_due || self.announced != self.format.video) && key_first;
        if starts_epoch {
            self.epoch_due = false;
            self.announced = self.format.video;
            self.epoch += 1;
            self.replay.clear();
        }
        if self.last_chunk.is_none_or(|last| now.since(last) > UNEVEN) {
            self.even_since = now;
        }
        self.last_chunk = Some(now);
        let mut bytes = BytesMut::new();
        let (mut init_len, mut repeated_len) = (0, 0);
        if starts_epoch {
            bytes.extend_from_slice(self.writer.init_segment());
            init_len = self.writer.init_segment().len();
        } else if let Some(from) = self.replay_now(now, part.key.is_some(), part.len_bound()) {
            bytes.extend_from_slice(self.writer.init_segment());
            init_len = self.writer.init_segment().len();
            self.replay.since(from).for_each(|cluster| bytes.extend_from_slice(cluster));
            repeated_len = bytes.len() - init_len;
            self.replay_request = None;
            self.counters.replays += 1;
        }
        self.writer.write(&mut bytes, &part.blocks);
        let chunk = Chunk {
            seq: self.seq,
            epoch: self.epoch,
            timeline: self.timeline.generation(),
            init_len,
            repeated_len,
            key: part.key,
            video: first(Track::Video).map(|block| block.at),
            audio: first(Track::Audio).map(|block| block.at),
            before,
            end,
            camera: part.camera,
            mic: part.mic,
            joined: 0,
            bytes: bytes.freeze(),
        };
        self.counters.sent += chunk.captured();
        self.counters.filler += part.blocks.len() as u64 - chunk.captured();
        self.seq += 1;
        self.replay.record(&chunk, matches!(self.video, VideoFeed::Absent));
        Some(chunk)
    }

    /// Where the replay that is to precede `new_bytes` of new media begins, if it is to be made now.
    fn replay_now(&self, now: CaptureTime, has_key_frame: bool, new_bytes: usize) -> Option<ReplayFrom> {
        let ReplayRequest { from, since } = self.replay_request?;
        if self.epoch_due || !self.replay.reaches(from) {
            return None;
        }
        let patient = since.is_some_and(|since| now.since(since) < REPLAY_PATIENCE);
        let key_frame_to_come = !has_key_frame && !matches!(self.video, VideoFeed::Absent);
        if patient
            && (key_frame_to_come || now.since(self.even_since) < EVEN_FOR && from != ReplayFrom::Start)
        {
            return None;
        }
        let repeated: usize = self.replay.since(from).map(Bytes::len).sum();
        (self.writer.init_segment().len() + repeated + new_bytes <= self.max_chunk_bytes).then_some(from)
    }

    pub(super) fn age_replay_request(&mut self, now: CaptureTime) {
        let Some(request) = &mut self.replay_request else { return };
        let since = *request.since.get_or_insert(now);
        if now.since(since) > REPLAY_EXPIRES {
            self.replay_request = None;
            self.counters.replays_missed += 1;
        }
    }
}
