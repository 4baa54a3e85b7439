//! Relays that share their rooms over a real Redis: a participant may come in at any of them, whatever becomes of Redis. A
//! test binary of its own, because it measures time and cargo runs one binary after the other.

// clippy.toml allows these in tests; helpers of tests are not tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "relay_embedded/http.rs"]
mod http;
#[path = "relay_embedded/peer.rs"]
mod peer;
#[path = "relay_fleet/redis.rs"]
mod redis;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use peer::{Heard, Peer};
use redis::Redis;
use roomcam::config::Secret;
use roomcam::relay::{Allowance, Rates, RedisOptions, Relay, RelayOptions};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// From a change of Redis until everybody has found out: beats come each second, and a beat may be missed.
const NOTICED: Duration = Duration::from_secs(8);

struct Running {
    addr: SocketAddr,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(redis: &Redis) -> Self {
        let password = Secret::new(redis::PASSWORD, "this test").unwrap();
        let redis = Some(RedisOptions::new(&redis.url(), Some(&password)).unwrap());
        // As much as a test sends.
        let all = Allowance::new(1_000_000_000, 1_000_000_000);
        let rates = Rates { messages: all, chunks: all, media_bytes: all, ..Rates::default() };
        let options = RelayOptions { redis, rates, ..RelayOptions::default() };
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let addr = relay.local_addr();
        let end = CancellationToken::new();
        let task = tokio::spawn(relay.run(end.clone().cancelled_owned()));
        Self { addr, end, task }
    }

    async fn health(&self) -> Value {
        let health = http::get(self.addr, "/healthz", &[]).await;
        assert_eq!(health.status, 200, "it serves its own participants");
        health.json()["redis"].clone()
    }

    /// Waits until it says so of Redis, and that so many relays are there besides.
    async fn sees(&self, status: &str, relays: u64) {
        let seen = async {
            loop {
                let health = self.health().await;
                if health["status"] == status && health["relays"] == relays {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let last = timeout(NOTICED + Duration::from_secs(10), seen).await;
        if last.is_err() {
            panic!("expected {status} and {relays} relays, has {}", self.health().await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Two relays that know each other.
async fn pair(redis: &Redis) -> [Running; 2] {
    let relays = [Running::start(redis).await, Running::start(redis).await];
    for relay in &relays {
        relay.sees("ok", 1).await;
    }
    relays
}

/// Ann at the first relay and Bob at the second, who have heard of each other.
async fn ann_and_bob(relays: &[Running; 2]) -> [Peer; 2] {
    let (mut ann, _) = Peer::join(relays[0].addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relays[1].addr, "bob", "r").await;
    assert_eq!(ann.event("user-joined").await["userId"], "bob");
    assert_eq!(bob.event("user-joined").await["userId"], "ann");
    [ann, bob]
}

/// Skips what else is said until a chunk comes; its time stamp.
async fn chunk(peer: &mut Peer) -> u64 {
    loop {
        match peer.hear().await {
            Heard::Event { name, payload, .. } if name == "media-chunk" => {
                return payload["timestamp"].as_u64().unwrap();
            }
            Heard::Event { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Sends chunks until one arrives that was sent after `from`.
async fn arrives(sender: &mut Peer, receiver: &mut Peer, from: u64) {
    let sending = async {
        for number in from.. {
            assert!(sender.emit_chunk(Bytes::from_static(b"again"), number).await);
            sleep(Duration::from_millis(50)).await;
        }
    };
    let arriving = async { while chunk(receiver).await < from {} };
    tokio::select! {
        () = sending => {}
        arrived = timeout(NOTICED + Duration::from_secs(10), arriving) => arrived.expect("no chunk arrives"),
    }
}

#[tokio::test]
async fn a_room_is_one_on_two_relays() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays).await;

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
    let (mut cid, state) = Peer::join(relays[1].addr, "cid", "r").await;
    let seen = state["participants"].as_array().unwrap().iter();
    let seen: Vec<_> =
        seen.map(|one| (one["userId"].as_str().unwrap(), one["hasVideo"].as_bool().unwrap())).collect();
    assert_eq!(seen, [("ann", false), ("bob", true), ("cid", true)]);
    assert_eq!(state["hostId"], "ann");
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
    assert_eq!(chunk(&mut ann).await, 9);

    cid.emit_with_ack(1, "leave-room", json!({})).await;
    assert_eq!(ann.event("user-left").await["userId"], "cid");
    assert_eq!(ann.event("broadcast-presenter-changed").await["presenterUserId"], Value::Null);
}

#[tokio::test]
async fn chunks_keep_their_order_and_rooms_keep_apart() {
    const CHUNKS: u64 = 200;
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays).await;
    let (mut eve, _) = Peer::join(relays[1].addr, "eve", "another").await;
    for number in 0..CHUNKS {
        assert!(ann.emit_chunk(Bytes::from(vec![3; 10_000]), number).await);
        sleep(Duration::from_millis(2)).await;
    }
    for number in 0..CHUNKS {
        assert_eq!(chunk(&mut bob).await, number);
    }
    eve.emit_with_ack(1, "leave-room", json!({})).await;
    assert!(matches!(eve.hear().await, Heard::Ack(_)), "nothing of the other room has come");
}

#[tokio::test]
async fn a_frozen_redis_delays_nobody_at_the_same_relay() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays).await;
    let (mut cid, _) = Peer::join(relays[0].addr, "cid", "r").await;
    ann.event("user-joined").await;

    redis.freeze();
    let frozen = Instant::now();
    let (mut longest, mut number) = (Duration::ZERO, 0);
    while frozen.elapsed() < Duration::from_secs(10) {
        number += 1;
        let sent = Instant::now();
        assert!(ann.emit_chunk(Bytes::from(vec![3; 10_000]), number).await);
        assert_eq!(chunk(&mut cid).await, number);
        longest = longest.max(sent.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    println!("{number} chunks, the slowest took {longest:?}");
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    relays[0].sees("away", 0).await;

    redis.thaw();
    for relay in &relays {
        relay.sees("ok", 1).await;
    }
    arrives(&mut ann, &mut bob, 1_000_000).await;
}

#[tokio::test]
async fn a_restart_of_redis_heals() {
    let mut redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays).await;

    redis.stop().await;
    for relay in &relays {
        timeout(NOTICED, async {
            while relay.health().await["status"] != "away" {
                sleep(Duration::from_millis(20)).await
            }
        })
        .await
        .unwrap();
    }
    // Who comes meanwhile is known afterwards.
    let (mut dan, _) = Peer::join(relays[0].addr, "dan", "r").await;
    ann.event("user-joined").await;
    assert!(ann.emit_chunk(Bytes::from_static(b"here"), 1).await);
    assert_eq!(chunk(&mut dan).await, 1);
    redis.start_again().await;
    for relay in &relays {
        relay.sees("ok", 1).await;
    }
    let joined = timeout(NOTICED, async {
        loop {
            let payload = match bob.hear().await {
                Heard::Event { name, payload, .. } if name == "user-joined" => payload,
                _ => continue,
            };
            if payload["userId"] == "dan" {
                return;
            }
        }
    });
    joined.await.expect("bob hears of dan");
    arrives(&mut ann, &mut bob, 1_000_000).await;
    arrives(&mut bob, &mut dan, 2_000_000).await;
}

#[tokio::test]
async fn a_relay_starts_without_redis_and_joins_the_others_when_it_is_there() {
    let mut redis = Redis::start().await;
    redis.stop().await;
    let relays = [Running::start(&redis).await, Running::start(&redis).await];
    relays[0].sees("away", 0).await;
    let metrics = http::get(relays[0].addr, "/metrics", &[]).await.body;
    assert!(metrics.contains("\nroomcam_relay_redis_up 0\n"), "{metrics}");
    let (mut ann, _) = Peer::join(relays[0].addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relays[1].addr, "bob", "r").await;
    redis.start_again().await;
    ann.event("user-joined").await;
    bob.event("user-joined").await;
    arrives(&mut ann, &mut bob, 1).await;
}

#[tokio::test]
async fn the_participants_of_a_relay_that_dies_are_gone_when_its_lease_has_run_out() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [_ann, mut bob] = ann_and_bob(&relays).await;
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
    let [mut ann, mut bob] = ann_and_bob(&relays).await;
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
    let [mut ann, mut bob] = ann_and_bob(&relays).await;
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
