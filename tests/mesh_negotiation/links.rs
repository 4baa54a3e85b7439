//! Which connections of the model carry something, and what their owners notice of it.

use std::collections::BTreeSet;

use roomcam::meeting::mesh::negotiation::Event;

use super::connection::Connection;
use super::paths::{End, Way, has_path};
use super::world::{Happening, Kind, World};

/// Silence (ms) after which an agent's connection is disconnected, and failed.
const AGENT_DISCONNECTED: u64 = 5_000;
const AGENT_FAILED: u64 = 8_000;
/// Silence (ms) after which a page's connection has failed, and how long it waits then.
const PAGE_FAILED: u64 = 15_000;
const PAGE_RESTARTS: u64 = 3_000;

impl World {
    /// Looks at all connections: which carry something, and what their owners notice.
    pub fn look(&mut self) {
        if self.network_until_down.is_some_and(|until| until <= self.now) {
            self.network_until_down = None;
        }
        let up = self.network_until_down.is_none();
        let all: Vec<(u32, u32)> = self
            .actors
            .iter()
            .flat_map(|(number, actor)| actor.connections.keys().map(|with| (*number, *with)))
            .collect();
        for (number, with) in all {
            let Some(connection) = self.actors.get(&number).and_then(|actor| actor.connections.get(&with))
            else {
                continue;
            };
            let carries = up && self.carries(number, connection, &self.actors[&number].ways);
            let relays = self.actors[&number].kind == Kind::Agent && carries;
            let relayed = relays && !self.carries(number, connection, &self.actors[&number].place.ways());
            let (kind, id, now) = (self.actors[&number].kind, self.id(with), self.now);
            let connection = self.actors.get_mut(&number).unwrap().connections.get_mut(&with).unwrap();
            if carries {
                let news = !std::mem::replace(&mut connection.connected, true);
                (connection.broken_since, connection.told) = (None, 0);
                connection.relayed = relayed;
                if news && kind == Kind::Agent {
                    self.told(number, Event::Connected(id));
                }
                continue;
            }
            if connection.remote.is_none() {
                continue;
            }
            let silence = now - *connection.broken_since.get_or_insert(now);
            let was_connected = connection.connected;
            let due = match (kind, connection.told) {
                (Kind::Agent, 0) if was_connected && silence >= AGENT_DISCONNECTED => {
                    Some(Event::Disconnected(id))
                }
                (Kind::Agent, 1) if silence >= AGENT_FAILED => Some(Event::Failed(id)),
                _ => None,
            };
            if let Some(event) = due {
                connection.told += 1;
                connection.connected = false;
                self.told(number, event);
            } else if kind.restarts() && silence >= PAGE_FAILED && connection.told == 0 {
                connection.told = 1;
                self.at(now + PAGE_RESTARTS, Happening::Remake { page: number, with });
                if let Some(connection) = self.actors.get_mut(&number).unwrap().connections.remove(&with) {
                    self.closed(&connection);
                }
            }
        }
    }

    /// Whether a connection of somebody who has the candidates `ways` carries something.
    fn carries(&self, number: u32, connection: &Connection, ways: &BTreeSet<Way>) -> bool {
        let end = End { place: self.actors[&number].place, ways, known: &connection.known };
        let others = self.actors.iter().filter(|(other, _)| **other != number);
        others.flat_map(|(_, actor)| actor.connections.values().map(move |other| (actor, other))).any(
            |(actor, other)| {
                let their = End { place: actor.place, ways: &actor.ways, known: &other.known };
                connection.fits(other) && has_path(&end, &their, self.turn_start())
            },
        )
    }

    /// Objects if an agent is not connected to somebody who is there.
    pub fn assert_all_connected(&self) {
        if let Some(ends) = self.unconnected() {
            panic!("not connected: {ends}");
        }
    }

    /// An agent and somebody who is there to whom it is not connected.
    pub fn unconnected(&self) -> Option<String> {
        let key = |other: u32| if self.one_to_one { 0 } else { other };
        let agents = self.actors.iter().filter(|(_, actor)| actor.kind == Kind::Agent);
        let pairs = agents.flat_map(|agent| self.actors.iter().map(move |other| (agent, other)));
        let mut pairs = pairs.filter(|((number, _), (other, _))| number != other);
        let unconnected = pairs.find(|((number, agent), (other, their))| {
            let ends = (agent.connections.get(&key(**other)), their.connections.get(&key(**number)));
            !matches!(ends, (Some(ours), Some(theirs)) if ours.fits(theirs) && ours.connected)
        });
        unconnected.map(|(agent, other)| format!("{agent:?} and {other:?}"))
    }

    /// Connections that the agents opened and closed so far.
    pub fn moves(&self) -> u32 {
        self.actors.values().map(|actor| actor.moves).sum()
    }
}
