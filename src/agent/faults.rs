//! What goes wrong: logged once until it is over, and kept for whoever asks later.

use std::collections::VecDeque;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::control::DeviceFault;

/// How many are kept; those that go on are kept beyond that.
const KEPT: usize = 10;

/// A part of the agent that fails and recovers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Camera,
    Mic,
    Meeting,
    /// A STUN or TURN server, counted through all URLs of the configuration, and then through those that a media server
    /// names.
    IceServer(usize),
    /// What is kept over a restart.
    ChoiceFile,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Camera => "camera",
            Self::Mic => "mic",
            Self::Meeting => "meeting",
            Self::IceServer(_) => "ice-server",
            Self::ChoiceFile => "choice-file",
        })
    }
}

#[derive(Debug)]
struct Fault {
    part: Part,
    message: String,
    /// Seconds since 1970.
    at: u64,
    /// Whether the part has not worked since.
    ongoing: bool,
}

/// The last faults, the newest first. Of each part at most one is ongoing, and it is the newest of that part.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    /// Something went wrong. Says whether that is news: a part that is tried again and again says the same each
    /// time.
    pub(super) fn report(&mut self, part: Part, message: &str) -> bool {
        if self.0.iter().any(|fault| fault.ongoing && fault.part == part && fault.message == message) {
            return false;
        }
        self.clear(part);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.0.push_front(Fault { part, message: message.to_owned(), at, ongoing: true });
        if self.0.len() > KEPT
            && let Some(oldest) = self.0.iter().rposition(|fault| !fault.ongoing)
        {
            self.0.remove(oldest);
        }
        true
    }

    /// The part works.
    pub(super) fn clear(&mut self, part: Part) {
        for fault in self.0.iter_mut().filter(|fault| fault.part == part) {
            fault.ongoing = false;
        }
    }

    /// STUN and TURN servers, from this one on, are not asked any more.
    pub(super) fn clear_ice_servers(&mut self, from: usize) {
        for fault in &mut self.0 {
            if matches!(fault.part, Part::IceServer(server) if server >= from) {
                fault.ongoing = false;
            }
        }
    }

    /// The last ones, the newest first. `fails` says of a part whether it fails at this moment: nobody reports that a
    /// device works which is not wanted any more.
    pub(super) fn history(&self, fails: impl Fn(Part) -> bool) -> Vec<DeviceFault> {
        self.0
            .iter()
            .map(|Fault { part, message, at, ongoing }| DeviceFault {
                part: part.to_string(),
                message: message.clone(),
                at: *at,
                ongoing: *ongoing && fails(*part),
            })
            .collect()
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

        let history = faults.history(|_| true);
        let parts: Vec<_> = history.iter().map(|fault| (fault.part.as_str(), fault.ongoing)).collect();
        assert_eq!(parts, [("camera", true), ("camera", false), ("mic", true), ("camera", false)]);
        let history = faults.history(|part| part != Part::Mic);
        assert!(!history[2].ongoing, "the microphone was muted meanwhile");
    }

    #[test]
    fn servers_that_are_not_asked_any_more_do_not_fail() {
        let mut faults = Faults::default();
        (0..3).for_each(|server| {
            faults.report(Part::IceServer(server), "silent");
        });
        faults.clear_ice_servers(1);
        let ongoing: Vec<_> = faults.history(|_| true).iter().map(|fault| fault.ongoing).collect();
        assert_eq!(ongoing, [false, false, true], "the newest first");
    }

    #[test]
    fn only_the_last_ten_are_kept_and_those_that_go_on() {
        let mut faults = Faults::default();
        faults.report(Part::Meeting, "the meeting is over");
        for count in 0..20 {
            faults.report(Part::Camera, &count.to_string());
        }
        let messages: Vec<_> = faults.history(|_| true).into_iter().map(|fault| fault.message).collect();
        assert_eq!(messages.first().map(String::as_str), Some("19"));
        assert_eq!(messages.last().map(String::as_str), Some("the meeting is over"));
        assert_eq!(messages.len(), 10);
    }
}
