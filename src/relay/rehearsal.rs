//! A relay without a network, for the fuzzer: sessions whose clients are its input.

use std::sync::Arc;

use bytes::Bytes;

use super::hub::{Hub, Received};
use super::options::{Access, RelayOptions, Token};
use super::session::Session;

/// See the module's documentation.
pub struct Rehearsal {
    hub: Arc<Hub>,
    sessions: Vec<Arc<Session>>,
}

impl Rehearsal {
    /// A relay where `publish` is the token of publishers and everybody may watch, with so many sessions.
    pub fn new(clients: u64) -> Self {
        let access =
            Token::new("publish").map_or(Access::Open, |publish| Access::Split { publish, view: None });
        let (hub, _) = Hub::new(RelayOptions { access, ..RelayOptions::default() });
        let permits = (0..clients).filter_map(|client| hub.sessions.polling_permit(client, None).ok());
        let sessions: Vec<_> = permits.map(|permits| Session::polling(&hub.terms, permits)).collect();
        sessions.iter().for_each(|session| hub.sessions.insert(session));
        Self { hub, sessions }
    }

    /// A client sends a text.
    pub async fn text(&self, client: usize, text: &str) {
        self.hub.receive(&self.sessions[client % self.sessions.len()], Received::Text(text)).await;
    }

    /// A client sends an attachment.
    pub async fn binary(&self, client: usize, bytes: Bytes) {
        self.hub.receive(&self.sessions[client % self.sessions.len()], Received::Binary(bytes)).await;
    }

    /// Bytes that wait for all clients together, and what they are for each.
    pub fn heard(&self) -> (usize, Vec<String>) {
        let waiting = self.sessions.iter().map(|session| session.waiting_bytes()).sum();
        (waiting, self.sessions.iter().map(|session| session.poll(usize::MAX).unwrap_or_default()).collect())
    }
}
