//! The agents of the model, each with the negotiation that is tested, and an address at the TURN server.

use std::collections::BTreeSet;

use roomcam::meeting::mesh::negotiation::{Action, Event};
use roomcam::meeting::mesh::{ParticipantId, Signal, Step};

use super::connection::{Connection, Credentials};
use super::pages::candidate;
use super::paths::Way;
use super::world::{Message, World};

impl World {
    pub fn agent_hears(&mut self, agent: u32, message: Message) {
        match message {
            Message::Existing(others) => {
                for other in others {
                    self.told(agent, Event::Found(self.id(other)));
                }
            }
            Message::Joined(other) => self.told(agent, Event::Came(self.id(other))),
            Message::Left(other) => self.told(agent, Event::Left(self.id(other))),
            Message::Signal(other, step) => {
                self.told(agent, Event::Signal(Signal { peer: self.id(other), step }));
            }
            Message::Join => unreachable!(),
        }
    }

    /// Tells an agent what happened, and does what it decides.
    pub fn told(&mut self, agent: u32, event: Event) {
        let now = self.instant();
        let Some(mut negotiation) = self.actors.get_mut(&agent).and_then(|actor| actor.negotiation.take())
        else {
            return;
        };
        negotiation.handle(event, now);
        while let Some(action) = negotiation.poll_action() {
            for described in self.act(agent, action) {
                negotiation.handle(described, now);
            }
        }
        self.actors.get_mut(&agent).unwrap().negotiation = Some(negotiation);
    }

    /// Returns what is described by that.
    fn act(&mut self, agent: u32, action: Action) -> Vec<Event> {
        let ids = &mut self.ids;
        let actor = self.actors.get_mut(&agent).unwrap();
        let (connections, ways) = (&mut actor.connections, &actor.ways);
        match action {
            Action::Open(id) => {
                actor.moves += 1;
                let before = connections.insert(Self::number(&id), Connection::new("agent", ids));
                assert!(before.is_none(), "a second connection to {id} is opened");
                Vec::new()
            }
            Action::Offer(id) => {
                let connection =
                    connections.get_mut(&Self::number(&id)).expect("offers without a connection");
                let restart = connection.remote.is_some();
                let sdp = connection.make_offer(restart, ways, ids);
                described(id, Step::Offer(sdp), ways)
            }
            Action::Answer(id, offer) => {
                let connection =
                    connections.get_mut(&Self::number(&id)).expect("answers without a connection");
                let sdp = connection.answer(&offer, ways, ids);
                described(id, Step::Answer(sdp), ways)
            }
            Action::Accept(id, answer) => {
                let connection =
                    connections.get_mut(&Self::number(&id)).expect("accepts without a connection");
                assert!(connection.accept(&answer), "an answer to nothing is accepted");
                Vec::new()
            }
            Action::AddCandidate(id, candidate) => {
                let connection =
                    connections.get_mut(&Self::number(&id)).expect("a candidate without a connection");
                let fragment = candidate.username_fragment.as_deref();
                assert!(connection.add_candidate(&candidate.candidate, fragment), "of another description");
                Vec::new()
            }
            Action::Close(id) => {
                actor.moves += 1;
                let connection = connections.remove(&Self::number(&id)).expect("closes what is not open");
                self.closed(&connection);
                Vec::new()
            }
            Action::Send(Signal { peer, step }) => {
                assert!(connections.contains_key(&Self::number(&peer)), "speaks of no connection");
                self.say(agent, Message::Signal(Self::number(&peer), step));
                Vec::new()
            }
        }
    }

    /// An agent has an address at the TURN server now, and tells everybody.
    pub fn relay_found(&mut self, agent: u32, start: u32) {
        let way = Way::Relayed { start };
        let Some(actor) = self.actors.get_mut(&agent) else { return };
        actor.ways.insert(way);
        let fragments: Vec<(u32, String)> = actor
            .connections
            .iter()
            .map(|(with, connection)| (*with, connection.local.username_fragment()))
            .collect();
        for (with, fragment) in fragments {
            let signal = Signal { peer: self.id(with), step: candidate(way, &fragment) };
            self.told(agent, Event::Described(signal));
        }
    }

    /// An agent notices that the TURN server has forgotten it.
    pub fn relay_lost(&mut self, agent: u32) {
        let Some(actor) = self.actors.get_mut(&agent) else { return };
        actor.ways = actor.place.ways();
        let affected = actor.connections.iter().filter(|(_, connection)| connection.relayed);
        let affected: Vec<u32> = affected.map(|(with, _)| *with).collect();
        for with in affected {
            self.told(agent, Event::OfferNeeded(self.id(with)));
        }
    }
}

/// A description, and its candidates one by one.
fn described(peer: ParticipantId, step: Step, ways: &BTreeSet<Way>) -> Vec<Event> {
    let (Step::Offer(sdp) | Step::Answer(sdp)) = &step else { unreachable!() };
    let fragment = Credentials::read(sdp).username_fragment();
    let candidates = ways.iter().map(|way| candidate(*way, &fragment));
    let steps: Vec<Step> = [step.clone()].into_iter().chain(candidates).collect();
    steps.into_iter().map(|step| Event::Described(Signal { peer: peer.clone(), step })).collect()
}
