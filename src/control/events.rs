//! Server-sent events (WHATWG HTML §9.2), as far as our own server writes them: what follows `data:`.

use std::collections::VecDeque;

/// Bytes of an event at most.
const MAX_BYTES: usize = 1024 * 1024;

/// An event is longer than any of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Oversized;

/// Puts events together from pieces.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    /// A line without its end.
    line: Vec<u8>,
    data: String,
    ready: VecDeque<String>,
}

impl EventParser {
    /// Takes what has arrived.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Oversized> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.end_line(String::from_utf8_lossy(&line).trim_end_matches('\r'));
            } else {
                self.line.push(byte);
            }
            if self.line.len() + self.data.len() > MAX_BYTES {
                return Err(Oversized);
            }
        }
        Ok(())
    }

    /// The data of the next whole event.
    pub fn next(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    fn end_line(&mut self, line: &str) {
        if line.is_empty() {
            if !self.data.is_empty() {
                self.ready.push_back(std::mem::take(&mut self.data));
            }
        } else if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_pieces() {
        let text =
            "event: state\ndata: {\"a\":1}\n\n: still here\n\nevent: state\r\ndata: {\"ü\":\ndata:2}\r\n\r\n";
        for size in 1..text.len() {
            let mut parser = EventParser::default();
            text.as_bytes().chunks(size).for_each(|piece| parser.add(piece).unwrap());
            assert_eq!(parser.next().as_deref(), Some("{\"a\":1}"));
            assert_eq!(parser.next().as_deref(), Some("{\"ü\":\n2}"));
            assert_eq!(parser.next(), None);
        }
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let mut parser = EventParser::default();
        assert_eq!(parser.add(&vec![b'x'; MAX_BYTES]), Ok(()));
        assert_eq!(parser.add(b"x"), Err(Oversized));
    }
}
