//! The configuration, read again: what changed is restarted, the rest goes on.

use std::time::Instant;

use super::{Equipment, Runtime};
use crate::agent::device::{Device, Source};
use crate::agent::machine::{Event, Which};
use crate::agent::settings::session_config;
use crate::config::{Capture, Config};
use crate::control::Refusal;
use crate::media::StreamFormat;
use crate::panel::{Buttons, Lamps, Panel, PanelError};

impl Runtime {
    /// Reads the configuration again. If anything in it does not work, nothing changes.
    pub(super) async fn reload(&mut self) -> Result<(), Refusal> {
        self.service.reloading();
        let reloaded = match &self.reload {
            Some(reload) => reload().map_err(|errors| errors.to_string()),
            None => Err("this daemon runs without a configuration file: start it again".to_owned()),
        };
        let applied = match reloaded {
            Ok(config) => self.apply(config).await,
            Err(reason) => Err(reason),
        };
        self.service.ready();
        applied.map_err(|reason| {
            tracing::error!("the configuration was read again and is not used; the old one stays: {reason}");
            Refusal::unusable(reason)
        })
    }

    async fn apply(&mut self, config: Config) -> Result<(), String> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        // What can fail comes first.
        let equipment = Equipment::new(&config, self.profiles.clone()).map_err(|error| error.to_string())?;
        let black = equipment.black().map_err(|error| error.to_string())?;
        let session_config = session_config(&config.meeting).map_err(|error| error.to_string())?;
        let mut changed = Vec::new();
        if config.panel != self.config.panel {
            self.change_panel(&config).await?;
            changed.push("panel");
        }

        let old = std::mem::replace(&mut self.config, config);
        let Equipment { profile, format, camera, mic } = equipment;
        let mime = |format| StreamFormat { video: format }.mime_type();
        let other_tracks = mime(format) != mime(self.publisher.segmenter.format().video);
        if self.config.meeting != old.meeting || other_tracks {
            self.session_config = session_config;
            self.decide(Event::Rejoin).await;
            changed.push("meeting");
        }
        (self.black, self.camera_format) = (black, format);
        if other_tracks {
            // Receivers make another MediaSource for it, because the connection is new.
            self.publisher.set_format(StreamFormat { video: format });
            self.feed_new_tracks().await;
        }
        let Capture { start_camera, start_mic, cadence: every, .. } = self.config.capture;
        let profile_changed = profile != self.profile;
        self.profile = profile;
        if self.change_device(Which::Camera, camera, profile_changed, start_camera).await {
            changed.push("camera");
        }
        if self.change_device(Which::Mic, mic, profile_changed, start_mic).await {
            changed.push("microphone");
        }
        if every != old.capture.cadence {
            self.publisher.set_cadence(every.duration());
            changed.push("cadence");
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
    async fn feed_new_tracks(&mut self) {
        if !self.machine.carries(Which::Camera) {
            self.show_black().await;
        }
        if !self.machine.carries(Which::Mic) {
            self.publisher.segmenter.hear_silence();
        }
    }

    /// A device that is as it was stays as it is. Says whether it is not. `start` says how one begins that was
    /// not there before.
    async fn change_device(
        &mut self,
        which: Which,
        source: Option<Source>,
        profile_changed: bool,
        start: bool,
    ) -> bool {
        let (profile, clock) = (self.profile.clone(), self.clock.clone());
        let slot = match which {
            Which::Camera => &mut self.camera,
            Which::Mic => &mut self.mic,
        };
        match (slot.as_mut(), source) {
            (None, None) => return false,
            (Some(device), Some(source)) if *device.source() == source && !profile_changed => return false,
            (Some(device), Some(source)) => {
                device.change(source, profile);
                self.decide(Event::Reopen(which)).await;
            }
            (None, Some(source)) => {
                *slot = Some(Device::new(source, profile, clock));
                self.decide(Event::Equip(which, Some(start))).await;
            }
            (Some(_), None) => {
                self.decide(Event::Equip(which, None)).await;
                let gone = match which {
                    Which::Camera => self.camera.take(),
                    Which::Mic => self.mic.take(),
                };
                if let Some(mut gone) = gone {
                    gone.shut().await;
                }
            }
        }
        true
    }

    /// The pins are free for the new panel only when the old one is gone; if it does not work, the old one must
    /// be made again.
    async fn change_panel(&mut self, config: &Config) -> Result<(), String> {
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
