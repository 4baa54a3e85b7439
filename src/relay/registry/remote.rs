//! What other relays say of the rooms that are here: their participants are members like others, but nobody whom this
//! relay reaches. A room is here for as long as somebody is in it here. Rooms of WebRTC signalling are not shared: a
//! balancer keeps those together.

use super::{Audience, Member, Registry, Room, RoomKey, Sid};
use crate::relay::dialect::{Participant, PresenterChanged};
use crate::relay::fleet::{self, NodeId, Present};

/// What the participants here are to be told.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::relay) enum Change {
    Joined(Participant),
    Left { user_id: String, socket_id: String },
    Camera { user_id: String, has_video: bool },
    Mic { user_id: String, is_muted: bool },
    Presenter(PresenterChanged),
}

/// Changes of a room, and whom to tell.
#[derive(Debug)]
pub(in crate::relay) struct Changed<H> {
    pub room_id: String,
    pub changes: Vec<Change>,
    pub audience: Audience<H>,
}

impl<H: Clone> Registry<H> {
    /// Who of this relay is in a room, for the others; `None` if nobody is.
    pub fn present(&self, room_id: &str) -> Option<Present> {
        let room = self.rooms.get(&RoomKey::relay(room_id))?;
        let here = room.members.iter().filter(|member| member.node.is_none());
        let shown = here.map(|member| fleet::Member {
            role: member.role,
            since: member.since,
            participant: member.participant.clone(),
        });
        Some(Present {
            members: shown.collect(),
            presenter: room.presenter.clone(),
            presenter_version: room.presenter_version,
        })
    }

    /// Takes over what another relay says of a room; `None` if the room is not here.
    pub fn merge(&mut self, room_id: &str, node: NodeId, present: Present) -> Option<Changed<H>> {
        let room = self.rooms.get_mut(&RoomKey::relay(room_id))?;
        let mut changes = room.forget_others_than(node, &present.members);
        let newer =
            (present.presenter_version, &present.presenter) > (room.presenter_version, &room.presenter);
        if newer {
            room.presenter_version = present.presenter_version;
            if room.presenter != present.presenter {
                changes.push(Change::Presenter(room.set_presenter(present.presenter)));
            }
        }
        for member in present.members {
            changes.extend(room.take_over(node, member));
        }
        Some(Changed { room_id: room_id.to_owned(), changes, audience: room.audience.clone() })
    }

    /// Another relay is gone, and its participants with it.
    pub fn lose(&mut self, node: NodeId) -> Vec<Changed<H>> {
        let lost = self.rooms.iter_mut().map(|(key, room)| Changed {
            room_id: key.id.to_string(),
            changes: room.forget_others_than(node, &[]),
            audience: room.audience.clone(),
        });
        lost.filter(|changed| !changed.changes.is_empty()).collect()
    }

    /// Those in a room here, or only the one of this user id.
    pub fn audience(&self, room_id: &str, only: Option<&str>) -> Audience<H> {
        let Some(room) = self.rooms.get(&RoomKey::relay(room_id)) else { return Audience::from([]) };
        let Some(user_id) = only else { return room.audience.clone() };
        let is_meant = |sid: Sid| {
            room.members.iter().any(|member| member.sid == sid && member.participant.user_id == user_id)
        };
        room.audience.iter().filter(|(sid, _)| is_meant(*sid)).cloned().collect()
    }
}

impl<H> Room<H> {
    /// Removes the members of a relay that it does not name any more.
    fn forget_others_than(&mut self, node: NodeId, named: &[fleet::Member]) -> Vec<Change> {
        let is_named = |member: &Member| {
            named.iter().any(|other| other.participant.socket_id == member.participant.socket_id)
        };
        let gone: Vec<_> =
            self.members.extract_if(.., |member| member.node == Some(node) && !is_named(member)).collect();
        let mut changes = Vec::new();
        for Member { participant: Participant { user_id, socket_id, .. }, .. } in gone {
            let presents = self.presenter.as_ref() == Some(&user_id)
                && self.members.iter().all(|member| member.participant.user_id != user_id);
            changes.push(Change::Left { user_id, socket_id });
            if presents {
                self.presenter_version += 1;
                changes.push(Change::Presenter(self.set_presenter(None)));
            }
        }
        changes
    }

    fn take_over(&mut self, node: NodeId, member: fleet::Member) -> Vec<Change> {
        let fleet::Member { role, since, mut participant } = member;
        let Some(sid) = Sid::parse(&participant.socket_id) else { return Vec::new() };
        participant.can_broadcast = self.may_broadcast(&participant.user_id, role);
        participant.has_video &= participant.can_broadcast;
        participant.is_muted |= !participant.can_broadcast;
        let Some(known) = self.members.iter_mut().find(|member| member.sid == sid) else {
            self.members.push(Member {
                sid,
                role,
                since,
                node: Some(node),
                participant: participant.clone(),
            });
            self.members.sort_by_key(|member| (member.since, member.sid));
            return vec![Change::Joined(participant)];
        };
        if known.node != Some(node) {
            return Vec::new();
        }
        let before = std::mem::replace(&mut known.participant, participant);
        let Participant { user_id, has_video, is_muted, .. } = &known.participant;
        let camera = (before.has_video != *has_video)
            .then(|| Change::Camera { user_id: user_id.clone(), has_video: *has_video });
        let mic = (before.is_muted != *is_muted)
            .then(|| Change::Mic { user_id: user_id.clone(), is_muted: *is_muted });
        camera.into_iter().chain(mic).collect()
    }
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
