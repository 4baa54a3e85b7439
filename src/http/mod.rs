//! An HTTP/1 server within bounds, for the embedded relay and the control API.
//!
//! `server` accepts, and decides who stays when there are too many; `connection` serves one client and ends it when
//! it takes too long; `stream` is the connection's socket; `client` tells clients apart, and `origin` this device and
//! its pages from others.
//! What is served is an axum router, whose requests carry a [`ConnectionInfo`].

mod client;
mod connection;
pub(crate) mod origin;
mod server;
mod stream;

pub(crate) use client::ClientAddress;
pub(crate) use connection::ConnectionInfo;
pub(crate) use server::{Bounds, serve};
pub(crate) use stream::{Line, Stream};
