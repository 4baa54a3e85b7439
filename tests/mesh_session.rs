//! A session of a WebRTC meeting with a server that says what the test says: the join, what is passed on, how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Relay, Server, config, patiently, text};
use roomcam::meeting::SessionError;
use roomcam::meeting::mesh::session::{self, SessionEvent, SessionHandle};
use roomcam::meeting::mesh::{Dialect, Form, Heard, Names, Participant, ParticipantId, Said, Signal, Step};
use serde_json::json;
use tokio::net::TcpStream;

async fn begin(relay: &Relay, dialect: Dialect) -> (SessionHandle, Server<TcpStream>) {
    let session = session::spawn(config(relay), dialect);
    let mut server = relay.accept().await;
    server.connect().await;
    (session, server)
}

async fn next(session: &mut SessionHandle) -> SessionEvent {
    patiently(session.events.recv()).await.expect("the session has ended")
}

fn mesh() -> Dialect {
    Dialect::Mesh(Names::default())
}

fn participant(id: &str, name: &str) -> Participant {
    Participant { id: ParticipantId::new(id), user_id: None, name: Some(name.into()) }
}

#[tokio::test]
async fn joins_passes_on_what_concerns_the_agent_and_leaves() {
    let relay = Relay::listen().await;
    let (mut session, mut server) = begin(&relay, mesh()).await;
    assert_eq!(
        text(&mut server).await,
        r#"42["join_room",{"room_id":"room-1","user_id":"pi","username":"Pi"}]"#
    );
    server.say(r#"42["connected",{"sid":"socket"}]"#).await;
    server.say(r#"42["user-joined",{"sid":"early","username":"eve"}]"#).await;
    server
        .say(r#"42["existing-users",{"users":[{"sid":"s1","username":"ann"},{"sid":"socket","username":"Pi"}]}]"#)
        .await;

    let SessionEvent::Joined { sid, others } = next(&mut session).await else { panic!("joined comes first") };
    assert_eq!(
        (sid.as_str(), others),
        ("socket", vec![participant("s1", "ann")]),
        "the agent is not another"
    );
    let SessionEvent::Heard(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, Heard::Came(participant("early", "eve")));

    // Its own arrival, another list, and what it wrote itself.
    server.say(r#"42["user-joined",{"sid":"socket","username":"Pi"}]"#).await;
    server.say(r#"42["existing-users",{"users":[]}]"#).await;
    assert!(session.say(Said::Chat("hello".into())));
    assert_eq!(text(&mut server).await, r#"42["message",{"message":"hello"}]"#);
    server.say(r#"42["message",{"username":"Pi","message":"hello","timestamp":"now"}]"#).await;
    server.say(r#"42["user-left",{"nobody":1}]"#).await;
    server.say(r#"42["message",{"username":"ann","message":"hello","timestamp":"now"}]"#).await;
    let SessionEvent::Heard(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, Heard::Chat { from: Some("ann".into()), text: "hello".into() });

    server.say(r#"42["offer",{"from":"s1","offer":{"type":"offer","sdp":"v=0"}}]"#).await;
    let SessionEvent::Heard(heard) = next(&mut session).await else { panic!() };
    assert_eq!(
        heard,
        Heard::Signal(Signal { peer: ParticipantId::new("s1"), step: Step::Offer("v=0".into()) })
    );

    // What was said before it left is said.
    assert!(session.say(Said::Camera { on: false }));
    let left = tokio::spawn(session.shutdown());
    assert_eq!(text(&mut server).await, r#"42["toggle_video",{"enabled":false}]"#);
    assert_eq!(text(&mut server).await, "41");
    left.await.unwrap();
}

#[tokio::test]
async fn a_server_that_complains_about_the_join_refuses_it() {
    for (message, expected) in [
        ("the room is full", "refused the join of room \"room-1\": the room is full"),
        ("room not found", "knows no room \"room-1\": room not found"),
        ("unauthorized", "refused the credentials: unauthorized"),
    ] {
        let relay = Relay::listen().await;
        let (mut session, mut server) = begin(&relay, mesh()).await;
        text(&mut server).await;
        server.say(&format!(r#"42["error",{{"message":"{message}"}}]"#)).await;
        let SessionEvent::Ended(error) = next(&mut session).await else { panic!() };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_lists_nobody_is_not_waited_for_for_ever() {
    let relay = Relay::listen().await;
    let mut config = config(&relay);
    config.join_timeout = common::SHORT;
    let mut session = session::spawn(config, mesh());
    let mut server = relay.accept().await;
    server.connect().await;
    let SessionEvent::Ended(SessionError::JoinTimeout { room, .. }) = next(&mut session).await else {
        panic!()
    };
    assert_eq!(room, "room-1");
}

#[tokio::test]
async fn in_a_one_to_one_room_the_acknowledgement_or_a_sign_of_the_other_confirms_the_join() {
    for sign in ["430[]", r#"42["welcome"]"#, r#"42["offer",{"type":"offer","sdp":"v=0"}]"#] {
        let relay = Relay::listen().await;
        let (mut session, mut server) = begin(&relay, Dialect::Noom(Form::Args)).await;
        assert_eq!(text(&mut server).await, r#"420["join_room","room-1"]"#);
        server.say(sign).await;
        let SessionEvent::Joined { others, .. } = next(&mut session).await else { panic!() };
        assert_eq!(others, []);
        if sign.starts_with("42") {
            let SessionEvent::Heard(heard) = next(&mut session).await else { panic!() };
            assert!(matches!(heard, Heard::Came(_) | Heard::Signal(_)));
        }
    }
}

#[tokio::test]
async fn in_a_one_to_one_room_silence_confirms_the_join_after_a_while() {
    let relay = Relay::listen().await;
    let (mut session, mut server) = begin(&relay, Dialect::Noom(Form::Object)).await;
    assert_eq!(text(&mut server).await, r#"420["join_room",{"roomName":"room-1"}]"#);
    let since = tokio::time::Instant::now();
    let SessionEvent::Joined { .. } = next(&mut session).await else { panic!() };
    assert!(since.elapsed() >= Duration::from_millis(450), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_full_room_refuses_the_join_and_ends_a_session_at_any_time() {
    for refusal in ["room_full", "reject_join"] {
        for is_late in [false, true] {
            let relay = Relay::listen().await;
            let (mut session, mut server) = begin(&relay, Dialect::Noom(Form::Object)).await;
            text(&mut server).await;
            if is_late {
                server.say("430[]").await;
                assert!(matches!(next(&mut session).await, SessionEvent::Joined { .. }));
            }
            server.say(&json!([refusal]).to_string().replacen('[', "42[", 1)).await;
            let SessionEvent::Ended(error) = next(&mut session).await else { panic!() };
            assert!(matches!(error, SessionError::JoinRefused { .. }), "{error}");
            assert!(error.to_string().contains("full"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_session_that_was_cut_off_says_so() {
    let relay = Relay::listen().await;
    let (mut session, mut server) = begin(&relay, mesh()).await;
    text(&mut server).await;
    server.say(r#"42["existing-users",{"users":[]}]"#).await;
    assert!(matches!(next(&mut session).await, SessionEvent::Joined { .. }));
    drop(server);
    assert!(matches!(next(&mut session).await, SessionEvent::Ended(SessionError::Lost(_))));
    assert!(patiently(session.events.recv()).await.is_none());
}
