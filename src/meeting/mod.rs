//! meeting

pub mod event;
