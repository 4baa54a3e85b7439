//! From the configuration to lamps and buttons that work, or to the reason why one does not.

use std::path::Path;

use super::Panel;
use super::backend::{self, LEDS, LampOutput, Pins, SysfsLed};
use super::buttons::Buttons;
use super::error::{Cause, PanelError};
use super::lamps::Lamps;
use crate::config::{self, Backend, LampPlace};

impl Panel {
    /// Opens every lamp, dark, and every button that is configured. One that does not work is an error: whoever
    /// trusts a lamp must not be left with one that never lights. With the backend `none` there are none.
    pub fn open(panel: &config::Panel) -> Result<Self, PanelError> {
        Self::open_in(panel, Path::new(LEDS))
    }

    /// As [`Panel::open`], with another folder in the place of `/sys/class/leds`.
    pub fn open_in(panel: &config::Panel, leds: &Path) -> Result<Self, PanelError> {
        let mut opener = Opener { panel, leds, pins: None };
        let mut lamps = Lamps::default();
        let mut buttons = Buttons::default();
        if panel.backend != Backend::None {
            for lamp in &panel.lamps {
                lamps.add(lamp, opener.lamp(lamp)?);
            }
            if !panel.buttons.is_empty() {
                buttons = opener.buttons()?;
            }
        }
        Ok(Self::new(lamps, buttons))
    }
}

/// Makes every configured lamp dark, for the time when no daemon runs: a lamp without one claims nothing. It can
/// be done again and again. All lamps are tried; returns how many there are, or what was wrong with some.
pub fn lamps_off(panel: &config::Panel) -> Result<usize, Vec<PanelError>> {
    lamps_off_in(panel, Path::new(LEDS))
}

/// As [`lamps_off`], with another folder in the place of `/sys/class/leds`.
pub fn lamps_off_in(panel: &config::Panel, leds: &Path) -> Result<usize, Vec<PanelError>> {
    if panel.backend == Backend::None {
        return Ok(0);
    }
    let mut opener = Opener { panel, leds, pins: None };
    // A lamp that was opened is dark, and stays so when it is dropped.
    let errors: Vec<_> = panel.lamps.iter().filter_map(|lamp| opener.lamp(lamp).err()).collect();
    if errors.is_empty() { Ok(panel.lamps.len()) } else { Err(errors) }
}

/// Opens one after another; what drives the pins is opened only if there are any.
struct Opener<'a> {
    panel: &'a config::Panel,
    leds: &'a Path,
    pins: Option<Box<dyn Pins>>,
}

impl Opener<'_> {
    fn pins(&mut self) -> Result<&dyn Pins, Cause> {
        let pins = match self.pins.take() {
            Some(pins) => pins,
            None => backend::open_pins(self.panel)?,
        };
        Ok(&**self.pins.insert(pins))
    }

    fn lamp(&mut self, lamp: &config::Lamp) -> Result<Box<dyn LampOutput>, PanelError> {
        let output = match &lamp.place {
            LampPlace::Pin { pin, active_low } => self.pins().and_then(|pins| pins.output(pin, *active_low)),
            LampPlace::Led { led, brightness } => SysfsLed::open(self.leds, led, *brightness)
                .map(|led| -> Box<dyn LampOutput> { Box::new(led) }),
        };
        output.map_err(|cause| PanelError::Lamp { place: lamp.place.to_string(), shows: lamp.shows, cause })
    }

    fn buttons(&mut self) -> Result<Buttons, PanelError> {
        let buttons = &self.panel.buttons;
        let inputs = self.pins().map_err(|cause| (0, cause)).and_then(|pins| pins.inputs(buttons));
        match inputs {
            Ok(inputs) => Ok(Buttons::read(buttons.clone(), inputs)),
            Err((index, cause)) => {
                let pin = buttons.get(index).map(|button| button.pin.to_string()).unwrap_or_default();
                Err(PanelError::Button { pin, cause })
            }
        }
    }
}
