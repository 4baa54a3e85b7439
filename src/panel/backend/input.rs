//! Edges of buttons, from wherever they come.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;

use crate::panel::button::Contact;
use crate::panel::error::Cause;

/// Edges that wait for the agent. While there is no room, whoever reads a pin waits, and the kernel queues: it
/// drops the oldest edges then, never the newest, so that what the contact is in the end is always known.
pub(super) const QUEUED_EDGES: usize = 64;

/// An edge of the contact of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Which button, counted from 0 in the order of the configuration.
    pub button: usize,
    /// What the contact is from now on.
    pub contact: Contact,
    /// When that was, as near to the pin as can be known.
    pub at: Instant,
}

/// Where the edges of all buttons come from. An error, or the end of the channel, is the end of them.
#[derive(Debug)]
pub(in crate::panel) struct Inputs {
    /// Dropped before the source, whose threads may be waiting for room in the channel.
    pub edges: mpsc::Receiver<Result<Edge, Cause>>,
    /// What keeps the pins open; ends its threads when it is dropped.
    pub _source: Box<dyn Source>,
}

/// What sends edges as long as it lives.
pub(in crate::panel) trait Source: Debug + Send {}

impl<T: Debug + Send> Source for T {}

/// The time of a kernel's event (`CLOCK_MONOTONIC`, which is what [`Instant`] counts in on Linux, but does not let
/// itself be made from). A time that lies ahead, which a driver with another clock would give, is now.
pub(super) fn instant_of(monotonic: Duration) -> Instant {
    let kernel = clock_gettime(ClockId::Monotonic);
    let now = Instant::now();
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(kernel.tv_sec), u32::try_from(kernel.tv_nsec)) else {
        return now;
    };
    let age = Duration::new(seconds, nanos).saturating_sub(monotonic);
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_time_is_ours() {
        let kernel = clock_gettime(ClockId::Monotonic);
        let kernel = Duration::new(kernel.tv_sec.try_into().unwrap(), kernel.tv_nsec.try_into().unwrap());
        let before = Instant::now();
        let second = Duration::from_secs(1);

        // Between the two clocks are only the calls that read them.
        let apart = |one: Instant, other: Instant| one.max(other) - one.min(other);
        assert!(apart(instant_of(kernel), before) < second);
        assert!(apart(instant_of(kernel - 10 * second), before - 10 * second) < second);
        let ahead = instant_of(kernel + 1000 * second);
        assert!(ahead >= before && ahead <= Instant::now());
    }
}
