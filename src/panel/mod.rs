//! What the people in the room touch: lamps that tell what leaves the device, and buttons.
//!
//! `lamp` and `button` are values: what a lamp shows in a state, what a press means. `backend` holds what drives
//! pins and LEDs, `lamps` and `buttons` bring both together, and [`Panel`] is the whole. The lamp never lies:
//! when [`Panel::show`] returns, the pins are set.

pub mod backend;
mod button;
#[cfg(test)]
mod button_tests;
mod buttons;
mod error;
mod lamp;
mod lamps;
mod open;

use std::time::Instant;

pub use button::{Button, Command, Contact, Press, Reading};
pub use buttons::{Buttons, Pressed};
pub use error::{Cause, PanelError};
pub use lamp::{Blinker, Camera, Light, Meeting, Mic, PanelState, Pattern};
pub use lamps::{LampStatus, Lamps};
pub use open::{lamps_off, lamps_off_in};

/// The lamps and buttons of the device. When it is dropped, all lamps go dark: a lamp without a daemon behind it
/// claims nothing.
#[derive(Debug)]
pub struct Panel {
    lamps: Lamps,
    buttons: Buttons,
}

impl Panel {
    /// Lamps and buttons that are open already.
    pub fn new(lamps: Lamps, buttons: Buttons) -> Self {
        Self { lamps, buttons }
    }

    /// Shows a state: when this returns, every lamp has the light that the state asks for at this time. Lamps
    /// that go dark do so before others light up.
    ///
    /// Law 1 asks for an order around it. Going quiet: cut the media and drop what is queued, then show it. Going
    /// live, or getting the seat of the presenter: show it, then let media go.
    ///
    /// An error names the first lamp that could not be set; the others are set all the same. What the failed one
    /// shows is not known then, so nothing may be opened that it could deny. The next call tries it again.
    pub fn show(&mut self, state: &PanelState, now: Instant) -> Result<(), PanelError> {
        self.lamps.show(state, now)
    }

    /// Keeps the blinking lamps going; errors as of [`Panel::show`].
    pub fn tick(&mut self, now: Instant) -> Result<(), PanelError> {
        self.lamps.tick(now)
    }

    /// When [`Panel::tick`] has something to do; `None` while nothing blinks.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lamps.poll_timeout()
    }

    /// What the lamps show, in the order of the configuration.
    pub fn lamps(&self) -> impl Iterator<Item = LampStatus<'_>> {
        self.lamps.status()
    }

    /// Waits for the next press that asks for something; for ever, if there is no button. Can be dropped while
    /// it waits without losing anything. It keeps its own time: it must be waited for again and again, or
    /// presses are told late.
    ///
    /// An error says once that the buttons cannot be read any more. Whoever was talking by push-to-talk has
    /// stopped before it is told; after it nothing comes any more.
    pub async fn next_press(&mut self) -> Result<Pressed, PanelError> {
        self.buttons.next_press().await
    }

    /// To be called before the buttons are opened anew, for the new ones know nothing of a press that has begun: whoever
    /// talks by push-to-talk stops talking. Returns the presses that were not told yet.
    pub fn end_presses(&mut self) -> Vec<Pressed> {
        self.buttons.end_presses()
    }
}
