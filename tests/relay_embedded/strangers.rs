//! What strangers did to a relay that was open to them; each of these was tried against the real program.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::http::{self, KeptAlive};
use crate::peer::{Heard, PATIENCE, Peer};
use crate::program::Program;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing() {
    let relay = Program::relay(&[]).await;
    let own = format!("http://{}", relay.addr);

    for (origin, status) in [("https://evil.example", 403), ("null", 403), (own.as_str(), 200)] {
        let answer = http::get(relay.addr, POLLING, &[("origin", origin)]).await;
        assert_eq!(answer.status, status, "{origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        if status == 403 {
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_eq!(answer.json()["code"], "origin");
            assert!(answer.json()["error"].as_str().unwrap().contains("--allow-origin"));
        }
    }
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "https://evil.example"),
    ];
    let answer = http::get(relay.addr, "/socket.io/?EIO=4&transport=websocket", &upgrade).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn a_foreign_name_that_leads_to_this_machine_is_refused() {
    let relay = Program::relay(&[]).await;
    for path in [POLLING, "/", "/healthz"] {
        let answer = http::get_as(relay.addr, "evil.example:8080", path, &[]).await;
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("origin")), "{path}");
    }
}

#[tokio::test]
async fn an_address_that_leads_nowhere_says_where_the_page_is() {
    let relay = Program::relay(&[]).await;
    let answer = http::get(relay.addr, "/rooms/demo", &[]).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "there is nothing here; the page to watch is at /\n")
    );
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let relay = Program::relay(&[]).await;
    let mut idle = Vec::new();
    for _ in 0..700 {
        idle.push(TcpStream::connect(relay.addr).await.unwrap());
    }
    let begun = Instant::now();
    let answer = timeout(PATIENCE, http::get(relay.addr, "/healthz", &[])).await;
    assert_eq!(answer.expect("it answers").status, 200);
    timeout(PATIENCE, Peer::join(relay.addr, "ann", "r")).await.expect("ann joins");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(idle);
}

#[tokio::test]
async fn giant_session_ids_cost_no_memory() {
    let relay = Program::relay(&[]).await;
    assert_eq!(http::get(relay.addr, "/healthz", &[]).await.status, 200);
    let before = relay.rss_kb();
    let sid = "x".repeat(30_000);
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nhost: {}\r\n\r\n",
        relay.addr
    );
    let mut kept = KeptAlive::new(relay.addr);
    for number in 0..3000 {
        // As many different ones as there are requests.
        let status = kept.exchange(&request.replacen("xxxxxxxx", &format!("{number:08}"), 1)).await.status;
        assert!((400..500).contains(&status), "{status}");
    }
    let grown = relay.rss_kb().saturating_sub(before);
    assert!(grown < 10_000, "{grown} kB");
}

#[tokio::test]
async fn a_reader_that_does_not_read_costs_little_memory() {
    let relay = Program::relay(&[]).await;
    let mut rooms = Vec::new();
    for room in 0..4 {
        let (ann, _) = Peer::join(relay.addr, &format!("ann-{room}"), &format!("r{room}")).await;
        let (stalled, _) = Peer::join(relay.addr, &format!("stalled-{room}"), &format!("r{room}")).await;
        rooms.push((ann, stalled));
    }
    let before = relay.rss_kb();
    let chunk = Bytes::from(vec![7; 990_000]);
    let mut peak = before;
    for number in 0..100 {
        for (ann, _) in &mut rooms {
            // A sender of that much may be hung up on.
            ann.emit_chunk(chunk.clone(), number).await;
        }
        peak = peak.max(relay.rss_kb());
    }
    let grown = peak - before;
    assert!(grown < 64_000, "{grown} kB for four rooms");
}

#[tokio::test]
async fn sessions_on_one_connection_are_few_and_the_others_are_told_why() {
    let relay = Program::relay(&[]).await;
    let mut kept = KeptAlive::new(relay.addr);
    let request = format!("GET {POLLING} HTTP/1.1\r\nhost: {}\r\n\r\n", relay.addr);
    let mut opened = 0;
    for _ in 0..100 {
        let answer = kept.exchange(&request).await;
        match answer.status {
            200 => opened += 1,
            status => assert_eq!((status, &answer.json()["code"]), (503, &json!("too_many"))),
        }
    }
    assert_eq!(opened, 4);
}

/// Sends `event` until the relay has had enough; returns how many another participant heard.
async fn flood(relay: &Program, event: &str, payload: Value) -> usize {
    let room = format!("room of {event}");
    let (mut bob, _) = Peer::join(relay.addr, &format!("bob {event}"), &room).await;
    let (mut eve, _) = Peer::join(relay.addr, &format!("eve {event}"), &room).await;
    bob.event("user-joined").await;
    for _ in 0..2000 {
        if !eve.try_emit(event, payload.clone()).await {
            break;
        }
    }
    let mut told = None;
    loop {
        match eve.hear().await {
            Heard::Event { name, payload, .. } if name == "error" => told = Some(payload),
            Heard::Event { .. } => {}
            Heard::Ack(_) => {}
            Heard::Disconnected | Heard::ClosedWith(_) | Heard::Closed => break,
        }
    }
    assert_eq!(told.unwrap_or_default()["code"], "too_many", "{event}");
    let mut heard = 0;
    loop {
        match bob.hear().await {
            Heard::Event { name, .. } if name == "user-left" => return heard,
            Heard::Event { .. } => heard += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_flood_of_events_is_stopped_and_its_sender_told_why() {
    let relay = Program::relay(&[]).await;
    for (event, payload) in [
        ("reaction", json!({ "emoji": "👍" })),
        ("set-presenter", json!({ "userId": null })),
        ("speaking-start", json!({})),
        ("chat-message", json!({ "message": "hello" })),
        ("camera-state-changed", json!({ "hasVideo": true })),
        ("request-keyframe", json!({})),
    ] {
        let heard = flood(&relay, event, payload).await;
        assert!(heard <= 40, "{event}: {heard}");
    }
}

#[tokio::test]
async fn an_event_is_as_large_as_its_kind_needs() {
    let relay = Program::relay(&[]).await;
    let (mut bob, _) = Peer::join(relay.addr, "bob", "r").await;
    for (event, payload) in [
        ("reaction", json!({ "emoji": "👍", "more": "x".repeat(100_000) })),
        ("chat-message", json!({ "message": "x".repeat(100_000) })),
        ("speaking-start", json!({ "more": "x".repeat(100_000) })),
    ] {
        let (mut eve, _) = Peer::join(relay.addr, "eve", "r").await;
        bob.event("user-joined").await;
        eve.emit(event, payload).await;
        assert_eq!(eve.event("error").await["code"], "too_large", "{event}");
        assert!(matches!(eve.hear().await, Heard::Disconnected | Heard::Closed));
        bob.event("user-left").await;
    }
    let (mut eve, _) = Peer::join(relay.addr, "eve", "r").await;
    bob.event("user-joined").await;
    // Short enough to be read, too long to be shown.
    eve.emit("chat-message", json!({ "message": "x".repeat(3000) })).await;
    assert_eq!(eve.event("error").await["code"], "too_large");
    eve.emit("reaction", json!({ "emoji": "👍", "more": "hidden" })).await;
    let heard = bob.event("reaction-received").await;
    assert_eq!(heard, json!({ "roomId": "r", "userId": "eve", "emoji": "👍" }));
}

#[tokio::test]
async fn a_viewer_does_not_take_the_cameras_place() {
    let relay =
        Program::relay(&[("--publish-token-file", "camera-secret"), ("--view-token-file", "viewer-secret")])
            .await;
    let camera_auth = json!({ "userId": "camera", "token": "camera-secret" });
    let (mut camera, _) = Peer::join_with(relay.addr, camera_auth.clone(), "r").await;

    let refused = Peer::connect(relay.addr, json!({ "userId": "camera", "token": "viewer-secret" })).await;
    assert_eq!(refused.err().unwrap()["data"]["code"], "user_taken");

    let (mut viewer, state) =
        Peer::join_with(relay.addr, json!({ "userId": "eve", "token": "viewer-secret" }), "r").await;
    camera.event("user-joined").await;
    assert_eq!(state["participants"][1]["canBroadcast"], false);
    viewer.emit_chunk(Bytes::from_static(b"not the camera"), 1).await;
    assert_eq!(viewer.event("error").await["code"], "not_allowed");
    viewer.emit("set-presenter", json!({ "userId": "eve" })).await;
    assert_eq!(viewer.event("error").await["code"], "not_allowed");
    // What the viewer did would have come first.
    viewer.emit("chat-message", json!({ "message": "hello" })).await;
    assert_eq!(camera.event("chat-message").await["userId"], "eve");

    // The camera itself, whose old connection hangs.
    let (_again, _) = Peer::join_with(relay.addr, camera_auth, "r").await;
    assert_eq!(camera.event("error").await["code"], "user_taken");
}

#[tokio::test]
async fn with_one_token_for_all_nobody_takes_a_place_that_is_taken() {
    let relay = Program::relay(&[("--token-file", "shared")]).await;
    let (mut camera, _) =
        Peer::join_with(relay.addr, json!({ "userId": "camera", "token": "shared" }), "r").await;

    // The relay asks the camera whether it is still there, and the camera answers.
    let refused = tokio::select! {
        refused = Peer::connect(relay.addr, json!({ "userId": "camera", "token": "shared" })) => refused,
        heard = camera.hear_patiently() => panic!("{heard:?}"),
    };

    assert_eq!(refused.err().unwrap()["data"]["code"], "user_taken");
    drop(camera);
    let again = async {
        loop {
            match Peer::connect(relay.addr, json!({ "userId": "camera", "token": "shared" })).await {
                Ok(peer) => return peer,
                Err(refusal) => assert_eq!(refusal["data"]["code"], "user_taken"),
            }
        }
    };
    timeout(PATIENCE, again).await.expect("its place is free again");
}

#[tokio::test]
async fn a_demonstration_is_for_those_who_have_its_address() {
    let demo = Program::demo().await;
    let token = demo.url.split("#token=").nth(1).expect("a token in the address").to_owned();
    assert!(token.len() >= 20, "{token}");
    for (auth, code) in [(json!({}), "token_required"), (json!({ "token": "guess" }), "token_wrong")] {
        let refused = Peer::connect(demo.addr, auth).await;
        assert_eq!(refused.err().unwrap()["data"]["code"], code);
    }

    let (mut viewer, _) = Peer::join_with(demo.addr, json!({ "userId": "me", "token": token }), "demo").await;
    let chunk = async { while !matches!(viewer.hear().await, Heard::Event { binary: Some(_), .. }) {} };
    timeout(Duration::from_secs(30), chunk).await.expect("the camera is seen");
    viewer.emit_chunk(Bytes::from_static(b"mine"), 1).await;
    viewer.await_event("error").await;

    assert!(!demo.arguments().contains(&token), "a token among the arguments");
    assert!(demo.end().await.iter().all(|line| !line.contains(&token)), "a token in the log");
}

#[tokio::test]
async fn strangers_do_not_fill_the_log() {
    let relay = Program::relay(&[("--token-file", "secret")]).await;
    let begun = Instant::now();
    let annoy = async || {
        http::get(relay.addr, POLLING, &[("origin", "https://evil.example")]).await;
        Peer::connect(relay.addr, json!({ "token": "guess" })).await.err().unwrap();
        Peer::join_with(relay.addr, json!({ "userId": "eve", "token": "secret" }), "r").await;
    };
    for _ in 0..100 {
        annoy().await;
    }

    let log = relay.log();
    let intervals = 1 + begun.elapsed().as_secs() as usize / 10;
    for (what, most) in [("another origin", 1), ("its token is missing or wrong", 1), ("connected", 20)] {
        let lines = log.lines().filter(|line| line.contains(what)).count();
        assert!((1..=most * intervals).contains(&lines), "{what}: {lines} lines");
    }
    let told = async {
        while !relay.log().contains("wrong (and ") {
            annoy().await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), told).await.expect("what was not logged is counted");
}

#[tokio::test]
async fn a_slow_head_is_cut_off_after_ten_seconds() {
    let relay = Program::relay(&[]).await;
    let mut slow = TcpStream::connect(relay.addr).await.unwrap();
    let begun = Instant::now();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(15), slow.read_to_end(&mut answer)).await;
    ended.expect("it is still waited for").ok();
    let waited = begun.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(13)).contains(&waited), "{waited:?}");
}
