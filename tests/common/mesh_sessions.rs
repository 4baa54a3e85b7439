//! Sessions of WebRTC meetings in a test's hands.

#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use roomcam::meeting::SessionError;
use roomcam::meeting::mesh::session::{SessionEvent, SessionHandle};
use roomcam::meeting::mesh::{Candidate, Heard, Participant, ParticipantId, Said, Signal, Step};
use tokio::time::timeout;

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn next(session: &mut SessionHandle) -> SessionEvent {
    timeout(PATIENCE, session.events.recv()).await.expect("nothing came").expect("the session has ended")
}

pub async fn heard(session: &mut SessionHandle) -> Heard {
    match next(session).await {
        SessionEvent::Heard(heard) => heard,
        other => panic!("{other:?}"),
    }
}

pub async fn ended(session: &mut SessionHandle) -> SessionError {
    match next(session).await {
        SessionEvent::Ended(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The socket id that was given, and who was there already.
pub async fn joined(session: &mut SessionHandle) -> (ParticipantId, Vec<Participant>) {
    match next(session).await {
        SessionEvent::Joined { sid, others } => (ParticipantId::new(&sid), others),
        other => panic!("{other:?}"),
    }
}

/// Each step, from `from` to `to`: sent, and heard as what was sent.
pub async fn negotiate(
    (from, from_id): (&SessionHandle, &ParticipantId),
    (to, to_id): (&mut SessionHandle, &ParticipantId),
) {
    let sdp = "v=0\r\na=ice-ufrag:u\r\n";
    let candidate = Candidate {
        candidate: "candidate:1 1 udp 2130706431 10.0.0.7 40000 typ host".into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("u".into()),
    };
    for step in [Step::Offer(sdp.into()), Step::Answer(sdp.into()), Step::Candidate(candidate)] {
        assert!(from.say(Said::Signal(Signal { peer: to_id.clone(), step: step.clone() })));
        assert_eq!(heard(to).await, Heard::Signal(Signal { peer: from_id.clone(), step }));
    }
}

/// What those are called who gave a name.
pub fn names(participants: &[Participant]) -> Vec<&str> {
    participants.iter().filter_map(|participant| participant.name.as_deref()).collect()
}
