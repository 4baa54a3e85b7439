//! Where a frame stands on the timeline that viewers see: law 2 in one type.
//!
//! A receiver plays the intersection of its tracks and stops at a hole in either (docs/receivers.md §2.2). So one
//! shift, the same for both tracks, maps capture time to media time; what was skipped is closed up by moving the shift;
//! and what a device leaves open is filled.
//!
//! The timeline is sent in chunks, and each has an end that no block crosses (docs/receivers.md §6.2): the last
//! block of a track is shortened to it, and nothing is placed before it any more. `cut` finds these ends.

use std::time::Duration;

use super::cut::{Starts, latest_cut, shortest_last};
use crate::media::{CaptureTime, MediaTime, Track, VideoFormat};

/// Duration of one Opus packet, in milliseconds.
pub const AUDIO_FRAME_MS: u64 = 20;
/// The longest hole that is left open, in milliseconds (docs/receivers.md §3: 20 ms nothing, 45 ms a freeze).
const TOLERATED_HOLE_MS: u64 = 20;
/// An audio packet that would begin further inside its predecessor than this is too late, in milliseconds.
const TOLERATED_OVERLAP_MS: u64 = AUDIO_FRAME_MS / 2;
/// The longest nominal duration of a picture. A camera that is slower is filled with repeats, for a chunk cannot end
/// within two thirds of a picture's duration.
const LONGEST_PICTURE_MS: u64 = 100;

/// The timeline of a stream: what has been placed so far, and where capture time maps to.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Counts the timelines of a run of the daemon: media times of different ones have nothing to do with each other.
    generation: u32,
    /// Milliseconds between two pictures at the nominal frame rate, rounded down.
    picture_ms: u64,
    /// Media time minus capture time, in milliseconds.
    shift_ms: i64,
    /// Where the last chunk ends.
    cut: MediaTime,
    /// What is placed.
    placed: Tails,
    /// What is placed and in a chunk.
    sent: Tails,
}

/// How far both tracks have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tails {
    video: Tail,
    audio: Tail,
}

/// How far a track has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tail {
    /// Start of the last block; `None` while the next one must go exactly to `end`.
    last: Option<MediaTime>,
    /// Where the last block ends if nothing shortens it.
    end: MediaTime,
    /// The latest place of the next block. Browsers take a step of more than twice the last block's duration for a
    /// discontinuity.
    latest_next: MediaTime,
}

/// Where a frame goes, and the filler that must come before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Places of the filler.
    pub fill: Vec<MediaTime>,
    /// Place of the frame itself.
    pub at: MediaTime,
}

impl Timeline {
    /// A timeline that starts at zero, for pictures at `fps` frames per second.
    pub fn new(fps: u8) -> Self {
        Self {
            generation: 0,
            picture_ms: picture_ms(fps),
            shift_ms: 0,
            cut: MediaTime::ZERO,
            placed: Tails::default(),
            sent: Tails::default(),
        }
    }

    /// Changes the nominal frame rate from here on.
    pub fn set_fps(&mut self, fps: u8) {
        self.picture_ms = picture_ms(fps);
    }

    /// Goes back to zero, for receivers that begin anew.
    pub fn restart(&mut self) {
        let generation = self.generation + 1;
        *self = Self { generation, picture_ms: self.picture_ms, ..Self::new(1) };
    }

    /// Which timeline this is.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Closes up whatever was skipped: what is captured at `at` comes next, on every track.
    pub fn close_up(&mut self, at: CaptureTime) {
        self.shift_ms = self.cut.as_millis() as i64 - at.as_millis() as i64;
    }

    /// Moves what comes next further on, so that there is room for so much filler before it.
    pub fn leave_room(&mut self, room: Duration) {
        self.shift_ms += room.as_millis() as i64;
    }

    /// Where the last chunk ends.
    pub fn last_cut(&self) -> MediaTime {
        self.cut
    }

    /// Where the last block of a track that has been sent starts; `None` if it is not known.
    pub fn last_sent(&self, track: Track) -> Option<MediaTime> {
        self.sent.of(track).last
    }

    /// Where a track ends.
    pub fn end(&self, track: Track) -> MediaTime {
        self.placed.of(track).end
    }

    /// The media time of a capture time.
    pub fn map(&self, captured: CaptureTime) -> MediaTime {
        let millis = captured.as_millis() as i64 + self.shift_ms;
        MediaTime::from_millis(millis.max(0) as u64)
    }

    /// Gives the place of what was placed on a track and is in no chunk to what comes next.
    pub fn forget_unsent(&mut self, track: Track) {
        *self.placed.of_mut(track) = self.sent.of(track);
    }

    /// Gives the time after `end`, where an earlier chunk of this timeline ends, to what comes next.
    pub fn rewind(&mut self, end: MediaTime) {
        self.cut = end;
        let tail = Tail { last: None, end, latest_next: end };
        self.placed = Tails { video: tail, audio: tail };
        self.sent = self.placed;
    }

    /// Places a picture by its capture time. Pictures are never reordered nor dropped here, for the next one
    /// is predicted from them: one that comes too late is squeezed in behind its predecessor.
    pub fn place_picture(&mut self, captured: CaptureTime) -> Placement {
        let Some(last) = self.placed.video.last else {
            return Placement { fill: Vec::new(), at: self.place_picture_at_end() };
        };
        let natural = self.map(captured);
        let tolerated = TOLERATED_HOLE_MS.min(self.picture_ms - 1);
        let mut fill = Vec::new();
        while natural > plus(self.placed.video.end, tolerated) {
            fill.push(self.place_picture_at_end());
        }
        let behind = plus(self.placed.video.last.unwrap_or(last), 1);
        Placement { fill, at: self.take(Track::Video, natural.max(behind)) }
    }

    /// Places a picture exactly where the video track ends: the key frame after a skip or of a new epoch, or a repeat.
    pub fn place_picture_at_end(&mut self) -> MediaTime {
        self.take(Track::Video, self.placed.video.end)
    }

    /// Places an audio packet, or returns `None` for one whose time is already taken.
    pub fn place_audio(&mut self, captured: CaptureTime) -> Option<Placement> {
        let natural = self.map(captured);
        if plus(natural, TOLERATED_OVERLAP_MS) < self.placed.audio.end {
            return None;
        }
        let mut fill = Vec::new();
        while natural > plus(self.placed.audio.end, TOLERATED_HOLE_MS) {
            fill.push(self.take(Track::Audio, self.placed.audio.end));
        }
        let at = self.take(Track::Audio, natural.max(self.placed.audio.end));
        Some(Placement { fill, at })
    }

    /// Places of the filler that a track must have to reach `until`, where a chunk can end: each begins early enough
    /// before it. A video track without a picture has nothing to repeat.
    pub fn fill(&mut self, track: Track, until: MediaTime) -> Vec<MediaTime> {
        let mut fill = Vec::new();
        if track == Track::Video && self.placed.video.last.is_none() {
            return fill;
        }
        let shortest = shortest_last(self.duration_ms(track));
        while plus(self.placed.of(track).end, shortest) <= until {
            fill.push(self.take(track, self.placed.of(track).end));
        }
        fill
    }

    /// The latest end of a chunk of what is placed, `starts` (in order) being the places of what is in no chunk yet;
    /// `None` if it is not beyond the last. With `video` not there, only the audio track counts.
    pub fn latest_cut(&self, video: Option<&[MediaTime]>, audio: &[MediaTime]) -> Option<MediaTime> {
        let starts =
            |track, places| Starts { places, shortest_last_ms: shortest_last(self.duration_ms(track)) };
        let audio = starts(Track::Audio, audio);
        let cut = match video {
            Some(video) => {
                let limit = self.placed.video.end.min(self.placed.audio.end);
                latest_cut(limit, &[starts(Track::Video, video), audio])
            }
            None => latest_cut(self.placed.audio.end, &[audio]),
        };
        (cut > self.cut).then_some(cut)
    }

    /// A chunk ends at `cut`; `video` and `audio` are the last places in it, where it has any.
    pub fn cut(&mut self, cut: MediaTime, video: Option<MediaTime>, audio: Option<MediaTime>) {
        self.cut = cut;
        for (track, last) in [(Track::Video, video), (Track::Audio, audio)] {
            let duration_ms = self.duration_ms(track);
            let sent = self.sent.of_mut(track);
            if let Some(last) = last {
                let lasts_ms = duration_ms.min(cut.as_millis() - last.as_millis());
                *sent = Tail {
                    last: Some(last),
                    end: plus(last, duration_ms),
                    latest_next: plus(last, 2 * lasts_ms),
                };
            }
            let sent = *sent;
            let placed = self.placed.of_mut(track);
            if placed.last == sent.last {
                *placed = sent;
            }
        }
    }

    /// Nominal duration of a block, in milliseconds, rounded down.
    fn duration_ms(&self, track: Track) -> u64 {
        match track {
            Track::Video => self.picture_ms,
            Track::Audio => AUDIO_FRAME_MS,
        }
    }

    /// Places a block as near to `at` as the end of the last chunk and the block before it allow.
    fn take(&mut self, track: Track, at: MediaTime) -> MediaTime {
        let duration_ms = self.duration_ms(track);
        let cut = self.cut;
        let tail = self.placed.of_mut(track);
        let at = at.min(tail.latest_next).max(cut);
        *tail = Tail { last: Some(at), end: plus(at, duration_ms), latest_next: plus(at, 2 * duration_ms) };
        at
    }
}

impl Tails {
    fn of(&self, track: Track) -> Tail {
        match track {
            Track::Video => self.video,
            Track::Audio => self.audio,
        }
    }

    fn of_mut(&mut self, track: Track) -> &mut Tail {
        match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        }
    }
}

fn plus(at: MediaTime, millis: u64) -> MediaTime {
    MediaTime::from_millis(at.as_millis() + millis)
}

/// How long a picture lasts whose block is not shortened.
pub fn picture_duration(format: &VideoFormat) -> Duration {
    let nominal = Duration::from_secs(1) / u32::from(format.fps.max(1));
    nominal.min(Duration::from_millis(LONGEST_PICTURE_MS))
}

fn picture_ms(fps: u8) -> u64 {
    (1000 / u64::from(fps.max(1))).clamp(2, LONGEST_PICTURE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(millis: u64) -> CaptureTime {
        CaptureTime::from_millis(millis)
    }

    fn media(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn millis(places: &[MediaTime]) -> Vec<u64> {
        places.iter().map(|place| place.as_millis()).collect()
    }

    #[test]
    fn a_skip_is_closed_up_on_both_tracks() {
        let mut timeline = Timeline::new(25);
        timeline.close_up(captured(1000));
        let picture = timeline.place_picture(captured(1000)).at;
        let packets = [1000, 1020].map(|at| timeline.place_audio(captured(at)).unwrap().at);
        assert_eq!((picture, millis(&packets)), (MediaTime::ZERO, vec![0, 20]));
        let end = timeline.latest_cut(Some(&[picture]), &packets).unwrap();
        timeline.cut(end, Some(picture), Some(packets[1]));

        timeline.close_up(captured(9000));

        assert_eq!(timeline.place_picture_at_end(), media(40));
        assert_eq!(timeline.place_audio(captured(9000)).unwrap().at, media(40));
    }

    #[test]
    fn a_camera_that_stalls_is_filled_with_repeats() {
        let mut timeline = Timeline::new(25);
        timeline.place_picture(captured(0));

        let placed = timeline.place_picture(captured(170));

        assert_eq!(millis(&placed.fill), [40, 80, 120]);
        assert_eq!(placed.at, media(170));
    }

    #[test]
    fn a_picture_from_the_past_is_squeezed_in_rather_than_lost() {
        let mut timeline = Timeline::new(25);
        timeline.place_picture(captured(0));
        assert_eq!(timeline.place_picture(captured(30)).at, media(30));
        assert_eq!(timeline.place_picture(captured(20)).at, media(31));
    }

    #[test]
    fn audio_jitter_within_half_a_packet_leaves_neither_hole_nor_overlap() {
        let mut timeline = Timeline::new(25);
        timeline.place_audio(captured(0));
        assert_eq!(timeline.place_audio(captured(12)).unwrap().at, media(20));
        assert_eq!(timeline.place_audio(captured(25)), None);
        let placed = timeline.place_audio(captured(95)).unwrap();
        assert_eq!(millis(&placed.fill), [40, 60]);
        assert_eq!(placed.at, media(95));
    }

    #[test]
    fn a_step_is_at_most_twice_the_duration_of_a_shortened_block() {
        let mut timeline = Timeline::new(25);
        let picture = timeline.place_picture(captured(0)).at;
        let packets = [0, 15].map(|at| timeline.place_audio(captured(at)).unwrap().at);
        assert_eq!(millis(&packets), [0, 20]);
        let end = timeline.latest_cut(Some(&[picture]), &packets).unwrap();
        assert_eq!(end, media(40), "the picture and the second packet both end there");
        timeline.cut(media(34), Some(picture), Some(packets[1]));

        // The packet at 20 lasts 14 ms now, so the next may start at 48 at the latest.
        assert_eq!(timeline.place_audio(captured(57)).unwrap().at, media(48));
        // The picture at 0 lasts 34 ms, so the next may start at 68.
        assert_eq!(timeline.place_picture(captured(20)).at, media(34), "not before the end of the chunk");
    }

    #[test]
    fn what_is_in_no_chunk_gives_its_place_to_what_comes_next() {
        let mut timeline = Timeline::new(25);
        let first = timeline.place_picture(captured(0)).at;
        timeline.cut(media(40), Some(first), None);
        timeline.place_picture(captured(40));
        timeline.place_picture(captured(80));

        timeline.forget_unsent(Track::Video);

        assert_eq!(timeline.place_picture_at_end(), media(40));
    }
}
