//! The embedded relay, at its boundary: sockets in, sockets out.

// clippy.toml allows these in tests; helpers of tests are not tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/child.rs"]
mod child;
#[path = "relay_embedded/drain.rs"]
mod drain;
#[path = "relay_embedded/http.rs"]
mod http;
#[path = "relay_embedded/peer.rs"]
mod peer;
#[path = "relay_embedded/program.rs"]
mod program;
#[path = "relay_embedded/strangers.rs"]
mod strangers;
#[path = "relay_embedded/upgrade.rs"]
mod upgrade;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use peer::{Heard, PATIENCE, Peer};
use roomcam::relay::{Access, Allowance, Rates, Relay, RelayOptions, Token};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(options: RelayOptions) -> Self {
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let addr = relay.local_addr();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(relay.run(async {
            stopped.await.ok();
        }));
        Self { addr, stop, task }
    }

    /// Stops the relay; returns how long that took.
    async fn stop(self) -> Duration {
        let begun = Instant::now();
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        begun.elapsed()
    }
}

/// As much of everything as a test sends.
fn unhurried() -> RelayOptions {
    let all = Allowance::new(1_000_000, 1_000_000);
    let rates = Rates {
        messages: all,
        chunks: all,
        media_bytes: Allowance::new(1_000_000_000, 1_000_000_000),
        chat: all,
        speaking: all,
        joins: all,
        ..Rates::default()
    };
    RelayOptions { rates, ..RelayOptions::default() }
}

#[tokio::test]
async fn a_joiner_gets_the_room_and_the_others_get_the_joiner() {
    let relay = Running::start(RelayOptions::default()).await;

    let (mut ann, state) = Peer::join(relay.addr, "ann", "r").await;
    assert_eq!(ann.open["maxPayload"], 1_000_000);
    assert_eq!(ann.open["pingInterval"], 25_000);
    let ann_entry = json!({
        "userId": "ann", "username": "ANN", "hasVideo": true, "isMuted": false,
        "canBroadcast": true, "socketId": ann.sid,
    });
    assert_eq!(
        state,
        json!({
            "roomId": "r", "participants": [ann_entry], "title": "r", "hostId": "ann",
            "canBroadcast": true, "broadcastMode": "all",
        })
    );

    let (bob, state) = Peer::join(relay.addr, "bob", "r").await;
    assert_eq!(state["participants"].as_array().unwrap().len(), 2);
    assert_eq!(state["participants"][0], ann_entry);
    let joined = ann.event("user-joined").await;
    assert_eq!((&joined["userId"], &joined["socketId"]), (&json!("bob"), &json!(bob.sid)));

    drop(bob);
    assert_eq!(ann.event("user-left").await["userId"], "bob");
    relay.stop().await;
}

#[tokio::test]
async fn absent_flags_mean_no_video_and_muted_and_absent_names_are_made_up() {
    let relay = Running::start(RelayOptions::default()).await;
    let mut peer = Peer::connect(relay.addr, json!({})).await.unwrap();
    peer.emit("join-room", json!({ "roomId": "r" })).await;
    let state = peer.event("room-state").await;
    let me = &state["participants"][0];
    assert_eq!((&me["hasVideo"], &me["isMuted"]), (&json!(false), &json!(true)));
    assert!(me["userId"].as_str().unwrap().starts_with("guest-"));
    assert_eq!(me["username"], me["userId"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_chunk_reaches_everybody_else_in_the_room_and_nobody_outside() {
    let relay = Running::start(RelayOptions::default()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    let (mut eve, _) = Peer::join(relay.addr, "eve", "elsewhere").await;
    ann.event("user-joined").await;

    let mut early = Peer::connect(relay.addr, json!({ "userId": "early" })).await.unwrap();
    assert!(early.emit_chunk(Bytes::from_static(b"before joining"), 1).await);
    early.emit("join-room", json!({ "roomId": "r" })).await;
    early.event("room-state").await;
    bob.event("user-joined").await;
    ann.event("user-joined").await;

    let chunk = Bytes::from(vec![7; 10_000]);
    assert!(ann.emit_chunk(chunk.clone(), 1_700_000_000_123).await);
    let expected = Heard::Event {
        name: "media-chunk".into(),
        payload: json!({
            "socketId": ann.sid, "userId": "ann", "chunk": { "_placeholder": true, "num": 0 },
            "mimeType": "video/webm; codecs=\"vp8, opus\"", "timestamp": 1_700_000_000_123_u64,
        }),
        binary: Some(chunk),
    };
    assert_eq!(bob.hear().await, expected);
    assert_eq!(early.hear().await, expected);

    // Whatever would wrongly have come before these would be heard first.
    bob.emit("chat-message", json!({ "roomId": "r", "message": "hello" })).await;
    assert_eq!(ann.event("chat-message").await["message"], "hello");
    let (_zoe, _) = Peer::join(relay.addr, "zoe", "elsewhere").await;
    assert_eq!(eve.event("user-joined").await["userId"], "zoe");
    relay.stop().await;
}

#[tokio::test]
async fn what_happens_to_a_participant_is_told_to_the_others_and_remembered() {
    let relay = Running::start(RelayOptions::default()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;

    // A false userId changes nothing: the relay knows whose socket it is.
    ann.emit("camera-state-changed", json!({ "roomId": "r", "userId": "bob", "hasVideo": false })).await;
    ann.emit("mic-state-changed", json!({ "roomId": "r", "userId": "ann", "isMuted": true })).await;
    for event in ["stream-reset", "speaking-start", "speaking-stop"] {
        ann.emit(event, json!({ "roomId": "r", "userId": "ann" })).await;
    }
    ann.emit("reaction", json!({ "roomId": "r", "emoji": "👍" })).await;

    let about_ann = json!({ "roomId": "r", "userId": "ann" });
    let camera = bob.event("camera-state-changed").await;
    assert_eq!(camera, json!({ "roomId": "r", "userId": "ann", "hasVideo": false }));
    let mic = bob.event("mic-state-changed").await;
    assert_eq!(mic, json!({ "roomId": "r", "userId": "ann", "isMuted": true }));
    assert_eq!(bob.event("stream-reset").await, about_ann);
    assert_eq!(bob.event("speaking-start").await, about_ann);
    assert_eq!(bob.event("speaking-stop").await, about_ann);
    assert_eq!(
        bob.event("reaction-received").await,
        json!({ "roomId": "r", "userId": "ann", "emoji": "👍" })
    );

    let (_, state) = Peer::join(relay.addr, "cat", "r").await;
    let ann_now = &state["participants"][0];
    assert_eq!((&ann_now["hasVideo"], &ann_now["isMuted"]), (&json!(false), &json!(true)));
    relay.stop().await;
}

#[tokio::test]
async fn a_key_frame_is_asked_of_one_or_of_all() {
    let relay = Running::start(RelayOptions::default()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    let (mut cat, _) = Peer::join(relay.addr, "cat", "r").await;
    ann.event("user-joined").await;
    ann.event("user-joined").await;
    bob.event("user-joined").await;

    cat.emit("request-keyframe", json!({ "targetUserId": "bob" })).await;
    cat.emit("request-keyframe", json!({ "userId": "bob" })).await;
    cat.emit("request-keyframe", json!({})).await;

    let asked = json!({ "fromUserId": "cat" });
    for _ in 0..3 {
        assert_eq!(bob.event("request-keyframe").await, asked);
    }
    assert_eq!(ann.event("request-keyframe").await, asked);
    ann.emit_with_ack(0, "leave-room", json!({})).await;
    assert_eq!(ann.hear().await, Heard::Ack(json!([{ "success": true }])), "ann was asked once only");
    relay.stop().await;
}

#[tokio::test]
async fn leaving_is_acknowledged_and_announced() {
    let relay = Running::start(RelayOptions::default()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;

    ann.event("user-joined").await;
    ann.emit_with_ack(7, "leave-room", json!({})).await;

    assert_eq!(ann.hear().await, Heard::Ack(json!([{ "success": true }])));
    assert_eq!(bob.event("user-left").await["userId"], "ann");
    relay.stop().await;
}

#[tokio::test]
async fn a_second_connection_of_a_user_takes_the_seat() {
    let relay = Running::start(RelayOptions::default()).await;
    let own_token =
        json!({ "userId": "ann", "token": "a token of ann's own, which this relay does not need" });
    let (mut first, _) = Peer::join_with(relay.addr, own_token.clone(), "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    first.event("user-joined").await;

    let (_second, state) = Peer::join_with(relay.addr, own_token, "r").await;

    let told =
        json!({ "message": "Another connection has logged in as the same user", "code": "user_taken" });
    assert_eq!(first.event("error").await, told);
    assert_eq!(first.hear().await, Heard::Disconnected);
    assert_eq!(bob.event("user-left").await["socketId"], first.sid);
    assert_eq!(bob.event("user-joined").await["userId"], "ann");
    assert_eq!(state["participants"].as_array().unwrap().len(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn only_the_presenter_is_relayed() {
    let relay = Running::start(RelayOptions::default()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    ann.event("user-joined").await;

    bob.emit("set-presenter", json!({ "userId": "bob" })).await;
    assert_eq!(bob.event("error").await["message"], "Only the host of a room may choose its presenter");
    ann.emit("set-presenter", json!({ "userId": "ann" })).await;
    for peer in [&mut ann, &mut bob] {
        let changed = peer.event("broadcast-presenter-changed").await;
        assert_eq!(
            (&changed["presenterUserId"], &changed["broadcastMode"]),
            (&json!("ann"), &json!("single"))
        );
        let bob_entry = &changed["participants"][1];
        assert_eq!((&bob_entry["canBroadcast"], &bob_entry["hasVideo"]), (&json!(false), &json!(false)));
    }
    assert!(bob.emit_chunk(Bytes::from_static(b"unheard"), 1).await);
    // Behind the chunk on bob's connection: once this has come, the chunk has been dropped.
    bob.emit("chat-message", json!({ "message": "can you hear me?" })).await;
    ann.event("chat-message").await;
    ann.emit("set-presenter", json!({ "userId": null })).await;
    assert_eq!(bob.event("broadcast-presenter-changed").await["broadcastMode"], "all");
    assert_eq!(ann.event("broadcast-presenter-changed").await["broadcastMode"], "all");
    assert!(bob.emit_chunk(Bytes::from_static(b"heard"), 2).await);
    let Heard::Event { binary, .. } = ann.hear().await else { panic!("no chunk") };
    assert_eq!(binary, Some(Bytes::from_static(b"heard")));
    relay.stop().await;
}

#[tokio::test]
async fn a_token_is_required_where_one_is_set() {
    let access = Access::Shared(Token::new("s3cret").unwrap());
    let relay = Running::start(RelayOptions { access, ..RelayOptions::default() }).await;
    for (auth, code, what) in [
        (json!({}), "token_required", "this relay requires a token"),
        (json!({ "token": "s3cre" }), "token_wrong", "your token is not one of this relay"),
        (json!({ "token": 5 }), "token_required", "this relay requires a token"),
    ] {
        let refusal = Peer::connect(relay.addr, auth).await.err().unwrap();
        let message = format!("Authentication failed: {what}");
        assert_eq!(refusal, json!({ "message": message, "data": { "code": code } }));
    }
    Peer::connect(relay.addr, json!({ "token": "s3cret" })).await.unwrap();
    relay.stop().await;
}

#[tokio::test]
async fn joins_are_bounded() {
    let options = RelayOptions { max_rooms: 1, max_participants: 2, ..RelayOptions::default() };
    let relay = Running::start(options).await;
    let (_ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (_bob, _) = Peer::join(relay.addr, "bob", "r").await;
    let mut cat = Peer::connect(relay.addr, json!({ "userId": "cat" })).await.unwrap();

    cat.emit("join-room", json!({ "roomId": "r" })).await;
    cat.emit("join-room", json!({ "roomId": "another" })).await;
    cat.emit("join-room", json!({ "room": "r" })).await;

    let mut heard = Vec::new();
    for code in ["room_full", "room_full", "bad_request"] {
        let error = cat.event("error").await;
        assert_eq!(error["code"], code);
        heard.push(error["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(heard[0], "The room holds its limit of 2 participants; try again when somebody has left");
    assert_eq!(heard[1], "This relay carries its limit of 1 rooms; try again when one has emptied");
    assert!(heard[2].starts_with("The relay does not understand this join-room"), "{}", heard[2]);
    relay.stop().await;
}

#[tokio::test]
async fn sessions_are_bounded_per_second() {
    let options = RelayOptions { max_joins_per_second: 1, ..RelayOptions::default() };
    let relay = Running::start(options).await;
    let (_ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let answer = http::get(relay.addr, "/socket.io/?EIO=4&transport=polling", &[]).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    relay.stop().await;
}

#[tokio::test]
async fn a_full_relay_says_so_before_the_handshake() {
    let relay = Running::start(RelayOptions { max_sessions: 1, ..RelayOptions::default() }).await;
    let (ann, _) = Peer::join(relay.addr, "ann", "r").await;
    // Where a browser's page can read it; of a WebSocket it hears only that there is none.
    let path = "/socket.io/?EIO=4&transport=polling";
    let answer = http::get(relay.addr, path, &[]).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("relay_full")));
    let message = "this relay has as many sessions as it takes; try again when somebody has left";
    assert_eq!(answer.json()["error"], message);

    drop(ann);
    let again = async { while http::get(relay.addr, path, &[]).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, again).await.expect("there is a place");
    relay.stop().await;
}

#[tokio::test]
async fn a_message_above_the_limit_closes_its_senders_connection() {
    let options = RelayOptions { max_message_bytes: 20_000, ..RelayOptions::default() };
    let relay = Running::start(options).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    assert_eq!(ann.open["maxPayload"], 20_000);
    ann.event("user-joined").await;

    ann.emit_chunk(Bytes::from(vec![0; 20_001]), 1).await;

    assert_eq!(ann.event("error").await["code"], "too_large");
    assert_eq!(ann.hear().await, Heard::Disconnected);
    assert_eq!(bob.event("user-left").await["userId"], "ann");
    relay.stop().await;
}

#[tokio::test]
async fn a_participant_that_does_not_read_is_cut_off_and_the_others_lose_nothing() {
    const CHUNKS: u64 = 600;
    let options = RelayOptions { outgoing_bytes: 6_400_000, ..unhurried() };
    let relay = Running::start(options).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    // Joins, and never reads again.
    let (stalled, _) = Peer::join(relay.addr, "stalled", "r").await;
    bob.event("user-joined").await;

    // 60 MB: more than the kernel holds for one connection (its receive buffer may grow to some megabytes).
    let chunk = Bytes::from(vec![1; 100_000]);
    let sender = tokio::spawn(async move {
        for number in 0..CHUNKS {
            assert!(ann.emit_chunk(chunk.clone(), number).await);
            // As fast as bob reads, so that it is only the stalled one who falls behind.
            ann.await_event("speaking-start").await;
        }
        ann
    });
    let mut next = 0;
    let mut left = 0;
    while next < CHUNKS || left == 0 {
        let Heard::Event { name, payload, .. } = bob.hear().await else { panic!("bob was cut off") };
        match name.as_str() {
            "media-chunk" => {
                assert_eq!(payload["timestamp"], next, "a chunk was lost or overtaken");
                next += 1;
                bob.emit("speaking-start", json!({})).await;
            }
            "user-left" => {
                assert_eq!(payload["userId"], "stalled");
                left += 1;
            }
            other => panic!("unexpected {other}"),
        }
    }
    assert_eq!(left, 1);
    drop(sender.await.unwrap());

    // The connection itself is gone: reading what had been sent before ends with its reset.
    let mut stalled = stalled;
    let ended = tokio::time::timeout(PATIENCE, async {
        while !matches!(stalled.hear_patiently().await, Heard::Closed) {}
    });
    ended.await.expect("the stalled connection is still open");
    relay.stop().await;
}

#[tokio::test]
async fn a_long_polling_client_speaks_the_same_dialect_and_is_cut_off_alike() {
    let options =
        RelayOptions { max_message_bytes: 20_000, outgoing_bytes: 40_000, ..RelayOptions::default() };
    let relay = Running::start(options).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;

    let open = http::get(relay.addr, "/socket.io/?EIO=4&transport=polling", &[]).await;
    let open: serde_json::Value = serde_json::from_str(open.body.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["upgrades"], json!(["websocket"]));
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", open["sid"].as_str().unwrap());
    let post = |body: &'static str| http::post(relay.addr, &path, body);
    let mut old = http::Poller::new(relay.addr, &path);
    assert_eq!(post(r#"40{"userId":"old"}"#).await.body, "ok");
    assert!(old.packet().await.starts_with("40{"));
    post(r#"42["join-room",{"roomId":"r"}]"#).await;
    assert!(old.packet().await.starts_with(r#"42["room-state","#));
    assert_eq!(ann.event("user-joined").await["userId"], "old");

    assert!(ann.emit_chunk(Bytes::from_static(b"0123"), 5).await);
    let header = old.packet().await;
    assert!(header.starts_with(r#"451-["media-chunk",{"socketId":"#), "{header}");
    assert_eq!(old.packet().await, "bMDEyMw==");

    // And now it does not poll any more.
    for number in 0..9 {
        assert!(ann.emit_chunk(Bytes::from(vec![4; 5000]), number).await);
    }
    assert_eq!(ann.event("user-left").await["userId"], "old");
    // The session is closed a moment after the room has heard of it.
    let gone = tokio::time::timeout(PATIENCE, async {
        while http::get(relay.addr, &path, &[]).await.status != 400 {
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("the session of the client that stopped polling is still open");
    relay.stop().await;
}

#[tokio::test]
async fn shutdown_is_bounded_even_with_a_client_that_does_not_read() {
    let relay = Running::start(unhurried()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let (_stalled, _) = Peer::join(relay.addr, "stalled", "r").await;
    ann.event("user-joined").await;
    for number in 0..200 {
        assert!(ann.emit_chunk(Bytes::from(vec![0; 100_000]), number).await);
    }
    ann.emit_with_ack(1, "leave-room", json!({})).await;
    ann.hear().await;

    assert!(relay.stop().await < Duration::from_secs(4));
    assert_eq!(ann.hear().await, Heard::ClosedWith(1012));
}

#[tokio::test]
async fn two_hundred_join_at_once_and_hear_every_chunk() {
    const RECEIVERS: usize = 200;
    const CHUNKS: u64 = 20;
    let relay = Running::start(RelayOptions::default()).await;
    let addr = relay.addr;
    let names: Vec<_> = (0..RECEIVERS).map(|number| format!("receiver-{number}")).collect();
    let joined = join_all(names.iter().map(|name| Peer::join(addr, name, "r"))).await;
    let receivers: Vec<_> = joined.into_iter().map(|(peer, _)| tokio::spawn(listen(peer))).collect();
    let (mut ann, state) = Peer::join(addr, "ann", "r").await;
    assert_eq!(state["participants"].as_array().unwrap().len(), RECEIVERS + 1);
    for number in 0..CHUNKS {
        assert!(ann.emit_chunk(Bytes::from(vec![3; 10_000]), number).await);
    }
    for heard in join_all(receivers).await {
        assert_eq!(heard.unwrap(), (0..CHUNKS).collect::<Vec<_>>());
    }

    async fn listen(mut peer: Peer) -> Vec<u64> {
        let mut heard = Vec::new();
        while heard.len() < CHUNKS as usize {
            match peer.hear().await {
                Heard::Event { name, payload, .. } if name == "media-chunk" => {
                    heard.push(payload["timestamp"].as_u64().unwrap());
                }
                Heard::Event { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        heard
    }
    relay.stop().await;
}

#[tokio::test]
async fn the_viewer_is_served_from_the_binary() {
    let relay = Running::start(RelayOptions::default()).await;
    for path in ["/", "/room/lobby"] {
        let page = http::get(relay.addr, path, &[]).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    }
    let script = http::get(relay.addr, "/viewer/vendor/socket.io.esm.min.js", &[]).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.body.contains("Socket.IO v4.8"));
    let etag = script.header("etag").unwrap();
    let again =
        http::get(relay.addr, "/viewer/vendor/socket.io.esm.min.js", &[("if-none-match", etag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));

    assert_eq!(http::get(relay.addr, "/viewer/../Cargo.toml", &[]).await.status, 404);
    assert_eq!(http::get(relay.addr, "/livez", &[]).await.body, "ok\n");
    relay.stop().await;
}

#[tokio::test]
async fn web_clients_of_an_allowed_origin_may_connect() {
    let allowed_origins = vec!["https://meet.example".parse().unwrap()];
    let relay = Running::start(RelayOptions { allowed_origins, ..RelayOptions::default() }).await;
    let path = "/socket.io/?EIO=4&transport=polling";

    let answer = http::get(relay.addr, path, &[("origin", "https://meet.example")]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://meet.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(http::get(relay.addr, path, &[("origin", "https://meet.example.evil")]).await.status, 403);
    // A proxy before the relay passes on its own name.
    assert_eq!(http::get_as(relay.addr, "meet.example", "/healthz", &[]).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_remedy() {
    let relay = Running::start(RelayOptions::default()).await;
    let addr = relay.addr;
    let error = Relay::bind(addr, RelayOptions::default()).await.err().unwrap().to_string();
    assert!(error.contains(&addr.to_string()) && error.contains("--listen"), "{error}");
    relay.stop().await;
}
