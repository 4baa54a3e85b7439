//! What this relay has missed while it was not subscribed, and from whom it wants it again. Pure; time comes in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::wire::NodeId;

/// How long a relay may take to say again what was missed: it may itself have to connect to Redis anew.
const ANSWERED: Duration = Duration::from_secs(1);

/// For each room and relay, what was heard last and that the rest is awaited. Until it has come, nothing that the relay says
/// later may be heard: viewers cannot put in what comes too late.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    open: HashMap<Box<str>, HashMap<NodeId, Gap>>,
}

#[derive(Debug)]
struct Gap {
    /// The sequence number of what was heard last.
    after: u64,
    /// Until when the rest is awaited, once it has been asked for.
    until: Option<Instant>,
}

impl Gaps {
    /// The rooms are not subscribed to any more; `heard` is the last message of each relay.
    pub fn begin(&mut self, rooms: &[Box<str>], heard: &[(NodeId, u64)]) {
        for room in rooms {
            let gaps = self.open.entry(room.clone()).or_default();
            for (node, after) in heard {
                // What was not said again until now is still missed.
                gaps.entry(*node).or_insert(Gap { after: *after, until: None }).until = None;
            }
        }
    }

    /// What to ask for, now that a room is subscribed to: of each relay, what it said after this message.
    pub fn ask(&mut self, room: &str, now: Instant) -> Vec<(NodeId, u64)> {
        let Some(gaps) = self.open.get_mut(room) else { return Vec::new() };
        let asked = gaps.iter_mut().map(|(node, gap)| {
            gap.until = Some(now + ANSWERED);
            (*node, gap.after)
        });
        asked.collect()
    }

    /// What to ask one relay for, which may not have heard it before.
    pub fn ask_again(&self, room: &str, node: NodeId) -> Option<(NodeId, u64)> {
        self.open.get(room)?.get(&node).map(|gap| (node, gap.after))
    }

    /// Whether what a relay says in a room has to be left to what it says again.
    pub fn is_open(&mut self, room: &str, node: NodeId, now: Instant) -> bool {
        let gap = self.open.get(room).and_then(|gaps| gaps.get(&node));
        let Some(gap) = gap else { return false };
        let given_up = gap.until.is_some_and(|until| until <= now);
        if given_up {
            self.close(room, node);
        }
        !given_up
    }

    /// The relay has said it again, or never will. Returns whether that was awaited.
    pub fn close(&mut self, room: &str, node: NodeId) -> bool {
        let Some(gaps) = self.open.get_mut(room) else { return false };
        let was_open = gaps.remove(&node).is_some();
        if gaps.is_empty() {
            self.open.remove(room);
        }
        was_open
    }

    /// Forgets the rooms that nobody is in any more.
    pub fn keep(&mut self, is_here: impl Fn(&str) -> bool) {
        self.open.retain(|room, _| is_here(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn what_was_missed_is_awaited_until_it_comes() {
        let (mut gaps, now, [ann, bob]) = (Gaps::default(), Instant::now(), [NodeId::new(), NodeId::new()]);
        assert!(!gaps.is_open("r", ann, now));
        gaps.begin(&rooms(&["r"]), &[(ann, 7), (bob, 3)]);
        assert!(gaps.is_open("r", ann, now));
        let mut asked = gaps.ask("r", now);
        asked.sort_by_key(|(_, after)| *after);
        assert_eq!(asked, [(bob, 3), (ann, 7)]);
        assert_eq!(gaps.ask_again("r", ann), Some((ann, 7)));
        assert!(gaps.close("r", ann));
        assert!(!gaps.close("r", ann), "it is heard once");
        assert!(!gaps.is_open("r", ann, now) && gaps.is_open("r", bob, now));
        assert!(gaps.ask("another", now).is_empty());
    }

    #[test]
    fn a_relay_that_does_not_say_it_again_is_heard_all_the_same() {
        let (mut gaps, now, node) = (Gaps::default(), Instant::now(), NodeId::new());
        gaps.begin(&rooms(&["r"]), &[(node, 7)]);
        gaps.ask("r", now);
        assert!(gaps.is_open("r", node, now + ANSWERED - Duration::from_millis(1)));
        assert!(!gaps.is_open("r", node, now + ANSWERED));
        assert!(!gaps.close("r", node));
    }

    #[test]
    fn what_was_missed_twice_begins_where_it_was_missed_first() {
        let (mut gaps, now, node) = (Gaps::default(), Instant::now(), NodeId::new());
        gaps.begin(&rooms(&["r"]), &[(node, 7)]);
        gaps.ask("r", now);
        gaps.begin(&rooms(&["r"]), &[(node, 9)]);
        assert!(gaps.is_open("r", node, now + 2 * ANSWERED), "it has not been asked for again");
        assert_eq!(gaps.ask("r", now), [(node, 7)]);
        gaps.keep(|_| false);
        assert!(!gaps.is_open("r", node, now));
    }
}
