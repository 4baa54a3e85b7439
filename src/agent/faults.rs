//! What goes wrong: logged once until it is over, and kept for whoever asks later.

use std::collections::VecDeque;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::control::DeviceFault;

/// How many are kept.
const KEPT: usize = 10;

/// A part of the agent that fails and recovers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Camera,
    Mic,
    Meeting,
    /// What is kept over a restart.
    Memory,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Camera => "camera",
            Self::Mic => "mic",
            Self::Meeting => "meeting",
            Self::Memory => "memory",
        })
    }
}

/// The last faults.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// What was said of each part since it last worked.
    standing: Vec<(Part, String)>,
    /// The newest first.
    history: VecDeque<DeviceFault>,
}

impl Faults {
    /// Something went wrong. Says whether that is news: a part that is tried again and again says the same each
    /// time.
    pub(super) fn report(&mut self, part: Part, message: &str) -> bool {
        if self.standing.iter().any(|(of, said)| *of == part && said == message) {
            return false;
        }
        self.standing.retain(|(of, _)| *of != part);
        self.standing.push((part, message.to_owned()));
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.history.push_front(DeviceFault { part: part.to_string(), message: message.to_owned(), at });
        self.history.truncate(KEPT);
        true
    }

    /// The part works.
    pub(super) fn clear(&mut self, part: Part) {
        self.standing.retain(|(of, _)| *of != part);
    }

    /// The last ones, the newest first.
    pub(super) fn history(&self) -> Vec<DeviceFault> {
        self.history.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_is_news_once_until_the_part_has_worked() {
        let mut faults = Faults::default();
        assert!(faults.report(Part::Camera, "unplugged"));
        assert!(!faults.report(Part::Camera, "unplugged"));
        assert!(faults.report(Part::Mic, "unplugged"));
        assert!(faults.report(Part::Camera, "busy"));
        faults.clear(Part::Camera);
        assert!(faults.report(Part::Camera, "busy"));

        let parts: Vec<_> = faults.history().into_iter().map(|fault| fault.part).collect();
        assert_eq!(parts, ["camera", "camera", "mic", "camera"]);
    }

    #[test]
    fn only_the_last_ten_are_kept() {
        let mut faults = Faults::default();
        for count in 0..20 {
            faults.report(Part::Meeting, &count.to_string());
        }
        let messages: Vec<_> = faults.history().into_iter().map(|fault| fault.message).collect();
        assert_eq!(messages.first().map(String::as_str), Some("19"));
        assert_eq!(messages.len(), 10);
    }
}
