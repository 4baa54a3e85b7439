//! STUN and TURN servers (RFC 8489, RFC 8656): under which addresses they see this device, and packets through them.
//!
//! - `credentials`: what TURN servers ask for; pure;
//! - `binding`: one of our addresses as one STUN server sees it; pure;
//! - `allocation`: one address of a TURN server and what goes through it, on `turn-client-proto`; pure;
//! - `framing`: the messages in a TCP connection; pure;
//! - `connection`: datagrams, TCP or TLS to a TURN server;
//! - `server`: one configured address of a server, from its name to candidates, and again after a failure;
//! - [`servers`]: all of them.

mod allocation;
#[cfg(test)]
mod allocation_tests;
mod binding;
mod connection;
mod credentials;
mod framing;
#[cfg(test)]
mod relayed_path_tests;
mod server;
pub mod servers;

pub use credentials::at as turn_credentials;
pub use server::NamedBy;
pub use servers::{IceEvent, IceServers};
