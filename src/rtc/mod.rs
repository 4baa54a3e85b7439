//! WebRTC: one peer connection as a value, and the socket that all of them share. Sends only; knows no meeting.
//!
//! - [`peer`]: a connection to one participant, on str0m: descriptions, candidates and datagrams in, datagrams and events
//!   out ([`output`]); `lane`: one of its tracks; `settings`: how it is made;
//! - [`frame`]: an encoded frame that all peers share;
//! - `description`: what is read of descriptions, and what is changed in ours; pure;
//! - `crypto`: what it is encrypted with;
//! - [`socket`]: the sockets that all peers share;
//! - [`error`]: why a description cannot be used.

mod crypto;
mod description;
pub mod error;
pub mod frame;
mod lane;
pub mod output;
pub mod peer;
#[cfg(test)]
mod peer_tests;
mod settings;
pub mod socket;

pub use description::first_mid;
pub use error::PeerError;
pub use frame::SharedFrame;
pub use output::{Answer, Output, PeerEvent};
pub use peer::Peer;
pub use settings::{PeerSettings, Remote};
pub use socket::{Loopback, Received, Sockets};
