//! The lamps, each with its pattern and what drives it.

use std::time::Instant;

use super::backend::LampOutput;
use super::error::PanelError;
use super::lamp::{Blinker, Light, PanelState, Pattern};
use crate::config::{self, Shows};

/// All lamps of the panel. Dropped, they go dark.
#[derive(Debug, Default)]
pub struct Lamps(Vec<Lamp>);

#[derive(Debug)]
struct Lamp {
    place: String,
    shows: Shows,
    output: Box<dyn LampOutput>,
    /// None before the first state was shown: the lamp is dark.
    blinker: Option<Blinker>,
    /// When its light changes next.
    next_change: Option<Instant>,
    /// The light it has; `None` if setting it failed, so that nobody knows.
    light: Option<Light>,
}

/// What a lamp shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LampStatus<'a> {
    /// Its pin or LED, as in `pin 17`.
    pub place: &'a str,
    /// What it is there for.
    pub shows: Shows,
    /// How it is lit.
    pub pattern: Pattern,
}

impl Lamps {
    /// Adds a lamp that is open, and dark.
    pub fn add(&mut self, lamp: &config::Lamp, output: Box<dyn LampOutput>) {
        self.0.push(Lamp {
            place: lamp.place.to_string(),
            shows: lamp.shows,
            output,
            blinker: None,
            next_change: None,
            light: Some(Light::Dark),
        });
    }

    pub(super) fn show(&mut self, state: &PanelState, now: Instant) -> Result<(), PanelError> {
        for lamp in &mut self.0 {
            let pattern = Pattern::of(lamp.shows, state);
            lamp.blinker.get_or_insert(Blinker::new(pattern, now)).change(pattern, now);
        }
        self.tick(now)
    }

    pub(super) fn tick(&mut self, now: Instant) -> Result<(), PanelError> {
        let mut result = Ok(());
        // A claim is taken back before another is made.
        for light in [Light::Dark, Light::Lit] {
            for lamp in &mut self.0 {
                let Some(blinker) = lamp.blinker else { continue };
                let (wanted, next_change) = blinker.light(now);
                if wanted == light {
                    lamp.next_change = next_change;
                    result = result.and(lamp.set(light));
                }
            }
        }
        result
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.iter().filter_map(|lamp| lamp.next_change).min()
    }

    pub(super) fn status(&self) -> impl Iterator<Item = LampStatus<'_>> {
        self.0.iter().map(|lamp| LampStatus {
            place: &lamp.place,
            shows: lamp.shows,
            pattern: lamp.blinker.map_or(Pattern::Off, |blinker| blinker.pattern()),
        })
    }
}

impl Drop for Lamps {
    fn drop(&mut self) {
        for lamp in &mut self.0 {
            if let Err(error) = lamp.set(Light::Dark) {
                tracing::error!("{error}");
            }
        }
    }
}

impl Lamp {
    fn set(&mut self, light: Light) -> Result<(), PanelError> {
        if self.light == Some(light) {
            return Ok(());
        }
        self.light = None;
        self.output.set(light).map_err(|cause| PanelError::Lamp {
            place: self.place.clone(),
            shows: self.shows,
            cause,
        })?;
        self.light = Some(light);
        Ok(())
    }
}
