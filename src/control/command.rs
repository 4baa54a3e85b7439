//! What can be asked of a running agent.

/// What whoever may open the control socket asks for. None of these is a toggle: said twice, it means the same; only
/// [`Command::Say`] then says it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Write something for everybody in a meeting over WebRTC to read.
    Say {
        /// What it says; one line.
        text: String,
    },
    /// Read the configuration again, and restart what changed.
    Reload,
}

/// Why the agent does not do what it was asked for. Its text says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of matter it is, for a program.
    pub kind: RefusalKind,
    /// What the matter is, for a person.
    pub message: String,
}

/// The kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// It does not go with the state that the agent is in, such as a snapshot while the camera is off.
    Conflict,
    /// What was to be used is not usable, such as a configuration with a mistake.
    Unusable,
    /// It was tried, and failed.
    Failed,
}

impl Refusal {
    /// It does not go with the state that the agent is in.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Conflict, message: message.into() }
    }

    /// What was to be used is not usable.
    pub fn unusable(message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Unusable, message: message.into() }
    }

    /// It was tried, and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Failed, message: message.into() }
    }
}
