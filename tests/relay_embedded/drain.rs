//! A relay that ends has its participants go on at another.

use std::time::{Duration, Instant};

use bytes::Bytes;
use roomcam::relay::RelayOptions;
use serde_json::{Value, json};

use crate::peer::{Heard, Peer};
use crate::{Running, http};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn a_relay_that_ends_has_everybody_connect_anew() {
    let relay = Running::start(RelayOptions::default()).await;
    let (mut ann, _) = Peer::join(relay.addr, "ann", "r").await;
    let open: Value = serde_json::from_str(&http::get(relay.addr, POLLING, &[]).await.body[1..]).unwrap();
    let path = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());
    http::post(relay.addr, &path, "40{\"userId\":\"bob\"}").await;
    let mut bob = http::Poller::new(relay.addr, &path);
    assert!(bob.packet().await.starts_with("40{"));

    let (taken, last) = tokio::join!(relay.stop(), bob.packet());

    assert!(taken < Duration::from_secs(3), "{taken:?}");
    // With a DISCONNECT before it, socket.io's clients would stay away.
    assert_eq!(last, "1");
    assert_eq!(
        ann.hear().await,
        Heard::ClosedWith(1012),
        "service restart (RFC 6455, registry of close codes)"
    );
}

#[tokio::test]
async fn a_relay_that_drains_serves_whom_it_has_and_takes_nobody_new() {
    let drain = Duration::from_secs(5);
    let relay = Running::start(RelayOptions { drain, ..RelayOptions::default() }).await;
    let addr = relay.addr;
    let (mut ann, _) = Peer::join(addr, "ann", "one").await;
    let (mut bob, _) = Peer::join(addr, "bob", "one").await;
    ann.event("user-joined").await;
    let (cid, _) = Peer::join(addr, "cid", "two").await;
    let health = http::get(addr, "/healthz", &[]).await;
    assert_eq!((health.status, health.json()), (200, json!({ "status": "ok", "rooms": 2, "sessions": 3 })));

    let begun = Instant::now();
    let ending = tokio::spawn(relay.stop());
    let health = loop {
        let health = http::get(addr, "/healthz", &[]).await;
        if health.status != 200 {
            break health;
        }
    };
    assert_eq!((health.status, health.json()["status"].as_str()), (503, Some("draining")));
    assert_eq!(http::get(addr, "/livez", &[]).await.status, 200);
    let refused = http::get(addr, POLLING, &[]).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("draining")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(ann.emit_chunk(Bytes::from_static(b"meanwhile"), 1).await);
    bob.event("media-chunk").await;

    // Rooms leave as a whole, one after the other, once a load balancer has seen it.
    let (ann_left, bob_left, cid_left) = tokio::join!(left(ann, begun), left(bob, begun), left(cid, begun));
    let (one, two) = (ann_left.min(bob_left), cid_left);
    assert!(one.min(two) >= Duration::from_secs(3), "{one:?} {two:?}");
    assert!(one.abs_diff(two) >= Duration::from_millis(900), "{one:?} {two:?}");
    assert!(ann_left.abs_diff(bob_left) < Duration::from_millis(500), "{ann_left:?} {bob_left:?}");
    assert!(ending.await.unwrap() < drain + Duration::from_secs(3));
}

/// When a participant was sent away.
async fn left(mut peer: Peer, begun: Instant) -> Duration {
    loop {
        match peer.hear().await {
            Heard::ClosedWith(1012) => return begun.elapsed(),
            Heard::Event { name, .. } if name == "user-left" => {}
            other => panic!("{other:?}"),
        }
    }
}
