//! Frames that have a place on the timeline and are in no chunk yet.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::block::{Block, Shortened};
use super::timeline::{AUDIO_FRAME_MS, Timeline, picture_duration};
use crate::media::{CaptureTime, Captured, Frame, MediaTime, Track, VideoFormat};

/// Bytes of a block around its frame, generously: id, sizes, header, duration, reference.
const BLOCK_OVERHEAD_BYTES: usize = 32;

/// Both tracks, each in the order of its places.
#[derive(Debug, Default)]
pub struct Unsent {
    video: VecDeque<Placed>,
    audio: VecDeque<Placed>,
}

/// A frame or filler at its place.
#[derive(Debug)]
struct Placed {
    at: MediaTime,
    key: bool,
    data: Bytes,
    /// `None` for filler.
    captured: Option<CaptureTime>,
}

/// What goes into a chunk.
#[derive(Debug, Default)]
pub struct Part {
    /// In order of time across tracks.
    pub blocks: Vec<Block>,
    /// Place of the first video key frame.
    pub key: Option<MediaTime>,
    /// What the camera has in it.
    pub camera: Option<Captured>,
    /// What the microphone has in it.
    pub mic: Option<Captured>,
}

impl Part {
    /// At most so many bytes does its cluster take.
    pub fn len_bound(&self) -> usize {
        self.blocks.iter().map(|block| block.data.len() + BLOCK_OVERHEAD_BYTES).sum::<usize>()
            + BLOCK_OVERHEAD_BYTES
    }
}

impl Unsent {
    /// Adds a captured frame behind those of its track.
    pub fn captured(&mut self, at: MediaTime, frame: Frame) {
        let Frame { track, captured, key, data, .. } = frame;
        self.of_mut(track).push_back(Placed { at, key, data, captured: Some(captured) });
    }

    /// Adds filler behind what there is of its track.
    pub fn filler(&mut self, track: Track, at: MediaTime, key: bool, data: Bytes) {
        self.of_mut(track).push_back(Placed { at, key, data, captured: None });
    }

    /// Frames and filler of both tracks.
    pub fn len(&self) -> usize {
        self.video.len() + self.audio.len()
    }

    /// Whether there is a picture at which a decoder can start.
    pub fn has_key_frame(&self) -> bool {
        self.video.iter().any(|placed| placed.key)
    }

    /// Forgets a track and gives its places to what comes next. Says how many of its frames were captured.
    pub fn forget(&mut self, track: Track, timeline: &mut Timeline) -> u64 {
        timeline.forget_unsent(track);
        self.of_mut(track).drain(..).filter(|placed| placed.captured.is_some()).count() as u64
    }

    /// The latest end of a chunk.
    pub fn latest_cut(&self, timeline: &Timeline, has_video: bool) -> Option<MediaTime> {
        let starts = |placed: &VecDeque<Placed>| placed.iter().map(|placed| placed.at).collect::<Vec<_>>();
        let video = has_video.then(|| starts(&self.video));
        timeline.latest_cut(video.as_deref(), &starts(&self.audio))
    }

    /// Takes out what belongs to a chunk that ends at `end`, which [`Unsent::latest_cut`] gave. The last block of a track
    /// that would last longer is shortened to it.
    pub fn take_until(
        &mut self,
        end: MediaTime,
        timeline: &mut Timeline,
        format: Option<&VideoFormat>,
    ) -> Part {
        let mut part = Part::default();
        let mut lasts = [None; 2];
        for (track, last) in [Track::Video, Track::Audio].into_iter().zip(&mut lasts) {
            let nominal = match track {
                Track::Video => format.map_or(Duration::ZERO, picture_duration),
                Track::Audio => Duration::from_millis(AUDIO_FRAME_MS),
            };
            let placed = self.of_mut(track);
            let count = placed.partition_point(|placed| placed.at < end);
            let mut previous = timeline.last_sent(track);
            for (left, placed) in (0..count).rev().zip(placed.drain(..count)) {
                let Placed { at, key, data, captured } = placed;
                let shortened = (left == 0).then(|| shortened(at, previous, nominal, end)).flatten();
                part.blocks.push(Block { track, at, key, data, shortened });
                if let Some(captured) = captured {
                    let sum = if track == Track::Video { &mut part.camera } else { &mut part.mic };
                    *sum = Some(Captured::and(*sum, captured));
                }
                if key && track == Track::Video {
                    part.key.get_or_insert(at);
                }
                previous = Some(at);
                *last = Some(at);
            }
        }
        timeline.cut(end, lasts[0], lasts[1]);
        // Stable: blocks of one track that share a millisecond keep their order.
        part.blocks.sort_by_key(|block| block.at);
        part
    }

    fn of_mut(&mut self, track: Track) -> &mut VecDeque<Placed> {
        match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        }
    }
}

/// The duration of a block that would last beyond `end`.
fn shortened(
    at: MediaTime,
    previous: Option<MediaTime>,
    nominal: Duration,
    end: MediaTime,
) -> Option<Shortened> {
    let duration_ms = end.as_millis() - at.as_millis();
    (nominal > Duration::from_millis(duration_ms)).then(|| Shortened {
        duration_ms,
        previous_ms: previous.map_or(0, |previous| at.as_millis().saturating_sub(previous.as_millis())),
    })
}
