//! The events of a meeting: what each one does, and who is told.
//!
//! Handlers do their work before they return their (ready) future: `socketioxide` runs what a handler
//! returns in a task of its own, where two chunks of one sender could overtake each other.

use std::fmt;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::{DisconnectReason, Sid};
use socketioxide::{ParserError, SendError, SocketError};
use tokio::sync::mpsc;

use super::dialect::{
    About, Auth, CameraState, ChatMessage, ForwardedChunk, JoinRoom, KeyframeRequested, MediaChunk, MicState,
    Refused, RequestKeyframe, Said, SetPresenter, UserLeft, reaction_fields,
};
use super::lines::{Line, Lines};
use super::options::{RelayOptions, SharedToken};
use super::rate::Rate;
use super::registry::{Audience, Left, Registry, Seat};

/// Longest user id in bytes.
const MAX_USER_ID: usize = 128;
/// Longest chat message in bytes.
const MAX_CHAT_BYTES: usize = 8 * 1024;

/// Why a CONNECT was refused; clients get it as CONNECT_ERROR.
#[derive(Debug, thiserror::Error)]
enum ConnectRefusal {
    #[error("Authentication failed: this relay requires a token, and yours is missing or wrong")]
    Token,
    #[error("The user id needs 1 to {MAX_USER_ID} bytes")]
    UserId,
}

/// The connection that carries the WebSocket of a session which was opened as one; an extension of its
/// first request.
#[derive(Clone)]
pub(super) struct WebSocketLine(pub Arc<Line>);

/// See the module's documentation.
pub(super) struct Gateway {
    registry: Mutex<Registry<SocketRef>>,
    joins: Mutex<Rate>,
    token: Option<SharedToken>,
    lines: Arc<Lines>,
    /// Sessions to end which may have no connection to cut, for whoever runs the server.
    ended: mpsc::UnboundedSender<Sid>,
}

impl Gateway {
    /// Registers the meeting on `io`. The receiver yields sessions that are to be closed.
    pub fn serve(io: &SocketIo, options: &RelayOptions, lines: Arc<Lines>) -> mpsc::UnboundedReceiver<Sid> {
        let (ended, to_close) = mpsc::unbounded_channel();
        let gateway = Arc::new(Self {
            registry: Mutex::new(Registry::new(options.max_rooms, options.max_participants)),
            joins: Mutex::new(Rate::new(options.max_joins_per_second, Instant::now())),
            token: options.token.clone(),
            lines,
            ended,
        });
        // All happens in the middleware, which runs before the client hears that it is connected: handlers
        // registered any later would miss a quick client's `join-room`.
        let connected = |_: SocketRef| ready(());
        let admit =
            move |socket: SocketRef, TryData(auth): TryData<Auth>| ready(gateway.admit(&socket, auth));
        io.ns("/", connected.with(admit));
        to_close
    }

    fn admit(
        self: &Arc<Self>,
        socket: &SocketRef,
        auth: Result<Auth, ParserError>,
    ) -> Result<(), ConnectRefusal> {
        // A CONNECT without auth, or with one of another shape, is one that says nothing.
        let auth = auth.unwrap_or_default();
        if let Some(token) = &self.token
            && !auth.token.is_some_and(|offered| token.admits(&offered))
        {
            tracing::warn!(sid = %socket.id, "refused a connection: its token is missing or wrong");
            return Err(ConnectRefusal::Token);
        }
        let user_id = auth.user_id.unwrap_or_else(|| format!("guest-{:08x}", rand::random::<u32>()));
        if user_id.is_empty() || user_id.len() > MAX_USER_ID {
            return Err(ConnectRefusal::UserId);
        }
        self.listen(socket);
        self.seat_user(socket, &user_id);
        Ok(())
    }

    fn listen(self: &Arc<Self>, socket: &SocketRef) {
        self.on(socket, "media-chunk", Self::media_chunk);
        self.on(socket, "join-room", Self::join_room);
        self.on(socket, "camera-state-changed", Self::camera_state);
        self.on(socket, "mic-state-changed", Self::mic_state);
        self.on(socket, "chat-message", Self::chat_message);
        self.on(socket, "reaction", Self::reaction);
        self.on(socket, "set-presenter", Self::set_presenter);
        for event in ["stream-reset", "speaking-start", "speaking-stop"] {
            let gateway = self.clone();
            socket.on(event, move |socket: SocketRef| {
                gateway.forward(&socket, event, Map::new());
                ready(())
            });
        }
        let gateway = self.clone();
        socket.on(
            "request-keyframe",
            move |socket: SocketRef, TryData(request): TryData<RequestKeyframe>| {
                gateway.request_keyframe(&socket, request.unwrap_or_default());
                ready(())
            },
        );
        let gateway = self.clone();
        socket.on("leave-room", move |socket: SocketRef, ack: AckSender| {
            gateway.leave_room(&socket);
            // Fails only if nobody is there to read it.
            ack.send(&json!({ "success": true })).ok();
            ready(())
        });
        let gateway = self.clone();
        socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| {
            gateway.disconnected(socket.id, &reason);
            ready(())
        });
    }

    fn on<T>(self: &Arc<Self>, socket: &SocketRef, event: &'static str, act: fn(&Self, &SocketRef, T))
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let gateway = self.clone();
        socket.on(event, move |socket: SocketRef, TryData(payload): TryData<T>| -> Ready<()> {
            match payload {
                Ok(payload) => act(&gateway, &socket, payload),
                Err(error) => {
                    tracing::debug!(sid = %socket.id, event, %error, "ignored a malformed event");
                    refuse(&socket, format_args!("The relay does not understand this {event}: {error}"));
                }
            }
            ready(())
        });
    }

    fn seat_user(&self, socket: &SocketRef, user_id: &str) {
        let mut laggards = Vec::new();
        let displaced = {
            let mut registry = self.registry();
            let displaced = registry.connect(socket.id, user_id, socket.clone());
            if let Some((sid, _)) = displaced
                && let Some(left) = registry.disconnect(sid)
            {
                announce_left(&left, sid, &mut laggards);
            }
            displaced
        };
        if let Some((sid, displaced)) = displaced {
            tracing::info!(user = user_id, %sid, "another connection of the same user takes the seat");
            refuse(&displaced, format_args!("Another connection has logged in as the same user"));
            self.part(displaced);
        }
        self.cut_off(laggards);
    }

    fn join_room(&self, socket: &SocketRef, wish: JoinRoom) {
        if !self.joins.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now()) {
            tracing::warn!(sid = %socket.id, room = wish.room_id, "refused a join: too many per second");
            refuse(socket, format_args!("Too many people join at this moment; try again in a second"));
            return;
        }
        let mut laggards = Vec::new();
        {
            let mut registry = self.registry();
            if let Some(left) = registry.leave(socket.id) {
                announce_left(&left, socket.id, &mut laggards);
            }
            let room = wish.room_id.clone();
            match registry.join(socket.id, wish) {
                Ok(joined) => {
                    let newcomer = &joined.newcomer;
                    tracing::info!(room, user = newcomer.user_id, members = joined.audience.len(), "joined");
                    // Under the lock, so that the joiner sees this before anything else of the room.
                    deliver(socket, "room-state", &joined.state, &mut laggards);
                    tell_others(&joined.audience, socket.id, "user-joined", newcomer, &mut laggards);
                }
                Err(refusal) => {
                    tracing::warn!(room, sid = %socket.id, %refusal, "refused a join");
                    refuse(socket, format_args!("{refusal}"));
                }
            }
        }
        self.cut_off(laggards);
    }

    fn leave_room(&self, socket: &SocketRef) {
        let mut laggards = Vec::new();
        {
            let mut registry = self.registry();
            if let Some(left) = registry.leave(socket.id) {
                announce_left(&left, socket.id, &mut laggards);
            }
        }
        self.cut_off(laggards);
    }

    fn disconnected(&self, sid: Sid, reason: &DisconnectReason) {
        let mut laggards = Vec::new();
        {
            let mut registry = self.registry();
            if let Some(left) = registry.disconnect(sid) {
                tracing::info!(room = &*left.room_id, user = &*left.user_id, %reason, "disconnected");
                announce_left(&left, sid, &mut laggards);
            }
        }
        self.cut_off(laggards);
    }

    fn media_chunk(&self, socket: &SocketRef, chunk: MediaChunk) {
        let Some(seat) = self.registry().seat(socket.id).filter(|seat| seat.can_broadcast) else { return };
        let socket_id = socket.id.to_string();
        let forwarded = ForwardedChunk {
            socket_id: &socket_id,
            user_id: &seat.user_id,
            chunk: &chunk.chunk,
            mime_type: chunk.mime_type.as_deref(),
            timestamp: chunk.timestamp.as_ref(),
        };
        let mut laggards = Vec::new();
        tell_others(&seat.audience, socket.id, "media-chunk", &forwarded, &mut laggards);
        self.cut_off(laggards);
    }

    fn camera_state(&self, socket: &SocketRef, camera: CameraState) {
        let seat = self.registry().set_camera(socket.id, camera);
        self.forward_from(socket, seat, "camera-state-changed", camera);
    }

    fn mic_state(&self, socket: &SocketRef, mic: MicState) {
        let seat = self.registry().set_mic(socket.id, mic);
        self.forward_from(socket, seat, "mic-state-changed", mic);
    }

    fn chat_message(&self, socket: &SocketRef, chat: ChatMessage) {
        if chat.message.len() > MAX_CHAT_BYTES {
            refuse(socket, format_args!("A chat message may have {MAX_CHAT_BYTES} bytes at most"));
            return;
        }
        let (seat, username) = {
            let registry = self.registry();
            let username = registry.participant(socket.id).map(|participant| participant.username.clone());
            (registry.seat(socket.id), username.unwrap_or_default())
        };
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let said = Said {
            username: &username,
            message: &chat.message,
            timestamp: u64::try_from(timestamp).unwrap_or(u64::MAX),
        };
        self.forward_from(socket, seat, "chat-message", said);
    }

    fn reaction(&self, socket: &SocketRef, sent: Value) {
        self.forward(socket, "reaction-received", reaction_fields(sent));
    }

    fn request_keyframe(&self, socket: &SocketRef, request: RequestKeyframe) {
        let mut laggards = Vec::new();
        {
            let registry = self.registry();
            let Some(seat) = registry.seat(socket.id) else { return };
            let asked = KeyframeRequested { from_user_id: &seat.user_id };
            for (sid, to) in seat.audience.iter().filter(|(sid, _)| *sid != socket.id) {
                let wanted = request.target_user_id.as_deref().is_none_or(|target| {
                    registry.participant(*sid).is_some_and(|participant| participant.user_id == target)
                });
                if wanted {
                    deliver(to, "request-keyframe", &asked, &mut laggards);
                }
            }
        }
        self.cut_off(laggards);
    }

    fn set_presenter(&self, socket: &SocketRef, wish: SetPresenter) {
        let mut laggards = Vec::new();
        match self.registry().set_presenter(socket.id, wish.user_id) {
            Some((changed, audience)) => {
                for (_, to) in audience.iter() {
                    deliver(to, "broadcast-presenter-changed", &changed, &mut laggards);
                }
            }
            None => refuse(socket, format_args!("Only the host of a room may choose its presenter")),
        }
        self.cut_off(laggards);
    }

    /// Forwards an event about the sender to the others in its room; drops it before it has joined.
    fn forward(&self, socket: &SocketRef, event: &str, what: impl Serialize) {
        let seat = self.registry().seat(socket.id);
        self.forward_from(socket, seat, event, what);
    }

    fn forward_from(
        &self,
        socket: &SocketRef,
        seat: Option<Seat<SocketRef>>,
        event: &str,
        what: impl Serialize,
    ) {
        let Some(seat) = seat else { return };
        let mut laggards = Vec::new();
        let about = About { room_id: &seat.room_id, user_id: &seat.user_id, what };
        tell_others(&seat.audience, socket.id, event, &about, &mut laggards);
        self.cut_off(laggards);
    }

    /// Cuts off participants whose queue is full. Telling the others may fill further queues, hence the loop.
    fn cut_off(&self, mut laggards: Vec<SocketRef>) {
        while let Some(laggard) = laggards.pop() {
            {
                let mut registry = self.registry();
                if let Some(left) = registry.disconnect(laggard.id) {
                    let (room, user) = (&*left.room_id, &*left.user_id);
                    tracing::warn!(room, user, sid = %laggard.id, "cut off a participant that cannot keep up");
                    announce_left(&left, laggard.id, &mut laggards);
                }
            }
            self.end(&laggard);
        }
    }

    /// Disconnects a client in order: it hears of it, and does not come back by itself.
    fn part(&self, socket: SocketRef) {
        if let Err(SocketError::InternalChannelFull) = socket.clone().disconnect() {
            self.end(&socket);
        }
    }

    /// Ends a session whose client does not listen: the connection that carries it, or the session itself if
    /// it is one of long-polling.
    fn end(&self, socket: &SocketRef) {
        if let Some(WebSocketLine(line)) = socket.req_parts().extensions.get() {
            line.cut();
        }
        self.lines.cut_session(&socket.id.to_string());
        // Nobody listens only while the relay shuts down, which closes every session anyway.
        self.ended.send(socket.id).ok();
    }

    fn registry(&self) -> MutexGuard<'_, Registry<SocketRef>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(socket: &SocketRef, message: fmt::Arguments<'_>) {
    // A client whose queue is full will be cut off by the next chunk; it needs no answer.
    socket.emit("error", &Refused { message: &message.to_string() }).ok();
}

fn announce_left(left: &Left<SocketRef>, sid: Sid, laggards: &mut Vec<SocketRef>) {
    let socket_id = sid.to_string();
    let gone = UserLeft { user_id: &left.user_id, socket_id: &socket_id };
    tell_others(&left.audience, sid, "user-left", &gone, laggards);
    if let Some(changed) = &left.presenter {
        tell_others(&left.audience, sid, "broadcast-presenter-changed", changed, laggards);
    }
}

fn tell_others<T: Serialize>(
    audience: &Audience<SocketRef>,
    sender: Sid,
    event: &str,
    payload: &T,
    laggards: &mut Vec<SocketRef>,
) {
    for (_, to) in audience.iter().filter(|(sid, _)| *sid != sender) {
        deliver(to, event, payload, laggards);
    }
}

/// Queues an event for one participant. One whose queue is full joins the `laggards`.
fn deliver<T: Serialize>(to: &SocketRef, event: &str, payload: &T, laggards: &mut Vec<SocketRef>) {
    match to.emit(event, payload) {
        Ok(()) => {}
        Err(SendError::Socket(SocketError::InternalChannelFull)) => laggards.push(to.clone()),
        // Its disconnection is under way.
        Err(SendError::Socket(SocketError::Closed)) => {}
        Err(SendError::Serialize(error)) => tracing::error!(event, %error, "cannot encode an event"),
    }
}
