//! `[panel]`, `[[panel.lamp]]` and `[[panel.button]]`: which lamps and buttons the device has.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{Origin, Problem};
use super::layers::Layers;
use super::panel_values::{
    Backend, ButtonCommand, ChipChoice, DebounceMs, HoldMs, LedName, Percent, Pin, Pull, Shows,
};
use super::schema::{self, Key};

/// `[panel]`: the lamps and buttons of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// What drives the pins.
    pub backend: Backend,
    /// The GPIO chip that the backend `gpiochip` uses.
    pub chip: ChipChoice,
    /// The lamps, in the order of the file.
    pub lamps: Vec<Lamp>,
    /// The buttons, in the order of the file.
    pub buttons: Vec<Button>,
}

impl Panel {
    /// Whether the microphone is to be live only while somebody holds a button.
    pub fn has_push_to_talk(&self) -> bool {
        self.buttons.iter().any(|button| button.action == ButtonAction::PushToTalk)
    }
}

/// `[[panel.lamp]]`: one lamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lamp {
    /// Where it is.
    pub place: LampPlace,
    /// What it tells the people in the room.
    pub shows: Shows,
}

/// Where a lamp is, and how it is driven there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LampPlace {
    /// On a pin.
    Pin {
        /// The pin.
        pin: Pin,
        /// Whether it is lit while the pin is low.
        active_low: bool,
    },
    /// An LED that the kernel knows.
    Led {
        /// Its name in `/sys/class/leds`.
        led: LedName,
        /// How bright it is when lit.
        brightness: Percent,
    },
}

impl fmt::Display for LampPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin { pin, .. } => write!(f, "pin {pin}"),
            Self::Led { led, .. } => write!(f, "LED {led}"),
        }
    }
}

/// `[[panel.button]]`: one button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Where it is.
    pub pin: Pin,
    /// What it does.
    pub action: ButtonAction,
    /// What holds the pin while the button is open.
    pub pull: Pull,
    /// Whether the pin is low while the button is pressed.
    pub active_low: bool,
    /// How long the contact must be quiet before it counts.
    pub debounce: DebounceMs,
    /// From when on a press is a long one.
    pub hold: HoldMs,
}

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonAction {
    /// One thing when it is pressed, another when it is held.
    Press {
        /// When it is released before `hold`.
        short: ButtonCommand,
        /// When it is held.
        long: ButtonCommand,
    },
    /// The microphone is live while it is held.
    PushToTalk,
}

/// Reads the section. `None` if something is wrong, which is then among the problems.
pub(super) fn read(layers: &mut Layers) -> Option<Panel> {
    let backend: Option<Backend> = layers.text(&schema::BACKEND);
    let chip = layers.text(&schema::CHIP);
    let mut places = Places::new(backend);
    let lamps = read_list(layers, &schema::LAMPS, |entry| lamp(entry, &mut places));
    let buttons = read_list(layers, &schema::BUTTONS, |entry| button(entry, &mut places));
    Some(Panel { backend: backend?, chip: chip?, lamps, buttons })
}

/// Every entry is read before a wrong one counts, so that all problems are found. The wrong ones are missing
/// from what is returned.
fn read_list<T>(
    layers: &mut Layers,
    list: &schema::List,
    mut read: impl FnMut(&mut Layers) -> Option<T>,
) -> Vec<T> {
    let mut items = Vec::new();
    for mut entry in layers.take_list(list) {
        items.extend(read(&mut entry));
        layers.problems.append(&mut entry.problems);
    }
    items
}

fn lamp(entry: &mut Layers, places: &mut Places) -> Option<Lamp> {
    let pin: Option<Pin> = entry.name_or_number(&schema::LAMP_PIN);
    let led: Option<LedName> = entry.text(&schema::LAMP_LED);
    let shows = entry.text(&schema::LAMP_SHOWS);
    let active_low = entry.switch(&schema::LAMP_ACTIVE_LOW);
    let brightness = entry.number(&schema::LAMP_BRIGHTNESS);
    let place = match (entry.is_set(&schema::LAMP_PIN), entry.is_set(&schema::LAMP_LED)) {
        (true, false) => {
            refuse_if_set(
                entry,
                &schema::LAMP_BRIGHTNESS,
                "is for an LED named by led; a pin is lit or dark",
            );
            places.take_pin(entry, &schema::LAMP_PIN, &pin);
            LampPlace::Pin { pin: pin?, active_low: active_low? }
        }
        (false, true) => {
            let why = "is for a lamp on a pin; the kernel knows how its LEDs are wired";
            refuse_if_set(entry, &schema::LAMP_ACTIVE_LOW, why);
            places.take_led(entry, &schema::LAMP_LED, &led);
            LampPlace::Led { led: led?, brightness: brightness? }
        }
        (true, true) => {
            contradiction(entry, entry.origin(&schema::LAMP_LED), &schema::LAMP_LED, BOTH_PLACES);
            return None;
        }
        (false, false) => {
            entry.problems.push(Problem::MissingInEntry {
                at: entry.start(),
                key: "panel.lamp.pin or panel.lamp.led".to_owned(),
                allowed: PIN_OR_LED,
            });
            return None;
        }
    };
    Some(Lamp { place, shows: shows? })
}

const BOTH_PLACES: &str = "is set beside pin; a lamp is either on a pin or an LED of the kernel";
const PIN_OR_LED: &str =
    r#"one of them: pin = 17 or pin = "GPIO17" for a pin, led = "ACT" for an LED of the kernel"#;

fn button(entry: &mut Layers, places: &mut Places) -> Option<Button> {
    let pin: Option<Pin> = entry.name_or_number(&schema::BUTTON_PIN);
    let short = entry.text(&schema::BUTTON_PRESS);
    let long = entry.text(&schema::BUTTON_LONG_PRESS);
    let push_to_talk = entry.switch(&schema::BUTTON_PUSH_TO_TALK);
    let pull: Option<Pull> = entry.text(&schema::BUTTON_PULL);
    let active_low = entry.switch(&schema::BUTTON_ACTIVE_LOW).or_else(|| Some(*pull.as_ref()? != Pull::Down));
    let debounce = entry.number(&schema::BUTTON_DEBOUNCE_MS);
    let hold = entry.number(&schema::BUTTON_HOLD_MS);
    places.take_pin(entry, &schema::BUTTON_PIN, &pin);
    let action = match (push_to_talk?, short?, long?) {
        (true, ..) => {
            let why = "does not go with push_to_talk = true; the button is for talking alone";
            refuse_if_set(entry, &schema::BUTTON_PRESS, why);
            refuse_if_set(entry, &schema::BUTTON_LONG_PRESS, why);
            ButtonAction::PushToTalk
        }
        (false, ButtonCommand::None, ButtonCommand::None) => {
            let why = "does nothing; set press or long_press to more than \"none\", or push_to_talk = true";
            let what = schema::BUTTONS.path();
            entry.problems.push(Problem::Contradiction { at: entry.start(), what, why: why.to_owned() });
            return None;
        }
        (false, short, long) => ButtonAction::Press { short, long },
    };
    Some(Button { pin: pin?, action, pull: pull?, active_low: active_low?, debounce: debounce?, hold: hold? })
}

fn refuse_if_set(entry: &mut Layers, key: &Key, why: &str) {
    if entry.is_set(key) {
        contradiction(entry, entry.origin(key), key, why);
    }
}

fn contradiction(entry: &mut Layers, at: Origin, key: &Key, why: &str) {
    entry.problems.push(Problem::Contradiction { at, what: key.path(), why: why.to_owned() });
}

/// Which pins and LEDs are taken, and where that was written.
struct Places {
    backend: Option<Backend>,
    pins: BTreeMap<Pin, Origin>,
    leds: BTreeMap<LedName, Origin>,
}

impl Places {
    fn new(backend: Option<Backend>) -> Self {
        Self { backend, pins: BTreeMap::new(), leds: BTreeMap::new() }
    }

    fn take_pin(&mut self, entry: &mut Layers, key: &Key, pin: &Option<Pin>) {
        let Some(pin) = pin else { return };
        let at = entry.origin(key);
        match (self.backend, pin) {
            (Some(Backend::SysfsLed), _) => contradiction(
                entry,
                at.clone(),
                key,
                "does not go with panel.backend = \"sysfs-led\", which drives no pins; use \"auto\"",
            ),
            (Some(Backend::Rppal), Pin::Name(_)) => contradiction(
                entry,
                at.clone(),
                key,
                "does not go with panel.backend = \"rppal\", which knows pins by BCM number alone; use the \
                 number, or \"gpiochip\"",
            ),
            _ => {}
        }
        if let Some(first) = self.pins.get(pin) {
            contradiction(entry, at, key, &format!("= {pin} is taken already, at {first}"));
        } else {
            self.pins.insert(pin.clone(), at);
        }
    }

    fn take_led(&mut self, entry: &mut Layers, key: &Key, led: &Option<LedName>) {
        let Some(led) = led else { return };
        let at = entry.origin(key);
        if let Some(first) = self.leds.get(led) {
            contradiction(entry, at, key, &format!("= {led} is taken already, at {first}"));
        } else {
            self.leds.insert(led.clone(), at);
        }
    }
}
