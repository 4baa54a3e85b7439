//! The participant: what it wants, what it has, and what it does about the difference.
//!
//! - [`machine`]: the pure state machine, events and time in, actions out (both in `event`);
//! - `absence`: why the agent is not in the meeting;
//! - `background`: work that may take longer than a frame, on a thread of its own;
//! - `choice_file`: what people chose last, kept over a restart;
//! - `device`: a camera or a microphone that is open, opening or closed;
//! - `device_control`: a device as the machine sees it;
//! - `faults`: what went wrong last;
//! - `former`: workers that still close a device, or hang in its driver;
//! - `room`: who is in the room;
//! - `runtime`: drives all of them, and answers whoever asks over the control socket;
//! - `settings`: from the configuration to what devices and session ask for;
//! - `speaking`: whether somebody speaks.

mod absence;
mod background;
mod choice_file;
mod device;
mod device_control;
#[cfg(test)]
mod device_tests;
mod event;
mod faults;
mod former;
#[cfg(test)]
mod gate;
pub mod machine;
mod room;
mod runtime;
mod settings;
mod speaking;

pub use runtime::{AgentError, Reload, RunOptions, run};
pub(crate) use settings::{DeviceSettings, dialect, paths, session_config};
