//! Who the agent is in the room.

use super::roster::Participant;

/// The agent's connection, and the user id under which the relay knows it.
///
/// The socket id is certain: the relay gives it in its answer to CONNECT. The user id is what the agent calls itself
/// until a list of the relay names it: deployed gateways replace an email by the user's id (docs/protocol.md §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    socket_id: String,
    user_id: String,
}

impl Identity {
    /// The connection `socket_id`, as the configuration names it; without a name, the socket id is the user id.
    pub fn new(socket_id: &str, configured: Option<&str>) -> Self {
        Self { socket_id: socket_id.to_owned(), user_id: configured.unwrap_or(socket_id).to_owned() }
    }

    /// The user id that the room knows.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Adopts the user id that a list gives this connection. Says whether it is another one.
    pub fn adopt(&mut self, participants: &[Participant]) -> bool {
        match participants.iter().find(|participant| self.is_connection_of(participant)) {
            Some(ours) if ours.user_id != self.user_id => {
                self.user_id.clone_from(&ours.user_id);
                true
            }
            _ => false,
        }
    }

    /// Whether a list means the agent by this entry, be it with another connection.
    pub fn is(&self, participant: &Participant) -> bool {
        self.is_connection_of(participant) || participant.user_id == self.user_id
    }

    /// The agent's own entry in a list. A relay may list an earlier connection of the same user beside it.
    pub fn find<'a>(&self, participants: &'a [Participant]) -> Option<&'a Participant> {
        let ours = participants.iter().find(|participant| self.is_connection_of(participant));
        ours.or_else(|| participants.iter().find(|participant| participant.user_id == self.user_id))
    }

    fn is_connection_of(&self, participant: &Participant) -> bool {
        participant.socket_id.as_deref() == Some(self.socket_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(user_id: &str, socket_id: Option<&str>) -> Participant {
        Participant {
            user_id: user_id.to_owned(),
            username: None,
            has_video: None,
            is_muted: None,
            can_broadcast: None,
            socket_id: socket_id.map(str::to_owned),
        }
    }

    #[test]
    fn the_id_that_the_relay_gives_our_connection_is_adopted_once() {
        let mut identity = Identity::new("s1", Some("pi@example.org"));
        let list = [participant("ann", Some("s0")), participant("7f2c", Some("s1"))];
        assert!(!identity.adopt(&list[..1]), "nobody there is us");
        assert_eq!(identity.user_id(), "pi@example.org");
        assert!(identity.adopt(&list));
        assert_eq!(identity.user_id(), "7f2c");
        assert!(!identity.adopt(&list), "no news");
    }

    #[test]
    fn an_earlier_connection_of_ours_is_us_and_yet_not_our_entry() {
        let identity = Identity::new("s2", Some("pi"));
        let list = [participant("pi", Some("s1")), participant("pi", Some("s2"))];
        assert!(list.iter().all(|entry| identity.is(entry)));
        assert_eq!(identity.find(&list), Some(&list[1]));
    }

    #[test]
    fn a_relay_that_names_no_sockets_knows_us_by_the_id_that_we_gave() {
        let mut identity = Identity::new("s1", Some("pi"));
        let list = [participant("ann", None), participant("pi", None)];
        assert!(!identity.adopt(&list));
        assert_eq!(identity.find(&list), Some(&list[1]));
        assert_eq!(Identity::new("s1", None).user_id(), "s1");
    }
}
