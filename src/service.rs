//! Reports readiness, status and liveness to systemd (sd_notify(3)).
//!
//! There is no thread and no timer here: the agent's loop calls, and only when it has made progress. Without systemd
//! nothing is reported.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The connection to the service manager.
#[derive(Debug)]
pub struct Service {
    phase: Phase,
    /// The status that was reported last.
    status: String,
    watchdog: Option<Watchdog>,
    /// Whether the log says that reporting fails: once is enough.
    failure_logged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Reloading,
    Stopping,
}

/// The service manager's watchdog, which ends a daemon that does not ping it.
#[derive(Debug)]
struct Watchdog {
    /// Time between two pings: a third of `WatchdogSec=`, so that two pings may be missed.
    every: Duration,
    last_ping: Option<Instant>,
}

impl Service {
    /// Configured by the environment: `NOTIFY_SOCKET` is where to report, `WATCHDOG_USEC` (`WatchdogSec=` of the unit) how
    /// often.
    pub fn from_environment() -> Self {
        Self {
            phase: Phase::Starting,
            status: String::new(),
            watchdog: sd_notify::watchdog_enabled()
                .filter(|timeout| !timeout.is_zero())
                .map(|timeout| Watchdog { every: timeout / 3, last_ping: None }),
            failure_logged: false,
        }
    }

    /// The daemon has started, or has read its configuration again. Said again, it changes nothing.
    pub fn ready(&mut self) {
        if matches!(self.phase, Phase::Starting | Phase::Reloading) {
            self.phase = Phase::Ready;
            self.tell(&[NotifyState::Ready]);
        }
    }

    /// The daemon reads its configuration again; [`Self::ready`] ends that.
    pub fn reloading(&mut self) {
        if self.phase == Phase::Ready {
            self.phase = Phase::Reloading;
            match NotifyState::monotonic_usec_now() {
                Ok(now) => self.tell(&[NotifyState::Reloading, now]),
                Err(_) => self.tell(&[NotifyState::Reloading]),
            }
        }
    }

    /// The daemon is about to end.
    pub fn stopping(&mut self) {
        if self.phase != Phase::Stopping {
            self.phase = Phase::Stopping;
            self.tell(&[NotifyState::Stopping]);
        }
    }

    /// One line for a person, which `systemctl status` shows. The same line is reported once.
    pub fn status(&mut self, line: &str) {
        // A line break would end the status and begin whatever follows it, such as READY=1.
        let line = line.replace(char::is_control, " ");
        if line != self.status {
            self.tell(&[NotifyState::Status(&line)]);
            self.status = line;
        }
    }

    /// The daemon has made progress, at `now`: pings the watchdog, if there is one and a ping is due. To be called in each
    /// turn of the loop, and never by a timer, which would go on while the loop is stuck.
    pub fn ping(&mut self, now: Instant) {
        let Some(watchdog) = &mut self.watchdog else { return };
        let is_early =
            watchdog.last_ping.is_some_and(|ping| now.saturating_duration_since(ping) < watchdog.every);
        if !is_early {
            watchdog.last_ping = Some(now);
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// How long the loop may sleep at most so that [`Self::ping`] comes in time; `None` without a watchdog.
    pub fn ping_every(&self) -> Option<Duration> {
        self.watchdog.as_ref().map(|watchdog| watchdog.every)
    }

    fn tell(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states)
            && !self.failure_logged
        {
            self.failure_logged = true;
            tracing::warn!("cannot tell systemd about the service: {error}");
        }
    }
}
