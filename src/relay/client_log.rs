//! What clients make the relay log. They choose how often, so it is logged so often at most.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::log_limit::{LogLimit, More};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// Somebody has joined a room, or left it.
    Presence,
    /// A page of another origin was refused.
    Origin,
    /// A new session was refused.
    Session,
    /// A token was missing or wrong.
    Token,
    /// A join was refused.
    Join,
    /// A participant was cut off.
    CutOff,
}

impl Topic {
    /// Messages in ten seconds at most.
    fn most(self) -> u32 {
        match self {
            Self::Presence => 20,
            _ => 1,
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct ClientLog {
    limits: Mutex<HashMap<Topic, LogLimit>>,
}

impl ClientLog {
    /// Whether a message may be logged now, and what to append to it; as [`LogLimit::admit`].
    pub fn admit(&self, topic: Topic) -> Option<More> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.entry(topic).or_default().admit_some(topic.most(), Instant::now())
    }
}
