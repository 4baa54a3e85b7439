//! What the two tracks carry: the camera or black, the microphone or silence. Pure: time comes in as an argument.
//!
//! Pages take a track that stops for a frozen picture or a voice to be concealed, and nothing tells them otherwise, so
//! neither stops while there is a meeting.

use std::time::Duration;

use bytes::Bytes;

use crate::media::{CaptureTime, Frame, Track};
use crate::stream::SILENT_OPUS_PACKET;

/// What an Opus packet holds.
const PACKET: Duration = Duration::from_millis(20);
/// Filler is dated back by more than what encoders take, so that what a device captured first is never older than it.
const FILLER_AGE: Duration = Duration::from_millis(80);
/// Silence that is later than this is left out: the loop was held up.
const MAX_BACKLOG: Duration = Duration::from_millis(200);
/// Black is sent so often in its first second, and later so often: each is a key frame, so one that arrives is enough.
const BLACK_AT_FIRST: Duration = Duration::from_millis(100);
const BLACK_LATER: Duration = Duration::from_secs(1);
/// How long "at first" is.
const FIRST: Duration = Duration::from_secs(1);
/// The least that two frames of a track are apart.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Default)]
enum Video {
    /// Nothing yet.
    Nothing,
    #[default]
    Camera,
    Black {
        picture: Bytes,
        since: CaptureTime,
        due: CaptureTime,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Audio {
    #[default]
    Microphone,
    Silence {
        due: CaptureTime,
    },
}

/// The two tracks; at first they carry the devices.
#[derive(Debug, Default)]
pub struct Tracks {
    video: Video,
    audio: Audio,
    last_video: Option<CaptureTime>,
    last_audio: Option<CaptureTime>,
}

impl Tracks {
    /// The camera, from its next frame on.
    pub fn show_camera(&mut self) {
        self.video = Video::Camera;
    }

    /// `picture`, a key frame, from now on; without it nothing, until there is one.
    pub fn show_black(&mut self, picture: Option<Bytes>, now: CaptureTime) {
        self.video = match picture {
            Some(picture) => Video::Black { picture, since: now, due: now },
            None => Video::Nothing,
        };
    }

    /// The microphone, from its next packet on.
    pub fn hear_microphone(&mut self) {
        self.audio = Audio::Microphone;
    }

    /// Silence, from now on.
    pub fn hear_silence(&mut self, now: CaptureTime) {
        if self.audio == Audio::Microphone {
            self.audio = Audio::Silence { due: now };
        }
    }

    /// Whether the video track shows black.
    pub fn is_black(&self) -> bool {
        matches!(self.video, Video::Black { .. })
    }

    /// Somebody has no picture: black is due at once.
    pub fn hasten(&mut self, now: CaptureTime) {
        if let Video::Black { due, .. } = &mut self.video {
            *due = now.min(*due);
        }
    }

    /// What a device captured, if its track carries it.
    pub fn carry(&mut self, frame: Frame) -> Option<Frame> {
        let carried = match frame.track {
            Track::Video => matches!(self.video, Video::Camera),
            Track::Audio => self.audio == Audio::Microphone,
        };
        carried.then(|| self.in_order(frame))
    }

    /// When [`Tracks::filler`] has something.
    pub fn due(&self) -> Option<CaptureTime> {
        let video = match self.video {
            Video::Black { due, .. } => Some(due),
            Video::Nothing | Video::Camera => None,
        };
        let audio = match self.audio {
            Audio::Silence { due } => Some(due),
            Audio::Microphone => None,
        };
        [video, audio].into_iter().flatten().min()
    }

    /// The filler that is due at `now`; to be asked until there is none.
    pub fn filler(&mut self, now: CaptureTime) -> Option<Frame> {
        let captured = now.before(FILLER_AGE);
        if let Audio::Silence { due } = &mut self.audio
            && now >= *due
        {
            if now.since(*due) > MAX_BACKLOG {
                *due = now;
            }
            *due = due.after(PACKET);
            let captured =
                self.last_audio.map_or(captured, |last| match captured.since(last) > MAX_BACKLOG {
                    true => captured,
                    false => last.after(PACKET),
                });
            return Some(self.in_order(Frame {
                track: Track::Audio,
                captured,
                key: true,
                droppable: false,
                data: SILENT_OPUS_PACKET,
            }));
        }
        if let Video::Black { picture, since, due } = &mut self.video
            && now >= *due
        {
            let interval = if now.since(*since) < FIRST { BLACK_AT_FIRST } else { BLACK_LATER };
            *due = now.after(interval);
            let data = picture.clone();
            return Some(self.in_order(Frame {
                track: Track::Video,
                captured,
                key: true,
                droppable: false,
                data,
            }));
        }
        None
    }

    /// The frame, not captured before the one that was sent last.
    fn in_order(&mut self, frame: Frame) -> Frame {
        let last = match frame.track {
            Track::Video => &mut self.last_video,
            Track::Audio => &mut self.last_audio,
        };
        let captured = last.map_or(frame.captured, |last| frame.captured.max(last.after(TICK)));
        *last = Some(captured);
        Frame { captured, ..frame }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> CaptureTime {
        CaptureTime::from_millis(millis)
    }

    fn frame(track: Track, millis: u64) -> Frame {
        Frame {
            track,
            captured: at(millis),
            key: false,
            droppable: false,
            data: Bytes::from_static(b"captured"),
        }
    }

    fn fill(tracks: &mut Tracks, from: u64, to: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        for millis in from..to {
            while let Some(frame) = tracks.filler(at(millis)) {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn a_track_that_shows_filler_carries_nothing_captured() {
        let mut tracks = Tracks::default();
        assert!(tracks.carry(frame(Track::Video, 10)).is_some());
        assert!(tracks.carry(frame(Track::Audio, 10)).is_some());
        tracks.show_black(Some(Bytes::from_static(b"black")), at(20));
        tracks.hear_silence(at(20));
        assert!(tracks.carry(frame(Track::Video, 10)).is_none());
        assert!(tracks.carry(frame(Track::Audio, 30)).is_none());
        assert!(fill(&mut tracks, 20, 2000).iter().all(|frame| frame.data != b"captured"[..]));
        tracks.show_black(None, at(2000));
        assert!(tracks.carry(frame(Track::Video, 2010)).is_none(), "also while black is being made");
    }

    #[test]
    fn black_is_frequent_at_first_and_comes_at_once_when_somebody_needs_it() {
        let mut tracks = Tracks::default();
        tracks.show_black(Some(Bytes::from_static(b"black")), at(1000));
        assert_eq!(tracks.due(), Some(at(1000)));
        assert_eq!(fill(&mut tracks, 1000, 2000).len(), 10);
        assert_eq!(fill(&mut tracks, 2000, 6500).len(), 5);
        assert!(tracks.due().is_some_and(|due| due > at(6500)));
        tracks.hasten(at(7000));
        assert_eq!(tracks.due(), Some(at(7000)));
        let black = fill(&mut tracks, 7000, 7001);
        assert!(black.len() == 1 && black[0].key);
        tracks.show_camera();
        assert_eq!(tracks.due(), None);
    }

    #[test]
    fn silence_follows_the_microphone_without_a_gap_and_lets_it_go_on() {
        let mut tracks = Tracks::default();
        for millis in (100..1000).step_by(20) {
            tracks.carry(frame(Track::Audio, millis));
        }
        // The packet of 980 ms came at 1020 ms.
        tracks.hear_silence(at(1030));
        let silence = fill(&mut tracks, 1030, 2030);
        let times: Vec<u64> = silence.iter().map(|frame| frame.captured.as_millis()).collect();
        assert_eq!(times, (1000..2000).step_by(20).collect::<Vec<u64>>());
        tracks.hear_microphone();
        let first = tracks.carry(frame(Track::Audio, 2000)).unwrap();
        assert_eq!(first.captured, at(2000));
    }

    #[test]
    fn a_loop_that_was_held_up_does_not_make_up_for_it() {
        let mut tracks = Tracks::default();
        tracks.hear_silence(at(0));
        fill(&mut tracks, 0, 100);
        assert!(fill(&mut tracks, 10_000, 10_001).len() <= 2);
    }

    #[test]
    fn time_never_goes_back() {
        let mut tracks = Tracks::default();
        tracks.show_black(Some(Bytes::from_static(b"black")), at(1000));
        let black = fill(&mut tracks, 1000, 1901);
        tracks.show_camera();
        let first = tracks.carry(frame(Track::Video, 700)).unwrap();
        assert!(first.captured > black.last().unwrap().captured);
        assert!(tracks.carry(frame(Track::Video, 700)).unwrap().captured > first.captured);
    }
}
