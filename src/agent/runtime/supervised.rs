//! Reports to whoever supervises the daemon: readiness, status and progress.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::Runtime;
use crate::agent::machine::{Device, DeviceKind, Seat};
use crate::control::Absence;

/// While media flow, a chunk is cut every cadence; without one for this long the agent is stuck. Shorter than what a
/// device may take to be given up.
const STUCK: Duration = Duration::from_secs(4);

impl Runtime {
    /// To be called in each turn of the loop.
    pub(super) fn tell_supervisor(&mut self, now: Instant) {
        if self.has_started() && !self.reloading.is_under_way() {
            self.service.ready();
        }
        if !self.machine.is_flowing() || self.publisher.last_cut().is_none_or(|cut| now < cut + STUCK) {
            self.service.ping(now);
        }
    }

    /// Whether the first chunk is out, or it is known that there is something to wait for.
    fn has_started(&self) -> bool {
        if self.machine.is_flowing() {
            return self.publisher.has_begun();
        }
        let opening = |which| matches!(self.machine.device(which), Device::Opening { .. });
        let joining = matches!(self.machine.seat(), Seat::Joining { .. });
        !joining && !opening(DeviceKind::Camera) && !opening(DeviceKind::Mic)
    }

    /// One line for a person.
    pub(super) fn summary(&self) -> String {
        let room = &self.session_config.room;
        let mut line = match (self.machine.seat(), &self.absence) {
            (Seat::Away { .. } | Seat::Joining { .. }, None) => format!("Connecting to room {room}"),
            (Seat::Away { .. } | Seat::Joining { .. }, Some(Absence { reason, .. })) => {
                let next = self.next_attempt().map_or_else(
                    || "trying now".to_owned(),
                    // Nobody updates the line while the time runs, so it says what stays true.
                    |wait| format!("trying again within {} s", wait.as_secs() + 1),
                );
                format!("Not in room {room}: {reason}; {next}")
            }
            (Seat::Joined { may_publish: true, .. }, _) => format!("In room {room}"),
            (Seat::Joined { may_publish: false, .. }, _) => {
                format!("In room {room}, waiting for the presenter's seat")
            }
            (Seat::Leaving | Seat::Left, _) => format!("Out of room {room}, as asked for"),
        };
        for (which, name, on, off) in
            [(DeviceKind::Camera, "camera", "on", "off"), (DeviceKind::Mic, "mic", "live", "muted")]
        {
            let state = match self.machine.device(which) {
                Device::Absent => continue,
                Device::Closed => off,
                Device::Opening { .. } => "opening",
                Device::Live { .. } => on,
                Device::Lost { .. } | Device::Reopening => "at fault",
            };
            // Writing into a text cannot fail.
            let _ = write!(line, ", {name} {state}");
        }
        line
    }
}
