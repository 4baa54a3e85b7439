//! What deployments of the dialect "mesh" call its events and fields.

use std::borrow::Cow;

/// An event or a field that has another name in some deployments; its key in the configuration is in [`Names::KEYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Name {
    /// Event: the agent joins.
    Join,
    /// Event: who was there already.
    ExistingUsers,
    /// Event: somebody came.
    UserJoined,
    /// Event: somebody left.
    UserLeft,
    /// Event, both ways: an offer.
    Offer,
    /// Event, both ways: an answer.
    Answer,
    /// Event: the agent sends a candidate.
    SendCandidate,
    /// Event: the agent hears a candidate.
    HearCandidate,
    /// Event: the agent turns its camera on or off.
    SendVideo,
    /// Event: somebody turned a camera on or off.
    HearVideo,
    /// Event: the agent mutes or unmutes.
    SendAudio,
    /// Event: somebody muted or unmuted.
    HearAudio,
    /// Event, both ways: a line of chat.
    Chat,
    /// Event: the server complains.
    Error,
    /// Field: the room.
    Room,
    /// Field: the name that the others see.
    Username,
    /// Field: the id of the user.
    UserId,
    /// Field: to whom a signal goes.
    Target,
    /// Field: from whom a signal comes.
    From,
    /// Field: a participant's socket id.
    SocketId,
    /// Field: the list of those who were there.
    Users,
    /// Field: the description of an offer.
    OfferBody,
    /// Field: the description of an answer.
    AnswerBody,
    /// Field: the candidate.
    Candidate,
    /// Field: whether a camera or microphone is on.
    Enabled,
    /// Field: the text of a line of chat, or of a complaint.
    Text,
}

/// Each name with its key in the configuration and its usual value, in the order of [`Name`].
const USUAL: [(Name, &str, &str); 26] = [
    (Name::Join, "join_room", "join_room"),
    (Name::ExistingUsers, "existing_users", "existing-users"),
    (Name::UserJoined, "user_joined", "user-joined"),
    (Name::UserLeft, "user_left", "user-left"),
    (Name::Offer, "offer", "offer"),
    (Name::Answer, "answer", "answer"),
    (Name::SendCandidate, "send_candidate", "ice_candidate"),
    (Name::HearCandidate, "hear_candidate", "ice-candidate"),
    (Name::SendVideo, "send_video", "toggle_video"),
    (Name::HearVideo, "hear_video", "video-toggled"),
    (Name::SendAudio, "send_audio", "toggle_audio"),
    (Name::HearAudio, "hear_audio", "audio-toggled"),
    (Name::Chat, "chat", "message"),
    (Name::Error, "error", "error"),
    (Name::Room, "room_field", "room_id"),
    (Name::Username, "username_field", "username"),
    (Name::UserId, "user_id_field", "user_id"),
    (Name::Target, "target_field", "target"),
    (Name::From, "from_field", "from"),
    (Name::SocketId, "socket_id_field", "sid"),
    (Name::Users, "users_field", "users"),
    (Name::OfferBody, "offer_field", "offer"),
    (Name::AnswerBody, "answer_field", "answer"),
    (Name::Candidate, "candidate_field", "candidate"),
    (Name::Enabled, "enabled_field", "enabled"),
    (Name::Text, "text_field", "message"),
];

/// Names that deployments have in common (docs/signalling.md §1.2), as changes to the usual ones.
const PRESETS: [(&str, &[(Name, &str)]); 5] = [
    ("usual", &[]),
    (
        "underscore",
        &[
            (Name::ExistingUsers, "existing_users"),
            (Name::UserJoined, "user_joined"),
            (Name::UserLeft, "user_left"),
            (Name::HearCandidate, "ice_candidate"),
            (Name::HearVideo, "video_toggled"),
            (Name::HearAudio, "audio_toggled"),
            (Name::Target, "to"),
        ],
    ),
    (
        "hyphen",
        &[
            (Name::Join, "join-room"),
            (Name::SendCandidate, "ice-candidate"),
            (Name::SendVideo, "toggle-video"),
            (Name::SendAudio, "toggle-audio"),
        ],
    ),
    (
        "room-code",
        &[(Name::ExistingUsers, "room-joined"), (Name::Room, "room_code"), (Name::SocketId, "socket_id")],
    ),
    ("socket-ids", &[(Name::Target, "recipientSocketId"), (Name::From, "senderSocketId")]),
];

/// The names of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Box<[Cow<'static, str>; USUAL.len()]>);

impl Default for Names {
    fn default() -> Self {
        Self(Box::new(USUAL.map(|(_, _, usual)| Cow::Borrowed(usual))))
    }
}

impl Names {
    /// The keys of all names in the configuration.
    pub const KEYS: [&'static str; USUAL.len()] = {
        let mut keys = [""; USUAL.len()];
        let mut index = 0;
        while index < keys.len() {
            keys[index] = USUAL[index].1;
            index += 1;
        }
        keys
    };

    /// The presets that there are.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(preset, _)| *preset)
    }

    /// The names of a preset, or `None` if there is no such preset.
    pub fn preset(preset: &str) -> Option<Self> {
        let (_, changes) = PRESETS.iter().find(|(name, _)| *name == preset)?;
        let mut names = Self::default();
        for (name, value) in *changes {
            names.0[*name as usize] = Cow::Borrowed(value);
        }
        Some(names)
    }

    /// Calls what is configured under `key` by another name.
    ///
    /// # Errors
    /// There is no such key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), UnknownName> {
        let index = Self::KEYS.iter().position(|known| *known == key);
        let index = index.ok_or_else(|| UnknownName(key.to_owned()))?;
        self.0[index] = Cow::Owned(value.to_owned());
        Ok(())
    }

    /// What this deployment calls it.
    pub fn get(&self, name: Name) -> &str {
        &self.0[name as usize]
    }

    /// What has this name as an event that is heard.
    pub(super) fn heard(&self, event: &str) -> Option<Name> {
        const HEARD: [Name; 10] = [
            Name::ExistingUsers,
            Name::UserJoined,
            Name::UserLeft,
            Name::Offer,
            Name::Answer,
            Name::HearCandidate,
            Name::HearVideo,
            Name::HearAudio,
            Name::Chat,
            Name::Error,
        ];
        HEARD.into_iter().find(|name| self.get(*name) == event)
    }
}

/// A key that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no event or field of the dialect; there are: {keys}", keys = Names::KEYS.join(", "))]
pub struct UnknownName(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_names() {
        for (index, (name, key, usual)) in USUAL.into_iter().enumerate() {
            assert_eq!(name as usize, index, "{key}");
            assert_eq!(Names::default().get(name), usual);
        }
    }

    #[test]
    fn a_preset_can_be_changed_further() {
        let mut names = Names::preset("underscore").unwrap();
        names.set("room_field", "roomId").unwrap();
        assert_eq!(names.get(Name::Target), "to");
        assert_eq!(names.get(Name::Room), "roomId");
        assert_eq!(names.get(Name::SocketId), "sid");
        assert_eq!(Names::presets().map(Names::preset).filter(Option::is_none).count(), 0);
        assert_eq!(Names::preset("klingon"), None);
    }

    #[test]
    fn a_wrong_key_is_told_with_the_right_ones() {
        let error = Names::default().set("roomfield", "x").unwrap_err().to_string();
        assert!(error.starts_with("\"roomfield\" is no event or field"), "{error}");
        assert!(error.contains("room_field"), "{error}");
    }
}
