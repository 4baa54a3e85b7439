//! The embedded relay as a signalling server of WebRTC meetings, in both dialects: the agent's own sessions meet there, and
//! whatever strangers say stays within the relay's bounds.

// clippy.toml allows these in tests; helpers of tests are not tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/mesh_sessions.rs"]
mod mesh_sessions;
#[path = "relay_embedded/peer.rs"]
mod peer;

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use mesh_sessions::{ended, heard, joined, names, negotiate, next};
use peer::{Heard as Wire, Peer};
use roomcam::config::{IceCredentials, IceServer, Secret};
use roomcam::meeting::mesh::session::{self, SessionEvent, SessionHandle};
use roomcam::meeting::mesh::{Departed, Dialect, Form, Heard, Names, ParticipantId, Said, Signal, Step};
use roomcam::meeting::{SessionConfig, SessionError, credentials};
use roomcam::relay::{Access, Allowance, Rates, Relay, RelayOptions, Token};
use roomcam::socketio::Endpoint;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

/// A relay that runs until it is dropped.
struct Server {
    addr: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn start(options: RelayOptions) -> Self {
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let addr = relay.local_addr();
        let task = tokio::spawn(relay.run(std::future::pending()));
        Self { addr, _task: AbortOnDropHandle::new(task) }
    }

    fn join(&self, dialect: &Dialect, name: &str, token: Option<&str>) -> SessionHandle {
        let mut endpoint = Endpoint::new(&format!("http://{}", self.addr)).unwrap();
        endpoint.auth = credentials(token, None);
        session::spawn(SessionConfig::new(endpoint, "room-1", name), dialect.clone())
    }

    async fn peer(&self, auth: Value) -> Peer {
        Peer::connect(self.addr, auth).await.unwrap()
    }

    /// A client in `room-1` by "mesh", and who was there.
    async fn mesh_peer(&self, name: &str) -> (Peer, Value) {
        let mut peer = self.peer(json!({})).await;
        peer.emit("join_room", json!({ "room_id": "room-1", "username": name })).await;
        let users = peer.event("existing-users").await;
        (peer, users)
    }
}

fn mesh() -> Dialect {
    Dialect::Mesh(Names::default())
}

#[tokio::test]
async fn agents_meet_in_a_mesh() {
    let server = Server::start(RelayOptions::default()).await;
    let mut ann = server.join(&mesh(), "ann", None);
    let (ann_id, others) = joined(&mut ann).await;
    assert!(others.is_empty());
    let mut bob = server.join(&mesh(), "bob", None);
    let (bob_id, others) = joined(&mut bob).await;
    assert_eq!(names(&others), ["ann"]);
    let Heard::Came(who) = heard(&mut ann).await else { panic!("bob came") };
    assert_eq!((&who.id, who.name.as_deref()), (&bob_id, Some("bob")));

    negotiate((&ann, &ann_id), (&mut bob, &bob_id)).await;
    negotiate((&bob, &bob_id), (&mut ann, &ann_id)).await;
    assert!(bob.say(Said::Camera { on: false }) && bob.say(Said::Mic { on: true }));
    assert_eq!(heard(&mut ann).await, Heard::Camera { whose: bob_id.clone(), on: false });
    assert_eq!(heard(&mut ann).await, Heard::Mic { whose: bob_id.clone(), on: true });
    // It is sent to its writer too, who does not hear it.
    assert!(bob.say(Said::Chat("안녕".into())) && ann.say(Said::Chat("hi".into())));
    assert_eq!(heard(&mut ann).await, Heard::Chat { from: Some("bob".into()), text: "안녕".into() });
    assert_eq!(heard(&mut bob).await, Heard::Chat { from: Some("ann".into()), text: "hi".into() });

    bob.shutdown().await;
    assert_eq!(heard(&mut ann).await, Heard::Left(Departed { id: Some(bob_id), user_id: None }));
}

#[tokio::test]
async fn agents_meet_in_a_room_for_two_and_a_third_is_told_that_it_is_full() {
    for form in [Form::Object, Form::Args] {
        let dialect = Dialect::Noom(form);
        let server = Server::start(RelayOptions::default()).await;
        let other = ParticipantId::other();
        let mut ann = server.join(&dialect, "ann", None);
        joined(&mut ann).await;
        let mut bob = server.join(&dialect, "bob", None);
        joined(&mut bob).await;
        assert!(matches!(heard(&mut ann).await, Heard::Came(who) if who.id == other));
        negotiate((&ann, &other), (&mut bob, &other)).await;
        negotiate((&bob, &other), (&mut ann, &other)).await;

        let error = ended(&mut server.join(&dialect, "third", None)).await;
        assert!(matches!(&error, SessionError::JoinRefused { .. }), "{error}");
        assert!(error.to_string().contains("the room is full"), "{error}");

        bob.shutdown().await;
        assert_eq!(heard(&mut ann).await, Heard::Left(Departed { id: Some(other), user_id: None }));
        joined(&mut server.join(&dialect, "third", None)).await;
    }
}

#[tokio::test]
async fn agents_meet_in_the_mesh_of_noom() {
    let dialect = Dialect::Noom(Form::Mesh);
    let server = Server::start(RelayOptions::default()).await;
    let mut ann = server.join(&dialect, "ann", None);
    let (ann_id, _) = joined(&mut ann).await;
    let mut bob = server.join(&dialect, "bob", None);
    let (bob_id, others) = joined(&mut bob).await;
    assert_eq!(names(&others), ["ann"]);
    negotiate((&bob, &bob_id), (&mut ann, &ann_id)).await;
    negotiate((&ann, &ann_id), (&mut bob, &bob_id)).await;
    assert!(ann.say(Said::Chat("hi".into())));
    assert_eq!(heard(&mut bob).await, Heard::Chat { from: None, text: "hi".into() });
    ann.shutdown().await;
    assert_eq!(heard(&mut bob).await, Heard::Left(Departed { id: Some(ann_id), user_id: None }));
}

#[tokio::test]
async fn a_full_mesh_is_said_in_words_and_open_again_when_somebody_leaves() {
    let server = Server::start(RelayOptions { max_participants: 1, ..RelayOptions::default() }).await;
    let mut ann = server.join(&mesh(), "ann", None);
    joined(&mut ann).await;
    let error = ended(&mut server.join(&mesh(), "bob", None)).await;
    assert!(error.to_string().contains("limit of 1 participants"), "{error}");
    ann.shutdown().await;
    // The relay may hear of bob before it has noticed that ann is gone.
    let mut bob = server.join(&mesh(), "bob", None);
    while let SessionEvent::Ended(_) = next(&mut bob).await {
        bob = server.join(&mesh(), "bob", None);
    }
}

/// The description of somebody who sends, or only receives.
fn offer(direction: &str) -> Value {
    let sdp = format!("v=0\r\na=sendrecv\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na={direction}\r\n");
    json!({ "type": "offer", "sdp": sdp })
}

#[tokio::test]
async fn tokens_decide_who_may_send() {
    let [publish, view] = ["camera", "people"].map(|text| Token::new(text).unwrap());
    let access = Access::Split { publish, view: Some(view) };
    let server = Server::start(RelayOptions { access, ..RelayOptions::default() }).await;
    for wrong in [None, Some("wrong")] {
        let error = ended(&mut server.join(&mesh(), "eve", wrong)).await;
        assert!(error.to_string().contains("token"), "{error}");
    }
    let mut camera = server.join(&mesh(), "camera", Some("camera"));
    let (camera_id, _) = joined(&mut camera).await;

    let mut viewer = server.peer(json!({ "token": "people" })).await;
    viewer.emit("join_room", json!({ "room_id": "room-1", "username": "viewer" })).await;
    viewer.event("existing-users").await;
    assert!(matches!(heard(&mut camera).await, Heard::Came(_)));
    let send = |direction: &str| json!({ "target": camera_id.as_str(), "offer": offer(direction) });
    for direction in ["sendrecv", "sendonly", "mid:0"] {
        viewer.emit("offer", send(direction)).await;
        assert_eq!(viewer.event("error").await["code"], "not_allowed", "{direction}");
    }
    // It has no camera that could be on.
    viewer.emit("toggle_video", json!({ "enabled": true })).await;
    viewer.emit("offer", send("recvonly")).await;
    assert!(matches!(heard(&mut camera).await, Heard::Signal(Signal { step: Step::Offer(_), .. })));
}

#[tokio::test]
async fn those_who_only_watch_are_known_and_leave_a_room_for_two_to_the_camera() {
    let server = Server::start(RelayOptions::default()).await;
    let mut watcher = server.peer(json!({})).await;
    watcher.emit("join_room", json!({ "room_id": "room-1", "username": "w", "watch": true })).await;
    assert_eq!(watcher.event("existing-users").await, json!({ "users": [] }));
    let (ann, users) = server.mesh_peer("ann").await;
    assert_eq!(users["users"], json!([{ "sid": watcher.sid, "username": "w", "watch": true }]));
    assert_eq!(watcher.event("user-joined").await, json!({ "sid": ann.sid, "username": "ann" }));

    let mut first = server.peer(json!({})).await;
    first.emit_with_ack(7, "join_room", json!({ "roomName": "room-1", "watch": true })).await;
    assert_eq!(first.hear().await, Wire::Ack(json!([])));
    let mut second = server.peer(json!({})).await;
    second.emit("join_room", json!({ "roomName": "room-1", "watch": true })).await;
    second.event("room_full").await;
    assert_eq!(second.event("error").await["code"], "room_full");
    joined(&mut server.join(&Dialect::Noom(Form::Object), "camera", None)).await;
    assert_eq!(first.event("welcome").await, Value::Null);
}

#[tokio::test]
async fn those_who_speak_differently_do_not_meet() {
    let server = Server::start(RelayOptions::default()).await;
    let (mut relayed, _) = Peer::join(server.addr, "relayed", "room-1").await;
    let (mut meshed, users) = server.mesh_peer("meshed").await;
    assert_eq!(users, json!({ "users": [] }));
    let mut paired = server.peer(json!({})).await;
    paired.emit_with_ack(1, "join_room", json!({ "roomName": "room-1" })).await;
    assert_eq!(paired.hear().await, Wire::Ack(json!([])));

    // Nor does anything get from one to the other, even by the socket id.
    let foreign = json!({ "target": relayed.sid, "offer": offer("sendrecv") });
    meshed.emit("offer", foreign).await;
    meshed.emit("chat-message", json!({ "roomId": "room-1", "message": "hi" })).await;
    assert!(meshed.emit_chunk(b"chunk".as_slice().into(), 1).await);
    paired.emit("offer", json!({ "offer": offer("sendrecv"), "roomName": "room-1" })).await;
    relayed.emit("toggle_video", json!({ "enabled": true })).await;
    // What wrongly came would come before these.
    let (_other, _) = server.mesh_peer("other").await;
    meshed.event("user-joined").await;
    let (_other, _) = Peer::join(server.addr, "other", "room-1").await;
    relayed.event("user-joined").await;
}

#[tokio::test]
async fn an_agent_is_told_why_its_join_was_rejected() {
    let server = Server::start(RelayOptions { max_joins_per_second: 1, ..RelayOptions::default() }).await;
    let mut first = server.peer(json!({})).await;
    first.emit("join_room", json!({ "roomName": "room-1" })).await;
    first.emit("join_room", json!({ "roomName": "room-1" })).await;
    let why = first.event("reject_join").await["message"].clone();
    assert!(why.as_str().unwrap().starts_with("Too many people join"), "{why}");
}

#[tokio::test]
async fn what_is_too_large_too_much_or_makes_no_sense_is_refused() {
    let signals = Allowance::new(0, 3);
    let states = Allowance::new(0, 1);
    let rates = Rates { signals, states, ..Rates::default() };
    let server = Server::start(RelayOptions { rates, ..RelayOptions::default() }).await;
    let (mut ann, _) = server.mesh_peer("ann").await;
    let (mut eve, _) = server.mesh_peer("eve").await;
    ann.event("user-joined").await;

    for nonsense in [
        json!(["join_room"]),
        json!(["join_room", { "room_id": "x".repeat(200) }]),
        json!(["offer", { "target": ann.sid }]),
        json!(["toggle_video", { "enabled": "yes" }]),
        json!(["message", { "message": "x".repeat(2001) }]),
    ] {
        eve.emit_array(nonsense.clone()).await;
        let code = eve.event("error").await["code"].clone();
        let expected = if nonsense[0] == "message" { "too_large" } else { "bad_request" };
        assert_eq!(code, expected, "{}", nonsense[0]);
        if nonsense[0] == "join_room" && nonsense[1].is_object() {
            // A join that is refused has left the room that it was in.
            ann.event("user-left").await;
            eve.emit("join_room", json!({ "room_id": "room-1", "username": "eve" })).await;
            eve.event("existing-users").await;
            ann.event("user-joined").await;
        }
    }
    let candidate = json!({ "target": ann.sid, "candidate": { "candidate": "candidate:1" } });
    for _ in 0..2 {
        eve.emit("ice_candidate", candidate.clone()).await;
        assert_eq!(ann.event("ice-candidate").await["from"], eve.sid);
    }
    for (event, payload) in [("ice_candidate", candidate), ("toggle_audio", json!({ "enabled": true }))] {
        eve.emit(event, payload).await;
        assert_eq!(eve.event("error").await["code"], "too_many", "{event}");
    }

    let sdp = "x".repeat(17_000);
    eve.emit("offer", json!({ "target": ann.sid, "offer": { "type": "offer", "sdp": sdp } })).await;
    assert_eq!(eve.event("error").await["code"], "too_large");
    // It has ended the session of eve, and nobody else's.
    ann.event("user-left").await;
}

#[tokio::test]
async fn pages_are_told_of_stun_and_turn_servers_before_they_connect_and_given_no_lasting_secret() {
    let secret = Secret::new("north", "a test").unwrap();
    let ice_servers = vec![
        IceServer { urls: vec!["stun:192.0.2.1".parse().unwrap()], credentials: None },
        IceServer {
            urls: vec!["turns:turn.example.org:443".parse().unwrap()],
            credentials: Some(IceCredentials::SharedSecret { name: "viewer".to_owned(), secret }),
        },
    ];
    let server = Server::start(RelayOptions { ice_servers, ..RelayOptions::default() }).await;
    let mut ann = server.peer(json!({})).await;
    ann.emit("join_room", json!({ "room_id": "room-1", "username": "ann" })).await;
    let servers = ann.event("ice-servers").await;
    assert_eq!(servers[0], json!({ "urls": ["stun:192.0.2.1:3478"] }));
    assert_eq!(servers[1]["urls"], json!(["turns:turn.example.org:443?transport=tcp"]));
    let (expires, name) = servers[1]["username"].as_str().unwrap().split_once(':').unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(
        (now + 23 * 3600..=now + 25 * 3600).contains(&expires.parse::<u64>().unwrap()) && name == "viewer"
    );
    assert!(!servers.to_string().contains("north"), "{servers}");

    ann.event("existing-users").await;
    let mut bob = server.peer(json!({})).await;
    bob.emit("join_room", json!({ "room_id": "room-1", "username": "bob" })).await;
    assert_eq!(ann.event("ice-servers").await[0], servers[0], "again, for credentials expire");
    ann.event("user-joined").await;
}

#[tokio::test]
async fn nobody_is_told_of_servers_that_are_not_there() {
    let server = Server::start(RelayOptions::default()).await;
    // The first thing that it hears is who was there.
    let (_ann, users) = server.mesh_peer("ann").await;
    assert_eq!(users, json!({ "users": [] }));
}
