//! When those who came late are served (docs/receivers.md §2.6, §5.2).

use std::time::{Duration, Instant};

/// A newcomer's page makes ready for us so long after it has joined, and so do the pages of others when we have joined; what
/// comes before is thrown away.
pub const NEWCOMER_READY: Duration = Duration::from_millis(100);
/// Who comes is served no sooner than this after others were; who comes meanwhile is served together with them.
pub const LATE_JOIN_INTERVAL: Duration = Duration::from_millis(500);
/// After a first replay it is made again, for viewers whose page was still busy: twice within the time in which everybody
/// should have a picture, off the beat of the first one, and once more when even a slow page has loaded.
pub const REPLAYED_AGAIN: [Duration; 3] =
    [Duration::from_millis(550), Duration::from_millis(1250), Duration::from_millis(4000)];

/// First-generation clients detach every MediaSource when a participant comes, goes or changes. So long after such a
/// change they have done so, and a new timeline can begin.
pub const SETTLING: Duration = Duration::from_millis(250);
/// Changes that follow each other put the new timeline off, but not for longer than this.
pub const LONGEST_SETTLING: Duration = Duration::from_millis(700);
/// When the new timeline is replayed from its start: at the next cut, for viewers that had a stale chunk at the head of
/// their queue; for those whose page was still busy; and for those whose page was still loading.
pub const RESTART_REPLAYED: [Duration; 3] =
    [Duration::from_millis(60), Duration::from_millis(1000), Duration::from_millis(2650)];

/// When the stream is to be replayed for those who wait for a first picture.
#[derive(Debug, Default)]
pub(super) struct LateJoiners {
    /// Due times, the soonest first.
    due: Vec<Instant>,
    last: Option<Instant>,
    /// Whether one of them watched before.
    watched: bool,
    /// Since when changes of the participants follow each other without a new timeline between them.
    unsettled: Option<(Instant, Instant)>,
}

impl LateJoiners {
    /// Somebody came whose client begins with a replay.
    pub(super) fn add(&mut self, now: Instant) {
        self.watched &= !self.due.is_empty();
        let ready = now + NEWCOMER_READY;
        let first = self.last.map_or(ready, |last| ready.max(last + LATE_JOIN_INTERVAL));
        self.due = vec![first];
        self.due.extend(REPLAYED_AGAIN.map(|after| first + after));
    }

    /// Somebody who watched has another player now.
    pub(super) fn add_again(&mut self, now: Instant) {
        self.add(now);
        self.watched = true;
    }

    /// Whether one of those who wait watched before.
    pub(super) const fn have_watched(&self) -> bool {
        self.watched
    }

    /// A stream begins that all receivers begin with; it is replayed for those whose page is busy.
    pub(super) fn begin(&mut self, now: Instant) {
        self.due = REPLAYED_AGAIN.map(|after| now + after).to_vec();
    }

    /// All receivers begin anew, on a new timeline. Says how long they take to be ready for it.
    pub(super) fn restart(&mut self, now: Instant) -> Duration {
        let since = match self.unsettled {
            Some((since, settled)) if now < settled => since,
            _ => now,
        };
        let settled = (now + SETTLING).min(since + LONGEST_SETTLING).max(now);
        self.unsettled = Some((since, settled));
        self.due = RESTART_REPLAYED.map(|after| settled + after).to_vec();
        settled - now
    }

    /// Nobody waits: nothing flows that they could see.
    pub(super) fn send_away(&mut self) {
        self.due.clear();
        self.unsettled = None;
    }

    /// When they are to be served, if somebody waits.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().copied()
    }

    /// Whether they are to be served now; they count as served then.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        if self.due.first().is_none_or(|due| now < *due) {
            return false;
        }
        self.due.retain(|due| now < *due);
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// The times, in milliseconds, at which somebody is served.
    fn served(late_joiners: &mut LateJoiners, start: Instant) -> Vec<u128> {
        let mut served = Vec::new();
        while let Some(due) = late_joiners.poll_timeout() {
            assert!(late_joiners.take_due(due));
            served.push((due - start).as_millis());
        }
        served
    }

    #[test]
    fn a_late_joiner_is_served_when_its_page_is_ready_and_three_times_more() {
        let start = Instant::now();
        let mut late_joiners = LateJoiners::default();
        late_joiners.add(start);
        assert_eq!(served(&mut late_joiners, start), [100, 650, 1350, 4100]);
    }

    #[test]
    fn those_who_come_together_are_served_together() {
        let start = Instant::now();
        let mut late_joiners = LateJoiners::default();
        late_joiners.add(start);
        assert!(late_joiners.take_due(after(start, 100)));
        late_joiners.add(after(start, 300));
        late_joiners.add(after(start, 600));
        assert_eq!(served(&mut late_joiners, start), [700, 1250, 1950, 4700]);
    }

    #[test]
    fn who_watched_before_is_known_until_everybody_is_served() {
        let start = Instant::now();
        let mut late_joiners = LateJoiners::default();
        late_joiners.add(start);
        assert!(!late_joiners.have_watched());
        late_joiners.add_again(after(start, 200));
        late_joiners.add(after(start, 300));
        assert!(late_joiners.have_watched());
        served(&mut late_joiners, start);
        late_joiners.add(after(start, 9000));
        assert!(!late_joiners.have_watched());
    }

    #[test]
    fn changes_that_follow_each_other_put_a_new_timeline_off_for_a_while() {
        let start = Instant::now();
        let mut late_joiners = LateJoiners::default();
        let holds: Vec<u128> =
            (0..10).map(|count| late_joiners.restart(after(start, count * 100)).as_millis()).collect();
        assert_eq!(holds, [250, 250, 250, 250, 250, 200, 100, 250, 250, 250]);
    }

    #[test]
    fn a_new_timeline_is_replayed_from_its_start() {
        let start = Instant::now();
        let mut late_joiners = LateJoiners::default();
        late_joiners.restart(start);
        assert_eq!(served(&mut late_joiners, start), [310, 1250, 2900]);
    }
}
