//! A meeting over WebRTC: the session with the server, who offers to whom, and the connections, brought together.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::time::Instant;

use super::publisher::{Publisher, Trouble};
use super::trickle;
use super::viewers::PathEvent;
use crate::meeting::mesh::negotiation::{Action, Event, Negotiation};
use crate::meeting::mesh::session::{self, SessionEvent, SessionHandle};
use crate::meeting::mesh::{Departed, Dialect, Heard, Participant, ParticipantId, Said, Signal, Step};
use crate::meeting::{Presence, SessionConfig, SessionError};
use crate::publish::until;
use crate::rtc::{Peer, PeerError, PeerEvent};

/// Participants that are known at most; a server that names more is not believed.
const MAX_PARTICIPANTS: usize = 256;

/// What happened in the meeting.
#[derive(Debug)]
pub enum Happened {
    /// We are in it.
    Joined {
        /// Our socket id.
        sid: String,
    },
    /// Somebody came, left, is seen by us or is not any more.
    Changed,
    /// The encoder is to make something else.
    Encoding,
    /// Somebody wrote something.
    Chat {
        /// The name of its writer, where it is known.
        from: Option<String>,
        /// What it says.
        text: String,
    },
    /// A STUN or TURN server does not do what it should, or does again.
    IceServer(Trouble),
    /// We are not in it any more.
    Ended(SessionError),
}

/// How media get to a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// They are being connected to.
    Connecting,
    /// They get what we send.
    Connected,
    /// They get nothing, because there are as many as there may be.
    Refused,
}

/// The meeting and all who are in it.
pub struct Meeting {
    /// The media path.
    pub publisher: Publisher,
    dialect: Dialect,
    session: Option<SessionHandle>,
    negotiation: Negotiation,
    presence: Presence,
    participants: Vec<Participant>,
    deliveries: BTreeMap<ParticipantId, Delivery>,
    happened: VecDeque<Happened>,
}

impl Meeting {
    /// Out of any meeting.
    pub fn new(publisher: Publisher, dialect: Dialect) -> Self {
        Self {
            publisher,
            negotiation: Negotiation::new(dialect.offer_waits()),
            dialect,
            session: None,
            presence: Presence { has_video: false, is_muted: true },
            participants: Vec::new(),
            deliveries: BTreeMap::new(),
            happened: VecDeque::new(),
        }
    }

    /// Begins an attempt to be in the meeting. What comes of it is told by [`Meeting::progress`].
    pub fn connect(&mut self, config: SessionConfig, presence: Presence) {
        self.drop_session();
        self.presence = presence;
        self.session = Some(session::spawn(config, self.dialect.clone()));
    }

    /// Leaves, in good order.
    pub async fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.shutdown().await;
        }
        self.drop_session();
    }

    /// The meeting is over, or lost.
    pub fn drop_session(&mut self) {
        self.session = None;
        self.publisher.leave();
        self.negotiation = Negotiation::new(self.dialect.offer_waits());
        self.participants.clear();
        self.deliveries.clear();
        self.happened.clear();
    }

    /// Tells the others whether the camera is on, before its pictures go or come.
    pub fn announce_camera(&mut self, on: bool) {
        self.presence.has_video = on;
        self.say(Said::Camera { on });
    }

    /// Tells the others whether the microphone is live.
    pub fn announce_mic(&mut self, live: bool) {
        self.presence.is_muted = !live;
        self.say(Said::Mic { on: live });
    }

    /// Writes something for everybody to read. Says whether it is on its way to anybody.
    pub fn chat(&mut self, text: &str) -> bool {
        if !self.dialect.chats_between_peers() {
            return self.session.is_some() && self.say(Said::Chat(text.to_owned()));
        }
        let ids: Vec<ParticipantId> = self.deliveries.keys().cloned().collect();
        let said = ids
            .iter()
            .filter(|id| self.publisher.with_peer(id.as_str(), |peer| peer.say(text)) == Some(true));
        said.count() > 0
    }

    /// Who else is in the meeting, and how media get to them.
    pub fn participants(&self) -> impl Iterator<Item = (&Participant, Option<&Delivery>)> {
        self.participants.iter().map(|participant| (participant, self.deliveries.get(&participant.id)))
    }

    fn say(&self, said: Said) -> bool {
        self.session.as_ref().is_some_and(|session| session.say(said))
    }

    /// Waits until something has happened that the agent is to know; does meanwhile all that needs no decision of it. Can
    /// be dropped while it waits.
    pub async fn progress(&mut self) -> Happened {
        loop {
            if let Some(happened) = self.happened.pop_front() {
                return happened;
            }
            let due = self.negotiation.poll_timeout();
            tokio::select! {
                event = next_session_event(&mut self.session) => self.hear(event),
                () = self.publisher.progress() => {}
                () = until(due) => self.negotiate(Event::Tick),
            }
            if self.publisher.follow_links() {
                self.happened.push_back(Happened::Encoding);
            }
            while let Some((id, event)) = self.publisher.poll_event() {
                self.peer_event(ParticipantId::new(&id), event);
            }
            while let Some((id, event)) = self.publisher.poll_path_event() {
                self.path_event(ParticipantId::new(&id), event);
            }
            while let Some(trouble) = self.publisher.poll_trouble() {
                self.happened.push_back(Happened::IceServer(trouble));
            }
        }
    }

    fn hear(&mut self, event: Option<SessionEvent>) {
        match event {
            Some(SessionEvent::Joined { sid, others }) => self.joined(sid, others),
            Some(SessionEvent::Heard(heard)) => self.heard(heard),
            Some(SessionEvent::Ended(error)) => {
                self.drop_session();
                self.happened.push_back(Happened::Ended(error));
            }
            // The task was ended with the runtime.
            None => self.session = None,
        }
    }

    fn joined(&mut self, sid: String, others: Vec<Participant>) {
        if let Err(error) = self.publisher.enter() {
            tracing::error!("nobody can be sent to: {error}; check the network of this device");
        }
        self.happened.push_back(Happened::Joined { sid });
        for other in others {
            let id = other.id.clone();
            self.add(other);
            self.negotiate(Event::Found(id));
        }
        self.introduce();
    }

    /// Participants take it for granted that a camera is on and a microphone live, until they are told otherwise.
    fn introduce(&self) {
        let Presence { has_video, is_muted } = self.presence;
        if !has_video {
            self.say(Said::Camera { on: false });
        }
        if is_muted {
            self.say(Said::Mic { on: false });
        }
    }

    fn add(&mut self, participant: Participant) {
        self.participants.retain(|known| known.id != participant.id);
        if self.participants.len() < MAX_PARTICIPANTS {
            self.participants.push(participant);
            self.happened.push_back(Happened::Changed);
        }
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Came(participant) => {
                let id = participant.id.clone();
                tracing::info!(%id, name = participant.name, "somebody came");
                self.add(participant);
                self.introduce();
                self.negotiate(Event::Came(id));
            }
            Heard::Left(departed) => {
                for id in self.departed(&departed) {
                    tracing::info!(%id, "somebody left");
                    self.participants.retain(|known| known.id != id);
                    self.happened.push_back(Happened::Changed);
                    self.negotiate(Event::Left(id));
                }
            }
            Heard::Signal(signal) => self.negotiate(Event::Signal(signal)),
            Heard::Chat { from, text } => self.happened.push_back(Happened::Chat { from, text }),
            Heard::Error(message) => tracing::warn!("the server says: {message}"),
            Heard::Joined(_)
            | Heard::Camera { .. }
            | Heard::Mic { .. }
            | Heard::Refused(_)
            | Heard::Ignored
            | Heard::Malformed { .. } => {}
        }
    }

    /// Who is meant by what a server says of somebody who left.
    fn departed(&self, departed: &Departed) -> Vec<ParticipantId> {
        match departed {
            Departed { id: Some(id), .. } => vec![id.clone()],
            Departed { id: None, user_id } => self
                .participants
                .iter()
                .filter(|known| known.user_id == *user_id || Some(known.id.as_str()) == user_id.as_deref())
                .map(|known| known.id.clone())
                .collect(),
        }
    }

    fn peer_event(&mut self, id: ParticipantId, event: PeerEvent) {
        match event {
            PeerEvent::Connected => {
                tracing::info!(%id, "a participant sees this device");
                self.deliver(&id, Delivery::Connected);
                self.negotiate(Event::Connected(id));
            }
            PeerEvent::Disconnected => {
                self.deliver(&id, Delivery::Connecting);
                self.negotiate(Event::Disconnected(id));
            }
            PeerEvent::Closed => {
                self.deliver(&id, Delivery::Connecting);
                self.negotiate(Event::Closed(id));
            }
            PeerEvent::Failed(why) => {
                tracing::info!(%id, "the connection to a participant is lost: {why}");
                self.deliver(&id, Delivery::Connecting);
                self.negotiate(Event::Failed(id));
            }
            PeerEvent::Chat(text) => {
                let from = self.participants.iter().find(|known| known.id == id);
                let from = from.and_then(|known| known.name.clone());
                self.happened.push_back(Happened::Chat { from, text });
            }
            PeerEvent::Estimate(_) | PeerEvent::VoiceLoss(_) => {}
        }
    }

    fn path_event(&mut self, id: ParticipantId, event: PathEvent) {
        match event {
            PathEvent::Candidate(trickled) => {
                let step = Step::Candidate(trickle::told(trickled));
                self.negotiate(Event::Described(Signal { peer: id, step }));
            }
            PathEvent::Lost => {
                tracing::info!(%id, "a participant was reached from an address that is lost: ICE is restarted");
                self.negotiate(Event::OfferNeeded(id));
            }
            PathEvent::OtherPictures => self.happened.push_back(Happened::Changed),
        }
    }

    fn deliver(&mut self, id: &ParticipantId, delivery: Delivery) {
        if self.deliveries.get(id) != Some(&delivery) {
            self.deliveries.insert(id.clone(), delivery);
            self.happened.push_back(Happened::Changed);
        }
    }

    /// Tells the negotiation, and does what it decides.
    fn negotiate(&mut self, event: Event) {
        self.negotiation.handle(event, Instant::now());
        while let Some(action) = self.negotiation.poll_action() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Open(id) => match self.publisher.open(id.as_str()) {
                Ok(()) => self.deliver(&id, Delivery::Connecting),
                Err(refused) => {
                    tracing::warn!(%id, "{refused}");
                    self.deliver(&id, Delivery::Refused);
                    self.negotiation.handle(Event::Refused(id), Instant::now());
                }
            },
            Action::Offer(id) => self.describe(id, |peer| peer.offer().map(Step::Offer)),
            Action::Answer(id, offer) => {
                let mut complete = true;
                self.describe(id.clone(), |peer| {
                    let answer = peer.answer(&offer)?;
                    complete = answer.complete;
                    Ok(Step::Answer(answer.sdp))
                });
                if !complete {
                    self.negotiation.handle(Event::OfferNeeded(id), Instant::now());
                }
            }
            Action::Accept(id, answer) => {
                if let Some(Err(error)) = self.publisher.with_peer(id.as_str(), |peer| peer.accept(&answer)) {
                    tracing::warn!(%id, "an answer is ignored: {error}");
                }
            }
            Action::AddCandidate(id, candidate) => {
                self.publisher.with_peer(id.as_str(), |peer| peer.add_remote_candidate(&candidate.candidate));
            }
            Action::Close(id) => {
                self.publisher.close(id.as_str());
                self.deliveries.remove(&id);
                self.happened.push_back(Happened::Changed);
            }
            Action::Send(signal) => {
                self.say(Said::Signal(signal));
            }
        }
    }

    /// Makes a description, and tells the negotiation that it is there.
    fn describe(&mut self, id: ParticipantId, describe: impl FnOnce(&mut Peer) -> Result<Step, PeerError>) {
        match self.publisher.with_peer(id.as_str(), describe) {
            Some(Ok(step)) => {
                let candidates = match &step {
                    Step::Offer(sdp) | Step::Answer(sdp) => trickle::described(sdp),
                    Step::Candidate(_) => Vec::new(),
                };
                self.negotiation.handle(Event::Described(Signal { peer: id.clone(), step }), Instant::now());
                for candidate in candidates {
                    let step = Step::Candidate(candidate);
                    self.negotiation
                        .handle(Event::Described(Signal { peer: id.clone(), step }), Instant::now());
                }
            }
            Some(Err(error)) => {
                tracing::warn!(%id, "no connection: {error}");
                self.negotiation.handle(Event::Failed(id), Instant::now());
            }
            None => {}
        }
    }
}

async fn next_session_event(session: &mut Option<SessionHandle>) -> Option<SessionEvent> {
    match session {
        Some(session) => session.events.recv().await,
        None => pending().await,
    }
}
