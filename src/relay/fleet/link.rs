//! The connections to Redis: one on which is published, one that is subscribed. Both are made anew for as long as it takes,
//! and whatever Redis does, nobody waits for it but these two.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::{MultiplexedConnection, PubSubSink};
use redis::{AsyncConnectionConfig, Client, Msg, RedisError};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::options::RedisOptions;
use super::peers::Peers;
use super::wire::{Answer, Body, Header, decode, encode};
use super::{ANNOUNCE, BEAT, Channel, Fleet, Outgoing, Wish};
use crate::relay::gateway::Gateway;
use crate::relay::identity::Identity;

/// How long connecting to Redis may take, and subscribing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long Redis may take to take what is published. What was published in vain is a hole in a timeline, which costs
/// viewers more than a wait.
const TAKEN: Duration = Duration::from_secs(2);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(300);
/// How long Redis is not heard of before it counts as away: it carries a beat of our own each second.
const SILENCE: Duration = Duration::from_secs(3);
/// How old a message may be when it is published, and how late media may come: beyond it viewers have gone on.
const STALE: Duration = Duration::from_secs(3);
/// Messages that are published at once.
const AT_ONCE: usize = 32;
const ALL: &str = "roomcam:relays";
const ROOM: &str = "roomcam:room:";

/// The end of a [`Fleet`] that [`carry`] empties.
pub(in crate::relay) struct Link {
    outgoing: mpsc::Receiver<Outgoing>,
    wishes: mpsc::UnboundedReceiver<Wish>,
}

impl Link {
    pub(super) fn new(outgoing: mpsc::Receiver<Outgoing>, wishes: mpsc::UnboundedReceiver<Wish>) -> Self {
        Self { outgoing, wishes }
    }
}

/// Carries messages between this relay and Redis, until it is dropped.
pub(in crate::relay) async fn carry(link: Link, options: &RedisOptions, fleet: &Fleet, gateway: &Gateway) {
    let client = match Client::open(options.info.clone()) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!("the address of Redis cannot be used: {error}; check --redis");
            return std::future::pending().await;
        }
    };
    let address = options.info.addr().to_string();
    let subscriber = Subscriber { client: &client, address, fleet, gateway, state: State::new() };
    tokio::join!(publish(&client, fleet, link.outgoing), subscriber.run(link.wishes));
}

async fn publish(client: &Client, fleet: &Fleet, mut outgoing: mpsc::Receiver<Outgoing>) {
    let begun = Instant::now();
    let mut sequence = 0;
    let mut connection = None;
    while let Some(first) = outgoing.recv().await {
        fleet.publishing.store(true, Ordering::Relaxed);
        let mut batch = vec![first];
        while batch.len() < AT_ONCE
            && let Ok(next) = outgoing.try_recv()
        {
            batch.push(next);
        }
        let mut pipeline = redis::pipe();
        let mut count = 0;
        for message in &batch {
            fleet.waiting_bytes.fetch_sub(message.bytes(), Ordering::Relaxed);
            if message.since.elapsed() > STALE {
                fleet.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            sequence += 1;
            let clock = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let header = Header { node: fleet.node, sequence, clock };
            match encode(header, &message.body, &message.attachment) {
                Ok(bytes) => _ = pipeline.publish(name(&message.channel), bytes).ignore(),
                Err(error) => tracing::error!(%error, "cannot encode a message for other relays"),
            }
            count += 1;
        }
        if count > 0 && !deliver(client, &mut connection, &pipeline).await {
            fleet.dropped.fetch_add(count, Ordering::Relaxed);
        }
        fleet.publishing.store(false, Ordering::Relaxed);
    }
}

/// Whether Redis has taken it.
async fn deliver(
    client: &Client,
    connection: &mut Option<MultiplexedConnection>,
    pipeline: &redis::Pipeline,
) -> bool {
    let mut open = match connection.take() {
        Some(open) => open,
        None => {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(TAKEN));
            let connecting = client.get_multiplexed_async_connection_with_config(&config);
            match timeout(PATIENCE, connecting).await {
                Ok(Ok(open)) => open,
                Ok(Err(_)) => {
                    sleep(PAUSE).await;
                    return false;
                }
                Err(_) => return false,
            }
        }
    };
    // After an error or a time-out it is not known what of it was taken: begins anew, in order.
    let taken = matches!(timeout(TAKEN, pipeline.exec_async(&mut open)).await, Ok(Ok(())));
    if taken {
        *connection = Some(open);
    }
    taken
}

/// Whether Redis is there, as far as was said.
struct State {
    began: Instant,
    /// When something of our own last came back.
    echoed: Option<Instant>,
    announced: Instant,
    /// What the log says; nothing at first.
    said: Option<bool>,
    /// What went wrong last.
    error: Option<RedisError>,
}

impl State {
    fn new() -> Self {
        let now = Instant::now();
        Self { began: now, echoed: None, announced: now, said: None, error: None }
    }
}

struct Subscriber<'a> {
    client: &'a Client,
    address: String,
    fleet: &'a Fleet,
    gateway: &'a Gateway,
    state: State,
}

impl Subscriber<'_> {
    async fn run(mut self, mut wishes: mpsc::UnboundedReceiver<Wish>) {
        let mut peers = Peers::new(Instant::now());
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(error) = self.attend(&mut wishes, &mut peers, &mut ticks).await {
                self.state.error = Some(error);
            }
            self.fleet.rooms().values_mut().for_each(|subscribed| *subscribed = false);
            while wishes.try_recv().is_ok() {}
            self.tick(&mut peers);
            sleep(PAUSE).await;
        }
    }

    /// One connection, until it fails.
    async fn attend(
        &mut self,
        wishes: &mut mpsc::UnboundedReceiver<Wish>,
        peers: &mut Peers,
        ticks: &mut tokio::time::Interval,
    ) -> Result<(), RedisError> {
        let (mut sink, mut messages) = in_time(self.client.get_async_pubsub()).await?.split();
        in_time(sink.subscribe(ALL)).await?;
        // What was wished meanwhile is in the list.
        while wishes.try_recv().is_ok() {}
        let rooms: Vec<Box<str>> = self.fleet.rooms().keys().cloned().collect();
        for room in rooms {
            self.enter(&mut sink, &room).await?;
        }
        let connected = Instant::now();
        // Claims of other relays, while clients here are asked.
        let mut contests = FuturesUnordered::new();
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => {
                        if let Some(Body::Claim { id, user_id, role, proof }) = self.hear(&message, peers) {
                            let identity = Identity { user_id: user_id.into(), role, proof };
                            self.fleet.tell_all(Body::Answer { id, answer: Answer::Asking });
                            contests.push(contest(self.gateway, id, identity));
                        }
                    }
                    None => return Ok(()),
                },
                Some((id, answer)) = contests.next() => self.fleet.tell_all(Body::Answer { id, answer }),
                Some(wish) = wishes.recv() => match wish {
                    Wish::Enter(room) => self.enter(&mut sink, &room).await?,
                    Wish::Leave(room) if !self.fleet.rooms().contains_key(&room) => {
                        in_time(sink.unsubscribe(name(&Channel::Room(room)))).await?;
                    }
                    Wish::Leave(_) => {}
                },
                _ = ticks.tick() => {
                    self.tick(peers);
                    if self.state.echoed.map_or(connected, |echoed| echoed.max(connected)).elapsed() > SILENCE {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Subscribes to a room, then lets the others know who is here: what they answer is heard.
    async fn enter(&self, sink: &mut PubSubSink, room: &str) -> Result<(), RedisError> {
        in_time(sink.subscribe(name(&Channel::Room(room.into())))).await?;
        if let Some(subscribed) = self.fleet.rooms().get_mut(room) {
            *subscribed = true;
        }
        self.fleet.tell_room(room, Body::Who, Bytes::new());
        self.gateway.announce(room);
        Ok(())
    }

    /// Takes what has come. Returns what is left to do.
    fn hear(&mut self, message: &Msg, peers: &mut Peers) -> Option<Body> {
        let now = Instant::now();
        let heard = decode(Bytes::copy_from_slice(message.get_payload_bytes()))?;
        if heard.header.node == self.fleet.node {
            self.state.echoed = Some(now);
            return None;
        }
        let late = peers.hear(&heard.header, now)?;
        let is_media = !heard.attachment.is_empty();
        if is_media && late > STALE {
            return None;
        }
        match (heard.body()?, message.get_channel_name().strip_prefix(ROOM)) {
            (body, Some(room)) => self.gateway.hear(room, heard.header.node, body, &heard.attachment),
            (Body::Answer { id, answer }, None) => self.fleet.claims.hear(id, answer),
            (claim, None) => return Some(claim),
        }
        None
    }

    /// Each second.
    fn tick(&mut self, peers: &mut Peers) {
        let now = Instant::now();
        self.fleet.tell_all(Body::Beat);
        for node in peers.lost(now) {
            self.gateway.lose(node);
        }
        self.fleet.relays.store(peers.count(), Ordering::Relaxed);
        if now.duration_since(self.state.announced) >= ANNOUNCE {
            self.state.announced = now;
            self.fleet.subscribed().iter().for_each(|room| self.gateway.announce(room));
        }
        self.say(self.state.echoed.is_some_and(|echoed| now.duration_since(echoed) <= SILENCE));
    }

    fn say(&mut self, there: bool) {
        self.fleet.there.store(there, Ordering::Relaxed);
        let too_early = !there && self.state.said.is_none() && self.state.began.elapsed() <= SILENCE;
        if self.state.said == Some(there) || too_early {
            return;
        }
        match (there, self.state.error.take()) {
            (true, _) => {
                tracing::info!("Redis at {} answers: rooms are shared with other relays", self.address)
            }
            (false, error) => {
                let why = error.map_or_else(|| "it does not answer".to_owned(), |error| error.to_string());
                tracing::warn!(
                    "Redis at {} is away ({why}): this relay goes on for its own participants, and tries again until \
                     those of other relays are reached",
                    self.address
                );
            }
        }
        self.state.said = Some(there);
    }
}

/// Answers the claim of a user id.
async fn contest(gateway: &Gateway, id: u64, identity: Identity) -> (u64, Answer) {
    let answer = if gateway.is_claimed(&identity).await { Answer::Taken } else { Answer::Free };
    (id, answer)
}

async fn in_time<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let late = || RedisError::from((redis::ErrorKind::Io, "it does not answer"));
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(late()))
}

fn name(channel: &Channel) -> String {
    match channel {
        Channel::All => ALL.to_owned(),
        Channel::Room(room) => format!("{ROOM}{room}"),
    }
}
