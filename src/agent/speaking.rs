//! Whether somebody speaks, from how loud the microphone is. Pure.

use std::time::{Duration, Instant};

/// Louder than this is speech, in dB below full scale. A quiet room is about -60, speech across a table -30.
const SPEECH_DBFS: f64 = -40.0;
/// Quieter than this is silence. In between it stays as it was, or the mark would flicker with every syllable.
const SILENCE_DBFS: f64 = -46.0;
/// Speech is over when it has been silent for this long: longer than the pause between two words.
const PAUSE: Duration = Duration::from_millis(800);

/// Hears whether somebody speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpeechDetector {
    speaking: bool,
    /// When it was last louder than silence.
    last_loud: Option<Instant>,
}

impl SpeechDetector {
    /// Takes in the level at `now`.
    pub fn hear(&mut self, dbfs: f64, now: Instant) {
        if dbfs > SILENCE_DBFS {
            self.last_loud = Some(now);
        }
        let paused = self.last_loud.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        self.speaking = dbfs > SPEECH_DBFS || (self.speaking && !paused);
    }

    /// Whether somebody speaks.
    pub fn is_speaking(self) -> bool {
        self.speaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_begins_at_once_and_ends_after_a_pause() {
        let start = Instant::now();
        let mut detector = SpeechDetector::default();
        let mut heard = Vec::new();
        // Room noise, a word, a short pause, a word, silence; one level per 100 ms.
        let levels = [-60.0, -42.0, -30.0, -44.0, -60.0, -60.0, -25.0];
        for (tenths, dbfs) in levels.into_iter().chain([-60.0; 10]).enumerate() {
            detector.hear(dbfs, start + Duration::from_millis(100 * tenths as u64));
            heard.push(detector.is_speaking());
        }
        assert_eq!(heard.iter().position(|speaking| *speaking), Some(2));
        assert!(heard[2..14].iter().all(|speaking| *speaking), "{heard:?}");
        assert!(heard[14..].iter().all(|speaking| !speaking), "{heard:?}");
    }
}
