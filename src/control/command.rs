//! What can be asked of a running agent.

use serde::{Deserialize, Serialize};

/// What whoever may open the control socket asks for. None of these is a toggle: said twice, it means the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Turn the camera on or off.
    Camera {
        /// Whether it is to be on.
        on: bool,
    },
    /// Mute the microphone or make it live.
    Mic {
        /// Whether it is to be muted.
        muted: bool,
    },
    /// Make the camera's next picture a key frame.
    KeyFrame,
    /// Leave the meeting, and stay out of it.
    Leave,
    /// Come back into the meeting.
    Join,
    /// Read the configuration again, and restart what changed.
    Reload,
}

/// Why the agent does not do what it was asked for. Its text says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What the matter is, for a person.
    pub message: String,
}
