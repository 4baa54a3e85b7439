//! Who is in the room, as far as the relay says.

use std::collections::BTreeSet;

use crate::meeting::{Identity, Participant};

/// Participants known at most; a relay that names more is not believed.
const MAX_KNOWN: usize = 4096;

/// The room, while the agent is in it: who the agent is, and who the others are.
#[derive(Debug, Default)]
pub(super) struct Room {
    identity: Option<Identity>,
    others: Vec<Participant>,
    /// User ids of those who were there before the agent.
    elders: BTreeSet<String>,
    /// User ids of those who were there when the agent's connection before was lost, and have not been seen since.
    absent: BTreeSet<String>,
}

impl Room {
    /// The agent is in the room from here on.
    pub(super) fn enter(&mut self, identity: Identity, participants: Vec<Participant>) {
        self.identity = Some(identity);
        self.see(participants);
        self.elders = self.user_ids();
        self.absent.retain(|user_id| !self.elders.contains(user_id));
    }

    /// The agent is not in the room any more.
    pub(super) fn leave(&mut self) {
        let mut absent = std::mem::take(&mut self.absent);
        if self.identity.is_some() {
            absent = self.user_ids();
        }
        *self = Self { absent, ..Self::default() };
    }

    /// The room knows the agent by another user id.
    pub(super) fn adopt(&mut self, identity: Identity) {
        self.others.retain(|other| !identity.is(other));
        self.identity = Some(identity);
    }

    /// Who the agent is; `None` while it is not in the room.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Everybody but the agent.
    pub(super) fn others(&self) -> &[Participant] {
        &self.others
    }

    /// Takes in a list of the relay. Says whether it brings news: somebody who was not there, is not there any more,
    /// or has another name. The order of a list says nothing.
    pub(super) fn see(&mut self, mut participants: Vec<Participant>) -> bool {
        participants.retain(|participant| !self.is_agent(participant));
        participants.truncate(MAX_KNOWN);
        let news = names(&self.others) != names(&participants);
        self.others = participants;
        news
    }

    /// Somebody joined, or joined again. Says whether that is news.
    pub(super) fn add(&mut self, who: Participant) -> bool {
        if self.is_agent(&who) {
            return false;
        }
        let news = !self.others.iter().any(|other| name(other) == name(&who));
        self.others.retain(|other| other.user_id != who.user_id);
        if self.others.len() < MAX_KNOWN {
            self.others.push(who);
        }
        news
    }

    /// Somebody left. Says whether that is news.
    pub(super) fn remove(&mut self, user_id: &str) -> bool {
        let before = self.others.len();
        self.others.retain(|other| other.user_id != user_id);
        self.others.len() != before
    }

    /// Whether somebody was there before the agent; asked when they have left.
    pub(super) fn was_elder(&mut self, user_id: &str) -> bool {
        self.elders.remove(user_id)
    }

    /// Whether somebody was there before the agent's connection was lost; asked when they have joined.
    pub(super) fn has_returned(&mut self, user_id: &str) -> bool {
        self.absent.remove(user_id)
    }

    /// The agent has joined once more, and is behind everybody now.
    pub(super) fn join_again(&mut self) {
        self.elders = self.user_ids();
    }

    /// The entry of somebody else.
    pub(super) fn other_mut(&mut self, user_id: &str) -> Option<&mut Participant> {
        self.others.iter_mut().find(|other| other.user_id == user_id)
    }

    /// Of the others.
    fn user_ids(&self) -> BTreeSet<String> {
        self.others.iter().map(|other| other.user_id.clone()).collect()
    }

    fn is_agent(&self, participant: &Participant) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.is(participant))
    }
}

/// What people see of somebody.
fn name(participant: &Participant) -> (&str, Option<&str>) {
    (&participant.user_id, participant.username.as_deref())
}

fn names(participants: &[Participant]) -> BTreeSet<(&str, Option<&str>)> {
    participants.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(user_id: &str, socket_id: &str) -> Participant {
        Participant {
            user_id: user_id.to_owned(),
            username: Some(user_id.to_uppercase()),
            has_video: Some(false),
            is_muted: None,
            can_broadcast: None,
            socket_id: Some(socket_id.to_owned()),
        }
    }

    fn ids(room: &Room) -> Vec<&str> {
        room.others().iter().map(|other| other.user_id.as_str()).collect()
    }

    #[test]
    fn a_list_is_news_when_it_names_others_than_before() {
        let mut room = Room::default();
        room.enter(Identity::new("s0", Some("pi")), vec![participant("ann", "s1")]);
        let (ann, bob, ourselves) =
            (participant("ann", "s1"), participant("bob", "s2"), participant("pi", "s0"));

        assert!(!room.see(vec![ourselves.clone(), ann.clone()]));
        assert!(room.see(vec![bob.clone(), ann.clone()]), "bob came");
        assert!(!room.see(vec![ann.clone(), ourselves, bob.clone()]), "another order");
        let lit = Participant { has_video: Some(true), ..ann.clone() };
        assert!(!room.see(vec![lit, bob.clone()]), "a camera is no participant");
        let renamed = Participant { username: Some("Ann B.".into()), ..ann };
        assert!(room.see(vec![renamed, bob.clone()]));
        assert!(room.see(vec![bob]), "ann left");
        assert_eq!(ids(&room), ["bob"]);
    }

    #[test]
    fn who_joins_again_or_was_not_there_is_no_news() {
        let mut room = Room::default();
        room.enter(Identity::new("s0", Some("pi")), Vec::new());
        assert!(room.add(participant("ann", "s1")));
        assert!(!room.add(participant("ann", "s2")), "a page that was loaded again");
        assert!(!room.add(participant("pi", "s0")));
        assert_eq!(ids(&room), ["ann"]);
        assert!(!room.remove("bob"));
        assert!(room.remove("ann"));
    }

    #[test]
    fn who_comes_back_after_the_agent_did_is_known_once() {
        let mut room = Room::default();
        room.enter(Identity::new("s0", Some("pi")), vec![participant("ann", "s1"), participant("bob", "s2")]);
        assert!(!room.has_returned("ann"), "nobody was away");
        room.leave();
        room.leave();

        room.enter(Identity::new("s3", Some("pi")), vec![participant("bob", "s4")]);

        assert!(!room.has_returned("bob"), "he hears that the agent joins");
        assert!(!room.has_returned("eve"));
        assert!(room.has_returned("ann"));
        assert!(!room.has_returned("ann"), "told once");
    }

    #[test]
    fn the_agent_is_not_among_the_others_under_either_id() {
        let mut identity = Identity::new("s0", Some("pi@example.org"));
        let mut room = Room::default();
        room.enter(identity.clone(), vec![participant("7f2c", "s9")]);
        assert_eq!(ids(&room), ["7f2c"], "it could be anybody");
        identity.adopt(&[participant("7f2c", "s0")]);
        room.adopt(identity);
        assert!(room.others().is_empty());
        assert_eq!(room.identity().map(Identity::user_id), Some("7f2c"));
        room.leave();
        assert_eq!(room.identity(), None);
    }
}
