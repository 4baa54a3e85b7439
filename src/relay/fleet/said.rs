//! What is said to other relays: how what has waited is joined, and what of it is kept for those that miss it. Pure; time
//! comes in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::wire::{Body, NodeId, Repeated};
use super::{Channel, QUEUE_BYTES};

/// How old a message may be when it is published, and how late media may come: beyond it viewers have gone on.
pub(super) const STALE: Duration = Duration::from_secs(3);
/// Bytes that chunks are joined to at most.
const JOINED_BYTES: usize = 1_000_000;

/// A message for other relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub channel: Channel,
    pub body: Body,
    pub attachment: Bytes,
    pub since: Instant,
}

impl Said {
    pub fn bytes(&self) -> usize {
        self.attachment.len() + self.body.text_bytes()
    }

    pub fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > STALE
    }

    /// Of which stream it is a chunk: the packet but for its time stamp, which comes last.
    fn stream(&self) -> Option<&str> {
        match &self.body {
            Body::Packet { text, .. } if !self.attachment.is_empty() => {
                Some(text.rsplit_once(",\"timestamp\":").map_or(text, |(stream, _)| stream))
            }
            _ => None,
        }
    }
}

/// Adds a message to those that wait. A chunk is appended to one of the same stream, unless something else was said in the
/// room between them: viewers lose a chunk that comes right behind another (docs/receivers.md §4.2).
pub(super) fn add(waiting: &mut Vec<Said>, next: Said) {
    let mut chunks = waiting
        .iter_mut()
        .rev()
        .filter(|said| said.channel == next.channel)
        .take_while(|said| said.stream().is_some());
    let same = chunks.find(|said| next.stream().is_some() && said.stream() == next.stream());
    match same.filter(|same| same.attachment.len() + next.attachment.len() <= JOINED_BYTES) {
        Some(same) => {
            let mut joined = BytesMut::from(&*same.attachment);
            joined.extend_from_slice(&next.attachment);
            same.attachment = joined.freeze();
            same.body = next.body;
        }
        None => waiting.push(next),
    }
}

/// The packets of the last seconds, for relays that were not subscribed when they were published.
#[derive(Debug, Default)]
pub(super) struct History {
    said: VecDeque<(u64, Said)>,
    bytes: usize,
}

impl History {
    /// Keeps a message if it is a packet. `sequence` grows.
    pub fn keep(&mut self, sequence: u64, said: &Said, now: Instant) {
        if matches!(said.body, Body::Packet { .. }) {
            self.bytes += said.bytes();
            self.said.push_back((sequence, said.clone()));
        }
        while let Some((_, oldest)) = self.said.front()
            && (oldest.is_stale(now) || self.bytes > QUEUE_BYTES)
        {
            self.bytes -= oldest.bytes();
            self.said.pop_front();
        }
    }

    /// What was said in a room after a message, for the relay that missed it. There is something to say even if that is nothing.
    pub fn missed(&self, room: &str, after: u64, to: NodeId, now: Instant) -> Said {
        let channel = Channel::Room(room.into());
        let missed = self
            .said
            .iter()
            .filter(|(sequence, said)| *sequence > after && said.channel == channel && !said.is_stale(now));
        let mut packets = Vec::new();
        missed.for_each(|(_, said)| add(&mut packets, said.clone()));
        let mut attachment = BytesMut::new();
        let repeated = packets.into_iter().filter_map(|said| {
            attachment.extend_from_slice(&said.attachment);
            match said.body {
                Body::Packet { only, text } => Some(Repeated { only, text, bytes: said.attachment.len() }),
                _ => None,
            }
        });
        let packets = repeated.collect();
        Said { channel, body: Body::Missed { to, packets }, attachment: attachment.freeze(), since: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(room: &str, text: &str, attachment: &'static [u8]) -> Said {
        Said {
            channel: Channel::Room(room.into()),
            body: Body::Packet { only: None, text: text.into() },
            attachment: Bytes::from_static(attachment),
            since: Instant::now(),
        }
    }

    fn chunk(sender: &str, timestamp: u64, bytes: &'static [u8]) -> Said {
        packet("r", &format!(r#"451-["media-chunk",{{"userId":"{sender}","timestamp":{timestamp}}}]"#), bytes)
    }

    #[test]
    fn chunks_that_wait_are_joined_by_sender() {
        let mut waiting = Vec::new();
        let said =
            [chunk("ann", 1, b"a1"), chunk("bob", 1, b"b1"), chunk("ann", 2, b"a2"), chunk("bob", 2, b"b2")];
        said.into_iter().for_each(|said| add(&mut waiting, said));
        let joined: Vec<_> = waiting.iter().map(|said| (&said.body, &said.attachment[..])).collect();
        assert_eq!(
            joined,
            [(&chunk("ann", 2, b"").body, &b"a1a2"[..]), (&chunk("bob", 2, b"").body, &b"b1b2"[..])]
        );
    }

    #[test]
    fn no_chunk_is_joined_over_something_else_that_was_said_in_its_room() {
        let mut waiting = Vec::new();
        let state = packet("r", r#"42["stream-reset",{}]"#, b"");
        let elsewhere = packet("another", r#"42["stream-reset",{}]"#, b"");
        let said = [
            chunk("ann", 1, b"a1"),
            elsewhere,
            chunk("ann", 2, b"a2"),
            state.clone(),
            state,
            chunk("ann", 3, b"a3"),
        ];
        said.into_iter().for_each(|said| add(&mut waiting, said));
        let sizes: Vec<_> = waiting.iter().map(|said| said.attachment.len()).collect();
        assert_eq!(sizes, [4, 0, 0, 0, 2]);
    }

    #[test]
    fn who_misses_something_gets_what_is_not_too_old() {
        let (mut history, now, node) = (History::default(), Instant::now(), NodeId::new());
        let old = Said { since: now, ..chunk("ann", 1, b"old") };
        let later = now + STALE + Duration::from_millis(1);
        history.keep(1, &old, now);
        for (sequence, said) in [
            (2, chunk("ann", 2, b"heard")),
            (3, chunk("ann", 3, b"missed ")),
            (4, packet("another", "42", b"")),
            (5, chunk("ann", 4, b"too")),
        ] {
            history.keep(sequence, &Said { since: later, ..said }, later);
        }
        let missed = history.missed("r", 2, node, later);
        let Body::Missed { to, packets } = missed.body else { panic!("{missed:?}") };
        assert_eq!((to, packets.len(), packets[0].bytes), (node, 1, 10));
        assert_eq!(&missed.attachment[..], b"missed too");
        let missed = history.missed("r", 0, node, later);
        assert_eq!(&missed.attachment[..], b"heardmissed too", "what is old has gone");
        let nothing = history.missed("r", 5, node, later);
        assert_eq!(nothing.body, Body::Missed { to: node, packets: Vec::new() });
    }
}
