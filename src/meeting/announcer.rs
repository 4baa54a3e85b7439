//! State events of the agent, under the user id that the room knows.

use std::collections::VecDeque;
use std::mem::discriminant;

use super::event::{ClientEvent, EncodeError, Membership, Presence};
use super::identity::Identity;
use super::outbox::StateChange;
use super::roster::Participant;
use super::session_config::SessionConfig;
use crate::socketio::Event;

/// Writes state events. When the relay gives the agent another user id, what was announced under the old one is due
/// again: receivers match events by user id, and did not know whose it was.
#[derive(Debug)]
pub(super) struct Announcer {
    config: SessionConfig,
    identity: Identity,
    /// The last announcement of each kind.
    announced: Vec<StateChange>,
    due: VecDeque<StateChange>,
}

impl Announcer {
    pub(super) fn new(config: SessionConfig, identity: Identity) -> Self {
        Self { config, identity, announced: Vec::new(), due: VecDeque::new() }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Takes in a list of the relay. Says whether the agent has another user id now.
    pub(super) fn adopt(&mut self, participants: &[Participant]) -> bool {
        let adopted = self.identity.adopt(participants);
        if adopted {
            self.due.extend(self.announced.drain(..));
        }
        adopted
    }

    /// The next announcement that is due again.
    pub(super) fn next_due(&mut self) -> Option<StateChange> {
        self.due.pop_front()
    }

    pub(super) fn event(&mut self, change: StateChange) -> Result<Event, EncodeError> {
        // A reset speaks of the chunks after it, which have gone by when it would be repeated, and the room need not be
        // joined for a third time.
        if !matches!(change, StateChange::StreamReset | StateChange::JoinAgain(_)) {
            self.announced.retain(|earlier| discriminant(earlier) != discriminant(&change));
            self.announced.push(change);
        }
        let membership = Membership { room_id: &self.config.room, user_id: self.identity.user_id() };
        match change {
            StateChange::Camera { has_video } => ClientEvent::CameraStateChanged { membership, has_video },
            StateChange::Mic { is_muted } => ClientEvent::MicStateChanged { membership, is_muted },
            StateChange::Speaking { speaking: true } => ClientEvent::SpeakingStart { membership },
            StateChange::Speaking { speaking: false } => ClientEvent::SpeakingStop { membership },
            StateChange::JoinAgain(presence) => return join_room(&self.config, presence),
            StateChange::StreamReset => ClientEvent::StreamReset { membership },
        }
        .to_event()
    }
}

/// `join-room`, as the configuration introduces the agent.
pub(super) fn join_room(config: &SessionConfig, presence: Presence) -> Result<Event, EncodeError> {
    let avatar_url = config.avatar_url.as_deref();
    ClientEvent::JoinRoom { room: &config.room, username: &config.username, avatar_url, presence }.to_event()
}
