//! The connection to Redis on which is published: everything in order, and again after a restart of Redis.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::link::{PATIENCE, PAUSE, channel_name};
use super::said::{self, History, Said};
use super::wire::{Header, encode};
use super::{Fleet, Outgoing};
use crate::meeting::spacing::SHORTEST_GAP;

/// How long Redis may take to take what is published. What was published in vain is a hole in a timeline, which costs
/// viewers more than a wait.
const TAKEN: Duration = Duration::from_secs(2);
/// Messages that are published at once.
const AT_ONCE: usize = 32;
/// When publishing takes longer than this, chunks have waited.
const SLOW: Duration = Duration::from_millis(200);

/// Publishes what is put into the queue.
pub(super) struct Publisher<'a> {
    client: &'a Client,
    fleet: &'a Fleet,
    connection: Option<MultiplexedConnection>,
    begun: Instant,
    sequence: u64,
    history: History,
}

/// A message as it is published.
struct Encoded {
    since: Instant,
    channel: String,
    bytes: Vec<u8>,
}

impl<'a> Publisher<'a> {
    pub fn new(client: &'a Client, fleet: &'a Fleet) -> Self {
        let history = History::default();
        Self { client, fleet, connection: None, begun: Instant::now(), sequence: 0, history }
    }

    pub async fn run(mut self, mut outgoing: mpsc::Receiver<Outgoing>) {
        // Batches after which nothing may follow at once: chunks may have waited.
        let mut spaced = 0;
        while let Some(first) = outgoing.recv().await {
            self.fleet.publishing.store(true, Ordering::Relaxed);
            let (batch, has_repeats) = self.next_batch(first, &mut outgoing);
            let began = Instant::now();
            self.deliver(batch).await;
            if has_repeats || began.elapsed() > SLOW {
                spaced = 2;
            }
            if spaced > 0 {
                spaced -= 1;
                sleep(SHORTEST_GAP).await;
            }
            self.fleet.publishing.store(false, Ordering::Relaxed);
        }
    }

    /// What waits, numbered and encoded, and whether something in it was said before.
    fn next_batch(
        &mut self,
        first: Outgoing,
        outgoing: &mut mpsc::Receiver<Outgoing>,
    ) -> (Vec<Encoded>, bool) {
        let now = Instant::now();
        let mut batch = Vec::new();
        let mut repeats = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Outgoing::Say(said) => {
                    self.fleet.waiting_bytes.fetch_sub(said.bytes(), Ordering::Relaxed);
                    if said.is_stale(now) {
                        self.fleet.dropped.fetch_add(1, Ordering::Relaxed);
                    } else {
                        said::add(&mut batch, said);
                    }
                }
                Outgoing::Repeat { room, to, after } => repeats.push((room, to, after)),
            }
            if batch.len() < AT_ONCE {
                next = outgoing.try_recv().ok();
            }
        }
        let mut encoded: Vec<_> = batch.iter().filter_map(|said| self.number(said, now)).collect();
        let has_repeats = !repeats.is_empty();
        // Last, and with all before it: until this comes, those who ask listen to nothing else of the room.
        for (room, to, after) in repeats {
            let missed = self.history.missed(&room, after, to, now);
            encoded.extend(self.number(&missed, now));
        }
        (encoded, has_repeats)
    }

    fn number(&mut self, said: &Said, now: Instant) -> Option<Encoded> {
        self.sequence += 1;
        self.history.keep(self.sequence, said, now);
        let clock = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let header = Header { node: self.fleet.node, sequence: self.sequence, clock };
        let bytes = encode(header, &said.body, &said.attachment)
            .inspect_err(|error| tracing::error!(%error, "cannot encode a message for other relays"))
            .ok()?;
        Some(Encoded { since: said.since, channel: channel_name(&said.channel), bytes })
    }

    /// Publishes a batch, again and again until Redis has taken it or it is too old. Who hears a message twice knows it by its
    /// number.
    async fn deliver(&mut self, mut batch: Vec<Encoded>) {
        loop {
            let before = batch.len();
            batch.retain(|message| message.since.elapsed() <= said::STALE);
            self.fleet.dropped.fetch_add((before - batch.len()) as u64, Ordering::Relaxed);
            if batch.is_empty() || self.publish(&batch).await {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether Redis has taken it.
    async fn publish(&mut self, batch: &[Encoded]) -> bool {
        let Some(mut open) = self.connect().await else { return false };
        let mut pipeline = redis::pipe();
        for Encoded { channel, bytes, .. } in batch {
            pipeline.publish(channel, &bytes[..]).ignore();
        }
        // After an error or a time-out it is not known what of it was taken: begins anew, in order.
        let taken = matches!(timeout(TAKEN, pipeline.exec_async(&mut open)).await, Ok(Ok(())));
        if taken {
            self.connection = Some(open);
        }
        taken
    }

    async fn connect(&mut self) -> Option<MultiplexedConnection> {
        if let Some(open) = self.connection.take() {
            return Some(open);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(TAKEN));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        timeout(PATIENCE, connecting).await.ok()?.ok()
    }
}
