//! What drives lamps and reads buttons: `rppal` (the registers of a Raspberry Pi), `gpiochip` (the character
//! device of Linux), `sysfs_led` (LEDs that the kernel knows), and a fake that records.

mod fake;
mod gpiochip;
mod input;
mod reader;
mod rppal;
mod sysfs_led;

use std::fmt::Debug;
use std::path::Path;

pub use fake::{Change, RecordingFake};
pub use input::Edge;
pub(super) use input::Inputs;
pub(super) use sysfs_led::SysfsLed;

use super::error::Cause;
use super::lamp::Light;
use crate::config::{self, Backend, Pin};

/// Where the kernel lists its LEDs.
pub const LEDS: &str = "/sys/class/leds";

/// One lamp: dark from when it was opened, and from when it is dropped.
pub trait LampOutput: Debug + Send {
    /// Gives it light or takes it. When this returns, it has been done.
    fn set(&mut self, light: Light) -> Result<(), Cause>;
}

/// What drives pins.
pub(super) trait Pins {
    /// Opens a pin for a lamp, dark. `active_low`: light is the low level.
    fn output(&self, pin: &Pin, active_low: bool) -> Result<Box<dyn LampOutput>, Cause>;

    /// Opens the pins of all buttons; an error comes with the one it is about.
    fn inputs(&self, buttons: &[config::Button]) -> Result<Inputs, (usize, Cause)>;
}

/// Opens what the configuration asks for to drive pins with. `auto` means the GPIO chip; else rppal on a Raspberry Pi
/// that lets us, unless a pin is named, which rppal does not know.
pub(super) fn open_pins(panel: &config::Panel) -> Result<Box<dyn Pins>, Cause> {
    match panel.backend {
        Backend::Rppal => boxed(rppal::Registers::open()),
        Backend::Gpiochip => boxed(gpiochip::Chip::open(&panel.chip)),
        Backend::Auto if has_named_pin(panel) => boxed(gpiochip::Chip::open(&panel.chip)),
        Backend::Auto => boxed(gpiochip::Chip::open(&panel.chip)).or_else(|first| {
            boxed(rppal::Registers::open()).map_err(|second| Cause {
                backend: Backend::Auto,
                why: format!("neither gpiochip ({}) nor rppal ({})", first.why, second.why),
                remedy:
                    "see `roomcam devices` for the GPIO chips there are; with panel.backend = \"none\" the \
                         daemon runs without lamps and buttons"
                        .to_owned(),
            })
        }),
        Backend::SysfsLed | Backend::None => {
            Err(Cause::new(panel.backend, "it drives no pins", "set panel.backend = \"auto\""))
        }
    }
}

fn boxed<P: Pins + 'static>(pins: Result<P, Cause>) -> Result<Box<dyn Pins>, Cause> {
    Ok(Box::new(pins?))
}

fn has_named_pin(panel: &config::Panel) -> bool {
    let of_lamps = panel.lamps.iter().filter_map(|lamp| match &lamp.place {
        config::LampPlace::Pin { pin, .. } => Some(pin),
        config::LampPlace::Led { .. } => None,
    });
    let of_buttons = panel.buttons.iter().map(|button| &button.pin);
    of_lamps.chain(of_buttons).any(|pin| matches!(pin, Pin::Name(_)))
}

/// Whether something exists there, if only as a name.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
