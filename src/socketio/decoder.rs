//! Frames in, packets out: the decoder of Engine.IO 4 and Socket.IO 5.

use std::borrow::Cow;

use bytes::Bytes;

use super::packet::{Ack, Body, EnginePacket, Event, Handshake, Json, MAX_ATTACHMENTS, Packet, PacketError};

/// Turns the frames of one connection into packets. Holds at most one packet whose attachments are not
/// complete, and never more than `max_payload` bytes of it.
///
/// After an error nothing is held; the connection it came from is not to be trusted any further.
#[derive(Debug)]
pub struct Decoder {
    max_payload: usize,
    pending: Option<Pending>,
}

/// A binary packet that waits for attachments.
#[derive(Debug)]
struct Pending {
    packet: Packet,
    /// Attachments still to come, at least 1.
    missing: usize,
    /// Bytes of text and attachments so far.
    size: usize,
}

impl Decoder {
    /// A decoder that refuses packets above `max_payload` bytes, text and attachments together.
    pub const fn new(max_payload: usize) -> Self {
        Self { max_payload, pending: None }
    }

    /// Takes a text frame. `None`: a packet was begun whose attachments are to follow.
    ///
    /// Engine.IO packets other than messages may come between a packet and its attachments.
    pub fn text(&mut self, frame: &str) -> Result<Option<EnginePacket>, PacketError> {
        let pending = self.pending.take();
        self.check_size(frame.len())?;
        let mut chars = frame.chars();
        let kind = chars.next().ok_or(PacketError::Empty)?;
        let rest = chars.as_str();
        let packet = match kind {
            '0' => EnginePacket::Open(
                serde_json::from_str::<Handshake>(rest).map_err(|error| PacketError::json("open", &error))?,
            ),
            '1' => EnginePacket::Close,
            '2' => EnginePacket::Ping(rest.into()),
            '3' => EnginePacket::Pong(rest.into()),
            '4' => {
                if let Some(Pending { missing, .. }) = pending {
                    return Err(PacketError::MissingAttachments { missing });
                }
                return self.message(rest, frame.len());
            }
            '5' => EnginePacket::Upgrade,
            '6' => EnginePacket::Noop,
            other => return Err(PacketError::UnknownEngineType(other)),
        };
        self.pending = pending;
        Ok(Some(packet))
    }

    /// Takes a binary frame: the next attachment of the packet that waits for it. `None`: more are to follow.
    pub fn binary(&mut self, frame: Bytes) -> Result<Option<EnginePacket>, PacketError> {
        let Some(mut pending) = self.pending.take() else {
            return Err(PacketError::UnexpectedBinary);
        };
        pending.size = pending.size.saturating_add(frame.len());
        self.check_size(pending.size)?;
        match &mut pending.packet.body {
            Body::Event(event) => event.push_attachment(frame),
            Body::Ack(ack) => ack.push_attachment(frame),
            Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => {
                return Err(PacketError::UnexpectedBinary);
            }
        }
        pending.missing -= 1;
        if pending.missing == 0 {
            return Ok(Some(EnginePacket::Message(pending.packet)));
        }
        self.pending = Some(pending);
        Ok(None)
    }

    fn check_size(&self, size: usize) -> Result<(), PacketError> {
        if size > self.max_payload {
            return Err(PacketError::TooLarge { size, max: self.max_payload });
        }
        Ok(())
    }

    fn message(&mut self, text: &str, size: usize) -> Result<Option<EnginePacket>, PacketError> {
        let (packet, missing) = parse_packet(text)?;
        if missing == 0 {
            return Ok(Some(EnginePacket::Message(packet)));
        }
        self.pending = Some(Pending { packet, missing, size });
        Ok(None)
    }
}

/// Parses the text of a Socket.IO packet; also says how many attachments follow.
fn parse_packet(text: &str) -> Result<(Packet, usize), PacketError> {
    let mut chars = text.chars();
    let kind = chars.next();
    let rest = chars.as_str();
    let (missing, rest) = match kind {
        Some('5' | '6') => parse_count(rest)?,
        _ => (0, rest),
    };
    let (namespace, rest) = parse_namespace(rest);
    let (id, json) = parse_id(rest)?;
    let body = match kind {
        Some('0') if json.is_empty() => Body::Connect(None),
        Some('0') => Body::Connect(Some(parse_json("CONNECT", json, "{")?)),
        Some('1') if json.is_empty() => Body::Disconnect,
        Some('1') => return Err(PacketError::UnexpectedPayload("DISCONNECT")),
        Some('2' | '5') => {
            let event = Event::from_json(json)?;
            Body::Event(match id {
                Some(id) => event.with_ack(id),
                None => event,
            })
        }
        Some('3' | '6') => {
            let id = id.ok_or(PacketError::BadAckId)?;
            Body::Ack(Ack::new(id, parse_json("ACK", json, "[")?, Vec::new())?)
        }
        Some('4') => Body::ConnectError(parse_json("CONNECT_ERROR", json, "{\"")?),
        other => return Err(PacketError::UnknownPacketType(other)),
    };
    Ok((Packet { namespace, body }, missing))
}

/// `3-rest` → 3. Refuses what the real parser refuses: no digits, no `-`, zero, above the limit.
fn parse_count(text: &str) -> Result<(usize, &str), PacketError> {
    let (digits, rest) = text.split_once('-').ok_or(PacketError::BadAttachmentCount)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PacketError::BadAttachmentCount);
    }
    match digits.parse::<usize>() {
        Ok(0) => Err(PacketError::BadAttachmentCount),
        Ok(count) if count <= MAX_ATTACHMENTS => Ok((count, rest)),
        _ => Err(PacketError::TooManyAttachments),
    }
}

/// `/name,rest` → `/name`; a text that does not begin with a slash belongs to `/`.
fn parse_namespace(text: &str) -> (Cow<'static, str>, &str) {
    if !text.starts_with('/') {
        return (Cow::Borrowed("/"), text);
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    if namespace == "/" {
        return (Cow::Borrowed("/"), rest);
    }
    (Cow::Owned(namespace.to_owned()), rest)
}

/// `17["x"]` → 17.
fn parse_id(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let id = digits.parse().map_err(|_| PacketError::BadAckId)?;
    Ok((Some(id), rest))
}

/// A JSON value that begins with one of the characters of `starts`.
fn parse_json(kind: &'static str, text: &str, starts: &str) -> Result<Json, PacketError> {
    let json = Json::parse(text).map_err(|error| PacketError::json(kind, &error))?;
    if !json.as_str().starts_with(|first| starts.contains(first)) {
        return Err(PacketError::payload(kind, "JSON of the wrong kind"));
    }
    Ok(json)
}
