//! When chunks are cut: evenly, because receivers fail on chunks that come close together (ARCHITECTURE.md, "Spacing").

use std::time::{Duration, Instant};

use crate::meeting::spacing::gap_after;

/// The beat at which chunks are cut.
#[derive(Debug)]
pub struct Beat {
    period: Duration,
    next: Instant,
    /// Before this time nothing is cut, whatever the beat says.
    earliest: Instant,
}

impl Beat {
    /// A beat that begins now.
    pub fn new(period: Duration, now: Instant) -> Self {
        Self { period, next: now + period, earliest: now }
    }

    /// Changes the period.
    pub fn set_period(&mut self, period: Duration, now: Instant) {
        if period == self.period {
            return;
        }
        *self = Self { earliest: self.earliest, ..Self::new(period, now) };
    }

    /// When the next chunk is to be cut.
    pub fn due(&self) -> Instant {
        self.next.max(self.earliest)
    }

    /// The next chunk is not to wait for the beat.
    pub fn hasten(&mut self, now: Instant) {
        self.next = now;
    }

    /// Nothing is to be cut before `until`.
    pub fn hold(&mut self, until: Instant) {
        self.earliest = self.earliest.max(until);
    }

    /// A cut was made; `chunk` tells what came of it.
    pub fn cut(&mut self, now: Instant, chunk: Cut) {
        let gap = match chunk {
            Cut::PutOff(until) => return self.hold(until),
            Cut::Nothing => Duration::ZERO,
            Cut::Chunk => gap_after(false),
            Cut::InitSegment => gap_after(true),
        };
        self.earliest = self.earliest.max(now + gap);
        self.next += self.period;
        if self.next <= now || chunk == Cut::InitSegment {
            // A late or early cut moves the beat, and so does an init segment: its repetition then meets receivers at
            // another phase.
            self.next = now + self.period.max(gap);
        }
    }
}

/// What a cut has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// No chunk.
    Nothing,
    /// No chunk yet: it is to be tried again at this time.
    PutOff(Instant),
    /// A chunk.
    Chunk,
    /// A chunk with an init segment.
    InitSegment,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn chunks_keep_to_the_beat_however_late_a_timer_fires() {
        let start = Instant::now();
        let mut beat = Beat::new(PERIOD, start);
        for (fires, next) in [(103, 200), (200, 300), (341, 400), (410, 500)] {
            assert!(beat.due() <= after(start, fires));
            beat.cut(after(start, fires), Cut::Chunk);
            assert_eq!(beat.due(), after(start, next));
        }
    }

    #[test]
    fn two_chunks_are_never_close_together() {
        let start = Instant::now();
        let mut beat = Beat::new(PERIOD, start);
        beat.cut(after(start, 170), Cut::Chunk);
        assert_eq!(beat.due(), after(start, 220), "50 ms after a late one");
        beat.hasten(after(start, 180));
        assert_eq!(beat.due(), after(start, 220), "also for one that is in a hurry");
    }

    #[test]
    fn an_init_segment_has_a_gap_behind_it_and_moves_the_beat() {
        let start = Instant::now();
        let mut beat = Beat::new(PERIOD, start);
        beat.cut(after(start, 100), Cut::InitSegment);
        assert_eq!(beat.due(), after(start, 220));
        beat.hasten(after(start, 110));
        assert_eq!(beat.due(), after(start, 220));
        beat.cut(after(start, 220), Cut::Chunk);
        assert_eq!(beat.due(), after(start, 320));
    }

    #[test]
    fn a_cut_that_was_put_off_a_little_does_not_move_the_beat() {
        let start = Instant::now();
        let mut beat = Beat::new(PERIOD, start);
        beat.cut(after(start, 100), Cut::PutOff(after(start, 130)));
        assert_eq!(beat.due(), after(start, 130));
        beat.cut(after(start, 130), Cut::Chunk);
        assert_eq!(beat.due(), after(start, 200));
    }

    #[test]
    fn what_is_held_waits_and_then_goes_at_once() {
        let start = Instant::now();
        let mut beat = Beat::new(PERIOD, start);
        beat.hold(after(start, 250));
        assert_eq!(beat.due(), after(start, 250));
        beat.cut(after(start, 250), Cut::Nothing);
        assert_eq!(beat.due(), after(start, 350));
    }
}
