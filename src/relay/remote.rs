//! What other relays are told of the rooms here, and what is done when they say something.

use std::sync::Arc;

use bytes::Bytes;

use super::dialect::{About, CameraState, MicState, UserLeft};
use super::fleet::{Body, NodeId, Present};
use super::gateway::Gateway;
use super::message::Message;
use super::registry::{Change, Changed, Registry, Seat};
use super::session::Session;
use super::telling::deliver;

impl Gateway {
    /// Tells the others who is here in a room.
    pub fn announce(&self, room_id: &str) {
        self.announce_in(&self.registry(), room_id);
    }

    /// As [`Gateway::announce`], under the lock: what is told next comes after it everywhere.
    pub fn announce_in(&self, registry: &Registry<Arc<Session>>, room_id: &str) {
        let Some(fleet) = &self.fleet else { return };
        if let Some(present) = registry.present(room_id) {
            fleet.enter(room_id);
            fleet.tell_room(room_id, Body::Present(present), Bytes::new());
        } else {
            fleet.tell_room(room_id, Body::Present(Present::default()), Bytes::new());
            fleet.leave(room_id);
        }
    }

    /// Changes the registry, and tells the others what has become of the room.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Registry<Arc<Session>>) -> Option<Seat<Arc<Session>>>,
    ) -> Option<Seat<Arc<Session>>> {
        let mut registry = self.registry();
        let seat = change(&mut registry)?;
        self.announce_in(&registry, &seat.room_id);
        Some(seat)
    }

    /// Forwards a packet to those in a room who came in at other relays, or to one user of them only.
    pub fn forward_elsewhere(&self, seat: &Seat<Arc<Session>>, only: Option<&str>, message: &Message) {
        if seat.others_elsewhere
            && let Some(fleet) = &self.fleet
        {
            let body = Body::Packet { only: only.map(str::to_owned), text: message.packet() };
            fleet.tell_room(&seat.room_id, body, message.attachment());
        }
    }

    /// Another relay says something of a room.
    pub fn hear(&self, room_id: &str, node: NodeId, body: Body, attachment: &Bytes) {
        match body {
            Body::Beat
            | Body::Claim { .. }
            | Body::Answer { .. }
            | Body::Resume { .. }
            | Body::Missed { .. } => {}
            Body::Who => self.announce(room_id),
            Body::Present(present) => {
                let changed = self.registry().merge(room_id, node, present);
                changed.into_iter().for_each(|changed| self.tell_changed(&changed));
            }
            Body::Packet { only, text } => {
                let attachment = Some(attachment).filter(|attachment| !attachment.is_empty());
                let message = Message::new(&text, attachment, &self.budget);
                let audience = self.registry().audience(room_id, only.as_deref());
                let mut slow = Vec::new();
                audience.iter().for_each(|(_, to)| deliver(to, &message, &mut slow));
                self.cut_off(slow);
            }
        }
    }

    /// Another relay is gone.
    pub fn lose(&self, node: NodeId) {
        let changed = self.registry().lose(node);
        changed.iter().for_each(|changed| self.tell_changed(changed));
    }

    fn tell_changed(&self, Changed { room_id, changes, audience }: &Changed<Arc<Session>>) {
        let mut slow = Vec::new();
        for change in changes {
            let message = match change {
                Change::Joined(participant) => self.encode("user-joined", participant),
                Change::Left { user_id, socket_id } => {
                    self.encode("user-left", &UserLeft { user_id, socket_id })
                }
                Change::Camera { user_id, has_video } => {
                    let what = CameraState { has_video: *has_video };
                    self.encode("camera-state-changed", &About { room_id, user_id, what })
                }
                Change::Mic { user_id, is_muted } => {
                    let what = MicState { is_muted: *is_muted };
                    self.encode("mic-state-changed", &About { room_id, user_id, what })
                }
                Change::Presenter(changed) => self.encode("broadcast-presenter-changed", changed),
            };
            let Some(message) = message else { continue };
            audience.iter().for_each(|(_, to)| deliver(to, &message, &mut slow));
        }
        self.cut_off(slow);
    }
}
