//! What relays say to each other: a header, JSON, and what cannot be JSON after it. Pure.

use std::fmt;

use bytes::{Buf, BufMut, Bytes};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::relay::dialect::Participant;
use crate::relay::identity::Proof;
use crate::relay::options::Role;

/// Relays of another version are not understood, and not misunderstood.
const VERSION: u8 = 1;
/// Version, node, sequence number, clock, length of the JSON.
const HEADER_BYTES: usize = 1 + 16 + 8 + 8 + 4;

/// One run of a relay.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::relay) struct NodeId([u8; 16]);

impl NodeId {
    /// One that no other run has.
    pub fn new() -> Self {
        Self(rand::random())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0[..4]))
    }
}

/// A message as it came.
#[derive(Debug)]
pub(super) struct Heard {
    pub header: Header,
    json: Bytes,
    pub attachment: Bytes,
}

impl Heard {
    /// What it says; `None` if that is not understood.
    pub fn body(&self) -> Option<Body> {
        serde_json::from_slice(&self.json).ok()
    }
}

/// From whom a message is, and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub node: NodeId,
    /// Counts the messages of the node.
    pub sequence: u64,
    /// Milliseconds since the node began.
    pub clock: u64,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::relay) enum Body {
    /// That the relay is there. Its own come back to it, which shows that Redis is.
    Beat,
    /// Somebody wants to connect under a user id: is another relay to keep it?
    Claim {
        /// Names the claim in its answers.
        id: u64,
        /// The user id.
        user_id: String,
        /// What they may do.
        role: Role,
        /// What shows that the user id is theirs.
        proof: Proof,
    },
    /// What a relay says to a claim.
    Answer {
        /// The claim.
        id: u64,
        /// What it says.
        answer: Answer,
    },
    /// Asks who is in the room.
    Who,
    /// Who is in the relay's part of the room.
    Present(Present),
    /// The relay was not subscribed to the room, and asks for what was said meanwhile.
    Resume {
        /// Of each relay that it knows, what it heard last.
        after: Vec<(NodeId, u64)>,
    },
    /// The packets that one relay has missed.
    Missed {
        /// The relay.
        to: NodeId,
        /// The packets. Their attachments, one after the other, are the attachment.
        packets: Vec<Repeated>,
    },
    /// A Socket.IO packet for everybody in the room, or for one user only. The attachment is its.
    Packet {
        /// The user, if it is for one only.
        only: Option<String>,
        /// The packet.
        text: String,
    },
}

impl Body {
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::Packet { text, .. } => text.len(),
            Self::Present(present) => present.members.len() * size_of::<Member>(),
            Self::Missed { packets, .. } => packets.iter().map(|packet| packet.text.len()).sum(),
            Self::Beat | Self::Claim { .. } | Self::Answer { .. } | Self::Who | Self::Resume { .. } => 0,
        }
    }
}

/// A packet that is said again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) struct Repeated {
    pub only: Option<String>,
    pub text: String,
    /// The length of its attachment; 0 if it has none.
    pub bytes: usize,
}

/// What a relay says to a claim of a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::relay) enum Answer {
    /// Nobody has it there, or not any more.
    Free,
    /// Somebody has it, and is asked whether it is still there.
    Asking,
    /// Somebody has it and keeps it.
    Taken,
}

/// Who is in a relay's part of a room, and who may broadcast in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) struct Present {
    pub members: Vec<Member>,
    pub presenter: Option<String>,
    /// Counts the changes of the presenter: the newest is right.
    pub presenter_version: u64,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) struct Member {
    pub role: Role,
    /// When it joined, in Unix milliseconds: the order of a room.
    pub since: u64,
    pub participant: Participant,
}

/// The bytes of a message.
pub(super) fn encode(header: Header, body: &Body, attachment: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(body)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + json.len() + attachment.len());
    bytes.put_u8(VERSION);
    bytes.put_slice(&header.node.0);
    bytes.put_u64(header.sequence);
    bytes.put_u64(header.clock);
    bytes.put_u32(u32::try_from(json.len()).unwrap_or(u32::MAX));
    bytes.put_slice(&json);
    bytes.put_slice(attachment);
    Ok(bytes)
}

/// The message in these bytes; `None` if they are none of this version.
pub(super) fn decode(mut bytes: Bytes) -> Option<Heard> {
    if bytes.len() < HEADER_BYTES || bytes.get_u8() != VERSION {
        return None;
    }
    let mut node = [0; 16];
    bytes.copy_to_slice(&mut node);
    let header = Header { node: NodeId(node), sequence: bytes.get_u64(), clock: bytes.get_u64() };
    let length = usize::try_from(bytes.get_u32()).ok()?;
    if length > bytes.len() {
        return None;
    }
    let json = bytes.split_to(length);
    Some(Heard { header, json, attachment: bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_is_heard() {
        let header = Header { node: NodeId::new(), sequence: 7, clock: 1234 };
        let body = Body::Packet { only: Some("ann".into()), text: "451-[\"x\"]".into() };
        let bytes = encode(header, &body, b"\x00\xff").unwrap();
        let heard = decode(bytes.clone().into()).unwrap();
        assert_eq!(
            (heard.header, heard.body(), &heard.attachment[..]),
            (header, Some(body), &b"\x00\xff"[..])
        );

        let mut newer = bytes;
        newer[0] += 1;
        assert!(decode(newer.into()).is_none());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_ignored(bytes: Vec<u8>, cut in 0..100_usize) {
            let _ = decode(bytes.into()).and_then(|heard| heard.body());
            let header = Header { node: NodeId::new(), sequence: 1, clock: 1 };
            let whole = encode(header, &Body::Who, b"").unwrap();
            let heard = decode(whole[..cut.min(whole.len())].to_vec().into());
            prop_assert_eq!(heard.is_some(), cut >= whole.len());
        }
    }
}
