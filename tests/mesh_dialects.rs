//! The dialects of WebRTC signalling: what is written is what deployed servers pass on, and what they pass on is read;
//! whatever else comes is survived.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use roomcam::meeting::mesh::{
    Candidate, Departed, Dialect, Form, Heard, Name, Names, Participant, ParticipantId, Place, Said, Signal,
    Step,
};
use roomcam::socketio::Event;
use serde_json::{Value, json};

fn place() -> Place {
    Place { room: "room-1".into(), username: "Pi".into(), user_id: None }
}

fn mesh() -> Dialect {
    Dialect::Mesh(Names::default())
}

fn preset(name: &str) -> Dialect {
    Dialect::Mesh(Names::preset(name).unwrap())
}

fn all_dialects() -> Vec<Dialect> {
    let forms = [Form::Object, Form::Args, Form::Mesh].map(Dialect::Noom);
    Names::presets().map(preset).chain(forms).collect()
}

fn candidate() -> Candidate {
    Candidate {
        candidate: "candidate:1 1 udp 2130706431 10.0.0.7 40000 typ host".into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("ufrag".into()),
    }
}

fn to(peer: &str, step: Step) -> Said {
    Said::Signal(Signal { peer: ParticipantId::new(peer), step })
}

/// What is said, as the JSON array of an event.
fn written(dialect: &Dialect, said: &Said) -> Option<Value> {
    let event = dialect.write(said, &place()).unwrap()?;
    Some(serde_json::from_str(event.json()).unwrap())
}

fn read(dialect: &Dialect, event: Value) -> Heard {
    dialect.read(&Event::from_json(&event.to_string()).unwrap())
}

fn participant(id: &str, name: &str) -> Participant {
    Participant { id: ParticipantId::new(id), user_id: None, name: Some(name.into()) }
}

#[test]
fn mesh_says_what_the_usual_server_expects() {
    let said = |said| written(&mesh(), &said).unwrap();
    assert_eq!(
        said(Said::Join),
        json!(["join_room", {"room_id": "room-1", "username": "Pi", "user_id": null}])
    );
    assert_eq!(
        said(to("s2", Step::Offer("v=0".into()))),
        json!(["offer", {"target": "s2", "offer": {"type": "offer", "sdp": "v=0"}}])
    );
    assert_eq!(
        said(to("s2", Step::Candidate(candidate()))),
        json!(["ice_candidate", {"target": "s2", "candidate": {"candidate": candidate().candidate,
            "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "ufrag"}}])
    );
    assert_eq!(said(Said::Camera { on: false }), json!(["toggle_video", {"enabled": false}]));
    assert_eq!(said(Said::Mic { on: true }), json!(["toggle_audio", {"enabled": true}]));
    assert_eq!(said(Said::Chat("hi".into())), json!(["message", {"message": "hi"}]));
}

#[test]
fn mesh_hears_the_usual_server() {
    let heard = |event| read(&mesh(), event);
    assert_eq!(
        heard(json!(["existing-users", {"users": [{"sid": "s1", "username": "ann"}, {"nobody": 1}, 7]}])),
        Heard::Joined(vec![participant("s1", "ann")])
    );
    assert_eq!(heard(json!(["existing-users", {"users": []}])), Heard::Joined(vec![]));
    assert_eq!(
        heard(json!(["user-joined", {"sid": "s2", "username": "bob"}])),
        Heard::Came(participant("s2", "bob"))
    );
    assert_eq!(
        heard(json!(["user-left", {"sid": "s2", "username": "bob"}])),
        Heard::Left(Departed { id: Some(ParticipantId::new("s2")), user_id: None })
    );
    assert_eq!(
        heard(json!(["video-toggled", {"sid": "s1", "enabled": false}])),
        Heard::Camera { whose: ParticipantId::new("s1"), on: false }
    );
    assert_eq!(
        heard(json!(["message", {"username": "ann", "message": "hello", "timestamp": "now"}])),
        Heard::Chat { from: Some("ann".into()), text: "hello".into() }
    );
    assert_eq!(heard(json!(["error", {"message": "no"}])), Heard::Error("no".into()));
    for passed_by in ["connected", "screen-share", "whiteboard_draw", "file-shared", "user-matched"] {
        assert_eq!(heard(json!([passed_by, {"sid": "s1"}])), Heard::Ignored, "{passed_by}");
    }
}

#[test]
fn somebody_can_leave_without_a_socket_id() {
    let by_user = Heard::Left(Departed { id: None, user_id: Some("7".into()) });
    assert_eq!(read(&mesh(), json!(["user-left", {"user_id": 7}])), by_user);
    assert_eq!(read(&mesh(), json!(["user-left", {"id": "7"}])), by_user);
    assert_eq!(
        read(&mesh(), json!(["user-left", {}])),
        Heard::Malformed { event: "user-left".into(), why: "it does not say who" }
    );
}

#[test]
fn deployments_with_other_names_are_met_by_presets() {
    let offer = to("s2", Step::Offer("v=0".into()));
    let body = json!({"type": "offer", "sdp": "v=0"});
    assert_eq!(
        written(&preset("underscore"), &offer),
        Some(json!(["offer", {"to": "s2", "offer": body.clone()}]))
    );
    assert_eq!(
        read(&preset("underscore"), json!(["existing_users", [{"sid": "s1", "username": "ann"}]])),
        Heard::Joined(vec![participant("s1", "ann")])
    );
    let trickled = read(
        &preset("underscore"),
        json!(["ice_candidate", {"from": "s1", "candidate": {"candidate": "candidate:x"}}]),
    );
    let Heard::Signal(Signal { peer, step: Step::Candidate(got) }) = trickled else { panic!("{trickled:?}") };
    assert_eq!((peer.as_str(), got.candidate.as_str(), got.sdp_mid), ("s1", "candidate:x", None));

    assert_eq!(
        written(&preset("hyphen"), &Said::Join),
        Some(json!(["join-room", {"room_id": "room-1", "username": "Pi", "user_id": null}]))
    );
    let room_code = preset("room-code");
    assert_eq!(
        written(&room_code, &Said::Join),
        Some(json!(["join_room", {"room_code": "room-1", "username": "Pi", "user_id": null}]))
    );
    assert_eq!(
        read(
            &room_code,
            json!(["room-joined", {"room_code": "r", "users": [{"socket_id": "s1", "username": "ann"}]}])
        ),
        Heard::Joined(vec![participant("s1", "ann")])
    );
    assert_eq!(
        written(&preset("socket-ids"), &offer),
        Some(json!(["offer", {"recipientSocketId": "s2", "offer": body}]))
    );

    let mut names = Names::default();
    for (key, name) in [("offer_field", "sdp"), ("answer_field", "sdp"), ("room_field", "roomId")] {
        names.set(key, name).unwrap();
    }
    assert_eq!(names.get(Name::OfferBody), "sdp");
    assert_eq!(
        written(&Dialect::Mesh(names), &to("s2", Step::Answer("v=0".into()))),
        Some(json!(["answer", {"target": "s2", "sdp": {"type": "answer", "sdp": "v=0"}}]))
    );
}

#[test]
fn noom_speaks_three_forms() {
    let offer = to("s2", Step::Offer("v=0".into()));
    let body = json!({"type": "offer", "sdp": "v=0"});
    let [object, args, mesh] = [Form::Object, Form::Args, Form::Mesh].map(Dialect::Noom);
    assert_eq!(written(&object, &Said::Join), Some(json!(["join_room", {"roomName": "room-1"}])));
    assert_eq!(written(&args, &Said::Join), Some(json!(["join_room", "room-1"])));
    assert_eq!(written(&mesh, &Said::Join), Some(json!(["join_room", "room-1", "Pi"])));
    assert_eq!(written(&object, &offer), Some(json!(["offer", {"offer": body, "roomName": "room-1"}])));
    assert_eq!(written(&args, &offer), Some(json!(["offer", body, "room-1"])));
    assert_eq!(written(&mesh, &offer), Some(json!(["offer", body, "s2", "Pi"])));
    let answer = to("s2", Step::Answer("v=0".into()));
    assert_eq!(written(&mesh, &answer), Some(json!(["answer", {"type": "answer", "sdp": "v=0"}, "s2"])));
    let ice = written(&object, &to("", Step::Candidate(candidate()))).unwrap();
    assert_eq!(ice[1]["ice"], ice[1]["candidate"], "servers of either kind find it");
    assert_eq!(written(&object, &Said::Camera { on: true }), None);
    assert_eq!(written(&mesh, &Said::Chat("hi".into())), Some(json!(["chat", "hi", "room-1"])));

    // Some servers acknowledge the join without looking whether they are asked to.
    for dialect in [&object, &args, &mesh] {
        assert_eq!(dialect.write(&Said::Join, &place()).unwrap().unwrap().ack(), Some(0));
        assert_eq!(dialect.write(&offer, &place()).unwrap().unwrap().ack(), None);
    }

    let other = ParticipantId::other();
    let came = |name: Option<&str>| {
        Heard::Came(Participant { id: other.clone(), user_id: None, name: name.map(Into::into) })
    };
    assert_eq!(read(&object, json!(["welcome"])), came(None));
    assert_eq!(read(&args, json!(["welcome", "ann"])), came(Some("ann")));
    assert_eq!(
        read(&mesh, json!(["accept_join", [{"socketId": "s1", "nickname": "ann"}]])),
        Heard::Joined(vec![participant("s1", "ann")])
    );
    assert_eq!(
        read(&mesh, json!(["leave_room", "s1", "ann"])),
        Heard::Left(Departed { id: Some(ParticipantId::new("s1")), user_id: None })
    );
    assert_eq!(read(&args, json!(["bye"])), Heard::Left(Departed { id: Some(other), user_id: None }));
    for refused in ["room_full", "reject_join"] {
        assert!(matches!(read(&object, json!([refused])), Heard::Refused(_)), "{refused}");
    }
}

#[test]
fn whatever_closes_a_list_of_candidates_is_passed_by() {
    let [object, args] = [Form::Object, Form::Args].map(Dialect::Noom);
    for closing in [json!(null), json!({}), json!({"candidate": ""}), json!({"candidate": null})] {
        assert_eq!(
            read(&mesh(), json!(["ice-candidate", {"from": "s1", "candidate": closing}])),
            Heard::Ignored
        );
        assert_eq!(read(&object, json!(["ice", {"ice": closing}])), Heard::Ignored);
        assert_eq!(read(&args, json!(["ice", closing])), Heard::Ignored);
    }
    assert_eq!(read(&object, json!(["ice", {}])), Heard::Ignored);
    assert_eq!(read(&args, json!(["ice"])), Heard::Ignored);
}

#[test]
fn what_is_too_long_is_no_description_and_no_candidate() {
    let long = "x".repeat(100_000);
    assert!(matches!(
        read(&mesh(), json!(["offer", {"from": "s1", "offer": {"sdp": long}}])),
        Heard::Malformed { why: "it has no description", .. }
    ));
    assert!(matches!(
        read(&mesh(), json!(["ice-candidate", {"from": "s1", "candidate": {"candidate": long}}])),
        Heard::Malformed { why: "its candidate is too long", .. }
    ));
    let Heard::Chat { text, .. } = read(&mesh(), json!(["message", {"message": long}])) else { panic!() };
    assert_eq!(text.len(), 4096);
    let crowd: Vec<Value> = (0..1000).map(|n| json!({"sid": format!("s{n}")})).collect();
    let Heard::Joined(crowd) = read(&mesh(), json!(["existing-users", {"users": crowd}])) else { panic!() };
    assert_eq!(crowd.len(), 256);
}

/// What a server makes of what a client with the socket id `s1` says: as its dialect is documented.
fn relayed(dialect: &Dialect, said: &Value) -> Value {
    let event = said[0].as_str().unwrap();
    match dialect {
        Dialect::Mesh(names) => {
            let mut fields = said[1].as_object().unwrap().clone();
            fields.remove(names.get(Name::Target));
            let heard = if event == names.get(Name::SendCandidate) {
                names.get(Name::HearCandidate)
            } else if event == names.get(Name::SendVideo) {
                names.get(Name::HearVideo)
            } else if event == names.get(Name::SendAudio) {
                names.get(Name::HearAudio)
            } else {
                event
            };
            fields.insert(names.get(Name::From).to_owned(), "s1".into());
            fields.insert(names.get(Name::SocketId).to_owned(), "s1".into());
            json!([heard, fields])
        }
        Dialect::Noom(Form::Object) => {
            let mut fields = said[1].as_object().unwrap().clone();
            fields.remove("roomName");
            json!([event, fields])
        }
        Dialect::Noom(Form::Args) => json!([event, said[1]]),
        Dialect::Noom(Form::Mesh) => json!([event, said[1], "s1"]),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let text = || "[ -~\\n\"\\\\é]{1,80}";
    let candidate =
        (text(), prop::option::of(text()), prop::option::of(any::<u16>()), prop::option::of(text()))
            .prop_map(|(candidate, sdp_mid, sdp_m_line_index, username_fragment)| Candidate {
                candidate,
                sdp_mid,
                sdp_m_line_index,
                username_fragment,
            });
    prop_oneof![
        text().prop_map(Step::Offer),
        text().prop_map(Step::Answer),
        candidate.prop_map(Step::Candidate),
    ]
}

/// JSON of any shape, made of the words of the dialects.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["", "s1", "v=0", "candidate:x"]).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let field = prop::sample::select(vec![
            "sid",
            "from",
            "users",
            "offer",
            "answer",
            "candidate",
            "ice",
            "sdp",
            "type",
            "enabled",
            "message",
            "user_id",
            "id",
            "socketId",
            "sdpMid",
            "sdpMLineIndex",
            "else",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(field, inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

fn event_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "existing-users",
        "existing_users",
        "room-joined",
        "user-joined",
        "user-left",
        "offer",
        "answer",
        "ice-candidate",
        "ice_candidate",
        "video-toggled",
        "audio-toggled",
        "message",
        "error",
        "welcome",
        "accept_join",
        "ice",
        "chat",
        "leave_room",
        "bye",
        "room_full",
        "reject_join",
        "whiteboard_draw",
    ])
}

proptest! {
    #[test]
    fn what_one_participant_writes_another_reads(index in 0usize..8, step in step()) {
        let dialect = &all_dialects()[index];
        let said = written(dialect, &to("s2", step.clone())).unwrap();
        let peer = if dialect.is_one_to_one() { ParticipantId::other() } else { ParticipantId::new("s1") };
        prop_assert_eq!(read(dialect, relayed(dialect, &said)), Heard::Signal(Signal { peer, step }));
    }

    #[test]
    fn no_json_panics_or_is_taken_for_more_than_it_is(
        index in 0usize..8,
        name in event_name(),
        arguments in prop::collection::vec(json_value(), 0..4),
    ) {
        let dialect = &all_dialects()[index];
        let event: Vec<Value> = std::iter::once(Value::from(name)).chain(arguments).collect();
        match read(dialect, Value::from(event)) {
            Heard::Signal(Signal { peer, step }) => {
                prop_assert_eq!(peer == ParticipantId::other(), dialect.is_one_to_one());
                match step {
                    Step::Offer(sdp) | Step::Answer(sdp) => prop_assert!(!sdp.is_empty()),
                    Step::Candidate(candidate) => prop_assert!(!candidate.candidate.is_empty()),
                }
            }
            Heard::Left(departed) => prop_assert!(departed != Departed::default()),
            _ => {}
        }
    }

    #[test]
    fn text_that_is_no_json_is_survived(index in 0usize..8, name in event_name(), rest in ".{0,60}") {
        if let Ok(event) = Event::from_json(&format!("[\"{name}\",{rest}]")) {
            let _ = all_dialects()[index].read(&event);
        }
    }
}
