//! Who is connected, who sits in which room, and who may broadcast. Pure: knows no socket and no clock.
//!
//! `H` is whatever reaches a participant (a socket; a number in tests). Every operation returns whom to tell
//! what, and the gateway tells them.

use std::collections::HashMap;
use std::sync::Arc;

use socketioxide::socket::Sid;
use thiserror::Error;

use super::dialect::{
    BroadcastMode, CameraState, JoinRoom, MicState, Participant, PresenterChanged, RoomState,
};

/// Longest room id in bytes.
const MAX_ROOM_ID: usize = 128;
/// Longest display name in characters; a longer one is cut.
const MAX_USERNAME: usize = 64;
/// Longest avatar address in bytes; a longer one is left out.
const MAX_AVATAR_URL: usize = 2048;

/// Why a join was refused, in words for the person who sees them.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum JoinRefusal {
    #[error("The room needs a name of 1 to {MAX_ROOM_ID} bytes")]
    BadRoomId,
    #[error("This relay carries its limit of {0} rooms; try again when one has emptied")]
    TooManyRooms(usize),
    #[error("The room holds its limit of {0} participants; try again when somebody has left")]
    RoomFull(usize),
    #[error("This connection has been closed")]
    NotConnected,
}

/// Everybody a sender's messages go to: the members of a room, shared so that the media path takes no lock
/// while it delivers.
pub(super) type Audience<H> = Arc<[(Sid, H)]>;

/// What a joiner and the others are to be told.
#[derive(Debug)]
pub(super) struct Joined<H> {
    /// For the joiner.
    pub state: RoomState,
    /// For the others: the joiner.
    pub newcomer: Participant,
    /// The room, joiner included.
    pub audience: Audience<H>,
}

/// What those who stay are to be told when somebody has left.
#[derive(Debug)]
pub(super) struct Left<H> {
    pub room_id: Arc<str>,
    pub user_id: Arc<str>,
    /// Those who stay.
    pub audience: Audience<H>,
    /// Set if it was the presenter who left: now everybody may broadcast again.
    pub presenter: Option<PresenterChanged>,
}

/// Where a participant sits, as the forwarding of its events needs it.
#[derive(Debug, Clone)]
pub(super) struct Seat<H> {
    pub room_id: Arc<str>,
    pub user_id: Arc<str>,
    pub can_broadcast: bool,
    /// The room, the participant itself included.
    pub audience: Audience<H>,
}

struct Connection<H> {
    user_id: Arc<str>,
    handle: H,
    room: Option<Arc<str>>,
}

struct Member {
    sid: Sid,
    participant: Participant,
}

struct Room<H> {
    /// In the order of joining; the first is the host.
    members: Vec<Member>,
    presenter: Option<String>,
    audience: Audience<H>,
}

impl<H> Room<H> {
    fn participants(&self) -> Vec<Participant> {
        self.members.iter().map(|m| m.participant.clone()).collect()
    }

    fn broadcast_mode(&self) -> BroadcastMode {
        if self.presenter.is_some() { BroadcastMode::Single } else { BroadcastMode::All }
    }

    fn may_broadcast(&self, user_id: &str) -> bool {
        self.presenter.as_deref().is_none_or(|presenter| presenter == user_id)
    }

    /// Hands the floor to `presenter`, or to everybody. Who may not broadcast any more counts as camera off
    /// and muted (docs/protocol.md §2.4).
    fn set_presenter(&mut self, presenter: Option<String>) -> PresenterChanged {
        self.presenter = presenter;
        for index in 0..self.members.len() {
            let allowed = self.may_broadcast(&self.members[index].participant.user_id);
            let participant = &mut self.members[index].participant;
            participant.can_broadcast = allowed;
            if !allowed {
                participant.has_video = false;
                participant.is_muted = true;
            }
        }
        PresenterChanged {
            participants: self.participants(),
            presenter_user_id: self.presenter.clone(),
            broadcast_mode: self.broadcast_mode(),
        }
    }
}

/// See the module's documentation.
pub(super) struct Registry<H> {
    max_rooms: usize,
    max_participants: usize,
    connections: HashMap<Sid, Connection<H>>,
    users: HashMap<Arc<str>, Sid>,
    rooms: HashMap<Arc<str>, Room<H>>,
}

impl<H: Clone> Registry<H> {
    pub fn new(max_rooms: usize, max_participants: usize) -> Self {
        Self {
            max_rooms,
            max_participants,
            connections: HashMap::new(),
            users: HashMap::new(),
            rooms: HashMap::new(),
        }
    }

    /// Notes that `user_id` has connected as `sid`. Returns the earlier connection of the same user, which
    /// the new one displaces; the caller disconnects it ([`Registry::disconnect`]).
    pub fn connect(&mut self, sid: Sid, user_id: &str, handle: H) -> Option<(Sid, H)> {
        let user_id: Arc<str> = user_id.into();
        let displaced = self.users.insert(user_id.clone(), sid).filter(|&earlier| earlier != sid);
        self.connections.insert(sid, Connection { user_id, handle, room: None });
        displaced.and_then(|earlier| Some((earlier, self.connections.get(&earlier)?.handle.clone())))
    }

    /// Forgets a connection. Returns what to tell the room it was in, if it was in one.
    pub fn disconnect(&mut self, sid: Sid) -> Option<Left<H>> {
        let left = self.leave(sid);
        if let Some(connection) = self.connections.remove(&sid)
            && self.users.get(&connection.user_id) == Some(&sid)
        {
            self.users.remove(&connection.user_id);
        }
        left
    }

    /// Seats a connection in a room. The caller has made it leave its former room ([`Registry::leave`]).
    pub fn join(&mut self, sid: Sid, wish: JoinRoom) -> Result<Joined<H>, JoinRefusal> {
        if wish.room_id.is_empty() || wish.room_id.len() > MAX_ROOM_ID {
            return Err(JoinRefusal::BadRoomId);
        }
        let room_count = self.rooms.len();
        let connection = self.connections.get_mut(&sid).ok_or(JoinRefusal::NotConnected)?;
        let room_id: Arc<str> = wish.room_id.as_str().into();
        let room = match self.rooms.get_mut(&room_id) {
            Some(room) if room.members.len() >= self.max_participants => {
                return Err(JoinRefusal::RoomFull(self.max_participants));
            }
            Some(room) => room,
            None if room_count >= self.max_rooms => return Err(JoinRefusal::TooManyRooms(self.max_rooms)),
            None => self.rooms.entry(room_id.clone()).or_insert_with(|| Room {
                members: Vec::new(),
                presenter: None,
                audience: Arc::from([]),
            }),
        };

        let can_broadcast = room.may_broadcast(&connection.user_id);
        let username = wish.username.unwrap_or_default();
        let newcomer = Participant {
            user_id: connection.user_id.to_string(),
            username: match username.trim() {
                "" => connection.user_id.to_string(),
                name => name.chars().take(MAX_USERNAME).collect(),
            },
            avatar_url: wish.avatar_url.filter(|url| url.len() <= MAX_AVATAR_URL),
            has_video: wish.has_video && can_broadcast,
            is_muted: wish.is_muted || !can_broadcast,
            can_broadcast,
            socket_id: sid.to_string(),
        };
        connection.room = Some(room_id.clone());
        room.members.push(Member { sid, participant: newcomer.clone() });
        room.audience = room.audience.iter().cloned().chain([(sid, connection.handle.clone())]).collect();
        Ok(Joined {
            state: RoomState {
                title: wish.room_id.clone(),
                room_id: wish.room_id,
                participants: room.participants(),
                host_id: room.members[0].participant.user_id.clone(),
                can_broadcast,
                broadcast_mode: room.broadcast_mode(),
            },
            newcomer,
            audience: room.audience.clone(),
        })
    }

    /// Takes a connection out of its room. `None` if it was in none.
    pub fn leave(&mut self, sid: Sid) -> Option<Left<H>> {
        let connection = self.connections.get_mut(&sid)?;
        let room_id = connection.room.take()?;
        let user_id = connection.user_id.clone();
        let room = self.rooms.get_mut(&room_id)?;
        room.members.retain(|member| member.sid != sid);
        room.audience = room.audience.iter().filter(|(other, _)| *other != sid).cloned().collect();
        let audience = room.audience.clone();
        let presenter = (room.presenter.as_deref() == Some(&*user_id)).then(|| room.set_presenter(None));
        if room.members.is_empty() {
            self.rooms.remove(&room_id);
        }
        Some(Left { room_id, user_id, audience, presenter })
    }

    /// Where a connection sits, or `None` while it has not joined.
    pub fn seat(&self, sid: Sid) -> Option<Seat<H>> {
        let connection = self.connections.get(&sid)?;
        let room_id = connection.room.as_ref()?;
        let room = self.rooms.get(room_id)?;
        Some(Seat {
            can_broadcast: room.may_broadcast(&connection.user_id),
            user_id: connection.user_id.clone(),
            room_id: room_id.clone(),
            audience: room.audience.clone(),
        })
    }

    /// What everybody knows about the participant behind a connection.
    pub fn participant(&self, sid: Sid) -> Option<&Participant> {
        let room = self.rooms.get(self.connections.get(&sid)?.room.as_ref()?)?;
        room.members.iter().find(|member| member.sid == sid).map(|member| &member.participant)
    }

    /// Remembers a camera's state for those who join later. `None` if the participant has not joined, or
    /// may not broadcast: then its camera counts as off whatever it says.
    pub fn set_camera(&mut self, sid: Sid, camera: CameraState) -> Option<Seat<H>> {
        self.broadcaster(sid)?.has_video = camera.has_video;
        self.seat(sid)
    }

    /// Remembers a microphone's state, like [`Registry::set_camera`].
    pub fn set_mic(&mut self, sid: Sid, mic: MicState) -> Option<Seat<H>> {
        self.broadcaster(sid)?.is_muted = mic.is_muted;
        self.seat(sid)
    }

    /// Gives the floor of the room to one user, or back to everybody. `None` unless it is the host who asks.
    pub fn set_presenter(
        &mut self,
        sid: Sid,
        presenter: Option<String>,
    ) -> Option<(PresenterChanged, Audience<H>)> {
        let room = self.rooms.get_mut(self.connections.get(&sid)?.room.as_ref()?)?;
        if room.members.first()?.sid != sid {
            return None;
        }
        Some((room.set_presenter(presenter), room.audience.clone()))
    }

    fn broadcaster(&mut self, sid: Sid) -> Option<&mut Participant> {
        let room = self.rooms.get_mut(self.connections.get(&sid)?.room.as_ref()?)?;
        let member = room.members.iter_mut().find(|member| member.sid == sid)?;
        Some(&mut member.participant).filter(|participant| participant.can_broadcast)
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
