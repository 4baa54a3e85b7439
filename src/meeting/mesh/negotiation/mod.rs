//! Who offers to whom, and what is done about connections that do not come about or are lost (docs/signalling.md §3).
//! Pure: what happens comes in as [`Event`]s with the time, what is to be done goes out as [`Action`]s.
//!
//! - Whoever is met is given some time to offer, then is offered to. Once that was decided, offers of theirs are ignored
//!   until they have answered: pages take their own offer back when one of ours comes.
//! - Two agents that have decided at the same time would ignore each other (glare). They know each other by the origin of their
//!   descriptions, and the one whose certificate has the smaller fingerprint takes the other's offer. It does so with
//!   anybody whose answer is late.
//! - A connection that does not come about is closed and begun anew, each time after a longer wait.

mod description;
mod exchange;
mod participant;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use self::participant::{Link, Met, Participant, Talk};
use super::dialect::OfferWaits;
use super::signal::{Candidate, ParticipantId, Signal, Step};

pub use self::exchange::{Action, Event};

/// Participants that are known at most; what a server says of more is ignored.
const MAX_PARTICIPANTS: usize = 256;
/// How long an answer may take before the offer is sent again; doubled each time.
const ANSWER_PATIENCE: Duration = Duration::from_secs(4);
/// How often an offer is sent again before the participant counts as one that does not answer.
const OFFER_REPEATS: u32 = 3;
/// How long after both descriptions are there a connection may take; doubled each time that it fails.
const CONNECTING_PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection that was lost may take to come back by itself before ICE is restarted.
const RESTART_AFTER: Duration = Duration::from_secs(3);
/// How long to wait before a connection that failed is begun anew, with somebody who was there before the agent and with
/// somebody who came after it; doubled each time. The difference keeps two agents from offering at the same time.
const RETRY_FOUND: Duration = Duration::from_millis(300);
const RETRY_CAME: Duration = Duration::from_millis(1500);
/// The longest of all these.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long after somebody came to a one-to-one room its loss still counts as the old participant's.
const SUCCESSION: Duration = Duration::from_secs(30);

/// The negotiations with all participants of one joined session.
#[derive(Debug)]
pub struct Negotiation {
    waits: OfferWaits,
    participants: BTreeMap<ParticipantId, Participant>,
    actions: VecDeque<Action>,
}

impl Negotiation {
    /// Nobody was met yet; `waits` is the dialect's.
    pub const fn new(waits: OfferWaits) -> Self {
        Self { waits, participants: BTreeMap::new(), actions: VecDeque::new() }
    }

    /// What is to be done next; to be asked until there is nothing, after each event.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.participants.values().filter_map(Participant::due).min()
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Found(id) => self.meet(id, Met::Found, now),
            Event::Came(id) => self.meet(id, Met::Came, now),
            Event::Left(id) => self.forget(&id, now),
            Event::Signal(Signal { peer, step }) => match step {
                Step::Offer(sdp) => self.offered(peer, sdp, now),
                Step::Answer(sdp) => self.answered(&peer, sdp, now),
                Step::Candidate(candidate) => self.candidate(peer, candidate, now),
            },
            Event::Described(signal) => self.described(signal, now),
            Event::Connected(id) => self.connected(id, now),
            Event::Disconnected(id) => self.disconnected(&id, now),
            Event::Failed(id) => self.failed(&id, now),
            Event::Closed(id) => self.closed(&id, now),
            Event::OfferNeeded(id) => self.offer_needed(id, now),
            Event::Refused(id) => self.refused(&id),
            Event::Tick => {}
        }
        self.pass_time(now);
    }

    fn meet(&mut self, id: ParticipantId, met: Met, now: Instant) {
        if let Some(known) = self.participants.get_mut(&id) {
            if id == ParticipantId::other() {
                self.succeed(id, now);
            } else if met == Met::Found {
                // It offered before the server told who is there.
                known.met = met;
            }
        } else if self.participants.len() < MAX_PARTICIPANTS {
            let wait = match met {
                Met::Found => self.waits.found,
                Met::Came => self.waits.came,
            };
            let talk = Talk::Waiting { offer_at: wait.map(|wait| now + wait) };
            self.participants.insert(id, Participant::new(met, talk));
        }
    }

    /// Somebody came to a one-to-one room in which somebody is already.
    fn succeed(&mut self, id: ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.link == Link::Connected {
            // Either the old one was cut off, which is not known yet, or there are three, for whom this room is not made.
            participant.successor_until = Some(now + SUCCESSION);
        } else {
            self.replace(&id, now);
        }
    }

    /// Begins at once with whoever is in the place of the old participant.
    fn replace(&mut self, id: &ParticipantId, now: Instant) {
        self.close(id);
        let talk = Talk::Waiting { offer_at: Some(now) };
        self.participants.insert(id.clone(), Participant::new(Met::Came, talk));
    }

    fn forget(&mut self, id: &ParticipantId, now: Instant) {
        self.close(id);
        self.participants.remove(id);
        self.admit_refused(now);
    }

    /// A connection has ended, which makes room for one that was refused.
    fn admit_refused(&mut self, now: Instant) {
        if let Some(next) = self.participants.values_mut().find(|each| each.talk == Talk::Refused) {
            next.talk = Talk::Waiting { offer_at: Some(now) };
        }
    }

    /// The participant who sent something; whoever is not known yet is met by it.
    fn sender(&mut self, id: &ParticipantId, now: Instant) -> Option<&mut Participant> {
        if !self.participants.contains_key(id) {
            // In a one-to-one room only those who were there offer.
            let met = if *id == ParticipantId::other() { Met::Found } else { Met::Came };
            self.meet(id.clone(), met, now);
        }
        self.participants.get_mut(id)
    }

    fn offered(&mut self, id: ParticipantId, sdp: String, now: Instant) {
        let Some(participant) = self.sender(&id, now) else { return };
        if !participant.takes(&sdp) {
            return;
        }
        if participant.is_replaced_by(&sdp) {
            self.close(&id);
        }
        self.open(&id);
        self.actions.push_back(Action::Answer(id.clone(), sdp.clone()));
        if let Some(participant) = self.participants.get_mut(&id) {
            participant.talk = Talk::Answering;
            let early = participant.describe(&sdp);
            self.add_candidates(&id, early);
        }
    }

    fn answered(&mut self, id: &ParticipantId, sdp: String, now: Instant) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        if !matches!(participant.talk, Talk::Offered { .. }) {
            return;
        }
        participant.settle(now);
        let early = participant.describe(&sdp);
        self.actions.push_back(Action::Accept(id.clone(), sdp));
        self.add_candidates(id, early);
    }

    fn candidate(&mut self, id: ParticipantId, candidate: Candidate, now: Instant) {
        let Some(participant) = self.sender(&id, now) else { return };
        let due = participant.candidate(candidate);
        self.add_candidates(&id, due);
    }

    fn add_candidates(&mut self, id: &ParticipantId, candidates: Vec<Candidate>) {
        self.actions.extend(candidates.into_iter().map(|each| Action::AddCandidate(id.clone(), each)));
    }

    fn described(&mut self, signal: Signal, now: Instant) {
        let Some(participant) = self.participants.get_mut(&signal.peer) else { return };
        match (&signal.step, &participant.talk) {
            (Step::Offer(sdp), Talk::Offering) => participant.offer(sdp.clone(), now),
            (Step::Answer(_), Talk::Answering) => participant.settle(now),
            (Step::Candidate(_), Talk::Offered { .. } | Talk::Settled) => {}
            // It was overtaken by something else.
            _ => return,
        }
        self.actions.push_back(Action::Send(signal));
    }

    fn connected(&mut self, id: ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.link == Link::None {
            return;
        }
        participant.link = Link::Connected;
        participant.failures = 0;
        if participant.owes_offer && participant.talk == Talk::Settled {
            participant.talk = Talk::Waiting { offer_at: Some(now) };
        }
    }

    fn disconnected(&mut self, id: &ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        if participant.link != Link::Connected {
            return;
        }
        if participant.has_successor(now) {
            self.replace(id, now);
        } else {
            participant.link = Link::Disconnected { restart_at: now + RESTART_AFTER };
        }
    }

    fn failed(&mut self, id: &ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        if participant.has_successor(now) {
            self.replace(id, now);
        } else if participant.link != Link::None {
            self.begin_anew(id, now);
        }
    }

    /// Closes a connection that is of no use, and waits for an offer before one is made.
    fn begin_anew(&mut self, id: &ParticipantId, now: Instant) {
        self.close(id);
        let Some(participant) = self.participants.get_mut(id) else { return };
        // An offer that nobody can answer, because it asks for nothing, is met with one of ours at once.
        let useless_offer = participant.talk == Talk::Answering && participant.failures == 0;
        let wait = match participant.met {
            _ if useless_offer => Duration::ZERO,
            Met::Found => RETRY_FOUND,
            Met::Came => RETRY_CAME,
        };
        participant.talk = Talk::Waiting { offer_at: Some(now + longer(wait, participant.failures)) };
        participant.failures = participant.failures.saturating_add(1);
    }

    fn closed(&mut self, id: &ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        if participant.has_successor(now) {
            self.replace(id, now);
        } else if *id == ParticipantId::other() {
            // Nobody says there that somebody leaves.
            self.forget(id, now);
        } else if participant.link != Link::None {
            // Either it leaves, and the server will say so, or it makes another connection.
            self.begin_anew(id, now);
        }
    }

    fn offer_needed(&mut self, id: ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.link == Link::Connected && participant.talk == Talk::Settled {
            participant.talk = Talk::Waiting { offer_at: Some(now) };
        } else {
            participant.owes_offer = true;
        }
    }

    fn refused(&mut self, id: &ParticipantId) {
        self.actions.retain(|action| action.peer() != id);
        if let Some(participant) = self.participants.get_mut(id) {
            participant.disconnect();
            participant.talk = Talk::Refused;
        }
    }

    fn open(&mut self, id: &ParticipantId) {
        if let Some(participant) = self.participants.get_mut(id)
            && participant.link == Link::None
        {
            participant.link = Link::Connecting { give_up_at: None };
            self.actions.push_back(Action::Open(id.clone()));
        }
    }

    fn close(&mut self, id: &ParticipantId) {
        if let Some(participant) = self.participants.get_mut(id)
            && participant.link != Link::None
        {
            participant.disconnect();
            self.actions.push_back(Action::Close(id.clone()));
        }
    }

    fn pass_time(&mut self, now: Instant) {
        let due = |participant: &Participant| participant.due().is_some_and(|due| due <= now);
        let ids: Vec<ParticipantId> =
            self.participants.iter().filter(|(_, each)| due(each)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.act_when_due(&id, now);
        }
    }

    fn act_when_due(&mut self, id: &ParticipantId, now: Instant) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        match &participant.talk {
            Talk::Waiting { .. } => self.decide_to_offer(id),
            Talk::Offered { repeats, .. } if *repeats == OFFER_REPEATS => match participant.link {
                // It goes on without what was offered.
                Link::Connected => participant.talk = Talk::Settled,
                _ => self.give_up(id, now),
            },
            Talk::Offered { .. } => {
                let sdp = participant.offer_again(now);
                let signal = Signal { peer: id.clone(), step: Step::Offer(sdp) };
                self.actions.push_back(Action::Send(signal));
            }
            Talk::Settled if matches!(participant.link, Link::Disconnected { .. }) => {
                self.decide_to_offer(id)
            }
            Talk::Settled => self.begin_anew(id, now),
            Talk::Offering | Talk::Answering | Talk::Refused => {}
        }
    }

    fn decide_to_offer(&mut self, id: &ParticipantId) {
        self.open(id);
        self.actions.push_back(Action::Offer(id.clone()));
        if let Some(participant) = self.participants.get_mut(id) {
            participant.talk = Talk::Offering;
            participant.owes_offer = false;
        }
    }

    /// Nobody answers. Makes room for others for a while; in a one-to-one room there is nobody.
    fn give_up(&mut self, id: &ParticipantId, now: Instant) {
        if *id == ParticipantId::other() {
            return self.forget(id, now);
        }
        self.close(id);
        if let Some(participant) = self.participants.get_mut(id) {
            participant.talk = Talk::Waiting { offer_at: Some(now + LONGEST_WAIT) };
        }
        self.admit_refused(now);
    }
}

/// A wait that doubles with each failure.
fn longer(wait: Duration, failures: u32) -> Duration {
    wait.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_WAIT)
}
