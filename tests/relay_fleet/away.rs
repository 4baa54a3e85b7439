//! Redis is away, frozen or restarted.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use crate::fleet::{NOTICED, Running, all_arrive, ann_and_bob, arrives, chunk, pair, send_all};
use crate::http;
use crate::peer::{Heard, Peer};
use crate::redis::Redis;

#[tokio::test]
async fn a_frozen_redis_delays_nobody_at_the_same_relay() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
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
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;

    redis.stop().await;
    for relay in &relays {
        relay.misses_redis().await;
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
async fn what_is_sent_while_redis_restarts_is_late_but_whole() {
    let mut redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    for (round, away) in [0, 1000].map(Duration::from_millis).into_iter().enumerate() {
        let numbers = round as u64 * 100..round as u64 * 100 + 50;
        let restarting = async {
            sleep(Duration::from_secs(1)).await;
            redis.stop().await;
            sleep(away).await;
            redis.start_again().await;
        };
        tokio::join!(send_all(&mut ann, numbers.clone()), restarting, all_arrive(&mut bob, numbers));
    }
}

#[tokio::test]
async fn a_relay_that_alone_loses_redis_misses_nothing() {
    let redis = Redis::start().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    let losing = async {
        for _ in 0..3 {
            sleep(Duration::from_secs(1)).await;
            redis.drop_subscribers().await;
        }
    };
    tokio::join!(send_all(&mut ann, 0..50), losing, all_arrive(&mut bob, 0..50));
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
