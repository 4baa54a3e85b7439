//! What is known of the negotiation with one participant.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use super::description::{fingerprint, fragments, origin};
use super::{ANSWER_PATIENCE, CONNECTING_PATIENCE, longer};
use crate::meeting::mesh::signal::Candidate;

/// Candidates that wait for their description at most; the oldest give way.
const MAX_EARLY_CANDIDATES: usize = 32;

/// Who was in the room first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// The participant.
    Found,
    /// The agent.
    Came,
}

/// The connection to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// There is none.
    None,
    /// It is being made; to be given up at this time, from when both descriptions are there.
    Connecting { give_up_at: Option<Instant> },
    /// It carries media.
    Connected,
    /// It carries nothing; ICE is to be restarted at this time.
    Disconnected { restart_at: Instant },
}

/// Whose turn it is to say something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Talk {
    /// An offer of theirs is waited for; at this time we offer.
    Waiting { offer_at: Option<Instant> },
    /// Our offer is being made.
    Offering,
    /// Our offer was sent, `repeats` times again.
    Offered { sdp: String, repeats: u32, repeat_at: Instant },
    /// Our answer is being made.
    Answering,
    /// Both have said what they had to.
    Settled,
    /// There are as many connections as there may be.
    Refused,
}

#[derive(Debug)]
pub(super) struct Participant {
    pub(super) met: Met,
    pub(super) link: Link,
    pub(super) talk: Talk,
    /// Connections in a row that have not come about.
    pub(super) failures: u32,
    /// An offer of ours is due when the connection is there.
    pub(super) owes_offer: bool,
    /// In a one-to-one room: until when the loss of this participant means that another one is there.
    pub(super) successor_until: Option<Instant>,
    /// Of their description in force: the certificate, and the fragments that its candidates carry.
    fingerprint: Option<String>,
    fragments: Vec<String>,
    early_candidates: VecDeque<Candidate>,
}

impl Participant {
    pub(super) fn new(met: Met, talk: Talk) -> Self {
        Self {
            met,
            link: Link::None,
            talk,
            failures: 0,
            owes_offer: false,
            successor_until: None,
            fingerprint: None,
            fragments: Vec::new(),
            early_candidates: VecDeque::new(),
        }
    }

    /// When something is to be done without anything having happened.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.talk {
            Talk::Waiting { offer_at } => *offer_at,
            Talk::Offered { repeat_at, .. } => Some(*repeat_at),
            Talk::Settled => match self.link {
                Link::Connecting { give_up_at } => give_up_at,
                Link::Disconnected { restart_at } => Some(restart_at),
                Link::None | Link::Connected => None,
            },
            Talk::Offering | Talk::Answering | Talk::Refused => None,
        }
    }

    /// Whether an offer of theirs is answered. It is not after the decision to offer to them: a page takes its own offer back
    /// when ours comes. Another agent does not, and neither does whoever has not answered in time; of two such offers the
    /// one with the greater fingerprint counts.
    pub(super) fn takes(&self, offer: &str) -> bool {
        match &self.talk {
            Talk::Offering | Talk::Refused => false,
            Talk::Offered { sdp, repeats, .. } => {
                let is_agent = origin(sdp).is_some() && origin(sdp) == origin(offer);
                (is_agent || *repeats > 0) && fingerprint(sdp) < fingerprint(offer)
            }
            Talk::Waiting { .. } | Talk::Answering | Talk::Settled => true,
        }
    }

    /// Whether an offer comes from another connection than the one there is.
    pub(super) fn is_replaced_by(&self, offer: &str) -> bool {
        self.link != Link::None && self.fingerprint.as_ref().is_some_and(|known| *known != fingerprint(offer))
    }

    /// Whether somebody else is there when this participant is lost.
    pub(super) fn has_successor(&self, now: Instant) -> bool {
        self.successor_until.is_some_and(|until| now <= until)
    }

    /// Our offer is on its way.
    pub(super) fn offer(&mut self, sdp: String, now: Instant) {
        self.talk = Talk::Offered { sdp, repeats: 0, repeat_at: now + ANSWER_PATIENCE };
    }

    /// Our offer is sent once more: whoever has answered it already answers it in the same way.
    pub(super) fn offer_again(&mut self, now: Instant) -> String {
        let Talk::Offered { sdp, repeats, repeat_at } = &mut self.talk else { return String::new() };
        *repeats += 1;
        *repeat_at = now + longer(ANSWER_PATIENCE, *repeats);
        sdp.clone()
    }

    /// Both descriptions are there.
    pub(super) fn settle(&mut self, now: Instant) {
        self.talk = Talk::Settled;
        let patience = longer(CONNECTING_PATIENCE, self.failures);
        match &mut self.link {
            Link::Connecting { give_up_at } => *give_up_at = Some(now + patience),
            Link::Disconnected { restart_at } => *restart_at = now + patience,
            Link::None | Link::Connected => {}
        }
    }

    /// Notes their description. Returns the candidates that waited for it.
    pub(super) fn describe(&mut self, sdp: &str) -> Vec<Candidate> {
        self.fingerprint = Some(fingerprint(sdp));
        self.fragments = fragments(sdp);
        let (due, early): (VecDeque<_>, VecDeque<_>) =
            mem::take(&mut self.early_candidates).into_iter().partition(|each| self.is_described(each));
        self.early_candidates = early;
        due.into()
    }

    /// Takes in a candidate. Returns it if its description is there.
    pub(super) fn candidate(&mut self, candidate: Candidate) -> Vec<Candidate> {
        if self.link != Link::None && self.is_described(&candidate) {
            return vec![candidate];
        }
        if self.early_candidates.len() == MAX_EARLY_CANDIDATES {
            self.early_candidates.pop_front();
        }
        self.early_candidates.push_back(candidate);
        Vec::new()
    }

    fn is_described(&self, candidate: &Candidate) -> bool {
        match &candidate.username_fragment {
            Some(fragment) if !self.fragments.is_empty() => self.fragments.contains(fragment),
            _ => self.fingerprint.is_some(),
        }
    }

    /// The connection is no more, and what belonged to it.
    pub(super) fn disconnect(&mut self) {
        self.link = Link::None;
        self.fingerprint = None;
        self.fragments.clear();
        self.owes_offer = false;
    }
}
