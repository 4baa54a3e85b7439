//! Who is connected, who sits in which room, and who may broadcast. Pure: knows no socket and no clock.
//!
//! `H` is whatever reaches a participant (a socket; a number in tests). Every operation returns whom to tell
//! what, and the gateway tells them.

mod remote;

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use super::dialect::{
    BroadcastMode, CameraState, JoinRoom, MicState, Participant, PresenterChanged, RoomState,
};
use super::fleet::NodeId;
use super::identity::Identity;
use super::options::Role;
use super::refusal::Code;
use super::session::Sid;
use super::signalling::RoomDialect;

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
    #[error("Somebody watches this room for two already; try again when they have left")]
    Watched,
    #[error("This connection has been closed")]
    NotConnected,
}

impl JoinRefusal {
    /// The same for programs.
    pub fn code(&self) -> Code {
        match self {
            Self::TooManyRooms(_) | Self::RoomFull(_) | Self::Watched => Code::RoomFull,
            Self::BadRoomId | Self::NotConnected => Code::BadRequest,
        }
    }
}

/// Everybody a sender's messages go to: the members of a room, shared so that the media path takes no lock
/// while it delivers.
pub(super) type Audience<H> = Arc<[(Sid, H)]>;

/// What a joiner and the others are to be told.
#[derive(Debug)]
pub(super) struct Joined<H> {
    pub dialect: RoomDialect,
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
    pub dialect: RoomDialect,
    pub room_id: Arc<str>,
    /// Who has left.
    pub participant: Participant,
    /// Those who stay.
    pub audience: Audience<H>,
    /// Set if it was the presenter who left: now everybody may broadcast again.
    pub presenter: Option<PresenterChanged>,
}

/// Where a participant sits, as the forwarding of its events needs it.
#[derive(Debug, Clone)]
pub(super) struct Seat<H> {
    pub dialect: RoomDialect,
    pub room_id: Arc<str>,
    pub user_id: Arc<str>,
    pub role: Role,
    pub can_broadcast: bool,
    /// Those in the room who came in at this relay, the participant itself included.
    pub audience: Audience<H>,
    /// Whether others came in at other relays.
    pub others_elsewhere: bool,
}

/// What comes of connecting.
#[derive(Debug)]
pub(super) enum Seated<H> {
    /// Nobody had the user id.
    Free,
    /// The client takes the place of this connection, which the caller disconnects ([`Registry::disconnect`]).
    Displaces(Sid, H),
    /// This connection has the user id, if its client is still there.
    Taken(Sid, H),
    /// A publisher has the user id, which a viewer never takes.
    Refused,
}

struct Connection<H> {
    identity: Identity,
    handle: H,
    room: Option<RoomKey>,
}

/// What a room is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RoomKey {
    dialect: RoomDialect,
    id: Arc<str>,
}

impl RoomKey {
    fn relay(room_id: &str) -> Self {
        Self { dialect: RoomDialect::Relay, id: room_id.into() }
    }
}

/// Seats of a one-to-one room, and how many of them are for those who only watch.
const ONE_TO_ONE: usize = 2;
const ONE_TO_ONE_WATCHING: usize = 1;

struct Member {
    sid: Sid,
    role: Role,
    /// When it joined, in Unix milliseconds.
    since: u64,
    /// The relay that it is connected to; `None` for this one.
    node: Option<NodeId>,
    participant: Participant,
}

struct Room<H> {
    /// In the order of joining; the first who may publish is the host.
    members: Vec<Member>,
    presenter: Option<String>,
    /// Counts the changes of the presenter, on all relays together.
    presenter_version: u64,
    /// Those of this relay.
    audience: Audience<H>,
}

impl<H> Room<H> {
    fn participants(&self) -> Vec<Participant> {
        self.members.iter().map(|m| m.participant.clone()).collect()
    }

    /// Why somebody cannot be let in.
    fn refuses(&self, dialect: RoomDialect, watches: bool, max_participants: usize) -> Option<JoinRefusal> {
        let one_to_one = dialect.is_one_to_one();
        let most = if one_to_one { max_participants.min(ONE_TO_ONE) } else { max_participants };
        let watching = || self.members.iter().filter(|member| member.participant.watches).count();
        if self.members.len() >= most {
            Some(JoinRefusal::RoomFull(most))
        } else if one_to_one && watches && watching() >= ONE_TO_ONE_WATCHING {
            Some(JoinRefusal::Watched)
        } else {
            None
        }
    }

    fn broadcast_mode(&self) -> BroadcastMode {
        if self.presenter.is_some() { BroadcastMode::Single } else { BroadcastMode::All }
    }

    fn may_broadcast(&self, user_id: &str, role: Role) -> bool {
        role == Role::Publisher && self.presenter.as_deref().is_none_or(|presenter| presenter == user_id)
    }

    fn host(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.role == Role::Publisher)
    }

    /// Hands the floor to `presenter`, or to everybody. Who may not broadcast any more counts as camera off
    /// and muted (docs/protocol.md §2.4).
    fn set_presenter(&mut self, presenter: Option<String>) -> PresenterChanged {
        self.presenter = presenter;
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let allowed = self.may_broadcast(&member.participant.user_id, member.role);
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
    rooms: HashMap<RoomKey, Room<H>>,
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

    /// Notes that a user has connected as `sid`, unless another connection has the user id. `gone`: a connection
    /// whose client is known not to be there any more.
    pub fn connect(&mut self, sid: Sid, identity: Identity, handle: H, gone: Option<Sid>) -> Seated<H> {
        let seated = self.contest(&identity, gone);
        if let Seated::Free | Seated::Displaces(..) = seated {
            self.users.insert(identity.user_id.clone(), sid);
            self.connections.insert(sid, Connection { identity, handle, room: None });
        }
        seated
    }

    /// What would come of connecting, here or at another relay.
    pub fn contest(&self, identity: &Identity, gone: Option<Sid>) -> Seated<H> {
        let holder = self.users.get(&identity.user_id);
        let Some((holder, held)) = holder.and_then(|holder| Some((*holder, self.connections.get(holder)?)))
        else {
            return Seated::Free;
        };
        let handle = held.handle.clone();
        if identity.proof.outranks(&held.identity.proof) {
            Seated::Displaces(holder, handle)
        } else if held.identity.role == Role::Publisher && identity.role == Role::Viewer {
            Seated::Refused
        } else if gone == Some(holder) {
            Seated::Displaces(holder, handle)
        } else {
            Seated::Taken(holder, handle)
        }
    }

    /// Forgets a connection. Returns what to tell the room it was in, if it was in one.
    pub fn disconnect(&mut self, sid: Sid) -> Option<Left<H>> {
        let left = self.leave(sid);
        if let Some(connection) = self.connections.remove(&sid)
            && self.users.get(&connection.identity.user_id) == Some(&sid)
        {
            self.users.remove(&connection.identity.user_id);
        }
        left
    }

    /// Seats a connection in a room. The caller has made it leave its former room ([`Registry::leave`]).
    /// `now` is in Unix milliseconds.
    pub fn join(
        &mut self,
        sid: Sid,
        dialect: RoomDialect,
        wish: JoinRoom,
        now: u64,
    ) -> Result<Joined<H>, JoinRefusal> {
        if wish.room_id.is_empty() || wish.room_id.len() > MAX_ROOM_ID {
            return Err(JoinRefusal::BadRoomId);
        }
        let room_count = self.rooms.len();
        let connection = self.connections.get_mut(&sid).ok_or(JoinRefusal::NotConnected)?;
        let key = RoomKey { dialect, id: wish.room_id.as_str().into() };
        let watches = wish.watch || connection.identity.role == Role::Viewer;
        let room = match self.rooms.get_mut(&key) {
            Some(room) => match room.refuses(dialect, watches, self.max_participants) {
                Some(refusal) => return Err(refusal),
                None => room,
            },
            None if room_count >= self.max_rooms => return Err(JoinRefusal::TooManyRooms(self.max_rooms)),
            None => self.rooms.entry(key.clone()).or_insert_with(|| Room {
                members: Vec::new(),
                presenter: None,
                presenter_version: 0,
                audience: Arc::from([]),
            }),
        };

        let Identity { user_id, role, .. } = &connection.identity;
        let can_broadcast = room.may_broadcast(user_id, *role);
        let username = wish.username.unwrap_or_default();
        let newcomer = Participant {
            user_id: user_id.to_string(),
            username: match username.trim() {
                "" => user_id.to_string(),
                name => name.chars().take(MAX_USERNAME).collect(),
            },
            avatar_url: wish.avatar_url.filter(|url| url.len() <= MAX_AVATAR_URL),
            has_video: wish.has_video && can_broadcast,
            is_muted: wish.is_muted || !can_broadcast,
            can_broadcast,
            socket_id: sid.to_string(),
            watches,
        };
        connection.room = Some(key);
        let since = room.members.last().map_or(now, |last| now.max(last.since + 1));
        room.members.push(Member { sid, role: *role, since, node: None, participant: newcomer.clone() });
        room.audience = room.audience.iter().cloned().chain([(sid, connection.handle.clone())]).collect();
        Ok(Joined {
            dialect,
            state: RoomState {
                title: wish.room_id.clone(),
                room_id: wish.room_id,
                participants: room.participants(),
                host_id: room.host().map(|host| host.participant.user_id.clone()).unwrap_or_default(),
                can_broadcast,
                broadcast_mode: room.broadcast_mode(),
            },
            newcomer,
            audience: room.audience.clone(),
        })
    }

    /// The members of each room.
    pub fn rooms(&self) -> impl Iterator<Item = &Audience<H>> {
        self.rooms.values().map(|room| &room.audience)
    }

    /// Takes a connection out of its room. `None` if it was in none.
    pub fn leave(&mut self, sid: Sid) -> Option<Left<H>> {
        let connection = self.connections.get_mut(&sid)?;
        let key = connection.room.take()?;
        let room = self.rooms.get_mut(&key)?;
        let index = room.members.iter().position(|member| member.sid == sid)?;
        let Member { participant, .. } = room.members.remove(index);
        room.audience = room.audience.iter().filter(|(other, _)| *other != sid).cloned().collect();
        let audience = room.audience.clone();
        let presenter = (room.presenter.as_ref() == Some(&participant.user_id)).then(|| {
            room.presenter_version += 1;
            room.set_presenter(None)
        });
        if room.audience.is_empty() {
            self.rooms.remove(&key);
        }
        Some(Left { dialect: key.dialect, room_id: key.id, participant, audience, presenter })
    }

    /// Where a connection sits, or `None` while it has not joined.
    pub fn seat(&self, sid: Sid) -> Option<Seat<H>> {
        let connection = self.connections.get(&sid)?;
        let key = connection.room.as_ref()?;
        let room = self.rooms.get(key)?;
        Some(Seat {
            dialect: key.dialect,
            can_broadcast: room.may_broadcast(&connection.identity.user_id, connection.identity.role),
            role: connection.identity.role,
            user_id: connection.identity.user_id.clone(),
            room_id: key.id.clone(),
            audience: room.audience.clone(),
            others_elsewhere: room.members.len() > room.audience.len(),
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
        if room.host()?.sid != sid {
            return None;
        }
        room.presenter_version += 1;
        Some((room.set_presenter(presenter), room.audience.clone()))
    }

    fn broadcaster(&mut self, sid: Sid) -> Option<&mut Participant> {
        let room = self.rooms.get_mut(self.connections.get(&sid)?.room.as_ref()?)?;
        let member = room.members.iter_mut().find(|member| member.sid == sid)?;
        Some(&mut member.participant).filter(|participant| participant.can_broadcast)
    }
}

pub(super) use remote::{Change, Changed};

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
