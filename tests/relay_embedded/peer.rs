//! A participant for tests: just enough Socket.IO over a WebSocket, written against the protocol and not
//! against the crate, so that both cannot be wrong together.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long any answer may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub open: Value,
    pub sid: String,
}

#[derive(Debug, PartialEq)]
pub enum Heard {
    Event {
        name: String,
        payload: Value,
        binary: Option<Bytes>,
    },
    Ack(Value),
    Disconnected,
    /// The code of a close frame.
    ClosedWith(u16),
    Closed,
}

impl Peer {
    /// Opens a WebSocket and connects; the error is what a CONNECT_ERROR carries.
    pub async fn connect(addr: SocketAddr, auth: Value) -> Result<Self, Value> {
        let url = format!("ws://{addr}/socket.io/?EIO=4&transport=websocket");
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let open = text(&mut socket).await;
        let open = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        socket.send(Message::text(format!("40{auth}"))).await.unwrap();
        let answer = text(&mut socket).await;
        if let Some(refusal) = answer.strip_prefix("44") {
            return Err(serde_json::from_str(refusal).unwrap());
        }
        let connected: Value = serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
        let sid = connected["sid"].as_str().unwrap().to_owned();
        Ok(Self { socket, open, sid })
    }

    /// Connects as `user` and joins `room`; the second value is the `room-state`.
    pub async fn join(addr: SocketAddr, user: &str, room: &str) -> (Self, Value) {
        Self::join_with(addr, json!({ "userId": user }), room).await
    }

    /// As [`Peer::join`], with more to say at CONNECT.
    pub async fn join_with(addr: SocketAddr, auth: Value, room: &str) -> (Self, Value) {
        let username = auth["userId"].as_str().unwrap().to_uppercase();
        let mut peer = Self::connect(addr, auth).await.unwrap();
        let wish = json!({ "roomId": room, "username": username, "hasVideo": true, "isMuted": false });
        peer.emit("join-room", wish).await;
        let state = peer.event("room-state").await;
        (peer, state)
    }

    pub async fn emit(&mut self, event: &str, payload: Value) {
        self.socket.send(Message::text(format!("42{}", json!([event, payload])))).await.unwrap();
    }

    /// As [`Peer::emit`]; false if the connection is gone.
    pub async fn try_emit(&mut self, event: &str, payload: Value) -> bool {
        self.socket.send(Message::text(format!("42{}", json!([event, payload])))).await.is_ok()
    }

    /// Sends an event with any number of arguments, as the array that it is on the wire.
    pub async fn emit_array(&mut self, event: Value) {
        self.socket.send(Message::text(format!("42{event}"))).await.unwrap();
    }

    pub async fn emit_with_ack(&mut self, id: u32, event: &str, payload: Value) {
        self.socket.send(Message::text(format!("42{id}{}", json!([event, payload])))).await.unwrap();
    }

    /// Emits a `media-chunk` without waiting for an answer; false if the connection is gone.
    pub async fn emit_chunk(&mut self, chunk: Bytes, timestamp: u64) -> bool {
        let header = json!(["media-chunk", {
            "chunk": { "_placeholder": true, "num": 0 },
            "mimeType": "video/webm; codecs=\"vp8, opus\"",
            "timestamp": timestamp,
        }]);
        self.socket.feed(Message::text(format!("451-{header}"))).await.is_ok()
            && self.socket.send(Message::binary(chunk)).await.is_ok()
    }

    /// Announces a binary message of `length` bytes, and sends `sent` of them; `None` if the connection is gone.
    pub async fn send_half_a_chunk(&mut self, length: u64, sent: usize) -> Option<()> {
        self.socket.flush().await.ok()?;
        let mut frame = vec![0x82, 0x80 | 127];
        frame.extend(length.to_be_bytes());
        // The mask, and bytes that it leaves as they are.
        frame.resize(frame.len() + 4 + sent, 0);
        let MaybeTlsStream::Plain(tcp) = self.socket.get_mut() else { return None };
        tcp.write_all(&frame).await.ok()
    }

    /// The next thing that is not a heartbeat.
    pub async fn hear(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.hear_patiently()).await.expect("nothing came")
    }

    /// The payload of the next event, which must be `name`.
    pub async fn event(&mut self, name: &str) -> Value {
        match self.hear().await {
            Heard::Event { name: heard, payload, .. } if heard == name => payload,
            other => panic!("expected {name}, heard {other:?}"),
        }
    }

    /// Skips events until `name` comes.
    pub async fn await_event(&mut self, name: &str) {
        while !matches!(self.hear().await, Heard::Event { name: heard, .. } if heard == name) {}
    }

    /// Like [`Peer::hear`], but for as long as it takes.
    pub async fn hear_patiently(&mut self) -> Heard {
        loop {
            let Some(Ok(message)) = self.socket.next().await else { return Heard::Closed };
            let text = match message {
                Message::Text(text) => text,
                Message::Close(Some(frame)) => return Heard::ClosedWith(frame.code.into()),
                _ => continue,
            };
            match text.as_str() {
                "2" => pong(&mut self.socket).await,
                "1" | "41" => return Heard::Disconnected,
                text if text.starts_with("42") => return event(&text[2..], None),
                text if text.starts_with("43") => {
                    let json = text[2..].trim_start_matches(|c: char| c.is_ascii_digit());
                    return Heard::Ack(serde_json::from_str(json).unwrap());
                }
                text if text.starts_with("451-") => {
                    // A connection may be cut between the two frames of an event.
                    match self.socket.next().await {
                        Some(Ok(Message::Binary(chunk))) => return event(&text[4..], Some(chunk)),
                        Some(Ok(other)) => panic!("no attachment but {other:?}"),
                        Some(Err(_)) | None => return Heard::Closed,
                    }
                }
                "6" => {}
                other => panic!("unexpected packet {other}"),
            }
        }
    }
}

fn event(json: &str, binary: Option<Bytes>) -> Heard {
    let mut event: Vec<Value> = serde_json::from_str(json).unwrap();
    let payload = if event.len() > 1 { event.remove(1) } else { Value::Null };
    Heard::Event { name: event[0].as_str().unwrap().to_owned(), payload, binary }
}

/// Answers a heartbeat. If the connection is gone, the next read says so.
async fn pong(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) {
    socket.send(Message::text("3")).await.ok();
}

/// The next text that is not a heartbeat; the relay may send its first one before it answers the CONNECT.
async fn text(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> String {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("no answer");
        match message {
            Some(Ok(Message::Text(text))) if text.as_str() == "2" => pong(socket).await,
            Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
            other => panic!("expected text, got {other:?}"),
        }
    }
}
