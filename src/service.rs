//! What systemd is told: that the daemon is ready, what it is doing, and that it is alive (sd_notify(3)).
//!
//! Nothing here has a thread or a timer: the agent's loop calls, and only when it has got somewhere. Without systemd
//! all of it does nothing.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The line to the service manager.
#[derive(Debug)]
pub struct Service {
    phase: Phase,
    /// What was told last.
    status: String,
    watchdog: Option<Watchdog>,
    /// Whether it was said in the log that telling fails: once is enough.
    complained: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Reloading,
    Stopping,
}

/// The service manager's dog: it bites a daemon that does not feed it.
#[derive(Debug)]
struct Watchdog {
    /// A third of the time after which it bites: two meals may be late.
    every: Duration,
    last_fed: Option<Instant>,
}

impl Service {
    /// As the environment says: `NOTIFY_SOCKET` for where to tell, `WATCHDOG_USEC` (`WatchdogSec=` of the unit) for
    /// how often.
    pub fn from_environment() -> Self {
        Self {
            phase: Phase::Starting,
            status: String::new(),
            watchdog: sd_notify::watchdog_enabled()
                .filter(|bites_after| !bites_after.is_zero())
                .map(|bites_after| Watchdog { every: bites_after / 3, last_fed: None }),
            complained: false,
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

    /// One line for a person, which `systemctl status` shows. The same line again is not told again.
    pub fn status(&mut self, line: &str) {
        // A line break would end the status and begin whatever follows it, such as READY=1.
        let line = line.replace(char::is_control, " ");
        if line != self.status {
            self.tell(&[NotifyState::Status(&line)]);
            self.status = line;
        }
    }

    /// The daemon has got somewhere, at `now`: feeds the watchdog, if there is one and it may be hungry. To be called
    /// as often as the loop goes round, and never by a timer, which would go on while the loop is stuck.
    pub fn feed(&mut self, now: Instant) {
        let Some(watchdog) = &mut self.watchdog else { return };
        let is_fed = watchdog.last_fed.is_some_and(|fed| now.saturating_duration_since(fed) < watchdog.every);
        if !is_fed {
            watchdog.last_fed = Some(now);
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// How long the loop may sleep at most so that [`Self::feed`] comes in time; `None` without a watchdog.
    pub fn feed_every(&self) -> Option<Duration> {
        self.watchdog.as_ref().map(|watchdog| watchdog.every)
    }

    fn tell(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states)
            && !self.complained
        {
            self.complained = true;
            tracing::warn!("cannot tell systemd about the service: {error}");
        }
    }
}
