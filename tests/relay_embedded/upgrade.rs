//! A client that begins with long-polling, as `socket.io` does by default, and moves to a WebSocket.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use roomcam::relay::RelayOptions;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::peer::Peer;
use crate::{Running, http};

#[tokio::test]
async fn it_loses_nothing_on_the_way() {
    let relay = Running::start(RelayOptions::default()).await;
    let addr = relay.addr;
    let (mut ann, _) = Peer::join(addr, "ann", "r").await;
    let open = http::get(addr, "/socket.io/?EIO=4&transport=polling", &[]).await.body;
    let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let sid = open["sid"].as_str().unwrap().to_owned();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    http::post(addr, &path, "40{\"userId\":\"bob\"}\u{1e}42[\"join-room\",{\"roomId\":\"r\"}]").await;
    let mut bob = http::Poller::new(addr, &path);
    assert!(bob.packet().await.starts_with("40{"));
    assert!(bob.packet().await.starts_with(r#"42["room-state","#));
    let joined = ann.event("user-joined").await;
    assert_ne!(joined["socketId"], json!(sid), "who knows the one could read and write for bob");

    let url = format!("ws://{addr}/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    // The relay lets go of the request that waits, so that the client can move.
    let (waiting, ()) = tokio::join!(http::get(addr, &path, &[]), async {
        socket.send(Message::text("2probe")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("3probe"));
    });
    assert_eq!(waiting.body, "6");
    assert!(ann.emit_chunk(Bytes::from_static(b"meanwhile"), 1).await);
    // Once ann has this, the chunk has been relayed.
    ann.emit_with_ack(1, "leave-room", json!({})).await;
    ann.hear().await;
    socket.send(Message::text("5")).await.unwrap();

    let header = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(header.starts_with(r#"451-["media-chunk""#), "{header}");
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(&b"meanwhile"[..]));
    let left = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(left.starts_with(r#"42["user-left""#), "{left}");
    relay.stop().await;
}

#[tokio::test]
async fn two_requests_of_a_kind_at_a_time_end_the_session() {
    let relay = Running::start(RelayOptions::default()).await;
    let open = http::get(relay.addr, "/socket.io/?EIO=4&transport=polling", &[]).await.body;
    let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", open["sid"].as_str().unwrap());
    let (one, other) = tokio::join!(http::get(relay.addr, &path, &[]), http::get(relay.addr, &path, &[]));
    assert_eq!((one.status, other.status), (400, 400));
    assert_eq!(http::get(relay.addr, &path, &[]).await.status, 400, "it is gone");
    relay.stop().await;
}
