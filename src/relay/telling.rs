//! How the gateway tells clients something, refuses, dismisses, and cuts off those for whom too much waits.

use std::sync::Arc;

use serde::Serialize;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tracing::field;

use super::client_log::Topic;
use super::dialect::{Refused, UserLeft};
use super::gateway::Gateway;
use super::message::Message;
use super::outgoing::Slow;
use super::refusal::Refusal;
use super::registry::{Audience, Left, Registry};
use super::session::{Session, Sid};
use super::signalling::RoomDialect;

impl Gateway {
    /// Tells a client why something was not done.
    pub fn refuse(&self, session: &Arc<Session>, refusal: &Refusal) {
        let mut slow = Vec::new();
        self.tell(session, "error", &Refused { message: &refusal.message, code: refusal.code }, &mut slow);
        self.cut_off(slow);
    }

    /// Tells a client why, and ends its session in order.
    pub fn dismiss(&self, session: &Session, refusal: &Refusal) {
        let why = self.encode("error", &Refused { message: &refusal.message, code: refusal.code });
        let end = [Message::text("41", &self.budget), Message::close(CloseCode::Normal, &self.budget)];
        session.finish(&why.into_iter().chain(end).collect::<Vec<_>>());
    }

    /// Cuts off participants for whom too much waits. Telling the others may be too much for further ones, hence
    /// the loop.
    pub(super) fn cut_off(&self, mut slow: Vec<Arc<Session>>) {
        loop {
            let next =
                slow.pop().or_else(|| self.budget.is_exceeded().then(|| self.sessions.fullest()).flatten());
            let Some(session) = next else { return };
            session.cut_off();
            let mut registry = self.registry();
            if let Some(left) = registry.disconnect(session.id) {
                if let Some(more) = self.log.admit(Topic::CutOff) {
                    let (room, user) = (&*left.room_id, &*left.participant.user_id);
                    tracing::warn!(room, user, "cut off a participant that cannot keep up{more}");
                }
                self.announce_left(&registry, &left, session.id, &mut slow);
            }
        }
    }

    pub(super) fn announce_left(
        &self,
        registry: &Registry<Arc<Session>>,
        left: &Left<Arc<Session>>,
        sid: Sid,
        slow: &mut Vec<Arc<Session>>,
    ) {
        if left.dialect != RoomDialect::Relay {
            return self.announce_departed(left, slow);
        }
        let gone = UserLeft { user_id: &left.participant.user_id, socket_id: &sid.to_string() };
        self.tell_others(&left.audience, sid, "user-left", &gone, slow);
        if let Some(changed) = &left.presenter {
            self.tell_others(&left.audience, sid, "broadcast-presenter-changed", changed, slow);
        }
        self.announce_in(registry, &left.room_id);
    }

    pub(super) fn tell_others(
        &self,
        audience: &Audience<Arc<Session>>,
        sender: Sid,
        event: &str,
        payload: &impl Serialize,
        slow: &mut Vec<Arc<Session>>,
    ) {
        if let Some(message) = self.encode(event, payload) {
            deliver_to_others(audience, sender, &message, slow);
        }
    }

    pub(super) fn tell(
        &self,
        to: &Arc<Session>,
        event: &str,
        payload: &impl Serialize,
        slow: &mut Vec<Arc<Session>>,
    ) {
        if let Some(message) = self.encode(event, payload) {
            deliver(to, &message, slow);
        }
    }

    /// Tells a client an event that is its JSON array already.
    pub(super) fn tell_array(&self, to: &Arc<Session>, array: &str, slow: &mut Vec<Arc<Session>>) {
        deliver(to, &Message::text(&format!("42{array}"), &self.budget), slow);
    }

    /// Answers an event for which the client wants an answer under `id`.
    pub(super) fn acknowledge(
        &self,
        to: &Arc<Session>,
        id: u64,
        arguments: &str,
        slow: &mut Vec<Arc<Session>>,
    ) {
        deliver(to, &Message::text(&format!("43{id}{arguments}"), &self.budget), slow);
    }

    pub(super) fn encode(&self, event: &str, payload: &impl Serialize) -> Option<Arc<Message>> {
        Message::event(event, payload, &self.budget)
            .inspect_err(|error| tracing::error!(event, %error, "cannot encode an event"))
            .ok()
    }

    /// Logs what a client was refused.
    pub(super) fn warn(&self, topic: Topic, session: &Session, what: &str) {
        if let Some(more) = self.log.admit(topic) {
            tracing::warn!(sid = %session.id, client = session.client.map(field::display), "{what}{more}");
        }
    }
}

pub(super) fn deliver_to_others(
    audience: &Audience<Arc<Session>>,
    sender: Sid,
    message: &Arc<Message>,
    slow: &mut Vec<Arc<Session>>,
) {
    audience.iter().filter(|(sid, _)| *sid != sender).for_each(|(_, to)| deliver(to, message, slow));
}

pub(super) fn deliver(to: &Arc<Session>, message: &Arc<Message>, slow: &mut Vec<Arc<Session>>) {
    if to.send(message) == Err(Slow) {
        slow.push(to.clone());
    }
}
