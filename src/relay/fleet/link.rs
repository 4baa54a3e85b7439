//! The connections to Redis: one on which is published (`publisher`), one that is subscribed. Both are made anew for as long
//! as it takes, and whatever Redis does, nobody waits for it but these two.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::PubSubSink;
use redis::{Client, Msg, RedisError};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::gaps::Gaps;
use super::options::RedisOptions;
use super::peers::Peers;
use super::publisher::Publisher;
use super::said::STALE;
use super::wire::{Answer, Body, NodeId, Repeated, decode};
use super::{ANNOUNCE, BEAT, Channel, Fleet, Outgoing, Wish};
use crate::relay::gateway::Gateway;
use crate::relay::identity::Identity;

/// How long connecting to Redis may take, and subscribing.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Between two attempts to connect: part of how long pictures stand still when Redis is restarted.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How long Redis is not heard of before it counts as away: it carries a beat of our own each second.
const SILENCE: Duration = Duration::from_secs(3);
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
    let (state, gaps) = (State::new(), Gaps::default());
    let subscriber = Subscriber { client: &client, address, fleet, gateway, state, gaps };
    tokio::join!(Publisher::new(&client, fleet).run(link.outgoing), subscriber.run(link.wishes));
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
    gaps: Gaps,
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
            self.gaps.begin(&self.fleet.subscribed(), &peers.heard());
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
        self.gaps.keep(|room| rooms.iter().any(|here| &**here == room));
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
                        self.gaps.keep(|kept| kept != &*room);
                        in_time(sink.unsubscribe(channel_name(&Channel::Room(room)))).await?;
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

    /// Subscribes to a room, then lets the others know who is here: what they answer is heard. They are also asked for what was
    /// missed of it.
    async fn enter(&mut self, sink: &mut PubSubSink, room: &str) -> Result<(), RedisError> {
        in_time(sink.subscribe(channel_name(&Channel::Room(room.into())))).await?;
        if let Some(subscribed) = self.fleet.rooms().get_mut(room) {
            *subscribed = true;
        }
        self.fleet.tell_room(room, Body::Who, Bytes::new());
        let missed = self.gaps.ask(room, Instant::now());
        if !missed.is_empty() {
            self.fleet.tell_room(room, Body::Resume { after: missed }, Bytes::new());
        }
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
            (body, Some(room)) => self.hear_in(room, heard.header.node, body, heard.attachment),
            (Body::Answer { id, answer }, None) => self.fleet.claims.hear(id, answer),
            (claim, None) => return Some(claim),
        }
        None
    }

    fn hear_in(&mut self, room: &str, node: NodeId, body: Body, mut attachment: Bytes) {
        match body {
            Body::Packet { .. } if self.gaps.is_open(room, node, Instant::now()) => {}
            Body::Resume { after } => {
                if let Some((_, after)) = after.into_iter().find(|(node, _)| *node == self.fleet.node) {
                    self.fleet.repeat(room, node, after);
                }
            }
            Body::Missed { to, packets } => {
                if to != self.fleet.node || !self.gaps.close(room, node) {
                    return;
                }
                for Repeated { only, text, bytes } in packets {
                    if bytes > attachment.remaining() {
                        return;
                    }
                    let attachment = attachment.split_to(bytes);
                    self.gateway.hear(room, node, Body::Packet { only, text }, &attachment);
                }
            }
            body => {
                // It has only just subscribed, and may not have heard what it was asked for.
                if body == Body::Who
                    && let Some(after) = self.gaps.ask_again(room, node)
                {
                    self.fleet.tell_room(room, Body::Resume { after: vec![after] }, Bytes::new());
                }
                self.gateway.hear(room, node, body, &attachment);
            }
        }
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
                let why = error.as_ref().map_or_else(|| "it does not answer".to_owned(), explain);
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

/// What went wrong, and what to do about it where that is known.
fn explain(error: &RedisError) -> String {
    let why = error.to_string();
    let is_untrusted = why.contains("invalid peer certificate");
    if is_untrusted { format!("{why}; name who certifies it with --redis-ca-file") } else { why }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let late = || RedisError::from((redis::ErrorKind::Io, "it does not answer"));
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(late()))
}

pub(super) fn channel_name(channel: &Channel) -> String {
    match channel {
        Channel::All => ALL.to_owned(),
        Channel::Room(room) => format!("{ROOM}{room}"),
    }
}
