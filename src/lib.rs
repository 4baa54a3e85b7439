//! `roomcam` makes a Raspberry Pi with a camera and a microphone a participant of a browser meeting.
//!
//! `ARCHITECTURE.md` has the map: which room (module) stands above which, and what each is for. A room imports
//! only from rooms below it.

pub mod agent;
pub mod capture;
pub mod config;
pub mod media;
pub mod meeting;
pub mod relay;
pub mod socketio;
pub mod webm;
