//! The embedded relay, for a LAN with no other server, and its viewer page.
//!
//! Speaks the relay dialect (docs/protocol.md §2) over WebSocket and HTTP long-polling, as deployed web
//! clients expect it. It relays and never stores. `registry` knows who sits where, `gateway` what each event
//! does, `lines` how to be rid of a peer that does not read, `site` serves `viewer/`.

mod dialect;
mod gateway;
mod lines;
mod options;
mod rate;
mod registry;
mod server;
mod site;

pub use options::{RelayOptions, SharedToken};
pub use server::{Relay, RelayError};
