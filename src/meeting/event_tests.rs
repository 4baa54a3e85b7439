//! What is said goes out word for word as docs/protocol.md §2 has it; what is heard is read in all the shapes that
//! deployed relays give it.

use bytes::Bytes;
use proptest::prelude::*;

use super::event::*;
use super::identity::Identity;
use super::refusal::ErrorKind;
use super::roster::*;
use crate::socketio::{Body, DEFAULT_NAMESPACE, Event, Packet};

const MEMBERSHIP: Membership<'static> = Membership { room_id: "r", user_id: "u" };

/// The agent under this user id, with connection `ours`.
fn called(user_id: &str) -> Identity {
    Identity::new("ours", Some(user_id))
}

fn said(event: &ClientEvent<'_>) -> String {
    Packet::new(DEFAULT_NAMESPACE, Body::Event(event.to_event().unwrap())).encode().text
}

fn heard(json: &str) -> ServerEvent {
    ServerEvent::read(&Event::from_json(json).unwrap())
}

fn malformed(json: &str) -> String {
    match heard(json) {
        ServerEvent::Malformed { why, .. } => why,
        other => panic!("{json} is read as {other:?}"),
    }
}

fn participant(user_id: &str) -> Participant {
    Participant {
        user_id: user_id.into(),
        username: None,
        has_video: None,
        is_muted: None,
        can_broadcast: None,
        socket_id: None,
    }
}

#[test]
fn everything_said_has_this_wire_form() {
    let presence = Presence { has_video: false, is_muted: true };
    for (event, wire) in [
        (
            ClientEvent::JoinRoom { room: "r", username: "Pi \"1\"", avatar_url: None, presence },
            r#"42["join-room",{"roomId":"r","username":"Pi \"1\"","hasVideo":false,"isMuted":true}]"#,
        ),
        (
            ClientEvent::JoinRoom { room: "r", username: "Pi", avatar_url: Some("a"), presence },
            r#"42["join-room",{"roomId":"r","username":"Pi","avatar_url":"a","hasVideo":false,"isMuted":true}]"#,
        ),
        (
            ClientEvent::MediaChunk {
                chunk: Bytes::from_static(b"x"),
                mime: "video/webm; codecs=\"vp8, opus\"",
                timestamp: 17,
            },
            r#"451-["media-chunk",{"chunk":{"_placeholder":true,"num":0},"mimeType":"video/webm; codecs=\"vp8, opus\"","timestamp":17}]"#,
        ),
        (
            ClientEvent::CameraStateChanged { membership: MEMBERSHIP, has_video: true },
            r#"42["camera-state-changed",{"roomId":"r","userId":"u","hasVideo":true}]"#,
        ),
        (
            ClientEvent::MicStateChanged { membership: MEMBERSHIP, is_muted: false },
            r#"42["mic-state-changed",{"roomId":"r","userId":"u","isMuted":false}]"#,
        ),
        (
            ClientEvent::StreamReset { membership: MEMBERSHIP },
            r#"42["stream-reset",{"roomId":"r","userId":"u"}]"#,
        ),
        (
            ClientEvent::SpeakingStart { membership: MEMBERSHIP },
            r#"42["speaking-start",{"roomId":"r","userId":"u"}]"#,
        ),
        (
            ClientEvent::SpeakingStop { membership: MEMBERSHIP },
            r#"42["speaking-stop",{"roomId":"r","userId":"u"}]"#,
        ),
        (ClientEvent::LeaveRoom { ack: 3 }, r#"423["leave-room",{}]"#),
    ] {
        assert_eq!(said(&event), wire);
    }
}

#[test]
fn a_full_room_state() {
    let ServerEvent::RoomState(state) = heard(
        r#"["room-state",{"roomId":"r","participants":[
            {"userId":"u","username":"Pi","hasVideo":true,"isMuted":false,"avatar_url":null,"canBroadcast":false,"socketId":"s"},
            {"userId":"v"}],"title":"Daily","hostId":"v","broadcastMode":"single"}]"#,
    ) else {
        panic!()
    };
    let us = Participant {
        username: Some("Pi".into()),
        has_video: Some(true),
        is_muted: Some(false),
        can_broadcast: Some(false),
        socket_id: Some("s".into()),
        ..participant("u")
    };
    assert_eq!(
        state,
        RoomState {
            room_id: Some("r".into()),
            participants: vec![us, participant("v")],
            title: Some("Daily".into()),
            can_broadcast: None,
            broadcast_mode: Some(BroadcastMode::Single),
        }
    );
    assert!(!state.can_broadcast(&called("u")));
    assert!(state.can_broadcast(&called("v")), "absent means allowed");
    assert!(state.can_broadcast(&called("nobody")));
    assert!(state.is_newer_relay());
}

#[test]
fn a_bare_room_state_of_an_old_relay() {
    let ServerEvent::RoomState(state) = heard(r#"["room-state",{}]"#) else { panic!() };
    assert!(state.can_broadcast(&called("u")));
    assert!(!state.is_newer_relay());
}

#[test]
fn fields_of_the_wrong_kind_count_as_absent() {
    let ServerEvent::RoomState(state) = heard(
        r#"["room-state",{"roomId":12,"participants":[null,7,{"userId":5,"username":[1],"hasVideo":"yes"},{"no":"id"}],
            "title":{},"canBroadcast":null,"broadcastMode":"everyone"}]"#,
    ) else {
        panic!()
    };
    assert_eq!(state.room_id.as_deref(), Some("12"));
    assert_eq!(state.participants, [participant("5")]);
    assert_eq!((state.title, state.can_broadcast, state.broadcast_mode), (None, None, None));

    let ServerEvent::RoomState(state) = heard(r#"["room-state",{"participants":{"a":1}}]"#) else { panic!() };
    assert_eq!(state.participants, []);
}

#[test]
fn the_relays_word_about_us_goes_before_the_list() {
    let ServerEvent::RoomState(state) =
        heard(r#"["room-state",{"canBroadcast":false,"participants":[{"userId":"u","canBroadcast":true}]}]"#)
    else {
        panic!()
    };
    assert!(!state.can_broadcast(&called("u")));
}

#[test]
fn presenter_events_say_who_may_broadcast() {
    for (json, ours) in [
        (
            r#"["participant-list-changed",{"participants":[{"userId":"u","canBroadcast":false}]}]"#,
            Some(false),
        ),
        (
            r#"["broadcast-presenter-changed",{"participants":[{"userId":"u","canBroadcast":true}],"presenterUserId":"v"}]"#,
            Some(true),
        ),
        // An earlier connection of ours is listed too: the one that speaks counts.
        (
            r#"["participant-list-changed",{"participants":[{"userId":"u","socketId":"old","canBroadcast":false},
                {"userId":"u","socketId":"ours","canBroadcast":true}]}]"#,
            Some(true),
        ),
        (r#"["broadcast-presenter-changed",{"presenterUserId":"u"}]"#, Some(true)),
        (r#"["broadcast-presenter-changed",{"presenterUserId":"v","broadcastMode":"single"}]"#, Some(false)),
        (r#"["broadcast-mode-changed",{"broadcastMode":"all","presenterUserId":"v"}]"#, Some(true)),
        (r#"["broadcast-mode-changed",{"broadcastMode":"single","presenterUserId":null}]"#, None),
        (r#"["broadcast-mode-changed",{"broadcastMode":"single"}]"#, None),
        (r#"["participant-list-changed",{"participants":[{"userId":"v","canBroadcast":false}]}]"#, None),
        (r#"["participant-list-changed",{"participants":[{"userId":"u"}]}]"#, None),
    ] {
        let ServerEvent::PresenterChange(change) = heard(json) else { panic!("{json}") };
        assert_eq!(change.can_broadcast(&called("u")), ours, "{json}");
    }
}

#[test]
fn the_other_events() {
    let ServerEvent::UserJoined(who) = heard(r#"["user-joined",{"userId":"v","later":{"added":1}},"more"]"#)
    else {
        panic!()
    };
    assert_eq!(who, participant("v"));
    assert_eq!(heard(r#"["user-left",{"userId":9}]"#), ServerEvent::UserLeft { user_id: "9".into() });
    assert_eq!(
        heard(r#"["request-keyframe",{"fromUserId":"v"}]"#),
        ServerEvent::RequestKeyframe { from: Some("v".into()) }
    );
    assert_eq!(heard(r#"["request-keyframe"]"#), ServerEvent::RequestKeyframe { from: None });
    assert_eq!(
        heard(r#"["camera-state-changed",{"userId":9,"hasVideo":true}]"#),
        ServerEvent::CameraStateChanged { user_id: "9".into(), has_video: Some(true) }
    );
    assert_eq!(
        heard(r#"["camera-state-changed",{"userId":"v","hasVideo":"on"}]"#),
        ServerEvent::CameraStateChanged { user_id: "v".into(), has_video: None }
    );
    assert_eq!(
        heard(r#"["mic-state-changed",{"userId":"v","isMuted":false,"roomId":"r"}]"#),
        ServerEvent::MicStateChanged { user_id: "v".into(), is_muted: Some(false) }
    );
    assert_eq!(heard(r#"["room-ended"]"#), ServerEvent::RoomEnded);
    // What nobody wants is not even parsed.
    assert_eq!(heard(r#"["media-chunk",{"chunk":]"#), ServerEvent::Ignored { name: "media-chunk".into() });
    for (json, message) in [
        (r#"["error",{"message":"slow\ndown"}]"#, "slow down"),
        (r#"["error","slow down"]"#, "slow down"),
        (r#"["error",{"message":["a","b"],"statusCode":400}]"#, r#"["a","b"]"#),
    ] {
        assert_eq!(heard(json), ServerEvent::Error { message: message.into(), kind: ErrorKind::Other });
    }
}

#[test]
fn nonsense_is_named_not_believed() {
    assert_eq!(malformed(r#"["user-joined"]"#), "it has no payload");
    assert_eq!(malformed(r#"["user-joined",{}]"#), "missing field `userId` at line 1 column 17");
    assert_eq!(
        malformed(r#"["user-joined",{"userId":[]}]"#),
        "a user id that is no text at line 1 column 28"
    );
    assert_eq!(
        malformed(r#"["user-left",null]"#),
        "invalid type: null, expected struct UserLeft at line 1 column 17"
    );
    assert_eq!(malformed(r#"["room-state",{"roomId":]"#), "expected value at line 1 column 25");
    assert_eq!(
        malformed(r#"["error",7]"#),
        "invalid type: integer `7`, expected struct Object at line 1 column 1"
    );
}

#[test]
fn a_list_without_end_is_cut() {
    let one = r#"{"userId":"u"},"#;
    let json =
        format!(r#"["room-state",{{"participants":[{}{{"userId":"last"}}],"title":"T"}}]"#, one.repeat(5000));
    let ServerEvent::RoomState(state) = heard(&json) else { panic!() };
    assert_eq!(state.participants.len(), 4096);
    assert_eq!(state.title.as_deref(), Some("T"));
}

#[test]
fn the_texts_of_errors_tell_their_kind() {
    use ErrorKind::{Auth, Other, RoomEnded, Superseded, UnknownRoom};
    for (message, kind) in [
        ("다른 기기에서 로그인되었습니다.", Superseded),
        ("다른 브라우저에서 접속하여 연결이 종료되었습니다", Superseded),
        ("중복 로그인이 감지되었습니다", Superseded),
        ("You have logged in from another device", Superseded),
        ("Another session was started", Superseded),
        ("Disconnected: new login detected", Superseded),
        ("Connected from other tabs", Superseded),
        ("DUPLICATE LOGIN", Superseded),
        ("회의가 종료되었습니다", RoomEnded),
        ("이미 종료된 회의입니다", RoomEnded),
        ("Meeting has ended", RoomEnded),
        ("This room has been closed by the host", RoomEnded),
        ("인증에 실패했습니다", Auth),
        ("유효하지 않은 토큰입니다", Auth),
        ("Unauthorized", Auth),
        ("jwt expired", Auth),
        ("Authentication required", Auth),
        ("새로운 접속이 감지되어 연결이 종료되었습니다.", Superseded),
        ("The host has ended the meeting.", RoomEnded),
        ("Room not found", UnknownRoom),
        ("존재하지 않는 회의방입니다", UnknownRoom),
        ("존재하지 않는 회의입니다. 회의 ID를 확인해주세요.", UnknownRoom),
        ("회의를 찾을 수 없습니다", UnknownRoom),
        ("The room does not exist", UnknownRoom),
        ("Authentication error. Please reconnect.", Auth),
        ("존재하지 않는 사용자입니다", Other),
        ("User not found", Other),
        ("Only the host can change the speaker.", Other),
        ("Selected participant is not in this room.", Other),
        ("The room is full", Other),
        ("Please use another room", Other),
        ("The call was extended", Other),
        ("", Other),
    ] {
        assert_eq!(ErrorKind::of(message), kind, "{message}");
    }
}

proptest! {
    #[test]
    fn no_payload_whatever_makes_it_panic(
        name in prop_oneof![
            Just("room-state"), Just("user-joined"), Just("user-left"), Just("request-keyframe"), Just("error"),
            Just("participant-list-changed"), Just("room-ended"), Just("camera-state-changed"),
            Just("mic-state-changed"),
        ],
        payload in "[\\[\\]{}\",:a0-9. ]{0,30}|\\{\"(participants|userId|message|canBroadcast)\":[\\[\\]{}\",:a0-9 ]{0,20}\\}",
    ) {
        if let Ok(event) = Event::from_json(&format!(r#"["{name}",{payload}]"#)) {
            ServerEvent::read(&event);
        }
    }
}
