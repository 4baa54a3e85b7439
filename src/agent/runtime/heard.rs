//! What comes from the relay.

use super::Runtime;
use crate::agent::faults::Part;
use crate::agent::machine::{Event, LateJoinStrategy};
use crate::config::LateJoin;
use crate::meeting::{Joined, Participant, ServerEvent, SessionError, SessionEvent};

/// Participants known at most; a relay that names more is not believed.
const MAX_KNOWN: usize = 4096;

impl Runtime {
    pub(super) async fn heard(&mut self, event: Option<SessionEvent>) {
        let Some(event) = event else {
            tracing::error!("the session died without saying why; trying again");
            self.end_session();
            return self.decide(Event::SessionEnded { refused: false, random: rand::random() }).await;
        };
        match event {
            SessionEvent::Joined(joined) => self.joined(joined).await,
            SessionEvent::Event(event) => self.heard_event(event).await,
            SessionEvent::ChunkSent { chunk, queued } => {
                if self.publisher.sent(chunk, queued) {
                    self.tell_state();
                }
            }
            SessionEvent::ChunkTooLarge { chunk, max } => {
                tracing::warn!(
                    bytes = chunk.bytes.len(),
                    max,
                    "the relay does not accept a chunk of this size"
                );
                self.publisher.take_back_from(chunk);
            }
            SessionEvent::Ended(error) => self.session_ended(&error).await,
        }
    }

    async fn joined(&mut self, joined: Joined) {
        self.faults.clear(Part::Meeting);
        let Joined { room, user_id, max_payload } = joined;
        let may_publish = room.can_broadcast(&user_id);
        let late_join = match self.config.meeting.late_join {
            LateJoin::Auto if room.is_newer_relay() => LateJoinStrategy::Replay,
            LateJoin::Auto | LateJoin::Restart => LateJoinStrategy::Restart,
            LateJoin::Replay => LateJoinStrategy::Replay,
            LateJoin::Reset => LateJoinStrategy::Reset,
        };
        tracing::info!(
            room = self.session_config.room,
            user_id,
            participants = room.participants.len(),
            may_publish,
            ?late_join,
            "joined the room"
        );
        self.publisher.set_max_payload(max_payload);
        self.see(room.participants, &user_id);
        self.session_config.user_id = Some(user_id);
        self.decide(Event::Joined { may_publish, late_join }).await;
    }

    async fn heard_event(&mut self, event: ServerEvent) {
        let own_id = self.session_config.user_id.clone().unwrap_or_default();
        match event {
            ServerEvent::UserJoined(who) => {
                tracing::info!(user_id = who.user_id, username = who.username, "somebody joined");
                self.participants.retain(|other| other.user_id != who.user_id);
                if who.user_id != own_id && self.participants.len() < MAX_KNOWN {
                    self.participants.push(who);
                }
                self.tell_state();
                self.decide(Event::LateJoin).await;
            }
            ServerEvent::UserLeft { user_id } => {
                tracing::info!(user_id, "somebody left");
                self.participants.retain(|other| other.user_id != user_id);
                self.tell_state();
                self.decide(Event::ParticipantsChanged).await;
            }
            ServerEvent::RequestKeyframe { from } => {
                tracing::debug!(from, "asked for a key frame");
                self.decide(Event::LateJoin).await;
            }
            ServerEvent::RoomState(state) => {
                let may_publish = state.can_broadcast(&own_id);
                self.see(state.participants, &own_id);
                self.may_publish(may_publish).await;
            }
            ServerEvent::PresenterChange(change) => {
                let may_publish = change.can_broadcast(&own_id);
                if !change.participants.is_empty() {
                    self.see(change.participants, &own_id);
                }
                if let Some(may_publish) = may_publish {
                    self.may_publish(may_publish).await;
                }
            }
            ServerEvent::Error { message, .. } => tracing::warn!("the relay says: {message}"),
            ServerEvent::RoomEnded => {
                tracing::info!(room = self.session_config.room, "the meeting is over");
                self.end_session();
                self.decide(Event::SessionEnded { refused: true, random: rand::random() }).await;
            }
            ServerEvent::Ignored { .. } | ServerEvent::Malformed { .. } => {}
        }
    }

    /// The relay says who is in the room.
    fn see(&mut self, mut participants: Vec<Participant>, own_id: &str) {
        participants.retain(|participant| participant.user_id != own_id);
        self.participants = participants;
        self.tell_state();
    }

    async fn may_publish(&mut self, may_publish: bool) {
        tracing::info!(may_publish, "the relay set the presenter's seat");
        self.decide(Event::MayPublish(may_publish)).await;
    }

    fn end_session(&mut self) {
        self.session = None;
        self.participants.clear();
        self.publisher.set_outbox(None);
    }

    async fn session_ended(&mut self, error: &SessionError) {
        self.end_session();
        let refused = matches!(
            error,
            SessionError::Superseded { .. }
                | SessionError::RoomEnded { .. }
                | SessionError::AuthRefused { .. }
        );
        self.fault(Part::Meeting, &format!("{error}; trying again"));
        self.decide(Event::SessionEnded { refused, random: rand::random() }).await;
    }
}
