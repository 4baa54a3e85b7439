//! A camera and its viewers, while strangers do to the relay whatever they can think of. A test binary of its own,
//! because it measures time and cargo runs one binary after the other.

// clippy.toml allows these in tests; helpers of tests are not tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/child.rs"]
mod child;
#[path = "relay_embedded/http.rs"]
mod http;
#[path = "relay_embedded/peer.rs"]
mod peer;
#[path = "relay_embedded/program.rs"]
mod program;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::peer::{Heard, Peer};
use crate::program::Program;

/// Hostile connections in all; `make hostile` has 10 000, which takes five minutes.
const CONNECTIONS: usize = 2000;
/// Of them per second.
const PER_SECOND: u32 = 33;
const VIEWERS: usize = 20;
const CADENCE: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_millis(250);
/// What the relay may hold in memory, in kB.
const MOST_MEMORY: u64 = 150_000;
/// Lines that it may log per second, in the long run.
const MOST_LINES: u64 = 4;

#[tokio::test]
async fn a_camera_and_its_viewers_go_on_amid_thousands_of_hostile_connections() {
    let connections = std::env::var("ROOMCAM_HOSTILE_CONNECTIONS");
    let connections =
        connections.map_or(CONNECTIONS, |number| number.parse().expect("a number of connections"));
    let relay = Program::relay(&[]).await;
    let addr = relay.addr;
    let over = Arc::new(AtomicBool::new(false));
    // On a thread of their own, so that the strangers' work in this process delays nobody.
    let meeting = thread::spawn({
        let over = over.clone();
        move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(meet(addr, &over))
        }
    });

    let mut strangers = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    let (mut most, begun) = (0, Instant::now());
    for number in 0..connections {
        ticks.tick().await;
        // What a stranger meets at the end does not matter: a refusal, a reset, or nothing.
        strangers.spawn(async move { timeout(Duration::from_secs(20), intrude(addr, number)).await.ok() });
        while strangers.try_join_next().is_some() {}
        most = most.max(relay.rss_kb());
    }
    assert_eq!(http::get(addr, "/healthz", &[]).await.status, 200);
    over.store(true, Ordering::Relaxed);
    let Gaps { sent, seen } = meeting.join().expect("the meeting went on");

    let worst = *seen.iter().max().unwrap();
    // By so much the machine kept the camera itself waiting.
    let late = sent.saturating_sub(CADENCE);
    let (median, sent) = (median(seen).as_millis(), sent.as_millis());
    let lines = relay.log().lines().count() as u64;
    println!(
        "{connections} hostile connections: longest gap of {VIEWERS} viewers {} ms (median {median} ms; \
         between chunks as they were sent {sent} ms), at most {most} kB in the relay, {lines} lines of log",
        worst.as_millis(),
    );
    assert!(worst <= LONGEST_GAP + late, "{worst:?}, of which the camera was late by {late:?}");
    assert!(most <= MOST_MEMORY, "{most} kB");
    assert!(lines <= MOST_LINES * (begun.elapsed().as_secs() + 10), "{lines} lines");
}

/// The longest times between two chunks of the meeting.
struct Gaps {
    /// As the camera sent them. A long one says that the test itself came too late, not the relay.
    sent: Duration,
    /// As each viewer saw them.
    seen: Vec<Duration>,
}

/// The longest time between two moments.
#[derive(Default)]
struct Longest {
    gap: Duration,
    last: Option<Instant>,
}

impl Longest {
    fn now(&mut self) {
        let now = Instant::now();
        self.gap = self.gap.max(self.last.map_or(Duration::ZERO, |last| now - last));
        self.last = Some(now);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A camera that sends and viewers that watch, until it is over.
async fn meet(addr: std::net::SocketAddr, over: &AtomicBool) -> Gaps {
    let (mut camera, _) = Peer::join(addr, "camera", "meeting").await;
    let mut viewers = JoinSet::new();
    for number in 0..VIEWERS {
        let (viewer, _) = Peer::join(addr, &format!("viewer-{number}"), "meeting").await;
        viewers.spawn(watch(viewer));
    }
    let mut ticks = interval(CADENCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let chunk = Bytes::from(vec![7; 10_400]);
    let (mut sent, mut sending) = (0, Longest::default());
    while !over.load(Ordering::Relaxed) {
        tokio::select! {
            _ = ticks.tick() => {
                assert!(camera.emit_chunk(chunk.clone(), sent).await, "the camera was thrown out");
                sent += 1;
                sending.now();
            }
            heard = camera.hear_patiently() => assert!(matches!(heard, Heard::Event { .. } | Heard::Ack(_)), "{heard:?}"),
        }
    }
    // An empty chunk says that there are no more.
    camera.emit_chunk(Bytes::new(), sent).await;
    let seen = viewers.join_all().await;
    assert!(seen.iter().all(|(chunks, _)| *chunks == sent), "sent {sent}, seen {seen:?}");
    Gaps { sent: sending.gap, seen: seen.into_iter().map(|(_, gap)| gap).collect() }
}

/// How many chunks came, and the longest time between two of them.
async fn watch(mut viewer: Peer) -> (u64, Duration) {
    let (mut chunks, mut seeing) = (0, Longest::default());
    loop {
        match viewer.hear_patiently().await {
            Heard::Event { binary: Some(chunk), .. } if chunk.is_empty() => return (chunks, seeing.gap),
            Heard::Event { binary: Some(_), payload, .. } => {
                assert_eq!(payload["timestamp"], chunks, "a chunk was lost or overtaken");
                chunks += 1;
                seeing.now();
            }
            Heard::Closed | Heard::ClosedWith(_) | Heard::Disconnected => return (chunks, seeing.gap),
            _ => {}
        }
    }
}

/// One hostile connection, of the kind whose turn it is.
async fn intrude(addr: std::net::SocketAddr, number: usize) -> Option<()> {
    let room = format!("another-{}", number / 100);
    match number % 10 {
        0 => {
            let _idle = TcpStream::connect(addr).await.ok()?;
            sleep(Duration::from_secs(20)).await;
        }
        1 => {
            let mut slow = TcpStream::connect(addr).await.ok()?;
            for byte in b"GET / HTTP/1.1\r\nhost: localhost\r\n" {
                slow.write_all(&[*byte]).await.ok()?;
                sleep(Duration::from_millis(500)).await;
            }
        }
        2 => {
            let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}{number}", "x".repeat(30_000));
            write(addr, &path, "").await?;
        }
        3 => {
            write(addr, "/socket.io/?EIO=4&transport=polling", "").await?;
        }
        4 => {
            write(addr, "/socket.io/?EIO=4&transport=polling", "origin: https://evil.example\r\n").await?;
        }
        5 => {
            let (mut eve, _) = Peer::join(addr, &format!("eve-{number}"), &room).await;
            while eve.try_emit("reaction", json!({ "emoji": "👎", "more": "x".repeat(1000) })).await {}
        }
        6 => {
            let (mut eve, _) = Peer::join(addr, &format!("eve-{number}"), &room).await;
            while eve.emit_chunk(Bytes::from(vec![1; 900_000]), 0).await {}
        }
        7 => {
            let (_deaf, _) = Peer::join(addr, &format!("deaf-{number}"), &room).await;
            sleep(Duration::from_secs(20)).await;
        }
        8 => {
            let taken = Peer::connect(addr, json!({ "userId": "camera" })).await;
            assert_eq!(taken.err()?["data"]["code"], "user_taken");
        }
        _ => {
            let (mut eve, _) = Peer::join(addr, &format!("eve-{number}"), &room).await;
            eve.send_half_a_chunk(900_000, 100_000).await?;
            sleep(Duration::from_secs(20)).await;
        }
    }
    Some(())
}

/// Sends a request and takes what comes, without caring for it.
async fn write(addr: std::net::SocketAddr, path: &str, headers: &str) -> Option<()> {
    let mut tcp = TcpStream::connect(addr).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n{headers}\r\n");
    tcp.write_all(request.as_bytes()).await.ok()?;
    let mut beginning = [0; 1];
    tcp.read_exact(&mut beginning).await.ok()?;
    sleep(Duration::from_secs(5)).await;
    Some(())
}
