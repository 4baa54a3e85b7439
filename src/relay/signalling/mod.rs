//! The dialects of WebRTC signalling (docs/signalling.md), from the server's side: what clients ask, and what they hear.
//! Media go from participant to participant; the relay passes on with whom, and to nobody outside the room.
//!
//! `read` and `write` are pure: events of Socket.IO to what is asked, and what is told to JSON. `direction` tells whether
//! a description sends media. The gateway's part is here.

mod direction;
mod read;
mod write;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) use read::read_join;
use read::{Asked, Signal};

use super::dialect::{CameraState, JoinRoom, MicState};
use super::gateway::{Gateway, MAX_CHAT_BYTES, viewers_only_watch};
use super::options::Role;
use super::refusal::{Code, Refusal};
use super::registry::{Joined, Left, Seat};
use super::session::Session;
use crate::meeting::mesh::Form;
use crate::socketio::Event;

/// How a client speaks, which the relay knows by its join. A room is for those who speak alike: clients of different
/// dialects do not meet, even in rooms of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum RoomDialect {
    /// Chunks of media through the relay (docs/protocol.md).
    Relay,
    /// "mesh", with the usual names (docs/signalling.md §1).
    Mesh,
    /// "noom" (docs/signalling.md §2).
    Noom(Form),
}

impl RoomDialect {
    /// Whether a room is for two, of whom one at most only watches: else viewers would keep the camera out.
    pub const fn is_one_to_one(self) -> bool {
        matches!(self, Self::Noom(Form::Object | Form::Args))
    }
}

impl Gateway {
    /// `join_room`, in whatever dialect.
    pub(super) fn join_signalling(&self, session: &Arc<Session>, event: &Event) -> Result<(), Refusal> {
        let Some((dialect, wish)) = read_join(event) else {
            return Err(Refusal::new(
                Code::BadRequest,
                "The relay does not understand this join_room: it takes {room_id, username}, {roomName}, or the room",
            ));
        };
        self.join(session, dialect, wish, event.ack()).inspect_err(|refusal| {
            if let Some(array) = write::refused(dialect, refusal) {
                let mut slow = Vec::new();
                self.tell_array(session, &array, &mut slow);
                self.cut_off(slow);
            }
        })
    }

    /// Tells a newcomer that it is in the room, and the others of it.
    pub(super) fn announce_joined(
        &self,
        session: &Arc<Session>,
        joined: &Joined<Arc<Session>>,
        ack: Option<u64>,
        slow: &mut Vec<Arc<Session>>,
    ) {
        let others = || joined.audience.iter().filter(|(sid, _)| *sid != session.id);
        // Before what has pages make connections. Those who are there are told anew: credentials expire.
        if !self.ice_servers.is_empty() {
            let array = write::ice_servers(&self.ice_servers, SystemTime::now());
            joined.audience.iter().for_each(|(_, to)| self.tell_array(to, &array, slow));
        }
        // The others first, as deployed servers do.
        if let Some(array) = write::came(joined.dialect, &joined.newcomer) {
            others().for_each(|(_, to)| self.tell_array(to, &array, slow));
        }
        if let Some(array) = write::joined(joined.dialect, &joined.state.participants, session.id) {
            self.tell_array(session, &array, slow);
        }
        if let Some(id) = ack {
            self.acknowledge(session, id, "[]", slow);
        }
    }

    /// Tells those who stay that somebody has left.
    pub(super) fn announce_departed(&self, left: &Left<Arc<Session>>, slow: &mut Vec<Arc<Session>>) {
        if let Some(array) = write::left(left.dialect, &left.participant) {
            left.audience.iter().for_each(|(_, to)| self.tell_array(to, &array, slow));
        }
    }

    /// Any event but a join, of a client in a room with a dialect of signalling.
    pub(super) fn signalling_event(
        &self,
        session: &Arc<Session>,
        seat: &Seat<Arc<Session>>,
        event: &Event,
    ) -> Result<(), Refusal> {
        let asked = read::read(seat.dialect, event).map_err(|why| {
            let message = format!("The relay does not understand this {}: {why}", event.name());
            Refusal::new(Code::BadRequest, message)
        })?;
        match asked {
            Some(Asked::Signal(signal)) => self.signal(session, seat, &signal),
            Some(Asked::Camera { on }) => {
                let stored = self.registry().set_camera(session.id, CameraState { has_video: on });
                self.tell_toggled(session, stored, "video-toggled", on);
                Ok(())
            }
            Some(Asked::Mic { on }) => {
                let stored = self.registry().set_mic(session.id, MicState { is_muted: !on });
                self.tell_toggled(session, stored, "audio-toggled", on);
                Ok(())
            }
            Some(Asked::Chat { username, text }) => self.chat(session, seat, username, &text),
            None => Ok(()),
        }
    }

    /// Passes a signal on to its target, or to the other one of a one-to-one room.
    fn signal(
        &self,
        session: &Arc<Session>,
        seat: &Seat<Arc<Session>>,
        signal: &Signal<'_>,
    ) -> Result<(), Refusal> {
        if seat.role == Role::Viewer
            && signal.sdp.as_deref().is_some_and(|sdp| !direction::only_receives(sdp))
        {
            return Err(viewers_only_watch());
        }
        let username = self.username(session);
        let array = write::signal(seat.dialect, signal, session.id, &username);
        let mut slow = Vec::new();
        // Whoever has left meanwhile needs it no more.
        let targets = seat.audience.iter().filter(|(sid, _)| match signal.to {
            Some(target) => *sid == target,
            None => *sid != session.id,
        });
        targets.for_each(|(_, to)| self.tell_array(to, &array, &mut slow));
        self.cut_off(slow);
        Ok(())
    }

    fn tell_toggled(&self, session: &Session, seat: Option<Seat<Arc<Session>>>, event: &str, on: bool) {
        // Whoever may only watch has no camera that could be on.
        let Some(seat) = seat else { return };
        let array = write::toggled(event, session.id, on);
        let mut slow = Vec::new();
        let others = seat.audience.iter().filter(|(sid, _)| *sid != session.id);
        others.for_each(|(_, to)| self.tell_array(to, &array, &mut slow));
        self.cut_off(slow);
    }

    fn chat(
        &self,
        session: &Arc<Session>,
        seat: &Seat<Arc<Session>>,
        username: Option<String>,
        text: &str,
    ) -> Result<(), Refusal> {
        if text.len() > MAX_CHAT_BYTES {
            let message = format!("A chat message has {MAX_CHAT_BYTES} bytes at most");
            return Err(Refusal::new(Code::TooLarge, message));
        }
        let username = username.unwrap_or_else(|| self.username(session));
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let array = write::chat(seat.dialect, session.id, &username, text, timestamp);
        let mut slow = Vec::new();
        // "mesh" has it sent to its writer too.
        let to_writer = seat.dialect == RoomDialect::Mesh;
        let readers = seat.audience.iter().filter(|(sid, _)| to_writer || *sid != session.id);
        readers.for_each(|(_, to)| self.tell_array(to, &array, &mut slow));
        self.cut_off(slow);
        Ok(())
    }
}
