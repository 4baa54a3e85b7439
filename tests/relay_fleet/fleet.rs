//! Relays of a test, and participants at them.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use roomcam::config::Secret;
use roomcam::relay::{Allowance, Rates, RedisOptions, Relay, RelayOptions};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::http;
use crate::peer::{Heard, Peer};
use crate::redis::{self, Redis};

/// From a change of Redis until everybody has found out: beats come each second, and a beat may be missed.
pub const NOTICED: Duration = Duration::from_secs(8);

pub struct Running {
    pub addr: SocketAddr,
    pub end: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(redis: &Redis) -> Self {
        let password = Secret::new(redis::PASSWORD, "this test").unwrap();
        let options = RedisOptions::new(&redis.url(), Some(&password)).unwrap();
        let redis = Some(match &redis.certificate {
            Some(certificate) => options.trusting(certificate.clone().into_bytes()).unwrap(),
            None => options,
        });
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

    pub async fn health(&self) -> Value {
        let health = http::get(self.addr, "/healthz", &[]).await;
        assert_eq!(health.status, 200, "it serves its own participants");
        health.json()["redis"].clone()
    }

    /// Waits until it says so of Redis, and that so many relays are there besides.
    pub async fn sees(&self, status: &str, relays: u64) {
        let within = NOTICED + Duration::from_secs(10);
        self.says(within, |redis| redis["status"] == status && redis["relays"] == relays).await;
    }

    /// Waits until it says that Redis is away. Other relays are taken to be there for some time yet.
    pub async fn misses_redis(&self) {
        self.says(NOTICED, |redis| redis["status"] == "away").await;
    }

    async fn says(&self, within: Duration, wanted: impl Fn(&Value) -> bool) {
        let said = async {
            while !wanted(&self.health().await) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(within, said).await.is_err() {
            panic!("after {within:?} it says {}", self.health().await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Relays that know each other.
pub async fn relays<const COUNT: usize>(redis: &Redis) -> [Running; COUNT] {
    let mut relays = Vec::new();
    for _ in 0..COUNT {
        relays.push(Running::start(redis).await);
    }
    for relay in &relays {
        relay.sees("ok", COUNT as u64 - 1).await;
    }
    relays.try_into().ok().expect("as many as were started")
}

/// Two of them.
pub async fn pair(redis: &Redis) -> [Running; 2] {
    relays(redis).await
}

/// Ann at the first relay and Bob at the second, who have heard of each other.
pub async fn ann_and_bob(relays: &[&Running; 2]) -> [Peer; 2] {
    let (mut ann, _) = Peer::join(relays[0].addr, "ann", "r").await;
    let (mut bob, _) = Peer::join(relays[1].addr, "bob", "r").await;
    assert_eq!(ann.event("user-joined").await["userId"], "bob");
    assert_eq!(bob.event("user-joined").await["userId"], "ann");
    [ann, bob]
}

/// Skips what else is said until a chunk comes; its time stamp.
pub async fn chunk(peer: &mut Peer) -> u64 {
    chunk_and_bytes(peer).await.0
}

pub async fn chunk_and_bytes(peer: &mut Peer) -> (u64, Bytes) {
    loop {
        match peer.hear().await {
            Heard::Event { name, payload, binary } if name == "media-chunk" => {
                return (payload["timestamp"].as_u64().unwrap(), binary.unwrap());
            }
            Heard::Event { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A chunk of 10 kB that is its number again and again.
pub fn numbered(number: u64) -> Bytes {
    number.to_be_bytes().repeat(NUMBERED_BYTES / 8).into()
}

pub const NUMBERED_BYTES: usize = 10_000;

/// Whether these chunks arrive, each once and in order. Those that waited for Redis may come as one.
pub async fn all_arrive(receiver: &mut Peer, numbers: Range<u64>) {
    let mut next = numbers.start;
    while next < numbers.end {
        let (timestamp, bytes) = chunk_and_bytes(receiver).await;
        for chunk in bytes.chunks(NUMBERED_BYTES) {
            assert_eq!(chunk, numbered(next), "chunk {next}");
            next += 1;
        }
        assert_eq!(timestamp, next - 1, "the time stamp of the last");
    }
}

/// Sends numbered chunks at the cadence of a camera.
pub async fn send_all(sender: &mut Peer, numbers: Range<u64>) {
    for number in numbers {
        assert!(sender.emit_chunk(numbered(number), number).await);
        sleep(Duration::from_millis(100)).await;
    }
}

/// Sends chunks until one arrives that was sent after `from`.
pub async fn arrives(sender: &mut Peer, receiver: &mut Peer, from: u64) {
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
