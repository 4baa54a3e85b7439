//! One sender and many receivers in each of some rooms of a relay: when each chunk arrives at each receiver.
//!
//! Usage: `fan_out ADDR:PORT[,ADDR:PORT...] RECEIVERS SECONDS [ROOMS]`. With several relays, receivers come in at them in
//! turn, and senders at the first. RECEIVERS are those of one room, of which there is one unless ROOMS says more. Prints `ready` when all have joined, starts on a line of input, and
//! prints what it saw as one line of JSON. In Rust, and all in one thread, because receivers must cost less than the
//! relay that is measured.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A chunk of 100 ms at 0.8 Mbit/s of video and 32 kbit/s of sound.
const CHUNK_BYTES: usize = 10_400;
const CADENCE: Duration = Duration::from_millis(100);
/// How long the last chunks may take.
const PATIENCE: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Failure = Box<dyn Error>;

/// What all receivers saw, and when each chunk was sent.
#[derive(Default)]
struct Seen {
    /// By room.
    sent: Vec<Vec<Instant>>,
    /// From sending a chunk to its arrival at a receiver, in microseconds.
    delays: Vec<u32>,
    out_of_turn: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let (addr, receivers, seconds, rooms) = match args.as_slice() {
        [addr, receivers, seconds] => (addr, receivers, seconds, "1"),
        [addr, receivers, seconds, rooms] => (addr, receivers, seconds, rooms.as_str()),
        _ => return Err("usage: fan_out ADDR:PORT[,ADDR:PORT...] RECEIVERS SECONDS [ROOMS]".into()),
    };
    let (receivers, seconds): (usize, u64) = (receivers.parse()?, seconds.parse()?);
    let addrs: Vec<_> = addr.split(',').collect();
    let measured = measure(&addrs, rooms.parse()?, receivers, Duration::from_secs(seconds));
    LocalSet::new().run_until(measured).await
}

async fn measure(addrs: &[&str], rooms: usize, count: usize, time: Duration) -> Result<(), Failure> {
    let seen = Rc::new(RefCell::new(Seen { sent: vec![Vec::new(); rooms], ..Seen::default() }));
    let mut receivers = JoinSet::new();
    let mut senders = Vec::new();
    for room in 0..rooms {
        for number in 0..count {
            let socket =
                join(addrs[number % addrs.len()], room, &format!("receiver-{room}-{number}")).await?;
            receivers.spawn_local(receive(socket, room, seen.clone()));
        }
        senders.push(join(addrs[0], room, &format!("sender-{room}")).await?);
    }
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;

    let mut sending = JoinSet::new();
    for (room, sender) in senders.into_iter().enumerate() {
        // One after the other within the cadence, as rooms that know nothing of each other.
        let phase = CADENCE.mul_f64(room as f64 / rooms as f64);
        let seen = seen.clone();
        sending.spawn_local(async move {
            tokio::time::sleep(phase).await;
            send(sender, room, time, &seen).await.map_err(|error| error.to_string())
        });
    }
    let mut sent = 0;
    while let Some(done) = sending.join_next().await {
        sent += done??;
    }
    let expected = sent * count;
    let complete = async {
        while seen.borrow().delays.len() < expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // What does not come shows in the numbers.
    let _ = timeout(PATIENCE, complete).await;
    let Seen { delays, out_of_turn, .. } = &mut *seen.borrow_mut();
    delays.sort_unstable();
    let ms = |share: f64| {
        let place = (delays.len() as f64 * share) as usize;
        delays.get(place.min(delays.len().saturating_sub(1))).map(|us| f64::from(*us) / 1000.0)
    };
    println!(
        "{}",
        json!({
            "sent": sent,
            "lost": expected.saturating_sub(delays.len()),
            "outOfTurn": out_of_turn,
            "delayMs": { "p50": ms(0.5), "p99": ms(0.99), "p999": ms(0.999), "worst": ms(1.0) },
        })
    );
    // Whoever measures what this process costs ends it.
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Sends numbered chunks at the cadence, and returns how many.
async fn send(
    mut socket: Socket,
    room: usize,
    time: Duration,
    seen: &RefCell<Seen>,
) -> Result<usize, Failure> {
    let header = json!(["media-chunk", {
        "chunk": { "_placeholder": true, "num": 0 },
        "mimeType": "video/webm; codecs=\"vp8, opus\"",
        "timestamp": 0,
    }]);
    let header = format!("451-{header}");
    let mut ticks = interval(CADENCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let count = (time.as_millis() / CADENCE.as_millis()) as usize;
    let mut sent = 0;
    while sent < count {
        tokio::select! {
            _ = ticks.tick() => {
                let mut chunk = vec![0x5a; CHUNK_BYTES];
                chunk[..8].copy_from_slice(&sent.to_be_bytes());
                seen.borrow_mut().sent[room].push(Instant::now());
                socket.feed(Message::text(header.as_str())).await?;
                socket.send(Message::binary(chunk)).await?;
                sent += 1;
            }
            message = socket.next() => answer_ping(&mut socket, message.ok_or("the sender was cut off")??).await?,
        }
    }
    Ok(sent)
}

/// Notes each chunk until the connection ends.
async fn receive(mut socket: Socket, room: usize, seen: Rc<RefCell<Seen>>) {
    let mut next = 0;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(chunks) = message else {
            if answer_ping(&mut socket, message).await.is_err() {
                return;
            }
            continue;
        };
        let now = Instant::now();
        let mut seen = seen.borrow_mut();
        // Relays join what has waited.
        for chunk in chunks.chunks(CHUNK_BYTES) {
            let Some((number, sent)) =
                number_of(chunk).and_then(|number| Some((number, *seen.sent[room].get(number)?)))
            else {
                seen.out_of_turn += 1;
                continue;
            };
            seen.out_of_turn += u64::from(number != next);
            next = number + 1;
            seen.delays.push((now - sent).as_micros() as u32);
        }
    }
}

fn number_of(chunk: &[u8]) -> Option<usize> {
    Some(usize::from_be_bytes(chunk.get(..8)?.try_into().ok()?))
}

/// Joins the room.
async fn join(addr: &str, room: usize, user: &str) -> Result<Socket, Failure> {
    let url = format!("ws://{addr}/socket.io/?EIO=4&transport=websocket");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    let auth = json!({ "userId": user, "token": user });
    let room = format!("bench-{room}");
    let wish = json!(["join-room", { "roomId": room, "username": user, "hasVideo": false, "isMuted": true }]);
    loop {
        let message = socket.next().await.ok_or("the relay hung up")??;
        let Message::Text(text) = &message else { continue };
        match text.as_str() {
            open if open.starts_with('0') => socket.send(Message::text(format!("40{auth}"))).await?,
            text if text.starts_with("40") => socket.send(Message::text(format!("42{wish}"))).await?,
            text if text.starts_with("42[\"room-state\"") => return Ok(socket),
            text if text.starts_with("42[\"error\"") || text.starts_with("44") => {
                return Err(format!("{user}: {}", serde_json::from_str::<Value>(&text[2..])?).into());
            }
            _ => answer_ping(&mut socket, message).await?,
        }
    }
}

async fn answer_ping(socket: &mut Socket, message: Message) -> Result<(), Failure> {
    if matches!(&message, Message::Text(text) if text.as_str() == "2") {
        socket.send(Message::text("3")).await?;
    }
    Ok(())
}
