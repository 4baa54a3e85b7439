//! The configuration, read again: what changed is restarted, the rest goes on.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::lamps::CommandAnswer;
use super::{Equipment, Reload, Runtime, beginning};
use crate::agent::background::Background;
use crate::agent::device::{Device, Source};
use crate::agent::machine::{self, DeviceKind, Event};
use crate::agent::settings::{dialect, rate_limits, session_config, way_out};
use crate::config::Config;
use crate::control::Refusal;
use crate::media::{StreamFormat, VideoFormat};
use crate::meeting::SessionConfig;
use crate::meeting::mesh::Dialect;
use crate::panel::{Buttons, Lamps, Panel, PanelError};

/// All that a new configuration needs and that can fail or take long: files are read, and a picture is encoded.
pub(super) struct Prepared {
    config: Config,
    equipment: Equipment,
    black: Option<(VideoFormat, Bytes)>,
    session_config: SessionConfig,
    dialect: Option<Dialect>,
}

/// The configuration that is being read again, and those who asked for it.
pub(super) struct Reloading {
    reload: Option<Arc<Reload>>,
    job: Option<Background<Result<Prepared, String>>>,
    /// Who asked for what is being read.
    asked: Vec<CommandAnswer>,
    /// Who asked after that had begun; it may have been changed since.
    asked_again: Vec<CommandAnswer>,
}

impl Reloading {
    pub(super) fn new(reload: Option<Reload>) -> Self {
        Self { reload: reload.map(Arc::new), job: None, asked: Vec::new(), asked_again: Vec::new() }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.job.is_some()
    }

    /// Waits until what was asked for is read; for ever if nothing was. Can be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Prepared, String> {
        let Some(job) = &mut self.job else { return pending().await };
        let read = job.done().await;
        self.job = None;
        read.unwrap_or_else(|lost| Err(format!("it cannot be read: {lost}")))
    }
}

impl Runtime {
    /// Reads the configuration again, for whoever asks. If anything in it does not work, nothing changes.
    pub(super) fn read_again(&mut self, answer: CommandAnswer) {
        tracing::debug!("asked to read the configuration again");
        if self.reloading.is_under_way() {
            self.reloading.asked_again.push(answer);
            return;
        }
        let Some(reload) = self.reloading.reload.clone() else {
            let reason = "this daemon runs without a configuration file: start it again";
            return self.answer(answer, Err(unusable(reason)));
        };
        self.service.reloading();
        self.reloading.asked.push(answer);
        let profiles = self.profiles.clone();
        self.reloading.job = Some(Background::start("reload", move || {
            let config = reload().map_err(|errors| errors.to_string())?;
            let equipment = Equipment::new(&config, profiles).map_err(|error| error.to_string())?;
            let black = equipment.black().map_err(|error| error.to_string())?;
            let session_config = session_config(&config.meeting).map_err(|error| error.to_string())?;
            let dialect = dialect(&config.meeting).map_err(|error| error.to_string())?;
            Ok(Prepared { config, equipment, black, session_config, dialect })
        }));
    }

    pub(super) async fn reloaded(&mut self, read: Result<Prepared, String>) {
        let applied = match read {
            Ok(prepared) => self.apply(prepared).await,
            Err(reason) => Err(reason),
        };
        self.service.ready();
        let applied = applied.map_err(|reason| unusable(&reason));
        for answer in std::mem::take(&mut self.reloading.asked) {
            self.answer(answer, applied.clone());
        }
        for answer in std::mem::take(&mut self.reloading.asked_again) {
            self.read_again(answer);
        }
    }

    async fn apply(&mut self, prepared: Prepared) -> Result<(), String> {
        let Prepared { config, equipment, black, session_config, dialect } = prepared;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let mut changed = Vec::new();
        if config.panel != self.config.panel {
            self.change_panel(&config).await?;
            changed.push("panel");
        }

        let old = std::mem::replace(&mut self.config, config);
        let Equipment { profile, format, camera, mic } = equipment;
        let mime = |format| StreamFormat { video: format }.mime_type();
        let other_tracks = mime(format) != mime(self.publisher.format().video);
        if self.config.meeting != old.meeting || other_tracks {
            self.session_config = session_config;
            self.decide(Event::Rejoin).await;
            changed.push("meeting");
        }
        let other_way_out = !self.config.meeting.leads_out_like(&old.meeting);
        if other_way_out {
            let format = StreamFormat { video: format };
            self.publisher =
                way_out(&self.config, dialect, format, &self.clock, None, self.state_directory.as_deref());
            self.faults.clear_ice_servers(0);
        }
        self.camera_format = format;
        self.renew_black(profile.clone(), black);
        if other_tracks {
            // Receivers make another MediaSource for it, because the connection is new.
            self.publisher.set_format(StreamFormat { video: format });
        }
        if other_tracks || other_way_out {
            self.feed_new_tracks();
        }
        let every = self.config.capture.cadence;
        let begin = beginning(&self.choice_file, &self.config);
        let profile_changed = profile != self.profile;
        self.profile = profile;
        if self.change_device(DeviceKind::Camera, camera, profile_changed, begin.camera).await {
            changed.push("camera");
        }
        if self.change_device(DeviceKind::Mic, mic, profile_changed, begin.mic).await {
            changed.push("microphone");
        }
        if every != old.capture.cadence {
            self.publisher.set_cadence(every.duration());
            changed.push("cadence");
        }
        if rate_limits(&self.config.capture) != rate_limits(&old.capture) {
            self.publisher.set_limits(rate_limits(&self.config.capture));
            changed.push("bitrate");
        }
        if self.config.control != old.control {
            tracing::warn!("[control] has changed; that takes a restart of the daemon");
        }
        let changed = if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
        tracing::info!(changed, "the configuration was read again");
        self.tell_state();
        Ok(())
    }

    /// What a new segmenter is to carry, which begins with camera and microphone.
    fn feed_new_tracks(&mut self) {
        if !self.machine.carries(DeviceKind::Camera) {
            self.show_black();
        }
        if !self.machine.carries(DeviceKind::Mic) {
            self.publisher.hear_silence();
        }
    }

    /// A device that is as it was stays as it is. Says whether it is not. `start` says how one begins that was
    /// not there before.
    async fn change_device(
        &mut self,
        which: DeviceKind,
        source: Option<Source>,
        profile_changed: bool,
        start: Option<bool>,
    ) -> bool {
        let (profile, clock) = (self.profile.clone(), self.clock.clone());
        let is_there = self.machine.device(which) != machine::Device::Absent;
        let slot = match which {
            DeviceKind::Camera => &mut self.camera,
            DeviceKind::Mic => &mut self.mic,
        };
        match (slot.as_mut(), source) {
            (Some(device), Some(source)) if is_there && *device.source() == source && !profile_changed => {
                return false;
            }
            (Some(device), Some(source)) => {
                device.change(source, profile);
                self.decide(if is_there { Event::Reopen(which) } else { Event::Equip(which, start) }).await;
            }
            (None, Some(source)) => {
                *slot = Some(Device::new(source, profile, clock));
                self.decide(Event::Equip(which, start)).await;
            }
            (_, None) if !is_there => return false,
            (_, None) => {
                self.decide(Event::Equip(which, None)).await;
                // It stays in its slot, because its driver may take a while to give it back.
                if let Some(device) = self.device(which) {
                    device.give_up();
                }
            }
        }
        true
    }

    /// The pins are free for the new panel only when the old one is gone; if it does not work, the old one must
    /// be made again.
    async fn change_panel(&mut self, config: &Config) -> Result<(), String> {
        for pressed in self.panel.end_presses() {
            self.pressed(Ok(pressed)).await;
        }
        self.panel = Panel::new(Lamps::default(), Buttons::default());
        let opened = Panel::open(&config.panel);
        let (panel, refused) = match opened {
            Ok(panel) => (Ok(panel), None),
            Err(error) => (Panel::open(&self.config.panel), Some(error)),
        };
        let shown: Result<(), PanelError> = match panel {
            Ok(panel) => {
                self.panel = panel;
                self.panel.show(&self.machine.panel_state(), Instant::now())
            }
            Err(error) => Err(error),
        };
        self.trust_panel(shown).await;
        refused.map_or(Ok(()), |error| Err(error.to_string()))
    }
}

fn unusable(reason: &str) -> Refusal {
    tracing::error!("the configuration was read again and is not used; the old one stays: {reason}");
    Refusal::unusable(reason)
}
