//! The participant: what it wants, what it has, and what it does about the difference.
//!
//! - [`machine`]: the pure state machine, events and time in, actions out (both in `event`);
//! - `device`: a camera or a microphone that is open, opening or closed;
//! - `publisher`: the media path, from frames through the segmenter to the outbox;
//! - `runtime`: drives all of them;
//! - `settings`: from the configuration to what devices and session ask for;
//! - `speaking`: whether somebody speaks;
//! - `trace`: one JSON line per published chunk.

mod device;
mod event;
pub mod machine;
mod publisher;
mod runtime;
mod settings;
mod speaking;
mod trace;

pub use runtime::{AgentError, RunOptions, run};
pub(crate) use settings::{DeviceSettings, session_config};
