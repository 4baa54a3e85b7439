//! Relays that share their rooms over Redis, so that a participant may come in at any of them.
//!
//! Redis only carries; nothing is kept there. Each relay publishes who is in its part of a room whenever that changes, and
//! again every [`ANNOUNCE`]; what is not repeated for [`LEASE`] is gone. So a restart of Redis loses nothing, and a relay
//! that dies leaves nothing behind. There is a channel for each room, to which those relays subscribe that have somebody in
//! it, and one for all relays.
//!
//! A relay that was cut off from Redis, as all are when it restarts, asks the others for what they said meanwhile; each keeps
//! the last seconds for that.
//!
//! `wire` is what goes over a channel, `peers` what is known of the other relays, `said` what was said to them, `gaps` what was
//! missed; all are pure. `link` and `publisher` are the connections to Redis, and `options` where that is. `claims` keeps a user id one client's. What comes is put into the registry by `gateway`'s `remote`.

mod claims;
mod gaps;
mod link;
mod options;
mod peers;
mod publisher;
mod said;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use claims::Claims;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

pub(super) use claims::Claimed;
pub(super) use link::{Link, carry};
pub use options::{BadRedis, RedisOptions};
use said::Said;
pub(super) use wire::{Body, Member, NodeId, Present};

/// How often a relay says that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// How often it says who is in its rooms, besides at each change.
const ANNOUNCE: Duration = Duration::from_secs(3);
/// How long what a relay has said counts.
const LEASE: Duration = Duration::from_secs(10);
/// How often it is looked whether all is said.
const FLUSH_STEP: Duration = Duration::from_millis(10);
/// Messages that may wait for Redis.
const QUEUE: usize = 1024;
/// Bytes that may wait for Redis: two seconds of twenty senders.
const QUEUE_BYTES: usize = 8_000_000;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Channel {
    /// All relays.
    All,
    /// Those with somebody in this room.
    Room(Box<str>),
}

/// What waits for Redis.
enum Outgoing {
    Say(Said),
    /// What was said in a room after a message is to be said again, to a relay that has missed it.
    Repeat {
        room: Box<str>,
        to: NodeId,
        after: u64,
    },
}

/// A change of the rooms that a relay has somebody in.
enum Wish {
    Enter(Box<str>),
    Leave(Box<str>),
}

/// What is said of Redis in `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RedisHealth {
    status: RedisStatus,
    /// Other relays that have been heard of lately.
    pub relays: usize,
    /// Messages for other relays that were dropped, because Redis did not take them in time or too many waited.
    pub dropped: u64,
}

impl RedisHealth {
    /// Whether Redis answers.
    pub fn is_there(&self) -> bool {
        self.status == RedisStatus::Ok
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum RedisStatus {
    Ok,
    /// It does not answer: each relay goes on for its own participants.
    Away,
}

/// What the gateway has of the other relays: it never waits for any.
pub(super) struct Fleet {
    pub node: NodeId,
    outgoing: mpsc::Sender<Outgoing>,
    wishes: mpsc::UnboundedSender<Wish>,
    /// The rooms here, and whether their channels are subscribed to, or will be again as soon as Redis is back.
    rooms: Mutex<HashMap<Box<str>, bool>>,
    waiting_bytes: AtomicUsize,
    dropped: AtomicU64,
    there: AtomicBool,
    relays: AtomicUsize,
    claims: Claims,
    /// Whether something is on its way to Redis.
    publishing: AtomicBool,
}

impl Fleet {
    /// A relay among others, and the end that [`carry`] needs.
    pub fn new() -> (Self, Link) {
        let (outgoing, to_publish) = mpsc::channel(QUEUE);
        // Bounded by the rooms of the relay.
        let (wishes, wished) = mpsc::unbounded_channel();
        let fleet = Self {
            node: NodeId::new(),
            outgoing,
            wishes,
            rooms: Mutex::default(),
            waiting_bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            there: AtomicBool::new(false),
            relays: AtomicUsize::new(0),
            claims: Claims::default(),
            publishing: AtomicBool::new(false),
        };
        (fleet, Link::new(to_publish, wished))
    }

    /// Somebody is in a room here, perhaps the first.
    pub fn enter(&self, room: &str) {
        let mut rooms = self.rooms();
        if !rooms.contains_key(room) {
            rooms.insert(room.into(), false);
            // The link outlives the gateway.
            let _ = self.wishes.send(Wish::Enter(room.into()));
        }
    }

    /// Nobody is in a room here any more.
    pub fn leave(&self, room: &str) {
        if self.rooms().remove(room).is_some() {
            let _ = self.wishes.send(Wish::Leave(room.into()));
        }
    }

    /// Says something to those who have somebody in a room. Dropped until the room's channel is subscribed to for the first time:
    /// what others would say to it could not be heard yet.
    pub fn tell_room(&self, room: &str, body: Body, attachment: Bytes) {
        if self.rooms().get(room) == Some(&true) {
            self.queue(Channel::Room(room.into()), body, attachment);
        }
    }

    fn tell_all(&self, body: Body) {
        self.queue(Channel::All, body, Bytes::new());
    }

    fn queue(&self, channel: Channel, body: Body, attachment: Bytes) {
        let said = Said { channel, body, attachment, since: Instant::now() };
        let bytes = said.bytes();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > QUEUE_BYTES || self.outgoing.try_send(Outgoing::Say(said)).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says again what was said in a room after a message.
    fn repeat(&self, room: &str, to: NodeId, after: u64) {
        if self.outgoing.try_send(Outgoing::Repeat { room: room.into(), to, after }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until Redis has all that was said, or is away.
    pub async fn flushed(&self) {
        let waits = || self.outgoing.capacity() < QUEUE || self.publishing.load(Ordering::Relaxed);
        while waits() && self.there.load(Ordering::Relaxed) {
            sleep(FLUSH_STEP).await;
        }
    }

    /// The rooms whose channels are subscribed to.
    fn subscribed(&self) -> Vec<Box<str>> {
        self.rooms().iter().filter(|(_, subscribed)| **subscribed).map(|(room, _)| room.clone()).collect()
    }

    /// How Redis is.
    pub fn health(&self) -> RedisHealth {
        RedisHealth {
            status: if self.there.load(Ordering::Relaxed) { RedisStatus::Ok } else { RedisStatus::Away },
            relays: self.relays.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Box<str>, bool>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
