//! `roomcam` makes a Raspberry Pi with a camera and a microphone a participant of a browser meeting.
//!
//! `ARCHITECTURE.md` describes the modules. A module imports only from modules below it in this list.

pub mod demo;
pub mod doctor;
pub mod agent;
pub mod relay;
pub mod control;
pub mod publish;
pub mod meeting;
pub mod rtc;
pub mod capture;
pub mod panel;
pub mod service;
pub mod socketio;
pub mod stream;
pub mod media;
mod log_limit;
pub(crate) mod http;
pub mod config;
