//! Control from the device itself: what can be asked of a running agent, and what it answers.
//!
//! `command` and `status` are the words; [`Requests`] is the door through which the agent hears them and tells
//! its state. This room knows no agent: whoever holds the [`Requests`] answers.
//!
//! [`Server`] lets others ask over HTTP: `api` has the routes, with `body`, `problem` and `metrics` for what goes
//! in and out; `server`, `socket` and `guard` let clients in, within `limits`.
//!
//! `ctl` is the other end: `client` asks a daemon, with `events` for what it tells, and `render` shows the answer.

mod api;
mod body;
mod client;
mod command;
pub mod ctl;
mod events;
mod guard;
mod limits;
mod metrics;
mod problem;
mod render;
mod requests;
mod server;
mod socket;
mod status;

#[cfg(fuzzing)]
pub use body::read_any;
pub use client::{Client, ClientError, Events, HttpPlace, Place};
pub use command::{Command, Refusal, RefusalKind};
pub use limits::Limits;
pub use problem::ErrorBody;
pub use render::{Paint, page};
pub use requests::{AgentGone, Control, Request, Requests, requests};
pub use server::{ControlError, Server};
pub use status::{
    Absence, AbsenceReason, CameraState, CameraStatus, ChatLine, Delivery, DeviceFault, LampStatus,
    MeetingState, MicState, MicStatus, Participant, QueueStatus, State, Status, StreamStatus, UplinkStatus,
    Versions,
};
