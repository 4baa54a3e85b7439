//! The embedded relay, for a LAN with no other server, and its viewer page.
//!
//! Speaks the relay dialect (docs/protocol.md §2) over WebSocket and HTTP long-polling, as deployed web
//! clients expect it, and both dialects of WebRTC signalling (docs/signalling.md). It relays and never stores.
//!
//! `registry` knows who sits where, `admission` lets in who has what `identity`, `gateway` and, for WebRTC, `signalling` do
//! what each event wants, and `telling` tells participants. `fleet` is the way to other relays that share the rooms, and `remote` what is said there. `session` is one
//! client, and `outgoing` what waits for it, as `message`s that are encoded once for all; `websocket` and `polling` are
//! the ways to a client, and `hub` is where both come together. `options`, `places`, `meters`, `rate` and
//! `shared_rate` say who may do what, and how much, and `client_log` how much of it is logged. `routes` answers HTTP, `health`
//! is what it says to load balancers, and `site` serves `viewer/`. `drain` sends everybody to another relay.

mod admission;
mod client_log;
mod dialect;
mod drain;
mod fleet;
mod gateway;
mod health;
mod hub;
mod identity;
mod message;
mod meters;
mod options;
mod outgoing;
mod places;
mod polling;
mod rate;
mod refusal;
mod registry;
mod remote;
#[cfg(fuzzing)]
pub mod rehearsal;
mod routes;
mod server;
mod session;
mod sessions;
mod shared_rate;
mod signalling;
mod site;
mod telling;
mod websocket;

pub use fleet::{BadRedis, RedisOptions};
pub use options::{Access, BadOrigin, Origin, Rates, RelayOptions, Token};
pub use rate::Allowance;
pub use server::{Relay, RelayError, allow_many_connections};
