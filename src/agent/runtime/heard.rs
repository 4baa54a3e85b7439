//! What comes from the relay.

use std::time::Duration;

use super::Runtime;
use crate::agent::absence::absence;
use crate::agent::faults::Part;
use crate::agent::machine::{Event, Seat};
use crate::config::LateJoin;
use crate::control::{Absence, AbsenceReason};
use crate::meeting::{Joined, Participant, ServerEvent, SessionError, SessionEvent};
use crate::publish::relay::LateJoinStrategy;

impl Runtime {
    pub(super) async fn heard(&mut self, event: Option<SessionEvent>) {
        let Some(event) = event else {
            let message = "the session with the relay died without saying why".to_owned();
            return self
                .be_away(Absence { reason: AbsenceReason::ConnectionLost, message }, false, None)
                .await;
        };
        match event {
            SessionEvent::Joined(joined) => self.joined(joined).await,
            SessionEvent::Adopted(identity) => {
                // The relay forwards chunks under the configured id all the same (docs/protocol.md §3.3).
                tracing::warn!(
                    user_id = identity.user_id(),
                    "the relay lists this device under another user id, where viewers look for its picture; put that \
                     one into meeting.user_id"
                );
                self.room.adopt(identity);
                self.tell_state();
            }
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
        self.absence = None;
        let Joined { room, identity, max_payload } = joined;
        let may_publish = room.can_broadcast(&identity);
        let late_join = match self.config.meeting.late_join {
            LateJoin::Auto if room.is_newer_relay() => LateJoinStrategy::Replay,
            LateJoin::Auto | LateJoin::Restart => LateJoinStrategy::Restart,
            LateJoin::Replay => LateJoinStrategy::Replay,
            LateJoin::Reset => LateJoinStrategy::Reset,
        };
        tracing::info!(
            room = self.session_config.room,
            user_id = identity.user_id(),
            participants = room.participants.len(),
            may_publish,
            ?late_join,
            "joined the room"
        );
        self.publisher.joined(late_join, max_payload);
        self.room.enter(identity, room.participants);
        let first_generation = late_join == LateJoinStrategy::Restart;
        self.decide(Event::Joined { may_publish, first_generation }).await;
        self.tell_state();
    }

    async fn heard_event(&mut self, event: ServerEvent) {
        let Some(identity) = self.room.identity() else { return };
        match event {
            ServerEvent::UserJoined(who) => {
                let (user_id, username) = (who.user_id.clone(), who.username.clone());
                if self.room.add(who) {
                    tracing::info!(user_id, username, "somebody joined");
                    self.tell_state();
                }
                self.late_join().await;
                if self.room.has_returned(&user_id) {
                    self.decide(Event::CardMoved).await;
                }
            }
            ServerEvent::UserLeft { user_id } => {
                if self.room.remove(&user_id) {
                    tracing::info!(user_id, "somebody left");
                    self.tell_state();
                }
                if self.room.was_elder(&user_id) {
                    self.decide(Event::CardMoved).await;
                } else {
                    self.receivers_detach();
                }
            }
            ServerEvent::CameraStateChanged { user_id, has_video } => {
                let known = self.room.other_mut(&user_id).map(|other| &mut other.has_video);
                let news = known.is_none_or(|known| std::mem::replace(known, has_video) != has_video);
                self.other_changed(news).await;
            }
            ServerEvent::MicStateChanged { user_id, is_muted } => {
                let known = self.room.other_mut(&user_id).map(|other| &mut other.is_muted);
                let news = known.is_none_or(|known| std::mem::replace(known, is_muted) != is_muted);
                self.other_changed(news).await;
            }
            ServerEvent::RequestKeyframe { from } => {
                tracing::debug!(from, "asked for a key frame");
                self.publisher.player_lost();
                self.decide(Event::LateJoin).await;
            }
            ServerEvent::RoomState(state) => {
                let may_publish = state.can_broadcast(identity);
                self.see(Some(state.participants), Some(may_publish)).await;
                // The answer to joining again: only now are the others told, and throw away what they have.
                self.receivers_detach();
            }
            ServerEvent::PresenterChange(change) => {
                let may_publish = change.can_broadcast(identity);
                let participants = Some(change.participants).filter(|list| !list.is_empty());
                self.see(participants, may_publish).await;
            }
            ServerEvent::Error { message, .. } => tracing::warn!("the relay says: {message}"),
            ServerEvent::RoomEnded => {
                let (url, room) = (self.session_config.endpoint.url(), self.session_config.room.clone());
                self.session_ended(&SessionError::RoomEnded { url, room }).await;
            }
            ServerEvent::Ignored { .. } | ServerEvent::Malformed { .. } => {}
        }
    }

    /// Somebody joined.
    async fn late_join(&mut self) {
        self.publisher.late_join();
        self.decide(Event::LateJoin).await;
    }

    /// Somebody turned a camera or a microphone on or off, or says again how they are.
    async fn other_changed(&mut self, news: bool) {
        self.publisher.receivers_detach();
        self.decide(Event::OtherChanged { news }).await;
    }

    /// Something happened at which clients of the first generation throw away what they have.
    fn receivers_detach(&mut self) {
        self.publisher.receivers_detach();
        self.serve_receivers();
    }

    /// The relay says who is in the room, and whether the agent may publish. Deployed gateways say so again and
    /// again: only news is logged and told (docs/protocol.md §3.1).
    async fn see(&mut self, participants: Option<Vec<Participant>>, may_publish: Option<bool>) {
        let others = participants.is_some_and(|list| self.room.see(list));
        let Seat::Joined { may_publish: before, .. } = self.machine.seat() else { return };
        let seat = may_publish.filter(|now| *now != before);
        if others || seat.is_some() {
            tracing::info!(
                participants = self.room.others().len() + 1,
                may_publish = seat.unwrap_or(before),
                "the room changed"
            );
            self.tell_state();
        }
        if let Some(now) = seat {
            self.decide(Event::MayPublish(now)).await;
        }
    }

    pub(super) async fn session_ended(&mut self, error: &SessionError) {
        let (refused, not_before) = match error {
            SessionError::Superseded { .. }
            | SessionError::RoomEnded { .. }
            | SessionError::AuthRefused { .. } => (true, None),
            SessionError::Whip(error) => (error.fault.is_refusal(), error.retry_after),
            _ => (false, None),
        };
        self.be_away(absence(error, self.absence.as_ref()), refused, not_before).await;
    }

    /// The session is over. Status and faults say why until a join works; the log says it once. The server may want to be
    /// left alone until `not_before` has passed.
    pub(super) async fn be_away(&mut self, absence: Absence, refused: bool, not_before: Option<Duration>) {
        self.drop_session();
        let news = self.faults.report(Part::Meeting, &absence.message);
        let message = absence.message.clone();
        self.absence = Some(absence);
        self.decide(Event::SessionEnded { refused, random: rand::random() }).await;
        if let Some(wait) = not_before {
            self.decide(Event::NotBefore(wait)).await;
        }
        if news {
            let wait = self.next_attempt().unwrap_or_default();
            tracing::warn!(
                "{message}; next attempt in {:.1} s, and again until it works",
                wait.as_secs_f64()
            );
        }
        self.tell_state();
    }

    /// The agent is out of the meeting because somebody wants that.
    pub(super) fn forget_meeting(&mut self) {
        self.drop_session();
        self.faults.clear(Part::Meeting);
        self.absence = None;
    }

    fn drop_session(&mut self) {
        self.session = None;
        // Those that a media server names are named for one session.
        let configured = self.config.meeting.ice_servers.iter().map(|server| server.urls.len()).sum();
        self.faults.clear_ice_servers(configured);
        self.room.leave();
        self.publisher.set_outbox(None);
    }
}
