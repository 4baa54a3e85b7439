//! The packets of Engine.IO 4 and Socket.IO 5 as values, and their wire form.
//!
//! One WebSocket text frame is one Engine.IO packet; its first character is the type. A Socket.IO packet is
//! the content of an Engine.IO `4` (message): type, `<n>-` attachments, `/namespace,`, ack id, JSON. Attachments
//! follow as raw binary frames (docs/protocol.md §1; socket.io-protocol v5; engine.io-protocol v4).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::quote;

/// Most attachments one packet may have: what `socket.io-parser` accepts by default since 4.2.6. The meeting
/// needs one.
pub const MAX_ATTACHMENTS: usize = 10;

/// The largest message a server accepts when its open packet does not say (servers before 4.5): Socket.IO's
/// default `maxHttpBufferSize`.
const DEFAULT_MAX_PAYLOAD: usize = 1_000_000;

/// Event names that Socket.IO keeps for itself; `socket.io-parser` refuses them from the wire, and so do we.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// What can be wrong with a frame, or with a packet that is to become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// A text frame of no characters.
    #[error("an empty text frame")]
    Empty,
    /// The first character is no Engine.IO 4 packet type.
    #[error("a text frame that starts with {0:?}, which is no Engine.IO 4 packet type")]
    UnknownEngineType(char),
    /// The character after the `4` is no Socket.IO 5 packet type, or is missing.
    #[error("a message whose type {0:?} is no Socket.IO 5 packet type")]
    UnknownPacketType(Option<char>),
    /// A packet that carries nothing came with something.
    #[error("a payload in the {0} packet, which must not have one")]
    UnexpectedPayload(&'static str),
    /// The JSON part is missing, broken, or of the wrong shape.
    #[error("a bad payload in the {kind} packet: {why}")]
    BadPayload {
        /// Which packet.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The attachment count is missing, zero, or not a number followed by `-`.
    #[error("a binary packet without a valid attachment count")]
    BadAttachmentCount,
    /// More attachments than [`MAX_ATTACHMENTS`].
    #[error("a packet with more than {MAX_ATTACHMENTS} attachments")]
    TooManyAttachments,
    /// An ack id that is missing where it is needed, or does not fit 64 bits.
    #[error("a packet whose ack id is missing or too large")]
    BadAckId,
    /// A binary frame that no binary packet announced.
    #[error("a binary frame that no packet announced")]
    UnexpectedBinary,
    /// A message while attachments of the previous one are still missing.
    #[error("a text message where {missing} more binary attachments were due")]
    MissingAttachments {
        /// How many.
        missing: usize,
    },
    /// A packet (text and attachments together) above the decoder's limit.
    #[error("a packet of {size} bytes or more, above the limit of {max}")]
    TooLarge {
        /// Bytes seen so far.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
}

impl PacketError {
    pub(super) fn payload(kind: &'static str, why: &str) -> Self {
        Self::BadPayload { kind, why: quote(why) }
    }

    pub(super) fn json(kind: &'static str, error: &serde_json::Error) -> Self {
        Self::payload(kind, &error.to_string())
    }
}

/// A valid JSON value, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// Checks `text` (without building a value) and keeps it. Nesting costs no stack.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(raw.get().into()))
    }

    /// The JSON form of `value`.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::to_string(value)?.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value as a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

/// Stands in an event's JSON for attachment number `num` of the packet: `{"_placeholder":true,"num":0}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placeholder {
    #[serde(rename = "_placeholder")]
    marker: bool,
    /// Index into the packet's attachments, from 0.
    pub num: usize,
}

impl Placeholder {
    /// The placeholder of attachment `num`.
    pub const fn new(num: usize) -> Self {
        Self { marker: true, num }
    }
}

/// What the server says about the connection in its open packet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The Engine.IO session id (not the Socket.IO one, which the CONNECT answer carries).
    pub sid: String,
    /// Transports the server offers to change to; of no use on a WebSocket.
    #[serde(default)]
    pub upgrades: Vec<String>,
    /// Milliseconds between two pings of the server.
    ping_interval: u64,
    /// Milliseconds after a due ping at which the connection counts as dead.
    ping_timeout: u64,
    /// The largest message the server accepts, in bytes; 1 000 000 if it does not say.
    #[serde(default = "default_max_payload")]
    pub max_payload: usize,
}

const fn default_max_payload() -> usize {
    DEFAULT_MAX_PAYLOAD
}

impl Handshake {
    /// A handshake as a server writes it; times in milliseconds, `max_payload` in bytes.
    pub fn new(sid: &str, ping_interval: u64, ping_timeout: u64, max_payload: usize) -> Self {
        Self { sid: sid.into(), upgrades: Vec::new(), ping_interval, ping_timeout, max_payload }
    }

    /// How long after one ping the connection counts as dead if no other comes: `pingInterval + pingTimeout`.
    pub const fn patience(&self) -> Duration {
        Duration::from_millis(self.ping_interval.saturating_add(self.ping_timeout))
    }
}

/// An Engine.IO 4 packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnginePacket {
    /// `0{"sid":…}`: the server's first packet.
    Open(Handshake),
    /// `1`: the sender is about to close the connection.
    Close,
    /// `2`: sent by the server; to be answered with a [`EnginePacket::Pong`] of the same payload.
    Ping(Box<str>),
    /// `3`: the answer.
    Pong(Box<str>),
    /// `4…`: a Socket.IO packet.
    Message(Packet),
    /// `5`: the end of a change of transport; never sent on a connection that began as a WebSocket.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

/// The namespace that servers have by default.
pub const DEFAULT_NAMESPACE: Cow<'static, str> = Cow::Borrowed("/");

/// A Socket.IO packet and the namespace it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// `/` or `/name`; no comma in it.
    pub namespace: Cow<'static, str>,
    /// The packet.
    pub body: Body,
}

/// The kinds of Socket.IO packets. BINARY_EVENT and BINARY_ACK are an event and an ack with attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `0`, `0{…}`: the request to join a namespace (with credentials) or its acceptance (with the `sid`).
    Connect(Option<Json>),
    /// `1`: leaves the namespace.
    Disconnect,
    /// `2["name",…]` or, with attachments, `51-["name",…]`.
    Event(Event),
    /// `3<id>[…]` or, with attachments, `61-<id>[…]`.
    Ack(Ack),
    /// `4{"message":…}`: the namespace refused the CONNECT. An object, or a string.
    ConnectError(Json),
}

/// A named event. Its arguments stay text until somebody asks for them, so an event nobody wants costs the
/// search for its name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    name: Box<str>,
    json: Box<str>,
    ack: Option<u64>,
    attachments: Vec<Bytes>,
}

impl Event {
    /// The event `name` with one argument.
    pub fn new(name: &str, argument: &impl Serialize) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_string(&(name, argument))?.into();
        Ok(Self { name: name.into(), json, ack: None, attachments: Vec::new() })
    }

    /// The event whose JSON array (name first, then the arguments) is `json`. Looks at the name and the
    /// brackets only.
    pub fn from_json(json: &str) -> Result<Self, PacketError> {
        let name = peek_name(json).map_err(|why| PacketError::payload("EVENT", why))?;
        if RESERVED_EVENTS.contains(&&*name) {
            return Err(PacketError::payload("EVENT", "its name is reserved by Socket.IO"));
        }
        Ok(Self { name: name.into(), json: json.into(), ack: None, attachments: Vec::new() })
    }

    /// The same event, asking for an acknowledgement with this id.
    pub fn with_ack(self, id: u64) -> Self {
        Self { ack: Some(id), ..self }
    }

    /// The same event with binary attachments, to which [`Placeholder`]s in its arguments refer.
    pub fn with_attachments(self, attachments: Vec<Bytes>) -> Result<Self, PacketError> {
        check_attachments(attachments.len())?;
        Ok(Self { attachments, ..self })
    }

    /// The event's name. A name that is a number (JavaScript allows it) is its text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole JSON array as it stands on the wire; not known to be valid beyond the name.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The id under which the sender wants an acknowledgement.
    pub const fn ack(&self) -> Option<u64> {
        self.ack
    }

    /// The binary attachments.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The first argument as a `T`, or `None` if there is none. Further arguments are checked, not kept.
    pub fn argument<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        let First(argument) = serde_json::from_str(&self.json)?;
        Ok(argument)
    }

    pub(crate) fn push_attachment(&mut self, bytes: Bytes) {
        self.attachments.push(bytes);
    }
}

/// The answer to an event that asked for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    id: u64,
    args: Json,
    attachments: Vec<Bytes>,
}

impl Ack {
    /// The answer to the event that asked under `id`; `args` must be a JSON array.
    pub fn new(id: u64, args: Json, attachments: Vec<Bytes>) -> Result<Self, PacketError> {
        if !args.as_str().starts_with('[') {
            return Err(PacketError::payload("ACK", "not an array"));
        }
        check_attachments(attachments.len())?;
        Ok(Self { id, args, attachments })
    }

    /// The id of the event that is answered.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The arguments, a JSON array.
    pub const fn args(&self) -> &Json {
        &self.args
    }

    /// The binary attachments.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    pub(crate) fn push_attachment(&mut self, bytes: Bytes) {
        self.attachments.push(bytes);
    }
}

fn check_attachments(count: usize) -> Result<(), PacketError> {
    if count > MAX_ATTACHMENTS { Err(PacketError::TooManyAttachments) } else { Ok(()) }
}

/// A packet on the wire: one text frame, then as many binary frames as there are attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The text frame.
    pub text: String,
    /// The binary frames: the packet's own bytes, shared.
    pub attachments: Vec<Bytes>,
}

impl Wire {
    /// Bytes of the largest frame: what a server compares with its `maxPayload`.
    pub fn largest_frame(&self) -> usize {
        self.attachments.iter().map(Bytes::len).fold(self.text.len(), usize::max)
    }
}

impl EnginePacket {
    /// The wire form.
    pub fn encode(&self) -> Wire {
        let text = match self {
            Self::Message(packet) => return packet.encode(),
            Self::Open(Handshake { sid, upgrades, ping_interval, ping_timeout, max_payload }) => format!(
                r#"0{{"sid":{},"upgrades":{},"pingInterval":{ping_interval},"pingTimeout":{ping_timeout},"maxPayload":{max_payload}}}"#,
                Value::from(sid.as_str()),
                Value::from(upgrades.as_slice()),
            ),
            Self::Close => "1".into(),
            Self::Ping(payload) => format!("2{payload}"),
            Self::Pong(payload) => format!("3{payload}"),
            Self::Upgrade => "5".into(),
            Self::Noop => "6".into(),
        };
        Wire { text, attachments: Vec::new() }
    }
}

impl Packet {
    /// A packet of a namespace.
    pub const fn new(namespace: Cow<'static, str>, body: Body) -> Self {
        Self { namespace, body }
    }

    /// The wire form, the leading `4` of the Engine.IO message included.
    pub fn encode(&self) -> Wire {
        let (kind, ack, json, attachments): (_, _, &str, &[Bytes]) = match &self.body {
            Body::Connect(json) => ('0', None, json.as_ref().map_or("", Json::as_str), &[]),
            Body::Disconnect => ('1', None, "", &[]),
            Body::Event(event) => {
                let kind = if event.attachments.is_empty() { '2' } else { '5' };
                (kind, event.ack, &event.json, &event.attachments)
            }
            Body::Ack(ack) => {
                let kind = if ack.attachments.is_empty() { '3' } else { '6' };
                (kind, Some(ack.id), ack.args.as_str(), &ack.attachments)
            }
            Body::ConnectError(json) => ('4', None, json.as_str(), &[]),
        };
        // 32: type, count, id and punctuation; the id is at most 20 digits.
        let mut text = String::with_capacity(32 + self.namespace.len() + json.len());
        text.push('4');
        text.push(kind);
        // Writing to a String cannot fail, so the results say nothing.
        if !attachments.is_empty() {
            let _ = write!(text, "{}-", attachments.len());
        }
        if self.namespace != "/" {
            let _ = write!(text, "{},", self.namespace);
        }
        if let Some(id) = ack {
            let _ = write!(text, "{id}");
        }
        text.push_str(json);
        Wire { text, attachments: attachments.to_vec() }
    }
}

/// The name in `["name",…]`, without parsing what follows it.
fn peek_name(json: &str) -> Result<String, &'static str> {
    let inner = json
        .trim_ascii()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or("not an array")?
        .trim_ascii_start();
    const NO_NAME: &str = "its first element is no event name";
    let (name, rest) = if inner.starts_with('"') {
        let mut names = serde_json::Deserializer::from_str(inner).into_iter::<String>();
        let name = names.next().and_then(Result::ok).ok_or(NO_NAME)?;
        (name, &inner[names.byte_offset()..])
    } else {
        let mut names = serde_json::Deserializer::from_str(inner).into_iter::<serde_json::Number>();
        let name = names.next().and_then(Result::ok).ok_or(NO_NAME)?;
        (name.to_string(), &inner[names.byte_offset()..])
    };
    match rest.trim_ascii_start().as_bytes().first() {
        None | Some(b',') => Ok(name),
        Some(_) => Err("its name is not followed by a comma"),
    }
}

/// The second element of an array; the name before it and what follows are skipped without being built.
struct First<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of an event's name and arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First<T>, A::Error> {
                seq.next_element::<IgnoredAny>()?;
                let argument = seq.next_element::<T>()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(argument))
            }
        }
        deserializer.deserialize_seq(Elements(std::marker::PhantomData))
    }
}
