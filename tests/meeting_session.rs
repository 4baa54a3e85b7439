//! A session with a relay that behaves: the join, what is published when, and how it is left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Authority, Relay, chunk, config, media, next, text};
use roomcam::meeting::{
    ErrorKind, Left, OutboxLimits, Presence, ServerEvent, SessionEvent, SessionHandle, StateChange, outbox,
    session,
};
use roomcam::socketio::Endpoint;

const LIVE: Presence = Presence { has_video: true, is_muted: false };
const MIME: &str = "video/webm; codecs=\"vp8, opus\"";
/// Two of them are more than the relay accepts in one message, so that they are not joined.
const LARGE: usize = 600_000;

#[tokio::test]
async fn joins_publishes_state_before_media_and_leaves() {
    let relay = Relay::listen().await;
    let (outbox, receiver) = outbox(OutboxLimits::default());
    let mut config = config(&relay);
    config.avatar_url = Some("https://a.example/pi.png".into());
    config.endpoint.auth = roomcam::meeting::credentials(Some("tok"), Some("pi"));
    let mut session = session::spawn(config, LIVE, receiver);

    // Put in before the join: the chunk must wait for it, and the state must overtake the chunk.
    outbox.put(chunk(0, b"first"), MIME).unwrap();
    outbox.announce(StateChange::Camera { has_video: false });
    outbox.announce(StateChange::Mic { is_muted: true });
    outbox.announce(StateChange::Camera { has_video: true });

    let mut server = relay.accept().await;
    server.open().await;
    assert_eq!(text(&mut server).await, r#"40{"token":"tok","userId":"pi"}"#);
    server.say(r#"40{"sid":"our-socket"}"#).await;
    assert_eq!(
        text(&mut server).await,
        r#"42["join-room",{"roomId":"room-1","username":"Pi","avatar_url":"https://a.example/pi.png","hasVideo":true,"isMuted":false}]"#
    );
    server.say(r#"42["user-joined",{"userId":"early"}]"#).await;
    server
        .say(r#"42["room-state",{"roomId":"room-1","participants":[{"userId":"pi-7","socketId":"our-socket"}],"title":"T"}]"#)
        .await;

    let SessionEvent::Joined(joined) = next(&mut session).await else { panic!("Joined comes first") };
    assert_eq!(
        joined.identity.user_id(),
        "pi-7",
        "the relay's word about our socket goes before the configuration"
    );
    assert_eq!(joined.max_payload, 1_000_000);
    assert_eq!(joined.room.title.as_deref(), Some("T"));

    assert_eq!(
        text(&mut server).await,
        r#"42["mic-state-changed",{"roomId":"room-1","userId":"pi-7","isMuted":true}]"#
    );
    assert_eq!(
        text(&mut server).await,
        r#"42["camera-state-changed",{"roomId":"room-1","userId":"pi-7","hasVideo":true}]"#
    );
    let (header, bytes) = media(&mut server).await;
    assert_eq!(bytes, "first");
    assert_eq!(header["mimeType"], MIME);
    let SessionEvent::ChunkSent { chunk: sent, queued } = next(&mut session).await else {
        panic!("the chunk is reported")
    };
    assert_eq!(sent.seq, 0);
    assert!(queued > Duration::ZERO && queued < Duration::from_secs(5), "{queued:?}");
    assert_eq!(outbox.state(), roomcam::meeting::QueueState::default());

    server.say("2").await;
    assert_eq!(text(&mut server).await, "3");

    // Its own arrival, other people's media and nonsense are kept from the agent.
    server.say(r#"42["user-joined",{"userId":"pi-7"}]"#).await;
    server.say(r#"42["camera-state-changed",{"userId":"pi-7","hasVideo":true}]"#).await;
    server.say(r#"42["mic-state-changed",{"userId":"pi-7","isMuted":true}]"#).await;
    server.say(r#"451-["media-chunk",{"chunk":{"_placeholder":true,"num":0},"userId":"x"}]"#).await;
    server.say_bytes(b"other people's").await;
    server.say(r#"42["user-left",{"who":"?"}]"#).await;
    server.say(r#"42["error",{"message":"slow down"}]"#).await;
    server.say(r#"42["request-keyframe",{"fromUserId":"bob"}]"#).await;
    let SessionEvent::Event(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, ServerEvent::Error { message: "slow down".into(), kind: ErrorKind::Other });
    let SessionEvent::Event(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, ServerEvent::RequestKeyframe { from: Some("bob".into()) });

    // What others do with their camera and microphone is not.
    server.say(r#"42["camera-state-changed",{"userId":12,"hasVideo":false}]"#).await;
    server.say(r#"42["mic-state-changed",{"userId":"bob","isMuted":true}]"#).await;
    let SessionEvent::Event(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, ServerEvent::CameraStateChanged { user_id: "12".into(), has_video: Some(false) });
    let SessionEvent::Event(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, ServerEvent::MicStateChanged { user_id: "bob".into(), is_muted: Some(true) });

    let left = tokio::spawn(session.shutdown());
    assert_eq!(text(&mut server).await, r#"420["leave-room",{}]"#);
    server.say("430[]").await;
    assert_eq!(left.await.unwrap(), Left::Acknowledged);
    assert_eq!(text(&mut server).await, "41");
    assert_eq!(
        outbox.put(chunk(1, b"late"), MIME).unwrap_err().to_string(),
        "the outbox is closed; its session is over"
    );
}

#[tokio::test]
async fn the_id_that_a_list_gives_our_connection_is_adopted_and_what_was_announced_is_said_again() {
    let relay = Relay::listen().await;
    let (outbox, receiver) = outbox(OutboxLimits::default());
    let mut config = config(&relay);
    config.user_id = Some("pi@example.org".into());
    let mut session = session::spawn(config, LIVE, receiver);
    let mut server = relay.accept().await;
    server.join("room-1").await;
    let SessionEvent::Joined(joined) = next(&mut session).await else { panic!() };
    assert_eq!(joined.identity.user_id(), "pi@example.org", "the joiner is not in its own room-state");
    outbox.announce(StateChange::Mic { is_muted: true });
    assert_eq!(
        text(&mut server).await,
        r#"42["mic-state-changed",{"roomId":"room-1","userId":"pi@example.org","isMuted":true}]"#
    );

    let list = r#"42["participant-list-changed",{"participants":[{"userId":"ann","socketId":"s1","canBroadcast":false},
        {"userId":"7f2c","socketId":"socket","canBroadcast":true}],"presenterUserId":"7f2c","broadcastMode":"single"}]"#;
    server.say(list).await;

    let SessionEvent::Adopted(identity) = next(&mut session).await else {
        panic!("the id comes before the list")
    };
    assert_eq!(identity.user_id(), "7f2c");
    let SessionEvent::Event(ServerEvent::PresenterChange(change)) = next(&mut session).await else {
        panic!()
    };
    assert_eq!(change.can_broadcast(&identity), Some(true));
    assert_eq!(
        text(&mut server).await,
        r#"42["mic-state-changed",{"roomId":"room-1","userId":"7f2c","isMuted":true}]"#
    );
    outbox.announce(StateChange::Camera { has_video: false });
    assert_eq!(
        text(&mut server).await,
        r#"42["camera-state-changed",{"roomId":"room-1","userId":"7f2c","hasVideo":false}]"#
    );

    // The same list again is no news, and the presenter's id is compared with the adopted one.
    server.say(list).await;
    assert!(matches!(next(&mut session).await, SessionEvent::Event(ServerEvent::PresenterChange(_))));
    server
        .say(r#"42["broadcast-presenter-changed",{"presenterUserId":"7f2c","broadcastMode":"single"}]"#)
        .await;
    let SessionEvent::Event(ServerEvent::PresenterChange(change)) = next(&mut session).await else {
        panic!()
    };
    assert_eq!(change.can_broadcast(&identity), Some(true));
}

#[tokio::test]
async fn a_relay_that_does_not_acknowledge_the_leaving_is_left_after_half_a_second() {
    let relay = Relay::listen().await;
    let (_outbox, receiver) = outbox(OutboxLimits::default());
    let mut session = session::spawn(config(&relay), LIVE, receiver);
    let mut server = relay.accept().await;
    server.join("room-1").await;
    let SessionEvent::Joined(joined) = next(&mut session).await else { panic!() };
    assert_eq!(joined.identity.user_id(), "pi", "the configured id, where the relay does not say");
    let began = std::time::Instant::now();
    assert_eq!(session.shutdown().await, Left::Unconfirmed);
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(text(&mut server).await, r#"420["leave-room",{}]"#);
}

#[tokio::test]
async fn a_shutdown_while_connecting_does_not_wait_for_the_relay() {
    let relay = Relay::listen().await;
    let (_outbox, receiver) = outbox(OutboxLimits::default());
    let session = session::spawn(config(&relay), LIVE, receiver);
    let _silent = relay.accept_tcp().await;
    assert_eq!(session.shutdown().await, Left::Unconfirmed);
}

#[tokio::test]
async fn a_chunk_above_the_relays_limit_is_reported_and_the_next_one_sent() {
    let relay = Relay::listen().await;
    let (outbox, receiver) = outbox(OutboxLimits::default());
    let mut session = session::spawn(config(&relay), LIVE, receiver);
    let mut server = relay.accept().await;
    server.join_with_limit("room-1", 1000).await;
    outbox.put(chunk(0, &[0; 1001]), MIME).unwrap();
    outbox.put(chunk(1, &[1; 1000]), MIME).unwrap();
    assert!(matches!(next(&mut session).await, SessionEvent::Joined(_)));
    let SessionEvent::ChunkTooLarge { chunk, max } = next(&mut session).await else { panic!() };
    assert_eq!((chunk.seq, max), (0, 1000));
    assert_eq!(media(&mut server).await.1, [1; 1000][..]);
}

#[tokio::test]
async fn a_relay_that_stops_reading_fills_the_outbox_and_is_still_heard() {
    let relay = Relay::listen().await;
    let limits = OutboxLimits { media: Duration::from_millis(1000), bytes: usize::MAX };
    let (outbox, receiver) = outbox(limits);
    let mut session = session::spawn(config(&relay), LIVE, receiver);
    let mut server = relay.accept().await;
    server.join("room-1").await;
    assert!(matches!(next(&mut session).await, SessionEvent::Joined(_)));

    // The server reads nothing: kernel buffers fill, then the outbox.
    let mut seq = 0;
    let stalled = async {
        loop {
            while outbox.has_room() {
                outbox.put(chunk(seq, &[0; LARGE]), MIME).unwrap();
                seq += 1;
            }
            // A report means that there is room again; silence for long means a stall.
            match tokio::time::timeout(Duration::from_millis(500), next(&mut session)).await {
                Ok(event) => assert!(matches!(event, SessionEvent::ChunkSent { .. })),
                Err(_) => return,
            }
        }
    };
    stalled.await;
    let state = outbox.state();
    assert_eq!((state.chunks, state.media), (10, Duration::from_millis(1000)));
    assert!(outbox.backlog().age >= Duration::from_millis(500), "{:?}", outbox.backlog());

    server.say(r#"42["user-joined",{"userId":"late"}]"#).await;
    let SessionEvent::Event(ServerEvent::UserJoined(who)) = next(&mut session).await else { panic!() };
    assert_eq!(who.user_id, "late");

    // The camera goes off: all but the chunk on its way is taken back, and the state goes out before any
    // later chunk.
    outbox.announce(StateChange::Camera { has_video: false });
    let cleared = outbox.clear_media();
    assert_eq!(cleared.len(), 9);
    let first_cleared = cleared[0].seq;
    outbox.put(chunk(seq, b"after"), MIME).unwrap();
    for _ in 0..first_cleared {
        assert_eq!(media(&mut server).await.1.len(), LARGE);
    }
    assert_eq!(
        text(&mut server).await,
        r#"42["camera-state-changed",{"roomId":"room-1","userId":"pi","hasVideo":false}]"#
    );
    assert_eq!(media(&mut server).await.1, "after");
}

/// Joins over TLS with the authorities in this file.
fn over_tls(relay: &Relay, ca_file: &std::path::Path) -> SessionHandle {
    let mut config = config(relay);
    config.endpoint = Endpoint::new(&relay.url().replace("http://127.0.0.1", "https://localhost")).unwrap();
    config.endpoint.ca_file = Some(ca_file.to_owned());
    let (_outbox, receiver) = outbox(OutboxLimits::default());
    session::spawn(config, LIVE, receiver)
}

#[tokio::test]
async fn tls_with_a_private_authority_works_when_its_file_is_given_and_after_both_are_renewed() {
    let relay = Relay::listen().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    for authority in [Authority::new(), Authority::new()] {
        // Each attempt reads the file.
        std::fs::write(file.path(), &authority.pem).unwrap();
        let mut session = over_tls(&relay, file.path());
        let mut server = relay.accept_tls(authority.acceptor()).await.unwrap();
        server.join("room-1").await;
        assert!(matches!(next(&mut session).await, SessionEvent::Joined(_)));
    }
}
