//! The events of a meeting: what each one does, and who is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client_log::{ClientLog, Topic};
use super::dialect::{
    About, CameraState, ChatMessage, ForwardedChunk, JoinRoom, KeyframeRequested, MediaChunk, MicState,
    NoMore, Reaction, RequestKeyframe, Said, SetPresenter,
};
use super::fleet::Fleet;
use super::message::{Budget, Message};
use super::options::{Access, RelayOptions, Role};
use super::refusal::{Code, Refusal};
use super::registry::{Registry, Seat};
use super::session::{Session, Sid};
use super::sessions::Sessions;
use super::shared_rate::SharedRate;
use super::signalling::RoomDialect;
use super::telling::{deliver, deliver_to_others};
use crate::config::IceServer;
use crate::socketio::{Event, Placeholder};

/// Longest chat message in bytes.
pub(super) const MAX_CHAT_BYTES: usize = 2000;
/// Longest emoji in bytes: some are joined from many characters.
const MAX_EMOJI_BYTES: usize = 64;
/// Longest type of media in bytes.
const MAX_MIME_BYTES: usize = 128;

/// See the module's documentation.
pub(super) struct Gateway {
    registry: Mutex<Registry<Arc<Session>>>,
    joins: Mutex<SharedRate>,
    pub(super) access: Access,
    pub(super) budget: Arc<Budget>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) log: Arc<ClientLog>,
    pub(super) fleet: Option<Fleet>,
    pub(super) ice_servers: Vec<IceServer>,
}

impl Gateway {
    pub fn new(
        options: &RelayOptions,
        budget: Arc<Budget>,
        sessions: Arc<Sessions>,
        log: Arc<ClientLog>,
        fleet: Option<Fleet>,
    ) -> Self {
        Self {
            registry: Mutex::new(Registry::new(options.max_rooms, options.max_participants)),
            joins: Mutex::new(SharedRate::new(options.max_joins_per_second, Instant::now())),
            access: options.access.clone(),
            budget,
            sessions,
            log,
            fleet,
            ice_servers: options.ice_servers.clone(),
        }
    }

    /// Forgets a session.
    pub fn gone(&self, sid: Sid) {
        let mut slow = Vec::new();
        {
            let mut registry = self.registry();
            if let Some(left) = registry.disconnect(sid) {
                if let Some(more) = self.log.admit(Topic::Presence) {
                    let (room, user) = (&*left.room_id, &*left.participant.user_id);
                    tracing::info!(room, user, "disconnected{more}");
                }
                self.announce_left(&registry, &left, sid, &mut slow);
            }
        }
        self.cut_off(slow);
    }

    /// Does what an event wants, or says why not.
    pub fn event(&self, session: &Arc<Session>, event: &Event) -> Result<(), Refusal> {
        let now = Instant::now();
        if event.name() == "media-chunk" {
            return self.media_chunk(session, event, now);
        }
        if !event.attachments().is_empty() {
            return Err(Refusal::new(
                Code::BadRequest,
                "The relay takes attachments with a media-chunk only",
            ));
        }
        lock(&session.meters).event(event.name(), now)?;
        match event.name() {
            "join-room" => self.join(session, RoomDialect::Relay, argument(event)?, None),
            "join_room" => self.join_signalling(session, event),
            "leave-room" => {
                self.leave_room(session, event);
                Ok(())
            }
            _ => {
                let seat = self.registry().seat(session.id);
                match seat.filter(|seat| seat.dialect != RoomDialect::Relay) {
                    Some(seat) => self.signalling_event(session, &seat, event),
                    None => self.relay_event(session, event),
                }
            }
        }
    }

    /// Any event but those of joining and leaving and media, of a client in a room of the relay's dialect or in none.
    fn relay_event(&self, session: &Arc<Session>, event: &Event) -> Result<(), Refusal> {
        match event.name() {
            "camera-state-changed" => {
                let camera: CameraState = argument(event)?;
                let seat = self.change(|registry| registry.set_camera(session.id, camera));
                self.forward_here(session, seat.as_ref(), event.name(), camera);
                Ok(())
            }
            "mic-state-changed" => {
                let mic: MicState = argument(event)?;
                let seat = self.change(|registry| registry.set_mic(session.id, mic));
                self.forward_here(session, seat.as_ref(), event.name(), mic);
                Ok(())
            }
            "stream-reset" | "speaking-start" | "speaking-stop" => {
                let seat = self.registry().seat(session.id).filter(|seat| seat.role == Role::Publisher);
                self.forward(session, seat, event.name(), NoMore {})
            }
            "chat-message" => self.chat_message(session, &argument(event)?),
            "reaction" => self.reaction(session, &argument(event)?),
            "request-keyframe" => {
                self.request_keyframe(session, &event.argument().ok().flatten().unwrap_or_default());
                Ok(())
            }
            "set-presenter" => self.set_presenter(session, argument(event)?),
            other => {
                // Deployed clients have more events than a relay without a server behind it can serve.
                tracing::trace!(event = other, "ignored an event that the relay does not know");
                Ok(())
            }
        }
    }

    /// Seats a client in the room that it asks for, and tells it and the others. `ack` is the id under which the client
    /// wants to hear of it.
    pub(super) fn join(
        &self,
        session: &Arc<Session>,
        dialect: RoomDialect,
        wish: JoinRoom,
        ack: Option<u64>,
    ) -> Result<(), Refusal> {
        if lock(&self.joins).admit(session.client, Instant::now()).is_err() {
            self.warn(Topic::Join, session, "refused a join: too many per second");
            return Err(Refusal::new(
                Code::TooMany,
                "Too many people join at this moment; try again in a second",
            ));
        }
        let mut slow = Vec::new();
        let refused = {
            let mut registry = self.registry();
            if let Some(left) = registry.leave(session.id) {
                self.announce_left(&registry, &left, session.id, &mut slow);
            }
            match registry.join(session.id, dialect, wish, unix_milliseconds()) {
                Ok(joined) => {
                    let newcomer = &joined.newcomer;
                    if let Some(more) = self.log.admit(Topic::Presence) {
                        tracing::info!(
                            room = joined.state.room_id,
                            user = newcomer.user_id,
                            members = joined.audience.len(),
                            "joined{more}"
                        );
                    }
                    // Under the lock, so that the joiner sees this before anything else of the room.
                    if dialect == RoomDialect::Relay {
                        self.tell(session, "room-state", &joined.state, &mut slow);
                        self.tell_others(&joined.audience, session.id, "user-joined", newcomer, &mut slow);
                        self.announce_in(&registry, &joined.state.room_id);
                    } else {
                        self.announce_joined(session, &joined, ack, &mut slow);
                    }
                    None
                }
                Err(refusal) => Some(refusal),
            }
        };
        self.cut_off(slow);
        refused.map_or(Ok(()), |refusal| {
            self.warn(Topic::Join, session, &format!("refused a join: {refusal}"));
            Err(Refusal::new(refusal.code(), refusal.to_string()))
        })
    }

    fn leave_room(&self, session: &Arc<Session>, event: &Event) {
        let mut slow = Vec::new();
        {
            let mut registry = self.registry();
            if let Some(left) = registry.leave(session.id) {
                self.announce_left(&registry, &left, session.id, &mut slow);
            }
        }
        if let Some(id) = event.ack() {
            self.acknowledge(session, id, r#"[{"success":true}]"#, &mut slow);
        }
        self.cut_off(slow);
    }

    fn media_chunk(&self, session: &Arc<Session>, event: &Event, now: Instant) -> Result<(), Refusal> {
        let [chunk] = event.attachments() else {
            return Err(Refusal::new(Code::BadRequest, "A media-chunk has one attachment, the chunk"));
        };
        lock(&session.meters).chunk(chunk.len(), now)?;
        let Some(seat) = self.registry().seat(session.id) else { return Ok(()) };
        if seat.role == Role::Viewer {
            return Err(viewers_only_watch());
        }
        if !seat.can_broadcast || seat.dialect != RoomDialect::Relay {
            return Ok(());
        }
        let sent: MediaChunk = argument(event)?;
        if sent.mime_type.as_deref().is_some_and(|mime| mime.len() > MAX_MIME_BYTES) {
            return Err(Refusal::new(
                Code::TooLarge,
                format!("A mimeType has {MAX_MIME_BYTES} bytes at most"),
            ));
        }
        let forwarded = ForwardedChunk {
            socket_id: &session.id.to_string(),
            user_id: &seat.user_id,
            chunk: Placeholder::new(0),
            mime_type: sent.mime_type.as_deref(),
            timestamp: sent.timestamp.as_ref(),
        };
        let mut slow = Vec::new();
        match Message::binary_event("media-chunk", &forwarded, chunk, &self.budget) {
            Ok(message) => {
                deliver_to_others(&seat.audience, session.id, &message, &mut slow);
                self.forward_elsewhere(&seat, None, &message);
            }
            Err(error) => tracing::error!(%error, "cannot encode a chunk"),
        }
        self.cut_off(slow);
        Ok(())
    }

    fn chat_message(&self, session: &Arc<Session>, chat: &ChatMessage) -> Result<(), Refusal> {
        if chat.message.len() > MAX_CHAT_BYTES {
            let message = format!("A chat message has {MAX_CHAT_BYTES} bytes at most");
            return Err(Refusal::new(Code::TooLarge, message));
        }
        let seat = self.registry().seat(session.id);
        let username = self.username(session);
        let said = Said { username: &username, message: &chat.message, timestamp: unix_milliseconds() };
        self.forward(session, seat, "chat-message", said)
    }

    fn reaction(&self, session: &Arc<Session>, reaction: &Reaction) -> Result<(), Refusal> {
        if reaction.emoji.len() > MAX_EMOJI_BYTES {
            let message = format!("The emoji of a reaction has {MAX_EMOJI_BYTES} bytes at most");
            return Err(Refusal::new(Code::TooLarge, message));
        }
        let seat = self.registry().seat(session.id);
        self.forward(session, seat, "reaction-received", reaction)
    }

    fn request_keyframe(&self, session: &Arc<Session>, request: &RequestKeyframe) {
        let mut slow = Vec::new();
        {
            let registry = self.registry();
            let Some(seat) = registry.seat(session.id) else { return };
            let asked = KeyframeRequested { from_user_id: &seat.user_id };
            let target = request.target_user_id.as_deref();
            let wanted = registry.audience(&seat.room_id, target);
            if let Some(message) = self.encode("request-keyframe", &asked) {
                deliver_to_others(&wanted, session.id, &message, &mut slow);
                self.forward_elsewhere(&seat, target, &message);
            }
        }
        self.cut_off(slow);
    }

    fn set_presenter(&self, session: &Arc<Session>, wish: SetPresenter) -> Result<(), Refusal> {
        let mut slow = Vec::new();
        let changed = {
            let mut registry = self.registry();
            let changed = registry.set_presenter(session.id, wish.user_id);
            if let Some(seat) = registry.seat(session.id) {
                self.announce_in(&registry, &seat.room_id);
            }
            changed
        };
        let Some((changed, audience)) = changed else {
            let message = "Only the host of a room may choose its presenter";
            return Err(Refusal::new(Code::NotAllowed, message));
        };
        if let Some(message) = self.encode("broadcast-presenter-changed", &changed) {
            audience.iter().for_each(|(_, to)| deliver(to, &message, &mut slow));
        }
        self.cut_off(slow);
        Ok(())
    }

    /// Forwards an event about the sender to the others in its room; drops it before it has joined.
    fn forward(
        &self,
        session: &Arc<Session>,
        seat: Option<Seat<Arc<Session>>>,
        event: &str,
        what: impl Serialize,
    ) -> Result<(), Refusal> {
        if let Some(seat) = &seat
            && let Some(message) = self.forward_here(session, Some(seat), event, what)
        {
            self.forward_elsewhere(seat, None, &message);
        }
        Ok(())
    }

    /// As [`Gateway::forward`], but only to those of this relay. Returns what they were told.
    fn forward_here(
        &self,
        session: &Session,
        seat: Option<&Seat<Arc<Session>>>,
        event: &str,
        what: impl Serialize,
    ) -> Option<Arc<Message>> {
        let seat = seat?;
        let mut slow = Vec::new();
        let about = About { room_id: &seat.room_id, user_id: &seat.user_id, what };
        let message = self.encode(event, &about)?;
        deliver_to_others(&seat.audience, session.id, &message, &mut slow);
        self.cut_off(slow);
        Some(message)
    }

    /// The name that a client has in its room.
    pub(super) fn username(&self, session: &Session) -> String {
        let registry = self.registry();
        registry.participant(session.id).map(|participant| participant.username.clone()).unwrap_or_default()
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry<Arc<Session>>> {
        lock(&self.registry)
    }
}

fn unix_milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn argument<T: DeserializeOwned>(event: &Event) -> Result<T, Refusal> {
    let not_understood = |why: String| {
        Refusal::new(Code::BadRequest, format!("The relay does not understand this {}: {why}", event.name()))
    };
    match event.argument() {
        Ok(Some(argument)) => Ok(argument),
        Ok(None) => Err(not_understood("it says nothing".to_owned())),
        Err(error) => Err(not_understood(error.to_string())),
    }
}

/// Somebody publishes who may only watch.
pub(super) fn viewers_only_watch() -> Refusal {
    Refusal::new(Code::NotAllowed, "Who has the token to watch cannot publish; use the token to publish")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
