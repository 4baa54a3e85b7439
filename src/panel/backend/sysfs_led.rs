//! LEDs that the kernel knows: `brightness` and `trigger` in `/sys/class/leds/NAME`
//! (Documentation/leds/leds-class.rst of Linux).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{LampOutput, exists};
use crate::config::{Backend, LedName, Percent};
use crate::panel::error::Cause;
use crate::panel::lamp::Light;

/// One LED. What lit it before we took it (its trigger, such as `mmc0`) takes over again when it is dropped.
#[derive(Debug)]
pub(in crate::panel) struct SysfsLed {
    folder: PathBuf,
    /// What is written for light, 1 to the LED's `max_brightness`.
    lit: u32,
    /// The trigger it had, if that was another than `none`.
    trigger: Option<String>,
}

impl SysfsLed {
    /// Takes an LED below `root` ([`super::LEDS`]), dark. An LED without triggers is fine; one without
    /// `brightness` or `max_brightness` is none.
    pub fn open(root: &Path, led: &LedName, brightness: Percent) -> Result<Self, Cause> {
        let folder = root.join(led.as_str());
        if !exists(&folder) {
            return Err(Cause::new(
                Backend::SysfsLed,
                format!("there is no LED {led} in {}", root.display()),
                choices(root),
            ));
        }
        let max = read(&folder.join("max_brightness"))?;
        let max: u32 = max.trim().parse().map_err(|_| {
            let path = folder.join("max_brightness");
            Cause::new(Backend::SysfsLed, format!("{} holds no number", path.display()), "choose another LED")
        })?;
        let percent = u64::from(brightness.get());
        let lit = u32::try_from(u64::from(max) * percent / 100).unwrap_or(max).max(1);
        let mut led = Self { folder, lit, trigger: None };
        if exists(&led.path("trigger")) {
            let trigger = chosen_trigger(&read(&led.path("trigger"))?);
            led.write("trigger", "none")?;
            led.trigger = trigger;
        }
        led.set(Light::Dark)?;
        Ok(led)
    }

    fn path(&self, attribute: &str) -> PathBuf {
        self.folder.join(attribute)
    }

    /// Writes an attribute in one piece, which sysfs asks for, and never creates it.
    fn write(&self, attribute: &str, value: &str) -> Result<(), Cause> {
        let path = self.path(attribute);
        let file = OpenOptions::new().write(true).truncate(true).open(&path);
        file.and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()))
            .map_err(|error| refused(&path, "write", &error))
    }
}

impl LampOutput for SysfsLed {
    fn set(&mut self, light: Light) -> Result<(), Cause> {
        let brightness = match light {
            Light::Dark => 0,
            Light::Lit => self.lit,
        };
        self.write("brightness", &brightness.to_string())
    }
}

impl Drop for SysfsLed {
    fn drop(&mut self) {
        let dark = self.set(Light::Dark);
        let given_back = self.trigger.take().map_or(Ok(()), |trigger| self.write("trigger", &trigger));
        for cause in [dark, given_back].into_iter().filter_map(Result::err) {
            tracing::error!("giving an LED back: {cause}");
        }
    }
}

/// The trigger in brackets: `none rc-feedback [mmc0] timer`. `none` needs no giving back.
fn chosen_trigger(triggers: &str) -> Option<String> {
    let chosen = triggers.split_once('[')?.1.split_once(']')?.0;
    (chosen != "none").then(|| chosen.to_owned())
}

fn read(path: &Path) -> Result<String, Cause> {
    fs::read_to_string(path).map_err(|error| refused(path, "read", &error))
}

fn refused(path: &Path, what: &str, error: &io::Error) -> Cause {
    let why = format!("cannot {what} {}: {error}", path.display());
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "LEDs belong to root: a udev rule can give them to the group of the daemon"
        }
        _ => "choose another LED",
    };
    Cause::new(Backend::SysfsLed, why, remedy)
}

fn choices(root: &Path) -> String {
    let names = fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<_> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    if names.is_empty() {
        "this machine has no LEDs".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    }
}
