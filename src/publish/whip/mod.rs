//! The way out to a media server by WHIP: one peer connection, which is that of [`mesh`](super::mesh) in all that concerns
//! media.
//!
//! - [`client`]: the session with the server, what it is asked over HTTP, and the connection, brought together.

pub mod client;

pub use client::{Client, Settings};
