//! meeting

pub mod backoff;
pub mod event;
pub mod outbox;
