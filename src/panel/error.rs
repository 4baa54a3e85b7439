//! What can be wrong with a lamp or a button, said so that the operator knows which one and what to try.

use std::fmt;

use crate::config::{Backend, Shows};

/// A lamp or button that does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PanelError {
    /// A lamp cannot be driven.
    #[error("the lamp on {place} that shows {shows} cannot be driven: {cause}")]
    Lamp {
        /// Its pin or LED, as in `pin 17`.
        place: String,
        /// What it should show.
        shows: Shows,
        /// What went wrong, and what to do about it.
        cause: Cause,
    },
    /// A button cannot be read.
    #[error("the button on pin {pin} cannot be read: {cause}")]
    Button {
        /// Its pin.
        pin: String,
        /// What went wrong, and what to do about it.
        cause: Cause,
    },
    /// The buttons could be read, and cannot any more.
    #[error("the buttons cannot be read any more: {0}")]
    ButtonsLost(Cause),
    /// What read the buttons has ended without a word.
    #[error("the buttons cannot be read any more: what read them has ended; restart the daemon")]
    ButtonsUnfed,
}

/// Why a pin or an LED cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What was to drive it.
    pub backend: Backend,
    /// What happened.
    pub why: String,
    /// What the operator can do.
    pub remedy: String,
}

impl Cause {
    pub(super) fn new(backend: Backend, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { backend, why: why.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.backend, self.why, self.remedy)
    }
}
