//! The types of single values of `[panel]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::values::{ValueError, whole_number, words};

words! {
    /// What drives the pins of the panel. Lamps named by `led` are always driven by the kernel's LED class.
    Backend, r#""auto", "rppal", "gpiochip", "sysfs-led" or "none""#, {
        /// `gpiochip`, or `rppal` on a Raspberry Pi whose chip cannot be opened.
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

/// Which GPIO chip. Never by its number alone: the number depends on the kernel and on what else is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChipChoice {
    /// That of the board's pin header.
    Auto,
    /// The one with this label, as `roomcam devices` and `gpiodetect` show it.
    Label(String),
    /// The one with this device.
    Path(PathBuf),
}

impl ChipChoice {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        r#""auto", the label of a GPIO chip, such as "pinctrl-rp1", or its path, such as "/dev/gpiochip4""#;
    /// The longest label a chip can have (`GPIO_MAX_NAME_SIZE` of linux/gpio.h, less the NUL).
    const MAX_LABEL: usize = 31;
}

impl FromStr for ChipChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let printable = !text.contains(char::is_control);
        let number = text.strip_prefix("gpiochip").unwrap_or(text);
        let numbered = number.chars().all(|c| c.is_ascii_digit());
        match text {
            "auto" => Ok(Self::Auto),
            _ if text.starts_with('/') && printable => Ok(Self::Path(text.into())),
            _ if printable && !numbered && text == text.trim() && text.len() <= Self::MAX_LABEL => {
                Ok(Self::Label(text.to_owned()))
            }
            _ => Err(ValueError::new(Self::ALLOWED)),
        }
    }
}
