//! What happens in a meeting over WebRTC.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Runtime;
use crate::agent::faults::Part;
use crate::agent::machine::Event;
use crate::control::{ChatLine, Delivery, Refusal};
use crate::meeting::{Identity, Participant};
use crate::publish::mesh::{self, Happened, Trouble};

/// Lines of chat that are shown.
const CHAT_LINES: usize = 10;

impl Runtime {
    pub(super) async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Joined { sid } => {
                self.faults.clear(Part::Meeting);
                self.absence = None;
                let others = self.mesh_participants();
                tracing::info!(
                    room = self.session_config.room,
                    participants = others.len(),
                    "joined the room"
                );
                self.room.enter(Identity::new(&sid, None), others);
                self.decide(Event::Joined { may_publish: true, first_generation: false }).await;
                self.tell_state();
            }
            Happened::Changed => {
                let others = self.mesh_participants();
                self.room.see(others);
                self.tell_state();
                self.serve_receivers();
            }
            Happened::Encoding => self.follow_uplink().await,
            Happened::Chat { from, text } => {
                if self.chat.len() == CHAT_LINES {
                    self.chat.pop_front();
                }
                let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
                self.chat.push_back(ChatLine { from, text, at });
                self.tell_state();
            }
            Happened::IceServer(trouble) => self.ice_server(trouble),
            Happened::Ended(error) => self.session_ended(&error).await,
        }
    }

    /// One server hurts neither the others nor who is reached without it.
    fn ice_server(&mut self, Trouble { server, message }: Trouble) {
        let part = Part::IceServer(server);
        match message {
            Some(message) => {
                self.fault(part, &message);
            }
            None => self.faults.clear(part),
        }
        self.tell_state();
    }

    /// Writes something for everybody to read.
    pub(super) fn write_to_all(&mut self, text: &str) -> Result<(), Refusal> {
        let Some(meeting) = self.publisher.mesh_mut() else {
            return Err(Refusal::conflict(format!(
                "there is no chat with meeting.protocol = {:?}; \"mesh\" and \"noom\" have one",
                self.config.meeting.protocol.as_str()
            )));
        };
        if meeting.chat(text) {
            Ok(())
        } else {
            Err(Refusal::conflict(
                "nobody can read it: the device is not in the meeting, or nobody else is connected",
            ))
        }
    }

    /// How media get to the participant that the server calls so; `None` on a relay.
    pub(super) fn delivery_to(&self, id: &str) -> Option<Delivery> {
        let meeting = self.publisher.mesh()?;
        let (_, delivery) =
            meeting.participants().find(|(participant, _)| participant.id.to_string() == id)?;
        Some(match delivery {
            Some(mesh::Delivery::Connected) => match meeting.publisher.pictures(id) {
                Some(mesh::Pictures::None) => Delivery::VoiceOnly,
                Some(mesh::Pictures::Base) => Delivery::FewerPictures,
                Some(mesh::Pictures::All) | None => Delivery::Connected,
            },
            Some(mesh::Delivery::Refused) => Delivery::Refused,
            Some(mesh::Delivery::Connecting) | None => Delivery::Connecting,
        })
    }

    /// Those in the meeting, as a relay would list them.
    fn mesh_participants(&self) -> Vec<Participant> {
        let listed = self.publisher.mesh().into_iter().flat_map(|meeting| meeting.participants());
        listed
            .map(|(participant, _)| Participant {
                user_id: participant.id.to_string(),
                username: participant.name.clone(),
                has_video: None,
                is_muted: None,
                can_broadcast: None,
                socket_id: Some(participant.id.to_string()),
            })
            .collect()
    }
}
