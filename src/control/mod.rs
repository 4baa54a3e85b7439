//! Control from the device itself: what can be asked of a running agent, and what it answers.
//!
//! `command` and `status` are the words; [`Requests`] is the door through which the agent hears them and tells
//! its state. This room knows no agent: whoever holds the [`Requests`] answers.

mod command;
mod requests;
mod status;

pub use command::{Command, Refusal, RefusalKind};
pub use requests::{Control, Request, Requests, requests};
pub use status::{
    CameraState, CameraStatus, DeviceFault, LampStatus, MeetingState, MicState, MicStatus, Participant,
    QueueStatus, State, Status, StreamStatus, Versions,
};
