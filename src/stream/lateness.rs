//! How late a device's frames usually are, and so how long to wait for them.

use std::time::Duration;

/// Encoders and sound cards deliver in bursts. Filler put in too early takes the place of what is about to
/// arrive, so no track is filled closer to the clock than this.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(250);
/// A device that is later than this is not waited for: its track has to go on.
const LONGEST_PATIENCE: Duration = Duration::from_millis(1500);
/// What is added to the usual lateness.
const MARGIN: Duration = Duration::from_millis(150);
/// Each observation lets the memory of the worst one fade by this part.
const FADING: u32 = 64;

/// The usual lateness of one device: the worst seen lately.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lateness(Duration);

impl Lateness {
    /// Takes note of how old the newest frame was when a chunk was cut. `None` if there was none: a device
    /// that delivers nothing is not late, it stalls, and is filled.
    pub fn observe(&mut self, newest: Option<Duration>) {
        if let Some(late) = newest {
            self.0 = late.max(self.0 - self.0 / FADING);
        }
    }

    /// How far behind the clock the track may be before it is filled.
    pub fn patience(&self) -> Duration {
        (self.0 + MARGIN).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE)
    }
}
