//! What happens in a meeting over WebRTC.

use super::Runtime;
use crate::agent::faults::Part;
use crate::agent::machine::Event;
use crate::meeting::{Identity, Participant};
use crate::publish::mesh::Happened;

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
                tracing::info!(from, text, "somebody wrote");
            }
            Happened::Ended(error) => self.session_ended(&error).await,
        }
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
