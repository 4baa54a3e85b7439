//! STUB
#![allow(missing_docs)]
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::dialect::OfferWaits;
use super::signal::{Candidate, ParticipantId, Signal, Step};

pub enum Event {
    Tick,
    Found(ParticipantId),
    Came(ParticipantId),
    Left(ParticipantId),
    Signal(Signal),
    Connected(ParticipantId),
    Disconnected(ParticipantId),
    Failed(ParticipantId),
    Refused(ParticipantId),
    Described(Signal),
}
pub enum Action {
    Open(ParticipantId),
    Offer(ParticipantId),
    Answer(ParticipantId, String),
    Accept(ParticipantId, String),
    AddCandidate(ParticipantId, Candidate),
    Close(ParticipantId),
    Send(Signal),
}
pub struct Negotiation {
    waits: OfferWaits,
    due: BTreeMap<ParticipantId, Instant>,
    offering: Vec<ParticipantId>,
    open: Vec<ParticipantId>,
    actions: VecDeque<Action>,
    early: Vec<Signal>,
}
impl Negotiation {
    pub fn new(waits: OfferWaits) -> Self {
        Self {
            waits,
            due: BTreeMap::new(),
            offering: vec![],
            open: vec![],
            actions: VecDeque::new(),
            early: vec![],
        }
    }
    pub fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Tick => {
                let due: Vec<_> =
                    self.due.iter().filter(|(_, at)| now >= **at).map(|(id, _)| id.clone()).collect();
                for id in due {
                    self.due.remove(&id);
                    self.offering.push(id.clone());
                    self.open.push(id.clone());
                    self.actions.push_back(Action::Open(id.clone()));
                    self.actions.push_back(Action::Offer(id));
                }
            }
            Event::Found(id) => {
                if let Some(w) = self.waits.found {
                    self.due.insert(id, now + w);
                }
            }
            Event::Came(id) => {
                if let Some(w) = self.waits.came {
                    self.due.insert(id, now + w);
                }
            }
            Event::Left(id) => {
                self.due.remove(&id);
                self.offering.retain(|o| *o != id);
                self.open.retain(|o| *o != id);
                self.actions.push_back(Action::Close(id));
            }
            Event::Signal(Signal { peer, step }) => match step {
                Step::Offer(sdp) => {
                    if self.offering.contains(&peer) {
                        return;
                    }
                    self.due.remove(&peer);
                    if !self.open.contains(&peer) {
                        self.open.push(peer.clone());
                        self.actions.push_back(Action::Open(peer.clone()));
                    }
                    self.actions.push_back(Action::Answer(peer.clone(), sdp));
                    self.release(&peer);
                }
                Step::Answer(sdp) => {
                    self.offering.retain(|o| *o != peer);
                    self.actions.push_back(Action::Accept(peer.clone(), sdp));
                    self.release(&peer);
                }
                Step::Candidate(c) => {
                    if self.offering.contains(&peer) || !self.open.contains(&peer) {
                        self.early.push(Signal { peer, step: Step::Candidate(c) });
                    } else {
                        self.actions.push_back(Action::AddCandidate(peer, c));
                    }
                }
            },
            Event::Described(signal) => self.actions.push_back(Action::Send(signal)),
            Event::Failed(id) => {
                self.open.retain(|o| *o != id);
                self.actions.push_back(Action::Close(id));
            }
            Event::Connected(_) | Event::Disconnected(_) | Event::Refused(_) => {}
        }
    }
    fn release(&mut self, id: &ParticipantId) {
        for s in std::mem::take(&mut self.early) {
            match s {
                Signal { peer, step: Step::Candidate(c) } if peer == *id => {
                    self.actions.push_back(Action::AddCandidate(peer, c))
                }
                s => self.early.push(s),
            }
        }
    }
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }
}
