//! What the receivers of a stream need beside its chunks, and when: a new timeline, a replay, filler to jump over
//! (docs/receivers.md §2.6, §5). Pure: time comes in as an argument, work goes out as values.

use std::time::{Duration, Instant};

use super::late_join::{LateJoiners, NEWCOMER_READY};
use crate::stream::{Origin, ReplayFrom};

/// After so long without media, receivers may have played all that they had.
const RUNS_DRY: Duration = Duration::from_millis(200);

/// How late joiners are served (docs/receivers.md §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateJoinStrategy {
    /// Send again what came since a key frame.
    Replay,
    /// Have everybody throw their MediaSource away, and begin at zero.
    Reset,
    /// Begin at zero, and also whenever a participant changes: clients of the first generation throw their MediaSources
    /// away then, without being asked to.
    Restart,
}

/// What is to be done for the receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Say `stream-reset` and begin a timeline at zero.
    Restart {
        /// How long nothing is sent, until the receivers are ready for it.
        hold: Duration,
    },
    /// Precede the next chunk by what was sent before, for late joiners.
    Replay(ReplayFrom),
}

/// How the flow of media begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Where its epoch begins.
    pub origin: Origin,
    /// How long nothing is sent, until the receivers are ready for it.
    pub hold: Duration,
}

/// The receivers of the stream, as the publisher sees them.
#[derive(Debug, Default)]
pub struct Audience {
    /// What the relay's clients want; `None` outside a room.
    strategy: Option<LateJoinStrategy>,
    /// When the pages of those who were in the room before us are ready for us.
    ready: Option<Instant>,
    flowing: bool,
    /// When the flow was last stopped.
    stopped: Option<Instant>,
    /// The origin of the next epoch that starts the flow.
    next_origin: Origin,
    late_joiners: LateJoiners,
    /// Receivers throw away what they have, so a new timeline is due.
    restart_due: bool,
}

impl Audience {
    /// The relay took the join.
    pub fn joined(&mut self, strategy: LateJoinStrategy, now: Instant) {
        self.strategy = Some(strategy);
        self.ready = Some(now + NEWCOMER_READY);
        // Receivers have one MediaSource per connection of the sender, so theirs is new now. Those that cannot
        // jump to the live edge would never start in the middle of a timeline.
        self.next_origin = match strategy {
            LateJoinStrategy::Replay => Origin::LeadIn,
            LateJoinStrategy::Reset | LateJoinStrategy::Restart => Origin::Zero,
        };
        self.late_joiners = LateJoiners::default();
    }

    /// The session with the relay is over.
    pub fn left(&mut self) {
        self.strategy = None;
    }

    /// Media begin to flow.
    pub fn start(&mut self, now: Instant) -> Start {
        self.flowing = true;
        let origin = std::mem::take(&mut self.next_origin);
        let origin = if origin == Origin::Continue { self.origin_after_pause(now) } else { origin };
        self.restart_due |= self.is_first_generation();
        let hold = self.ready.take().map_or(Duration::ZERO, |ready| ready.saturating_duration_since(now));
        if origin == Origin::LeadIn {
            self.late_joiners.begin(now + hold);
        }
        Start { origin, hold }
    }

    /// Media stop.
    pub fn stop(&mut self, now: Instant) {
        self.flowing = false;
        self.stopped = Some(now);
        self.late_joiners.send_away();
    }

    /// Somebody joined.
    pub fn late_join(&mut self, now: Instant) {
        self.admit(now, LateJoiners::add);
    }

    /// Somebody who watched asks for a key frame: its player is another one now.
    pub fn player_lost(&mut self, now: Instant) {
        self.admit(now, LateJoiners::add_again);
    }

    fn admit(&mut self, now: Instant, add: fn(&mut LateJoiners, Instant)) {
        match self.strategy {
            Some(LateJoinStrategy::Replay) if self.flowing => add(&mut self.late_joiners, now),
            Some(LateJoinStrategy::Replay) | None => {}
            Some(LateJoinStrategy::Reset | LateJoinStrategy::Restart) => self.restart_due = true,
        }
    }

    /// Something happened at which clients of the first generation throw away what they have: somebody left, or changed
    /// the state of a camera or a microphone.
    pub fn detach(&mut self) {
        self.restart_due |= self.is_first_generation();
    }

    /// What is to be done at `now`; to be asked until there is nothing, after everything that happened and when
    /// [`Audience::poll_timeout`] says so.
    pub fn poll(&mut self, now: Instant) -> Option<Service> {
        let restart_due = std::mem::take(&mut self.restart_due);
        let strategy = self.strategy.filter(|_| self.flowing)?;
        if restart_due {
            return Some(Service::Restart { hold: self.late_joiners.restart(now) });
        }
        let from = match strategy {
            LateJoinStrategy::Replay if self.late_joiners.have_watched() => ReplayFrom::Earlier,
            LateJoinStrategy::Replay => ReplayFrom::KeyFrame,
            LateJoinStrategy::Reset | LateJoinStrategy::Restart => ReplayFrom::Start,
        };
        self.late_joiners.take_due(now).then_some(Service::Replay(from))
    }

    /// When [`Audience::poll`] is due, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.late_joiners.poll_timeout()
    }

    /// Only clients that jump are helped by a lead-in; it is those of relays whose late joiners get a replay.
    fn origin_after_pause(&self, now: Instant) -> Origin {
        let jumps = self.strategy == Some(LateJoinStrategy::Replay);
        let dry = self.stopped.is_some_and(|stopped| now.saturating_duration_since(stopped) >= RUNS_DRY);
        if jumps && dry { Origin::LeadIn } else { Origin::Continue }
    }

    /// Whether receivers begin anew whenever a participant changes.
    fn is_first_generation(&self) -> bool {
        self.strategy == Some(LateJoinStrategy::Restart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_in_the_room_before_us_gets_the_time_to_show_us() {
        let now = Instant::now();
        for strategy in [LateJoinStrategy::Replay, LateJoinStrategy::Reset, LateJoinStrategy::Restart] {
            let mut audience = Audience::default();
            audience.joined(strategy, now);
            assert_eq!(audience.start(now).hold, NEWCOMER_READY, "{strategy:?}");
            audience.stop(now);
            assert_eq!(audience.start(now).hold, Duration::ZERO, "{strategy:?}: they show us by now");
        }
    }

    #[test]
    fn a_camera_that_is_slow_to_open_waits_for_nobody() {
        let now = Instant::now();
        let mut audience = Audience::default();
        audience.joined(LateJoinStrategy::Replay, now);
        let opened = now + Duration::from_millis(300);
        assert_eq!(audience.start(opened), Start { origin: Origin::LeadIn, hold: Duration::ZERO });
    }
}
