//! Messages of TURN in a stream of bytes (RFC 8656 §12.5, §12.6). Pure.
//!
//! `turn-client-proto` knows nothing of the bytes that fill channel messages up to a multiple of four, so it is only ever given
//! whole messages without them.

/// What fills a message is up to three bytes.
const ALIGNMENT: usize = 4;
/// The header of a channel message: channel and length. In a STUN message the length stands at the same place.
const CHANNEL_HEADER: usize = 4;
const STUN_HEADER: usize = 20;

/// The stream is not one of TURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotTurn;

/// Takes a stream apart.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// At most one message that is not complete, and what came with its last part.
    buffer: Vec<u8>,
}

impl Framer {
    /// Takes in the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    pub(super) fn next_message(&mut self) -> Result<Option<Vec<u8>>, NotTurn> {
        let &[first, _, high, low, ..] = self.buffer.as_slice() else { return Ok(None) };
        let body = usize::from(u16::from_be_bytes([high, low]));
        // The first two bits tell them apart (RFC 7983).
        let length = match first >> 6 {
            0b00 => STUN_HEADER + body,
            0b01 => CHANNEL_HEADER + body,
            _ => return Err(NotTurn),
        };
        let filled = length.next_multiple_of(ALIGNMENT);
        if self.buffer.len() < filled {
            return Ok(None);
        }
        let mut message: Vec<u8> = self.buffer.drain(..filled).collect();
        message.truncate(length);
        Ok(Some(message))
    }
}

/// A message as it stands in a stream.
pub(super) fn framed(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().next_multiple_of(ALIGNMENT), 0);
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> impl Strategy<Value = Vec<u8>> {
        (any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(is_channel, mut body)| {
            let mut message = if is_channel { vec![0x40, 1] } else { vec![0x00, 1] };
            if !is_channel {
                // STUN messages are always filled.
                body.truncate(body.len() / ALIGNMENT * ALIGNMENT);
            }
            message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
            message.extend(vec![7; if is_channel { 0 } else { STUN_HEADER - 4 }]);
            message.extend(body);
            message
        })
    }

    proptest! {
        #[test]
        fn messages_come_out_whole_however_the_stream_is_cut(
            messages in prop::collection::vec(message(), 0..8),
            piece in 1_usize..200,
        ) {
            let stream: Vec<u8> = messages.iter().cloned().flat_map(framed).collect();
            let mut framer = Framer::default();
            let mut out = Vec::new();
            for bytes in stream.chunks(piece) {
                framer.push(bytes);
                while let Some(message) = framer.next_message().unwrap() {
                    out.push(message);
                }
            }
            prop_assert_eq!(out, messages);
        }
    }

    #[test]
    fn another_protocol_is_noticed() {
        let mut framer = Framer::default();
        framer.push(b"\x80\x01\x00\x00");
        assert_eq!(framer.next_message(), Err(NotTurn));
    }
}
