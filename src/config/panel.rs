//! `[panel]`, `[[panel.lamp]]` and `[[panel.button]]`: which lamps and buttons the device has.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::error::{Origin, Problem};
use super::layers::Layers;
use super::schema::{self, Key};
use super::values::{ValueError, whole_number};

/// `[panel]`: the lamps and buttons of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// What drives the pins.
    pub backend: Backend,
    /// The GPIO chip that the backend `gpiochip` uses.
    pub chip: ChipPath,
    /// The lamps, in the order of the file.
    pub lamps: Vec<Lamp>,
    /// The buttons, in the order of the file.
    pub buttons: Vec<Button>,
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

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl $name {
            /// What is allowed, in words.
            pub const ALLOWED: &'static str = $allowed;

            /// The word for it in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(ValueError::new(Self::ALLOWED)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What drives the pins of the panel. Lamps named by `led` are always driven by the kernel's LED class.
    Backend, r#""auto", "rppal", "gpiochip", "sysfs-led" or "none""#, {
        /// `rppal` on a Raspberry Pi that lets us, else `gpiochip`.
        Auto = "auto",
        /// The registers of a Raspberry Pi.
        Rppal = "rppal",
        /// The GPIO character device of Linux.
        Gpiochip = "gpiochip",
        /// Nothing: all lamps are LEDs that the kernel knows, and there is no button.
        SysfsLed = "sysfs-led",
        /// Nothing at all: lamps and buttons are left alone, as on a machine that has none of them.
        None = "none",
    }
}
words! {
    /// What a lamp tells.
    Shows, r#""mic-muted", "mic-live", "camera-on", "camera-off", "meeting" or "speaking""#, {
        /// Lit: nobody hears this room.
        MicMuted = "mic-muted",
        /// Lit: this room may be heard.
        MicLive = "mic-live",
        /// Lit: this room may be seen.
        CameraOn = "camera-on",
        /// Lit: nobody sees this room.
        CameraOff = "camera-off",
        /// Lit: the device is in the meeting.
        Meeting = "meeting",
        /// Lit: the microphone hears somebody.
        Speaking = "speaking",
    }
}
words! {
    /// What a press of a button does.
    ButtonCommand, r#""toggle-mic", "toggle-camera", "mute", "leave" or "none""#, {
        /// Mutes the microphone or makes it live.
        ToggleMic = "toggle-mic",
        /// Turns the camera off or on.
        ToggleCamera = "toggle-camera",
        /// Mutes the microphone.
        Mute = "mute",
        /// Leaves the meeting.
        Leave = "leave",
        /// Nothing.
        None = "none",
    }
}
words! {
    /// The resistor on the pin of a button.
    Pull, r#""up", "down" or "none""#, {
        /// To the supply: for a button between pin and ground.
        Up = "up",
        /// To ground: for a button between pin and supply.
        Down = "down",
        /// None: there is one on the board.
        None = "none",
    }
}

whole_number! {
    /// How bright an LED is when lit. Never 0: a lamp that cannot be seen tells nothing.
    Percent(u8), |number| (1..=100).contains(&number), "a whole number of percent from 1 to 100"
}
whole_number! {
    /// How long a contact must be quiet before it counts, in milliseconds. Always shorter than [`HoldMs`].
    DebounceMs(u16), |number| (1..=150).contains(&number), "a whole number of milliseconds from 1 to 150"
}
whole_number! {
    /// From when on a press is a long one, in milliseconds.
    HoldMs(u16), |number| (200..=10_000).contains(&number), "a whole number of milliseconds from 200 to 10000"
}

impl DebounceMs {
    /// As a length of time.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

impl HoldMs {
    /// As a length of time.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pin {
    /// By its number: BCM on a Raspberry Pi, else the line's offset on the chip. At most 511.
    Number(u16),
    /// By the name that the chip's driver gives the line, such as `GPIO17`: 1 to 31 characters.
    Name(String),
}

impl Pin {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        r#"a number from 0 to 511 (BCM number, line on the chip) or the name of a line, such as "GPIO17""#;
    /// The longest name a line can have (`GPIO_MAX_NAME_SIZE` of linux/gpio.h, less the NUL).
    const MAX_NAME: usize = 31;
}

impl TryFrom<i64> for Pin {
    type Error = ValueError;

    fn try_from(number: i64) -> Result<Self, ValueError> {
        match u16::try_from(number) {
            Ok(number) if number <= 511 => Ok(Self::Number(number)),
            _ => Err(ValueError::new(Self::ALLOWED)),
        }
    }
}

impl FromStr for Pin {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.parse::<i64>().is_ok() {
            return Err(ValueError::new(format!("{}; take the quotes away", Self::ALLOWED)));
        }
        let printable = text == text.trim() && !text.contains(char::is_control);
        if printable && (1..=Self::MAX_NAME).contains(&text.len()) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The name of an LED in `/sys/class/leds`. It holds no `/` and does not start with `.`, so that it never leads
/// out of that folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedName(String);

impl LedName {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = r#"the name of an LED in /sys/class/leds, such as "ACT""#;
    /// `LED_MAX_NAME_SIZE` of linux/leds.h.
    const MAX: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LedName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let inside = !text.starts_with('.') && !text.contains(|c: char| c == '/' || c.is_control());
        if inside && text == text.trim() && (1..=Self::MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

impl fmt::Display for LedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The device of a GPIO chip: an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChipPath(PathBuf);

impl ChipPath {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = r#"the path of a GPIO chip, such as "/dev/gpiochip0""#;

    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for ChipPath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.starts_with('/') && !text.contains(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
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
            entry.problems.push(Problem::MissingInEntry {
                at: entry.start(),
                key: "panel.button.press".to_owned(),
                allowed: "press or long_press other than \"none\", or push_to_talk = true; \
                          without any of them the button does nothing",
            });
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
