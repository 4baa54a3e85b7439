//! WebRTC: one peer connection as a value, and the socket that all of them share. Sends only; knows no meeting.
//!
//! - [`peer`]: a connection to one participant, on str0m: descriptions, candidates and datagrams in, datagrams and events
//!   out ([`output`]); `lane`: one of its tracks; `settings`: how it is made; `route`:
//!   where its media go when the address they came from is gone; `estimate`: what is believed of what it carries;
//! - [`frame`]: an encoded frame that all peers share;
//! - `description`: what is read of descriptions, and what is changed in ours; pure;
//! - `crypto`: what it is encrypted with;
//! - [`candidate`]: the ways in which a peer can reach us;
//! - [`socket`]: the sockets that all peers share; [`address_watch`]: when their addresses may have changed;
//! - [`ice`]: STUN and TURN servers;
//! - [`error`]: why a description cannot be used.

pub mod address_watch;
pub mod candidate;
mod crypto;
mod description;
pub mod error;
mod estimate;
pub mod frame;
pub mod ice;
mod lane;
#[cfg(test)]
mod outage_tests;
pub mod output;
#[cfg(test)]
mod path_tests;
pub mod peer;
#[cfg(test)]
mod peer_tests;
mod route;
mod settings;
pub mod socket;

/// What watches in tests: str0m as it comes, with our cryptography.
#[cfg(test)]
pub(crate) fn test_viewer(now: std::time::Instant) -> str0m::Rtc {
    str0m::RtcConfig::new()
        .set_crypto_provider(crypto::provider().into())
        .set_dtls_cert(crypto::certificate().expect("a certificate"))
        .build(now)
}

pub use address_watch::AddressWatch;
pub use candidate::{LocalCandidate, Trickled};
pub use description::first_mid;
pub use error::PeerError;
pub use frame::SharedFrame;
pub use ice::{IceEvent, IceServers, NamedBy, turn_credentials};
pub use output::{Answer, Output, PeerEvent};
pub use peer::Peer;
pub use settings::{PeerSettings, Remote};
pub use socket::{Changes, Loopback, Received, Sockets};
