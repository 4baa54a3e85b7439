//! Where a frame stands on the timeline that viewers see: law 2 in one type.
//!
//! A receiver plays the intersection of its tracks and stops at a hole in either; 20 ms pass unseen, 45 ms
//! freeze it for seconds (playback.md, the table). So one shift, the same for both tracks, maps capture time
//! to media time; what was skipped is closed up by moving the shift; and what a device leaves open is filled.

use std::time::Duration;

use super::AUDIO_FRAME_MS;
use crate::media::{CaptureTime, MediaTime, TrackEnds};

/// The longest hole that receivers pass over, in milliseconds (playback.md: 20 ms nothing, 45 ms a freeze).
const TOLERATED_HOLE_MS: u64 = 20;
/// An audio packet that would begin further inside its predecessor than this is too late, in milliseconds.
const TOLERATED_OVERLAP_MS: u64 = AUDIO_FRAME_MS / 2;

/// The timeline of a stream: what has been placed so far, and where capture time maps to.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Milliseconds between two pictures at the nominal frame rate.
    frame_ms: u64,
    /// Media time minus capture time, in milliseconds.
    shift_ms: i64,
    /// Start of the last picture placed; `None` while the next one must go to the end of the track.
    last_picture: Option<MediaTime>,
    ends: TrackEnds,
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
        Self { frame_ms: frame_ms(fps), shift_ms: 0, last_picture: None, ends: TrackEnds::default() }
    }

    /// Changes the nominal frame rate from here on.
    pub fn set_fps(&mut self, fps: u8) {
        self.frame_ms = frame_ms(fps);
    }

    /// Goes back to zero, for receivers that begin anew.
    pub fn restart(&mut self) {
        *self = Self { frame_ms: self.frame_ms, ..Self::new(1) };
    }

    /// Closes up whatever was skipped: what is captured at `at` comes next, on every track.
    pub fn close_up(&mut self, at: CaptureTime) {
        self.shift_ms = self.end().as_millis() as i64 - at.as_millis() as i64;
    }

    /// Moves what comes next further on, so that there is room for so much filler before it.
    pub fn leave_room(&mut self, room: Duration) {
        self.shift_ms += room.as_millis() as i64;
    }

    /// How far each track has come.
    pub fn ends(&self) -> TrackEnds {
        self.ends
    }

    /// Takes back what was placed after the tracks had come so far.
    pub fn rewind(&mut self, ends: TrackEnds) {
        self.last_picture = None;
        self.ends = ends;
    }

    /// Where the track that reaches further ends.
    pub fn end(&self) -> MediaTime {
        self.ends.video.max(self.ends.audio)
    }

    /// Places a picture by its capture time. Pictures are never reordered nor dropped here, for the next one
    /// is predicted from them: one that comes too late is squeezed in behind its predecessor.
    pub fn place_picture(&mut self, captured: CaptureTime) -> Placement {
        let Some(mut last) = self.last_picture else {
            return Placement { fill: Vec::new(), at: self.place_picture_at_end() };
        };
        let natural = self.map(captured);
        let mut fill = Vec::new();
        while natural.as_millis() > last.as_millis() + self.frame_ms + TOLERATED_HOLE_MS {
            last = MediaTime::from_millis(last.as_millis() + self.frame_ms);
            fill.push(last);
        }
        let at = self.take_picture(natural.max(MediaTime::from_millis(last.as_millis() + 1)));
        Placement { fill, at }
    }

    /// Places a picture exactly where the video track ends: the key frame after a skip or of a new epoch.
    pub fn place_picture_at_end(&mut self) -> MediaTime {
        self.take_picture(self.ends.video)
    }

    /// Places an audio packet, or returns `None` for one whose time is already taken.
    pub fn place_audio(&mut self, captured: CaptureTime) -> Option<Placement> {
        let natural = self.map(captured);
        if natural.as_millis() + TOLERATED_OVERLAP_MS < self.ends.audio.as_millis() {
            return None;
        }
        let mut fill = Vec::new();
        while natural.as_millis() > self.ends.audio.as_millis() + TOLERATED_HOLE_MS {
            fill.push(self.take_audio(self.ends.audio));
        }
        let at = self.take_audio(natural.max(self.ends.audio));
        Some(Placement { fill, at })
    }

    /// Places of the pictures that must repeat the last one for the video track to reach `until`.
    pub fn fill_video(&mut self, until: CaptureTime) -> Vec<MediaTime> {
        let until = self.map(until).as_millis();
        let mut fill = Vec::new();
        while let Some(last) = self.last_picture {
            let next = last.as_millis() + self.frame_ms;
            if next > until {
                break;
            }
            fill.push(self.take_picture(MediaTime::from_millis(next)));
        }
        fill
    }

    /// Places of the silent packets that must follow for the audio track to reach `until`.
    pub fn fill_audio(&mut self, until: CaptureTime) -> Vec<MediaTime> {
        let until = self.map(until).as_millis();
        let mut fill = Vec::new();
        while self.ends.audio.as_millis() + AUDIO_FRAME_MS <= until {
            fill.push(self.take_audio(self.ends.audio));
        }
        fill
    }

    fn take_audio(&mut self, at: MediaTime) -> MediaTime {
        self.ends.audio = MediaTime::from_millis(at.as_millis() + AUDIO_FRAME_MS);
        at
    }

    fn take_picture(&mut self, at: MediaTime) -> MediaTime {
        self.last_picture = Some(at);
        self.ends.video = MediaTime::from_millis(at.as_millis() + self.frame_ms);
        at
    }

    fn map(&self, captured: CaptureTime) -> MediaTime {
        let millis = captured.as_millis() as i64 + self.shift_ms;
        MediaTime::from_millis(millis.max(0) as u64)
    }
}

fn frame_ms(fps: u8) -> u64 {
    (1000 / u64::from(fps.max(1))).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(millis: u64) -> CaptureTime {
        CaptureTime::from_millis(millis)
    }

    fn millis(places: &[MediaTime]) -> Vec<u64> {
        places.iter().map(|place| place.as_millis()).collect()
    }

    #[test]
    fn a_skip_is_closed_up_on_both_tracks() {
        let mut timeline = Timeline::new(25);
        timeline.close_up(captured(1000));
        assert_eq!(timeline.place_picture(captured(1000)).at, MediaTime::ZERO);
        assert_eq!(timeline.place_audio(captured(1000)).unwrap().at, MediaTime::ZERO);
        assert_eq!(timeline.place_audio(captured(1020)).unwrap().at, MediaTime::from_millis(20));

        timeline.close_up(captured(9000));

        assert_eq!(timeline.place_picture_at_end(), MediaTime::from_millis(40));
        assert_eq!(timeline.place_audio(captured(9000)).unwrap().at, MediaTime::from_millis(40));
    }

    #[test]
    fn a_camera_that_stalls_is_filled_with_repeats() {
        let mut timeline = Timeline::new(25);
        timeline.place_picture(captured(0));

        let placed = timeline.place_picture(captured(170));

        assert_eq!(millis(&placed.fill), [40, 80, 120]);
        assert_eq!(placed.at, MediaTime::from_millis(170));
    }

    #[test]
    fn a_picture_from_the_past_is_squeezed_in_rather_than_lost() {
        let mut timeline = Timeline::new(25);
        timeline.place_picture(captured(0));
        assert_eq!(timeline.place_picture(captured(30)).at, MediaTime::from_millis(30));
        assert_eq!(timeline.place_picture(captured(20)).at, MediaTime::from_millis(31));
    }

    #[test]
    fn audio_jitter_within_half_a_packet_leaves_neither_hole_nor_overlap() {
        let mut timeline = Timeline::new(25);
        timeline.place_audio(captured(0));
        assert_eq!(timeline.place_audio(captured(12)).unwrap().at, MediaTime::from_millis(20));
        assert_eq!(timeline.place_audio(captured(25)), None);
        let placed = timeline.place_audio(captured(95)).unwrap();
        assert_eq!(millis(&placed.fill), [40, 60]);
        assert_eq!(placed.at, MediaTime::from_millis(95));
    }
}
