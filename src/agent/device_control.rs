//! A camera or a microphone as the machine sees it.

use std::time::Instant;

use super::event::DeviceKind;

/// A camera or a microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// There is none in this configuration.
    Absent,
    /// Closed, because nobody wants it.
    Closed,
    /// Being opened, for the first time since it was wanted.
    Opening {
        /// Since when.
        since: Instant,
    },
    /// Open and delivering.
    Live {
        /// When the last frame came.
        last_frame: Instant,
    },
    /// Wanted, but it failed; the next attempt is due at `retry`.
    Lost {
        /// When to try again.
        retry: Instant,
    },
    /// Wanted, but it failed, and is being tried again.
    Reopening,
}

impl Device {
    /// Whether the room is told that it is on: it delivers, or is expected to at any moment.
    pub(super) fn is_on_air(self) -> bool {
        matches!(self, Device::Opening { .. } | Device::Live { .. })
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self, Device::Opening { .. } | Device::Live { .. } | Device::Reopening)
    }
}

/// A device with what is wanted of it and what was last said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeviceControl {
    pub(super) which: DeviceKind,
    /// What people chose, for good: what outlives a restart.
    pub(super) chosen: bool,
    /// What is to be now. It differs from `chosen` while a push-to-talk button is held.
    pub(super) wanted: bool,
    pub(super) device: Device,
    /// What the room was last told: on the air or not.
    pub(super) told: bool,
    /// Whether its track carries it, rather than filler.
    pub(super) carried: bool,
}

impl DeviceControl {
    /// A closed device; `chosen` is `None` if there is none in this configuration.
    pub(super) fn new(which: DeviceKind, chosen: Option<bool>) -> Self {
        let on = chosen == Some(true);
        let device = if chosen.is_some() { Device::Closed } else { Device::Absent };
        Self { which, chosen: on, wanted: on, device, told: false, carried: on }
    }

    /// Somebody chose that it be on or off.
    pub(super) fn choose(&mut self, on: bool) {
        self.want(on);
        self.chosen = self.wanted;
    }

    /// It is to be on or off for now, whatever was chosen.
    pub(super) fn want(&mut self, on: bool) {
        self.wanted = on && self.device != Device::Absent;
    }

    /// What was chosen, if there is such a device.
    pub(super) fn choice(&self) -> Option<bool> {
        (self.device != Device::Absent).then_some(self.chosen)
    }
}
