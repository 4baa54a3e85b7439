//! Why the agent is not in the meeting, in the words that status and log have for it.

use crate::control::{Absence, AbsenceReason};
use crate::meeting::{SessionError, whip};

/// Why the agent is out, after a session that ended so. `before` is why it was out until then.
pub(super) fn absence(error: &SessionError, before: Option<&Absence>) -> Absence {
    let reason = reason(error);
    let ended = before.is_some_and(|before| before.reason == AbsenceReason::RoomEnded);
    match error {
        // Gateways forget a room that has ended: whoever asks why wants to hear of the end.
        SessionError::UnknownRoom { url, room, .. } if ended => Absence {
            reason: AbsenceReason::RoomEnded,
            message: format!(
                "relay {url}: the meeting in room {room:?} is over, and the relay knows the room no more; for another \
                 meeting, put its id into meeting.room"
            ),
        },
        _ => Absence { reason, message: error.to_string() },
    }
}

fn reason(error: &SessionError) -> AbsenceReason {
    match error {
        SessionError::Connect(_) => AbsenceReason::Unreachable,
        SessionError::AuthRefused { .. } => AbsenceReason::CredentialsRefused,
        SessionError::JoinRefused { .. } => AbsenceReason::JoinRefused,
        SessionError::UnknownRoom { .. } => AbsenceReason::UnknownRoom,
        SessionError::Superseded { .. } => AbsenceReason::Superseded,
        SessionError::Disconnected { .. } => AbsenceReason::Disconnected,
        SessionError::RoomEnded { .. } => AbsenceReason::RoomEnded,
        SessionError::WrongRoom { .. }
        | SessionError::JoinTimeout { .. }
        | SessionError::BadRoomState { .. }
        | SessionError::Encode(_) => AbsenceReason::JoinFailed,
        SessionError::ClosedWhileJoining { .. } | SessionError::Lost(_) => AbsenceReason::ConnectionLost,
        SessionError::Whip(error) => whip_reason(&error.fault),
    }
}

fn whip_reason(fault: &whip::Fault) -> AbsenceReason {
    match fault {
        whip::Fault::NotBegun(_) | whip::Fault::Http(_) => AbsenceReason::Unreachable,
        whip::Fault::Unauthorized(_) | whip::Fault::Forbidden(_) => AbsenceReason::CredentialsRefused,
        whip::Fault::NotFound(_) => AbsenceReason::UnknownRoom,
        whip::Fault::Refused { .. } | whip::Fault::Unavailable { .. } => AbsenceReason::JoinRefused,
        whip::Fault::Redirected { .. }
        | whip::Fault::RedirectLoop { .. }
        | whip::Fault::Insecure { .. }
        | whip::Fault::NotCreated { .. }
        | whip::Fault::NoDescription { .. }
        | whip::Fault::Unusable(_)
        | whip::Fault::NoMedia { .. } => AbsenceReason::JoinFailed,
        whip::Fault::Lost(_) => AbsenceReason::ConnectionLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_meeting_is_not_forgotten_for_the_unknown_room_that_it_leaves() {
        let (url, room) = ("ws://relay/".to_owned(), "blue".to_owned());
        let unknown = SessionError::UnknownRoom {
            url: url.clone(),
            room: room.clone(),
            message: "no such room".into(),
        };
        assert_eq!(absence(&unknown, None).reason, AbsenceReason::UnknownRoom);

        let over = absence(&SessionError::RoomEnded { url, room }, None);
        let still_over = absence(&unknown, Some(&over));
        assert_eq!(still_over.reason, AbsenceReason::RoomEnded);
        assert_eq!(
            still_over.message,
            "relay ws://relay/: the meeting in room \"blue\" is over, and the relay knows the room no more; for another \
             meeting, put its id into meeting.room"
        );
        assert_eq!(absence(&unknown, Some(&still_over)), still_over);
    }
}
