//! A model of a meeting: a server that passes on what is said, each message in its own time; agents with the negotiation
//! that is tested; pages with the habits of deployed ones; a network that fails. Time is simulated.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

use roomcam::meeting::mesh::negotiation::{Event, Negotiation};
use roomcam::meeting::mesh::{Dialect, Form, Names, ParticipantId, Step};

use super::connection::Connection;
use super::paths::{Place, Way};

/// How often (ms) it is looked which connections carry something.
const LOOK: u64 = 200;
/// After this time (ms) the server notices that somebody was cut off.
const PING_TIMEOUT: u64 = 45_000;
/// After at most this time (ms) an agent notices that the TURN server has forgotten its address; it asks for another one, and
/// asks again if there is no answer.
const RELAY_NOTICED: u64 = 15_000;
const RELAY_REPLACED: u64 = 2_000;
const RELAY_RETRIED: u64 = 30_000;

/// Who somebody is, and whom a page offers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Agent,
    /// Offers to those it finds.
    NewcomerOffers {
        restarts: bool,
    },
    /// Offers to those who come.
    ExistingOffers {
        restarts: bool,
    },
    /// Both.
    BothOffer {
        restarts: bool,
    },
}

impl Kind {
    pub fn offers_to_found(self) -> bool {
        matches!(self, Self::NewcomerOffers { .. } | Self::BothOffer { .. })
    }

    pub fn offers_to_comers(self) -> bool {
        matches!(self, Self::ExistingOffers { .. } | Self::BothOffer { .. })
    }

    pub fn restarts(self) -> bool {
        matches!(
            self,
            Self::NewcomerOffers { restarts: true }
                | Self::ExistingOffers { restarts: true }
                | Self::BothOffer { restarts: true }
        )
    }
}

#[derive(Debug, Clone)]
pub enum Message {
    Join,
    Existing(Vec<u32>),
    Joined(u32),
    Left(u32),
    /// With whom, and what.
    Signal(u32, Step),
}

#[derive(Debug, Clone)]
pub enum Happening {
    AtServer {
        from: u32,
        message: Message,
    },
    At {
        whom: u32,
        message: Message,
    },
    /// The server notices that somebody is gone.
    Noticed(u32),
    /// A page makes a connection anew.
    Remake {
        page: u32,
        with: u32,
    },
    /// An agent asks the TURN server for an address.
    AskRelay(u32),
    /// The TURN server gives an agent an address.
    RelayFound {
        agent: u32,
        start: u32,
    },
    /// An agent notices that the TURN server has forgotten it.
    NoticeRelayLost(u32),
    Look,
}

#[derive(Debug)]
pub struct Actor {
    pub kind: Kind,
    pub place: Place,
    /// Whether it uses the TURN server. Agents do.
    pub has_turn: bool,
    /// Its candidates now.
    pub ways: BTreeSet<Way>,
    pub negotiation: Option<Negotiation>,
    /// By the other's number; in a one-to-one room by 0.
    pub connections: BTreeMap<u32, Connection>,
    /// Connections that were opened and closed.
    pub moves: u32,
}

pub struct World {
    pub one_to_one: bool,
    start: Instant,
    pub now: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next: u64,
    pub ids: u32,
    random: u64,
    /// The longest that a message takes on each of its two ways, in ms.
    pub delay: u64,
    arrival: BTreeMap<(u32, u32), u64>,
    /// Who is in the room, as the server knows.
    room: Vec<u32>,
    pub actors: BTreeMap<u32, Actor>,
    pub network_until_down: Option<u64>,
    /// How often the TURN server was started, and until when it is away.
    turn_starts: u32,
    turn_until_down: Option<u64>,
    /// How long (ms) the TURN server takes to give an address.
    pub relay_takes: u64,
    last_number: u32,
}

impl World {
    pub fn new(one_to_one: bool, seed: u64) -> Self {
        let mut world = Self {
            one_to_one,
            start: Instant::now(),
            now: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next: 0,
            ids: 0,
            random: seed | 1,
            delay: 100,
            arrival: BTreeMap::new(),
            room: Vec::new(),
            actors: BTreeMap::new(),
            network_until_down: None,
            turn_starts: 1,
            turn_until_down: None,
            relay_takes: 100,
            last_number: 0,
        };
        world.at(0, Happening::Look);
        world
    }

    pub fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    pub fn at(&mut self, when: u64, happening: Happening) {
        self.next += 1;
        self.queue.push(Reverse((when, self.next)));
        self.happenings.insert(self.next, happening);
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % (below + 1)
    }

    /// When a message arrives that is sent now: some time later, and after those before it. The server is number 0.
    fn arrival(&mut self, from: u32, to: u32) -> u64 {
        let when = self.now + self.random(self.delay);
        let last = self.arrival.entry((from, to)).or_default();
        *last = when.max(*last);
        *last
    }

    pub fn say(&mut self, from: u32, message: Message) {
        let when = self.arrival(from, 0);
        self.at(when, Happening::AtServer { from, message });
    }

    fn tell(&mut self, whom: u32, message: Message) {
        let when = self.arrival(0, whom);
        self.at(when, Happening::At { whom, message });
    }

    pub fn join(&mut self, kind: Kind, place: Place) -> u32 {
        self.last_number += 1;
        let number = self.last_number;
        let dialect =
            if self.one_to_one { Dialect::Noom(Form::Args) } else { Dialect::Mesh(Names::default()) };
        let negotiation = (kind == Kind::Agent).then(|| Negotiation::new(dialect.offer_waits()));
        let actor = Actor {
            kind,
            place,
            has_turn: kind == Kind::Agent || place == Place::Firewalled,
            ways: place.ways(),
            negotiation,
            connections: BTreeMap::new(),
            moves: 0,
        };
        self.actors.insert(number, actor);
        self.say(number, Message::Join);
        if kind == Kind::Agent {
            self.at(self.now, Happening::AskRelay(number));
        }
        number
    }

    /// The number of the TURN server's start, if it is not away.
    pub fn turn_start(&self) -> Option<u32> {
        self.turn_until_down.is_none_or(|until| until <= self.now).then_some(self.turn_starts)
    }

    /// The TURN server ends, and is started again later.
    pub fn turn_fails(&mut self, millis: u64) {
        self.turn_until_down = Some(self.now + millis);
        self.turn_starts += 1;
        let is_relayed = |actor: &&Actor| actor.ways.iter().any(|way| matches!(way, Way::Relayed { .. }));
        let agents = self.actors.iter().filter(|(_, actor)| actor.kind == Kind::Agent && is_relayed(actor));
        for agent in agents.map(|(number, _)| *number).collect::<Vec<_>>() {
            let noticed = self.now + self.random(RELAY_NOTICED);
            self.at(noticed, Happening::NoticeRelayLost(agent));
        }
    }

    /// Somebody goes: closes everything, or is cut off without a word.
    pub fn go(&mut self, number: u32, cut_off: bool) {
        let Some(actor) = self.actors.remove(&number) else { return };
        let noticed = if cut_off { self.now + PING_TIMEOUT } else { self.arrival(number, 0) };
        self.at(noticed, Happening::Noticed(number));
        if !cut_off {
            for connection in actor.connections.into_values() {
                self.closed(&connection);
            }
        }
    }

    /// A page closes a connection and makes another one.
    pub fn remake(&mut self, page: u32, with: u32) {
        if let Some(connection) = self.actors.get_mut(&page).and_then(|page| page.connections.remove(&with)) {
            self.closed(&connection);
        }
        self.at(self.now + 1_000, Happening::Remake { page, with });
    }

    /// The other end of a connection that was closed hears of it, if anything is carried.
    pub fn closed(&mut self, connection: &Connection) {
        if self.network_until_down.is_some() {
            return;
        }
        let found = self.actors.iter().find_map(|(number, actor)| {
            let (with, _) = actor.connections.iter().find(|(_, other)| connection.fits(other))?;
            Some((*number, *with))
        });
        if let Some((number, with)) = found
            && self.actors[&number].kind == Kind::Agent
        {
            self.told(number, Event::Closed(self.id(with)));
        }
    }

    pub fn id(&self, number: u32) -> ParticipantId {
        if self.one_to_one { ParticipantId::other() } else { ParticipantId::new(&number.to_string()) }
    }

    pub fn number(id: &ParticipantId) -> u32 {
        id.as_str().parse().unwrap_or(0)
    }

    /// Lets `millis` pass.
    pub fn pass(&mut self, millis: u64) {
        let until = self.now + millis;
        loop {
            let woken = self.actors.iter().filter_map(|(number, actor)| {
                let due = actor.negotiation.as_ref()?.poll_timeout()?;
                Some((due.saturating_duration_since(self.start).as_millis() as u64 + 1, *number))
            });
            let woken = woken.min();
            let queued = self.queue.peek().map(|Reverse((when, _))| *when);
            match (woken, queued) {
                (Some((when, number)), _) if when <= until && queued.is_none_or(|queued| when < queued) => {
                    self.now = self.now.max(when);
                    self.told(number, Event::Tick);
                }
                (_, Some(when)) if when <= until => {
                    let Some(Reverse((_, key))) = self.queue.pop() else { unreachable!() };
                    self.now = self.now.max(when);
                    let happening = self.happenings.remove(&key).unwrap();
                    self.happen(happening);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::AtServer { from, message } => self.serve(from, message),
            Happening::At { whom, message } => match self.actors.get(&whom).map(|actor| actor.kind) {
                Some(Kind::Agent) => self.agent_hears(whom, message),
                Some(_) => self.page_hears(whom, message),
                None => {}
            },
            Happening::Noticed(number) => {
                self.room.retain(|other| *other != number);
                if !self.one_to_one {
                    for other in self.room.clone() {
                        self.tell(other, Message::Left(number));
                    }
                }
            }
            Happening::Remake { page, with } => {
                if self.actors.contains_key(&page) && self.room.contains(&with) {
                    self.page_connection(page, with);
                    self.page_offers(page, with);
                }
            }
            Happening::AskRelay(agent) => match self.turn_start() {
                Some(start) => self.at(self.now + self.relay_takes, Happening::RelayFound { agent, start }),
                None => self.at(self.now + RELAY_RETRIED, Happening::AskRelay(agent)),
            },
            Happening::RelayFound { agent, start } if self.turn_start() == Some(start) => {
                self.relay_found(agent, start);
            }
            Happening::RelayFound { agent, .. } => {
                self.at(self.now + RELAY_RETRIED, Happening::AskRelay(agent));
            }
            Happening::NoticeRelayLost(agent) => {
                self.relay_lost(agent);
                self.at(self.now + RELAY_REPLACED, Happening::AskRelay(agent));
            }
            Happening::Look => {
                self.look();
                self.at(self.now + LOOK, Happening::Look);
            }
        }
    }

    fn serve(&mut self, from: u32, message: Message) {
        match message {
            Message::Join => {
                let others = self.room.clone();
                self.room.push(from);
                for other in &others {
                    self.tell(*other, Message::Joined(from));
                }
                if !self.one_to_one {
                    self.tell(from, Message::Existing(others));
                }
            }
            Message::Signal(to, step) => {
                let room = self.room.clone();
                for other in room.into_iter().filter(|other| *other != from) {
                    if self.one_to_one || other == to {
                        self.tell(other, Message::Signal(from, step.clone()));
                    }
                }
            }
            Message::Existing(_) | Message::Joined(_) | Message::Left(_) => unreachable!(),
        }
    }
}
