//! The GPIO of a Raspberry Pi, through the registers of its chip (`/dev/gpiomem`); edges come from the kernel.

use ::rppal::gpio::{Error, Event, Gpio, InputPin, Level, OutputPin, Trigger};
use ::rppal::system::DeviceInfo;
use tokio::sync::mpsc;

use super::input::{Edge, Inputs, QUEUED_EDGES, instant_of};
use super::{LampOutput, Pins};
use crate::config::{self, Backend, Pin, Pull};
use crate::panel::button::Contact;
use crate::panel::error::Cause;
use crate::panel::lamp::Light;

/// The GPIO of a Raspberry Pi.
#[derive(Debug)]
pub(super) struct Registers(Gpio);

impl Registers {
    /// Opens it. An error if this is no Raspberry Pi, or one that does not let us.
    pub fn open() -> Result<Self, Cause> {
        if DeviceInfo::new().is_err() {
            return Err(Cause::new(
                Backend::Rppal,
                "this is no Raspberry Pi",
                "set panel.backend = \"gpiochip\"",
            ));
        }
        Gpio::new().map(Self).map_err(|error| refused(&error.to_string(), &error))
    }

    fn pin(&self, pin: &Pin) -> Result<::rppal::gpio::Pin, Cause> {
        let number = match pin {
            Pin::Number(number) => u8::try_from(*number).ok(),
            Pin::Name(_) => None,
        };
        let Some(number) = number else {
            return Err(Cause::new(
                Backend::Rppal,
                format!("there is no pin {pin}"),
                "use its BCM number, as `pinout` shows it, or panel.backend = \"gpiochip\"",
            ));
        };
        self.0.get(number).map_err(|error| refused(&format!("pin {pin}: {error}"), &error))
    }
}

fn refused(why: &str, error: &Error) -> Cause {
    let remedy = match error {
        Error::PermissionDenied(_) => "the daemon must be in the group gpio",
        Error::Io(_) => {
            "this needs /dev/gpiomem and /dev/gpiochip0; panel.backend = \"gpiochip\" needs only the latter"
        }
        Error::UnknownModel => "set panel.backend = \"gpiochip\"",
        Error::PinUsed(_) | Error::PinNotAvailable(_) => "choose another pin, by its BCM number",
        Error::ThreadPanic => "the daemon must be restarted",
    };
    Cause::new(Backend::Rppal, why, remedy)
}

impl Pins for Registers {
    fn output(&self, pin: &Pin, active_low: bool) -> Result<Box<dyn LampOutput>, Cause> {
        let (dark, lit) = if active_low { (Level::High, Level::Low) } else { (Level::Low, Level::High) };
        let pin = self.pin(pin)?;
        // The level before the mode, so that the lamp does not flash up.
        let mut pin = match dark {
            Level::Low => pin.into_output_low(),
            Level::High => pin.into_output_high(),
        };
        // A pin that is let go floats, and a lamp on it may glow: it stays driven, dark.
        pin.set_reset_on_drop(false);
        Ok(Box::new(Output { pin, dark, lit }))
    }

    fn inputs(&self, buttons: &[config::Button]) -> Result<Inputs, (usize, Cause)> {
        let (sender, edges) = mpsc::channel(QUEUED_EDGES);
        let mut pins = Vec::new();
        for (index, button) in buttons.iter().enumerate() {
            let pin = self.pin(&button.pin).map_err(|cause| (index, cause))?;
            let pin = watched(pin, index, button, sender.clone())
                .map_err(|error| (index, refused(&format!("pin {}: {error}", button.pin), &error)))?;
            pins.push(pin);
        }
        Ok(Inputs { edges, _source: Box::new(pins) })
    }
}

fn watched(
    pin: ::rppal::gpio::Pin,
    index: usize,
    button: &config::Button,
    sender: mpsc::Sender<Result<Edge, Cause>>,
) -> Result<InputPin, Error> {
    let mut pin = match button.pull {
        Pull::Up => pin.into_input_pullup(),
        Pull::Down => pin.into_input_pulldown(),
        Pull::None => pin.into_input(),
    };
    // The thread of an asynchronous interrupt asks the kernel for the line, and keeps a refusal to itself. This
    // asks for it first, here, where it can be told.
    pin.set_interrupt(Trigger::Both, None)?;
    let pressed_at = if button.active_low { Trigger::FallingEdge } else { Trigger::RisingEdge };
    pin.set_async_interrupt(Trigger::Both, None, move |event: Event| {
        let contact = if event.trigger == pressed_at { Contact::Pressed } else { Contact::Released };
        // Nobody listens any more only when the panel is being closed.
        let _ = sender.blocking_send(Ok(Edge { button: index, contact, at: instant_of(event.timestamp) }));
    })?;
    Ok(pin)
}

#[derive(Debug)]
struct Output {
    pin: OutputPin,
    dark: Level,
    lit: Level,
}

impl LampOutput for Output {
    fn set(&mut self, light: Light) -> Result<(), Cause> {
        self.pin.write(match light {
            Light::Dark => self.dark,
            Light::Lit => self.lit,
        });
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.pin.write(self.dark);
    }
}
