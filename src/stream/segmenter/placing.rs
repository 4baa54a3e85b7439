//! Gives what has arrived its place on the timeline, and fills what the devices leave open.

use std::time::Duration;

use super::{AudioFeed, Flow, Segmenter, VideoFeed};
use crate::media::{CaptureTime, Frame, MediaTime, Track};
use crate::stream::timeline::{AUDIO_FRAME_MS, Placement};
use crate::stream::webm::SILENT_OPUS_PACKET;

/// How far behind the clock filler ends where no device sets the pace.
const FILLER_LAG: Duration = Duration::from_millis(100);
/// What was heard before the start of a stream and is sent all the same: a viewer is live from the start.
const HEARD_BEFORE_START: Duration = Duration::from_millis(150);
/// How long a picture is waited for at most where some are left out on purpose: what a camera and its encoder take.
const GAP_PATIENCE: Duration = Duration::from_millis(120);
/// How long the voice waits for a camera that delivers nothing after an interruption.
const PICTURE_PATIENCE: Duration = Duration::from_millis(400);

impl Segmenter {
    /// Ends an interruption, if media can flow again.
    pub(super) fn start(&mut self, now: CaptureTime) -> Option<()> {
        let Flow::Interrupted { since, lead_in } = self.flow else { return Some(()) };
        let since = since.unwrap_or(now);
        self.flow = Flow::Interrupted { since: Some(since), lead_in };
        let first =
            |track| self.waiting.iter().find(|frame| frame.track == track).map(|frame| frame.captured);
        let recent =
            |frame: &&Frame| frame.track == Track::Audio && frame.captured >= now.before(HEARD_BEFORE_START);
        let packet = self.waiting.iter().find(recent).map(|frame| frame.captured);
        let mut stand_in = None;
        let start = match &self.video {
            VideoFeed::Absent => packet?,
            VideoFeed::Black { .. } => packet.unwrap_or(now.before(FILLER_LAG)),
            VideoFeed::Camera(camera) => match first(Track::Video) {
                Some(picture) => picture,
                None if now.since(since) < PICTURE_PATIENCE && !self.gaps_expected => return None,
                None => {
                    stand_in = Some(camera.stand_in(self.epoch_due, self.writer.repeat())?);
                    packet?
                }
            },
        };
        let unheard = |frame: &mut Frame| frame.track == Track::Audio && ends_before(frame, start);
        self.counters.skipped += self.waiting.extract_if(.., unheard).count() as u64;
        self.timeline.close_up(start);
        // What is captured has its place behind; what is before it gets filled like any other gap.
        self.timeline.leave_room(lead_in);
        if let Some((data, key)) = stand_in {
            self.unsent.filler(Track::Video, self.timeline.place_picture_at_end(), key, data);
        }
        self.flow = Flow::Running;
        Some(())
    }

    pub(super) fn place_pictures(&mut self) {
        for frame in extract(&mut self.waiting, Track::Video) {
            let placed = match &mut self.video {
                VideoFeed::Camera(camera) => {
                    if frame.key {
                        camera.last_key = Some(frame.data.clone());
                    }
                    if std::mem::take(&mut camera.awaiting_key) {
                        // What waits gives it its place, so that an epoch can begin with it.
                        self.counters.skipped += self.unsent.forget(Track::Video, &mut self.timeline);
                        Placement { fill: Vec::new(), at: self.timeline.place_picture_at_end() }
                    } else {
                        self.timeline.place_picture(frame.captured)
                    }
                }
                VideoFeed::Absent | VideoFeed::Black { .. } => continue,
            };
            for at in placed.fill {
                self.unsent.filler(Track::Video, at, false, self.writer.repeat().clone());
            }
            self.unsent.captured(placed.at, frame);
        }
    }

    pub(super) fn place_packets(&mut self) {
        for frame in extract(&mut self.waiting, Track::Audio) {
            let Some(placed) = self.timeline.place_audio(frame.captured) else {
                self.counters.late += 1;
                continue;
            };
            for at in placed.fill {
                self.unsent.filler(Track::Audio, at, true, SILENT_OPUS_PACKET);
            }
            self.unsent.captured(placed.at, frame);
        }
    }

    pub(super) fn fill_video(&mut self, now: CaptureTime) {
        let mut key_frame = None;
        let stalls = match &mut self.video {
            VideoFeed::Absent => return,
            VideoFeed::Black { key_frame: black, shown } => {
                let first = !std::mem::replace(shown, true);
                // Behind a replay a decoder wants a key frame.
                if first || self.replay_request.is_some_and(|request| self.replay.reaches(request.from)) {
                    key_frame = Some(black.clone());
                }
                false
            }
            VideoFeed::Camera(camera) => !camera.awaiting_key,
        };
        if let Some(black) = key_frame {
            self.unsent.filler(Track::Video, self.timeline.place_picture_at_end(), true, black);
        }
        let until = if stalls {
            let patience = self.camera_lateness.patience();
            let patience = if self.gaps_expected { patience.min(GAP_PATIENCE) } else { patience };
            self.timeline.map(now.before(patience))
        } else {
            self.pace(Track::Audio, now)
        };
        for at in self.timeline.fill(Track::Video, until) {
            self.unsent.filler(Track::Video, at, false, self.writer.repeat().clone());
        }
    }

    pub(super) fn fill_audio(&mut self, now: CaptureTime) {
        let until = match self.audio {
            AudioFeed::Microphone => self.timeline.map(now.before(self.mic_lateness.patience())),
            AudioFeed::Silence => self.pace(Track::Video, now),
        };
        for at in self.timeline.fill(Track::Audio, until) {
            self.unsent.filler(Track::Audio, at, true, SILENT_OPUS_PACKET);
        }
    }

    /// Where the filler of one track ends when the other one sets the pace.
    fn pace(&self, other: Track, now: CaptureTime) -> MediaTime {
        self.timeline.map(now.before(FILLER_LAG)).max(self.timeline.end(other))
    }
}

fn extract(waiting: &mut Vec<Frame>, track: Track) -> Vec<Frame> {
    waiting.extract_if(.., |frame| frame.track == track).collect()
}

/// Whether an audio packet is over, or as good as over, at `start`.
fn ends_before(frame: &Frame, start: CaptureTime) -> bool {
    frame.captured.after(Duration::from_millis(AUDIO_FRAME_MS / 2)) < start
}
