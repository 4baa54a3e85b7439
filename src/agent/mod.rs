//! The participant: what it wants, what it has, and what it does about the difference.
//!
//! - [`machine`]: the pure state machine, events and time in, actions out;
//! - `device`: a camera or a microphone that is open, opening or closed;
//! - `runtime`: drives the machine, and moves frames from the devices through the segmenter to the outbox;
//! - `settings`: from the configuration to what devices and session ask for;
//! - `trace`: one JSON line per published chunk.

mod device;
pub mod machine;
mod runtime;
mod settings;
mod trace;

pub use runtime::{AgentError, RunOptions, run};
pub(crate) use settings::{DeviceSettings, session_config};
