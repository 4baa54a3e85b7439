//! When those who came late are served, and how often (playback.md, rule 6).

use std::time::{Duration, Instant};

/// Late joiners are served at most this often (playback.md, rule 6).
pub const LATE_JOIN_INTERVAL: Duration = Duration::from_secs(1);
/// When a replay lacked a key frame that is far enough back, it is tried again after this time: a key frame
/// forced now is then old enough (0.4 s of media, playback.md).
pub const REPLAY_RETRY: Duration = Duration::from_millis(500);

/// Those who wait for a first picture.
#[derive(Debug, Default)]
pub(super) struct LateJoiners {
    /// When they are to be served.
    due: Option<Instant>,
    /// A replay is to be followed by another one, for whom the first came too early.
    again: bool,
    last: Option<Instant>,
}

impl LateJoiners {
    /// Somebody came.
    pub(super) fn add(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + LATE_JOIN_INTERVAL);
        self.due.get_or_insert(earliest.max(now));
        self.again = true;
    }

    /// The replay just asked for could not be made.
    pub(super) fn nothing_to_replay(&mut self, now: Instant) {
        let due = self.due.get_or_insert(now + REPLAY_RETRY);
        *due = (*due).min(now + REPLAY_RETRY);
        self.again = true;
    }

    /// Nobody waits: nothing flows that they could see.
    pub(super) fn send_away(&mut self) {
        self.due = None;
    }

    /// When they are to be served, if somebody waits.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether they are to be served now; they count as served then.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.due = None;
        self.last = Some(now);
        true
    }

    /// They were served by a replay. A cluster that was on its way when the viewer joined kills its MediaSource,
    /// and a replay close behind dies with it in the viewer's queue. Those who watch do not notice the second one.
    pub(super) fn replay_again(&mut self, now: Instant) {
        if std::mem::take(&mut self.again) {
            self.due = Some(now + LATE_JOIN_INTERVAL);
        }
    }
}
