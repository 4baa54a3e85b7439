//! The GPIO character device of Linux (`/dev/gpiochipN`, uAPI v2), for every board.

use std::path::PathBuf;
use std::time::Duration;

use gpiocdev::line::{Bias, EdgeDetection, EdgeEvent, EdgeKind, Offset, Value};
use gpiocdev::{Request, request};
use tokio::sync::mpsc;

use super::input::{Edge, Inputs, QUEUED_EDGES, instant_of};
use super::reader::Reader;
use super::{LampOutput, Pins, exists};
use crate::config::{self, Backend, ChipChoice, Pin, Pull};
use crate::panel::button::Contact;
use crate::panel::error::Cause;
use crate::panel::lamp::Light;

/// How we call ourselves towards the kernel; `gpioinfo` shows it.
const CONSUMER: &str = "roomcam";

/// A GPIO chip.
#[derive(Debug)]
pub(super) struct Chip {
    chip: gpiocdev::Chip,
    /// As it was named to us.
    path: String,
}

/// The labels of the chips behind the pin header of a Raspberry Pi: 4, 1 to 3 and Zero, 5.
const PIN_HEADERS: [&str; 3] = ["pinctrl-bcm2711", "pinctrl-bcm2835", "pinctrl-rp1"];

impl Chip {
    /// Opens the chip that is asked for.
    pub fn open(choice: &ChipChoice) -> Result<Self, Cause> {
        let path = match choice {
            ChipChoice::Path(path) => path.clone(),
            ChipChoice::Auto | ChipChoice::Label(_) => choose(choice, present())?,
        };
        let shown = path.display().to_string();
        if !exists(&path) {
            return Err(Cause::new(
                Backend::Gpiochip,
                format!("there is no GPIO chip {shown}"),
                "see `roomcam devices` for those there are, and set panel.chip",
            ));
        }
        match gpiocdev::Chip::from_path(&path) {
            Ok(chip) => Ok(Self { chip, path: shown }),
            Err(error) => Err(Cause::new(
                Backend::Gpiochip,
                format!("cannot open {shown}: {error}"),
                "set panel.chip to a GPIO chip that the daemon may use; on most boards those belong to the group gpio",
            )),
        }
    }

    /// The line of a pin, if it is there and free.
    fn free_line(&self, pin: &Pin) -> Result<Offset, Cause> {
        let info = match pin {
            Pin::Number(number) => self.chip.line_info(Offset::from(*number)).ok(),
            Pin::Name(name) => self.chip.find_line_info(name),
        };
        let Some(info) = info else {
            let lines = self.chip.info().map(|info| info.num_lines).unwrap_or_default();
            return Err(Cause::new(
                Backend::Gpiochip,
                format!("{} has no line {pin}", self.path),
                format!("its lines are 0 to {}; `gpioinfo` shows their names", lines.saturating_sub(1)),
            ));
        };
        if info.used {
            return Err(Cause::new(
                Backend::Gpiochip,
                format!("line {pin} of {} is in use by {:?}", self.path, info.consumer),
                "choose another pin, or take it from whoever uses it",
            ));
        }
        Ok(info.offset)
    }

    fn request(&self) -> request::Builder {
        let mut builder = Request::builder();
        builder.on_chip(self.chip.path()).with_consumer(CONSUMER);
        builder
    }

    fn refused(&self, pin: &Pin, error: &gpiocdev::Error) -> Cause {
        let why = format!("line {pin} of {}: {error}", self.path);
        Cause::new(Backend::Gpiochip, why, "choose another pin; `gpioinfo` shows what each is used for")
    }
}

/// The chips of this machine that can be opened, with their labels.
fn present() -> Vec<(PathBuf, String)> {
    let paths = gpiocdev::chip::chips().unwrap_or_default();
    let labelled = paths.into_iter().filter_map(|path| {
        let label = gpiocdev::Chip::from_path(&path).ok()?.info().ok()?.label;
        Some((path, label))
    });
    labelled.collect()
}

/// The chip among those present that is asked for by its label, or that of the pin header; where there is but one
/// chip, that is it.
fn choose(choice: &ChipChoice, present: Vec<(PathBuf, String)>) -> Result<PathBuf, Cause> {
    let wanted = match choice {
        ChipChoice::Label(label) => &[label.as_str()][..],
        ChipChoice::Auto | ChipChoice::Path(_) => &PIN_HEADERS[..],
    };
    if let Some((path, _)) = present.iter().find(|(_, label)| wanted.contains(&label.as_str())) {
        return Ok(path.clone());
    }
    match (choice, &present[..]) {
        (ChipChoice::Auto, [(only, _)]) => Ok(only.clone()),
        (_, []) => Err(Cause::new(
            Backend::Gpiochip,
            "there is no GPIO chip that the daemon may open",
            "see `roomcam devices` for those there are; on most boards they belong to the group gpio",
        )),
        (_, several) => {
            let labels: Vec<_> = several.iter().map(|(_, label)| label.as_str()).collect();
            Err(Cause::new(
                Backend::Gpiochip,
                format!("none of the GPIO chips is {}; there are {}", wanted.join(" or "), labels.join(", ")),
                "set panel.chip to one of them",
            ))
        }
    }
}

impl Pins for Chip {
    fn output(&self, pin: &Pin, active_low: bool) -> Result<Box<dyn LampOutput>, Cause> {
        let offset = self.free_line(pin)?;
        let mut builder = self.request();
        builder.with_line(offset).as_output(Value::Inactive);
        if active_low {
            builder.as_active_low();
        }
        let request = builder.request().map_err(|error| self.refused(pin, &error))?;
        Ok(Box::new(Line { request, name: format!("line {pin} of {}", self.path) }))
    }

    fn inputs(&self, buttons: &[config::Button]) -> Result<Inputs, (usize, Cause)> {
        let mut builder = self.request();
        let mut offsets = Vec::new();
        for (index, button) in buttons.iter().enumerate() {
            let offset = self.free_line(&button.pin).map_err(|cause| (index, cause))?;
            if offsets.contains(&offset) {
                let why = format!("line {} of {} is another button's already", button.pin, self.path);
                return Err((index, Cause::new(Backend::Gpiochip, why, "choose another pin")));
            }
            offsets.push(offset);
            builder.with_line(offset).as_input().with_edge_detection(EdgeDetection::BothEdges);
            builder.with_bias(match button.pull {
                Pull::Up => Bias::PullUp,
                Pull::Down => Bias::PullDown,
                Pull::None => Bias::Disabled,
            });
            if button.active_low {
                builder.as_active_low();
            } else {
                builder.as_active_high();
            }
        }
        let first = |why: String| {
            (0, Cause::new(Backend::Gpiochip, why, "`gpioinfo` shows what the lines are used for"))
        };
        let request = builder.request().map_err(|error| first(error.to_string()))?;
        let (sender, edges) = mpsc::channel(QUEUED_EDGES);
        let read = move |lines: &Request| match lines.read_edge_event() {
            Ok(event) => Ok(edge_of(&event, &offsets)),
            Err(error) => {
                Err(Cause::new(Backend::Gpiochip, error.to_string(), "the daemon must be restarted"))
            }
        };
        let reader = Reader::start(request, read, sender).map_err(|error| first(error.to_string()))?;
        Ok(Inputs { edges, _source: Box::new(reader) })
    }
}

/// A line with a lamp. The kernel inverts it if the lamp is lit while the pin is low.
#[derive(Debug)]
struct Line {
    request: Request,
    name: String,
}

impl LampOutput for Line {
    fn set(&mut self, light: Light) -> Result<(), Cause> {
        let value = match light {
            Light::Dark => Value::Inactive,
            Light::Lit => Value::Active,
        };
        self.request.set_lone_value(value).map_err(|error| {
            Cause::new(Backend::Gpiochip, format!("{}: {error}", self.name), "the daemon must be restarted")
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Err(cause) = self.set(Light::Dark) {
            tracing::error!("giving a lamp back: {cause}");
        }
    }
}

/// The kernel counts in levels of the button, not of the pin: active-low is taken care of there.
fn edge_of(event: &EdgeEvent, offsets: &[Offset]) -> Option<Edge> {
    let button = offsets.iter().position(|offset| *offset == event.offset)?;
    let contact = match event.kind {
        EdgeKind::Rising => Contact::Pressed,
        EdgeKind::Falling => Contact::Released,
    };
    Some(Edge { button, contact, at: instant_of(Duration::from_nanos(event.timestamp_ns)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chips<const N: usize>(labels: [&str; N]) -> Vec<(PathBuf, String)> {
        let numbered = labels.iter().enumerate();
        numbered
            .map(|(number, label)| (format!("/dev/gpiochip{number}").into(), (*label).to_owned()))
            .collect()
    }

    fn chosen<const N: usize>(choice: &str, labels: [&str; N]) -> Result<String, String> {
        let choice = choice.parse().unwrap();
        choose(&choice, chips(labels)).map(|path| path.display().to_string()).map_err(|cause| cause.why)
    }

    #[test]
    fn the_pin_header_is_found_wherever_the_kernel_has_put_it() {
        let found = |number: u8| Ok(format!("/dev/gpiochip{number}"));
        assert_eq!(chosen("auto", ["pinctrl-bcm2711", "raspberrypi-exp-gpio"]), found(0));
        assert_eq!(chosen("auto", ["gpio-sim.0-bank", "pinctrl-bcm2835"]), found(1));
        let pi_5 = ["gpio-brcmstb@107d508500", "gpio-brcmstb@107d508520", "pinctrl-rp1"];
        assert_eq!(chosen("auto", pi_5), found(2));
        assert_eq!(chosen("gpio-brcmstb@107d508520", pi_5), found(1));
        assert_eq!(chosen("auto", ["sunxi"]), found(0));
    }

    #[test]
    fn where_there_are_others_they_are_named() {
        let none = "there is no GPIO chip that the daemon may open";
        assert_eq!(chosen("auto", []).unwrap_err(), none);
        assert_eq!(
            chosen("pinctrl-rp1", ["one"]).unwrap_err(),
            "none of the GPIO chips is pinctrl-rp1; there are one"
        );
        assert_eq!(
            chosen("auto", ["one", "two"]).unwrap_err(),
            "none of the GPIO chips is pinctrl-bcm2711 or pinctrl-bcm2835 or pinctrl-rp1; there are one, two"
        );
    }
}
