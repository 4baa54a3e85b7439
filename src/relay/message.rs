//! What is sent, encoded once for everybody it goes to, and counted once as long as anybody waits for it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

/// Bytes that wait somewhere in the relay, and how many may.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    /// Counts `bytes` until the charge is dropped, whether or not that is too much.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge { bytes, budget: self.clone() }
    }

    /// Whether more is held than may be.
    pub fn is_exceeded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.max
    }
}

/// Some bytes of a [`Budget`].
#[derive(Debug)]
pub(super) struct Charge {
    bytes: usize,
    budget: Arc<Budget>,
}

impl Charge {
    /// Counts `bytes` in addition.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts nothing any more.
    pub fn clear(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more is held than may be, of this and all others together.
    pub fn is_exceeded(&self) -> bool {
        self.budget.is_exceeded()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An Engine.IO packet, and its attachment if it has one, as WebSocket frames of a server, which are the same for
/// every receiver.
#[derive(Debug)]
pub(super) struct Message {
    frames: Bytes,
    text: Range<usize>,
    attachment: Option<Range<usize>>,
    _charge: Charge,
}

impl Message {
    /// The packet `text`.
    pub fn text(text: &str, budget: &Arc<Budget>) -> Arc<Self> {
        Self::new(text, None, budget)
    }

    /// The Socket.IO event `name` with one argument.
    pub fn event(
        name: &str,
        argument: &impl Serialize,
        budget: &Arc<Budget>,
    ) -> Result<Arc<Self>, serde_json::Error> {
        Ok(Self::text(&format!("42{}", serde_json::to_string(&(name, argument))?), budget))
    }

    /// The Socket.IO event `name`, whose argument refers to one attachment.
    pub fn binary_event(
        name: &str,
        argument: &impl Serialize,
        attachment: &Bytes,
        budget: &Arc<Budget>,
    ) -> Result<Arc<Self>, serde_json::Error> {
        let text = format!("451-{}", serde_json::to_string(&(name, argument))?);
        Ok(Self::new(&text, Some(attachment), budget))
    }

    /// Bytes that mean something to a WebSocket alone: an answer to a ping, or the end.
    pub fn control(frames: &[u8], budget: &Arc<Budget>) -> Arc<Self> {
        let charge = budget.charge(frames.len());
        Arc::new(Self {
            frames: Bytes::copy_from_slice(frames),
            text: 0..0,
            attachment: None,
            _charge: charge,
        })
    }

    /// The end of a WebSocket, and why.
    pub fn close(code: CloseCode, budget: &Arc<Budget>) -> Arc<Self> {
        let mut frames = Vec::new();
        put(&mut frames, Frame::close(Some(CloseFrame { code, reason: "".into() })));
        Self::control(&frames, budget)
    }

    /// The packet `text` with its attachment, if it has one.
    pub fn new(text: &str, attachment: Option<&Bytes>, budget: &Arc<Budget>) -> Arc<Self> {
        // 20: two headers.
        let mut frames = Vec::with_capacity(text.len() + attachment.map_or(0, Bytes::len) + 20);
        put(
            &mut frames,
            Frame::message(Bytes::copy_from_slice(text.as_bytes()), OpCode::Data(Data::Text), true),
        );
        let text = frames.len() - text.len()..frames.len();
        // Copied, once for all receivers: the bytes as they came may share an allocation with others, which would
        // be kept as long as the slowest receiver needs these.
        let attachment = attachment.map(|bytes| {
            put(&mut frames, Frame::message(bytes.clone(), OpCode::Data(Data::Binary), true));
            frames.len() - bytes.len()..frames.len()
        });
        let charge = budget.charge(frames.len());
        Arc::new(Self { frames: frames.into(), text, attachment, _charge: charge })
    }

    /// The frames, for a WebSocket.
    pub fn frames(&self) -> &[u8] {
        &self.frames
    }

    /// The packet's text.
    pub fn packet(&self) -> String {
        String::from_utf8_lossy(&self.frames[self.text.clone()]).into_owned()
    }

    /// The packet's attachment; empty if it has none.
    pub fn attachment(&self) -> Bytes {
        self.attachment.clone().map_or_else(Bytes::new, |range| self.frames.slice(range))
    }

    /// Appends the packet to an answer of long-polling (engine.io-protocol v4, "HTTP long-polling").
    pub fn poll_into(&self, answer: &mut String) {
        if self.text.is_empty() {
            return;
        }
        let mut packet = |prefix: &str, bytes: &str| {
            if !answer.is_empty() {
                answer.push('\u{1e}');
            }
            answer.push_str(prefix);
            answer.push_str(bytes);
        };
        packet("", &String::from_utf8_lossy(&self.frames[self.text.clone()]));
        if let Some(attachment) = &self.attachment {
            packet("b", &BASE64.encode(&self.frames[attachment.clone()]));
        }
    }
}

fn put(frames: &mut Vec<u8>, frame: Frame) {
    // Writing to memory cannot fail.
    let _ = frame.format(frames);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_the_frames_of_a_server() {
        let budget = Budget::new(100);
        let message = Message::event("x", &json!({}), &budget).unwrap();
        assert_eq!(message.frames(), b"\x81\x0a42[\"x\",{}]");
        let chunk = Message::binary_event("x", &json!({}), &Bytes::from_static(b"abc"), &budget).unwrap();
        assert_eq!(chunk.frames(), b"\x81\x0c451-[\"x\",{}]\x82\x03abc");
        let mut polled = String::new();
        message.poll_into(&mut polled);
        chunk.poll_into(&mut polled);
        Message::close(CloseCode::Normal, &budget).poll_into(&mut polled);
        assert_eq!(polled, "42[\"x\",{}]\u{1e}451-[\"x\",{}]\u{1e}bYWJj");
    }

    #[test]
    fn a_message_counts_once_until_the_last_who_holds_it_lets_go() {
        let budget = Budget::new(1000);
        let message = Message::binary_event("x", &json!({}), &Bytes::from(vec![0; 2000]), &budget).unwrap();
        let again = message.clone();
        assert!(budget.is_exceeded());
        drop(message);
        assert!(budget.is_exceeded());
        drop(again);
        assert!(!budget.is_exceeded());
    }
}
