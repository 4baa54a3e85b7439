//! Relays that share their rooms over a real Redis: a participant may come in at any of them, whatever becomes of Redis. A
//! test binary of its own, because it measures time and cargo runs one binary after the other.

// clippy.toml allows these in tests; helpers of tests are not tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "relay_fleet/away.rs"]
mod away;
#[path = "common/child.rs"]
mod child;
#[path = "relay_fleet/fleet.rs"]
mod fleet;
#[path = "relay_embedded/http.rs"]
mod http;
#[path = "relay_embedded/peer.rs"]
mod peer;
#[path = "relay_fleet/redis.rs"]
mod redis;
#[path = "relay_fleet/tls.rs"]
mod tls;

use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet::{all_arrive, ann_and_bob, arrives, chunk, numbered, pair, relays};
use peer::{Heard, Peer};
use redis::Redis;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

#[tokio::test]
async fn a_room_is_one_on_three_relays() {
    let redis = Redis::start().await;
    let [first, second, third] = relays(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&[&first, &second]).await;

    assert!(ann.emit_chunk(Bytes::from_static(b"\x1a\x45\xdf\xa3"), 7).await);
    match bob.hear().await {
        Heard::Event { name, payload, binary } => {
            assert_eq!(
                (name.as_str(), &payload["userId"], &payload["timestamp"]),
                ("media-chunk", &json!("ann"), &json!(7))
            );
            assert_eq!(payload["socketId"], json!(ann.sid));
            assert_eq!(binary.unwrap(), &b"\x1a\x45\xdf\xa3"[..]);
        }
        other => panic!("{other:?}"),
    }
    ann.emit("camera-state-changed", json!({ "hasVideo": false })).await;
    assert_eq!(
        bob.event("camera-state-changed").await,
        json!({ "roomId": "r", "userId": "ann", "hasVideo": false })
    );
    ann.emit("mic-state-changed", json!({ "isMuted": true })).await;
    assert_eq!(bob.event("mic-state-changed").await["isMuted"], true);
    bob.emit("chat-message", json!({ "message": "hello" })).await;
    assert_eq!(ann.event("chat-message").await["message"], "hello");
    bob.emit("request-keyframe", json!({ "targetUserId": "ann" })).await;
    assert_eq!(ann.event("request-keyframe").await["fromUserId"], "bob");

    // Who comes late sees all of them as they are.
    let shown = |state: &Value| -> Vec<_> {
        let participants = state["participants"].as_array().unwrap().iter();
        participants
            .map(|one| (one["userId"].as_str().unwrap().to_owned(), one["hasVideo"].as_bool().unwrap()))
            .collect()
    };
    let expected = [("ann".to_owned(), false), ("bob".to_owned(), true)];
    let (mut dan, state) = Peer::join(second.addr, "dan", "r").await;
    assert_eq!(shown(&state)[..2], expected);
    assert_eq!(state["hostId"], "ann");
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.event("user-joined").await["userId"], "dan");
    }
    dan.emit_with_ack(1, "leave-room", json!({})).await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.event("user-left").await["userId"], "dan");
    }
    // Whoever is the first of its relay in the room hears of the others right after.
    let (mut cid, _) = Peer::join(third.addr, "cid", "r").await;
    let mut heard = Vec::new();
    for _ in 0..2 {
        let joined = cid.event("user-joined").await;
        heard.push((joined["userId"].as_str().unwrap().to_owned(), joined["hasVideo"].as_bool().unwrap()));
    }
    heard.sort();
    assert_eq!(heard, expected);
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.event("user-joined").await["userId"], "cid");
    }

    // The host, at one relay, gives the floor to somebody at the other.
    ann.emit("set-presenter", json!({ "userId": "cid" })).await;
    for peer in [&mut ann, &mut bob, &mut cid] {
        assert_eq!(peer.event("broadcast-presenter-changed").await["presenterUserId"], "cid");
    }
    bob.emit_chunk(Bytes::from_static(b"not allowed"), 8).await;
    cid.emit_chunk(Bytes::from_static(b"allowed"), 9).await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(chunk(peer).await, 9);
    }

    cid.emit_with_ack(1, "leave-room", json!({})).await;
    assert_eq!(ann.event("user-left").await["userId"], "cid");
    assert_eq!(ann.event("broadcast-presenter-changed").await["presenterUserId"], Value::Null);
}

#[tokio::test]
async fn chunks_keep_their_order_and_rooms_keep_apart() {
    const CHUNKS: u64 = 200;
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    let (mut eve, _) = Peer::join(relays[1].addr, "eve", "another").await;
    for number in 0..CHUNKS {
        assert!(ann.emit_chunk(numbered(number), number).await);
        sleep(Duration::from_millis(2)).await;
    }
    all_arrive(&mut bob, 0..CHUNKS).await;
    eve.emit_with_ack(1, "leave-room", json!({})).await;
    assert!(matches!(eve.hear().await, Heard::Ack(_)), "nothing of the other room has come");
}

#[tokio::test]
async fn the_participants_of_a_relay_that_dies_are_gone_when_its_lease_has_run_out() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [_ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    let [first, _second] = relays;
    drop(first);
    let died = Instant::now();
    let left = timeout(Duration::from_secs(15), bob.hear_patiently()).await;
    match left.expect("bob hears that ann is gone") {
        Heard::Event { name, payload, .. } => {
            assert_eq!((name.as_str(), &payload["userId"]), ("user-left", &json!("ann")))
        }
        other => panic!("{other:?}"),
    }
    assert!(died.elapsed() > Duration::from_secs(8), "a moment's silence is no death: {:?}", died.elapsed());
}

#[tokio::test]
async fn the_participants_of_a_relay_that_ends_are_gone_with_it() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    let ending = Instant::now();
    relays[0].end.cancel();
    assert_eq!(ann.hear().await, Heard::ClosedWith(1012));
    assert_eq!(bob.event("user-left").await["userId"], "ann");
    assert!(ending.elapsed() < Duration::from_secs(5), "{:?}", ending.elapsed());
}

#[tokio::test]
async fn a_user_id_is_one_clients_on_all_relays() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let auth = |token: &str| json!({ "userId": "ann", "token": token });
    let (mut ann, _) = Peer::join_with(relays[0].addr, auth("hers"), "r").await;
    let (mut bob, _) = Peer::join(relays[1].addr, "bob", "r").await;
    bob.event("user-joined").await;
    ann.event("user-joined").await;

    // Somebody who does not show what ann shows, while ann answers.
    let (refused, ann) = tokio::join!(Peer::connect(relays[1].addr, auth("another")), async {
        let heard = timeout(Duration::from_secs(1), ann.hear_patiently()).await;
        assert!(heard.is_err(), "she is asked, and stays: {heard:?}");
        ann
    });
    assert_eq!(refused.err().expect("it is taken")["data"]["code"], "user_taken");

    // Ann herself, from elsewhere.
    let mut ann = ann;
    let connecting = Instant::now();
    let _again = Peer::join_with(relays[1].addr, auth("hers"), "r").await;
    assert!(connecting.elapsed() < Duration::from_secs(1), "{:?}", connecting.elapsed());
    assert_eq!(ann.event("error").await["code"], "user_taken");
    assert_eq!(ann.hear().await, Heard::Disconnected);
    assert_eq!(bob.event("user-left").await["userId"], "ann");
    assert_eq!(bob.event("user-joined").await["userId"], "ann");
}

#[tokio::test]
async fn who_cannot_keep_up_is_cut_off_wherever_the_media_come_from() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    let (_stalled, _) = Peer::join(relays[1].addr, "stalled", "r").await;
    ann.event("user-joined").await;
    bob.event("user-joined").await;
    let sending = async {
        for number in 0.. {
            assert!(ann.emit_chunk(Bytes::from(vec![3; 100_000]), number).await);
            sleep(Duration::from_millis(10)).await;
        }
    };
    let left = async {
        loop {
            match bob.hear().await {
                Heard::Event { name, payload, .. } if name == "user-left" => return payload,
                Heard::Event { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let left = tokio::select! { () = sending => unreachable!(), left = left => left };
    assert_eq!(left["userId"], "stalled");
    // Ann has heard of it too, and bob goes on.
    ann.await_event("user-left").await;
    arrives(&mut ann, &mut bob, 1_000_000).await;
}
