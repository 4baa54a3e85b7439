//! A backend without hardware, for tests: it records what the lamps would have shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::LampOutput;
use crate::panel::error::Cause;
use crate::panel::lamp::Light;

/// A change of a lamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The lamp, by the name it was made with.
    pub lamp: String,
    /// The light it has from then on.
    pub light: Light,
    /// When: taken right after the change, so that a claim is never dated too early.
    pub at: Instant,
}

/// A fake backend whose lamps record every change. Its clones share one record.
#[derive(Debug, Clone, Default)]
pub struct RecordingFake(Arc<Mutex<Vec<Change>>>);

impl RecordingFake {
    /// A lamp that records its changes under this name; dark.
    pub fn lamp(&self, name: &str) -> Box<dyn LampOutput> {
        Box::new(FakeLamp { name: name.to_owned(), light: Light::Dark, record: self.clone() })
    }

    /// All changes so far, oldest first.
    pub fn changes(&self) -> Vec<Change> {
        self.record().clone()
    }

    /// The light of a lamp now; dark, if it never changed.
    pub fn light(&self, lamp: &str) -> Light {
        self.record()
            .iter()
            .rev()
            .find(|change| change.lamp == lamp)
            .map_or(Light::Dark, |change| change.light)
    }

    fn record(&self) -> MutexGuard<'_, Vec<Change>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct FakeLamp {
    name: String,
    light: Light,
    record: RecordingFake,
}

impl LampOutput for FakeLamp {
    fn set(&mut self, light: Light) -> Result<(), Cause> {
        if self.light != light {
            self.light = light;
            let change = Change { lamp: self.name.clone(), light, at: Instant::now() };
            self.record.record().push(change);
        }
        Ok(())
    }
}
