//! What the device is called when nobody said so: one configuration file serves fifty devices.

use std::fs;

use ring::hmac;

use super::values::Name;

/// Kept apart from other programs' ids of the same machine, as machine-id(5) asks for.
const SCOPE: &[u8] = b"roomcam user id";

/// What a machine knows of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// The kernel's host name.
    pub hostname: Option<String>,
    /// The board's serial number, as the firmware of a Raspberry Pi gives it.
    pub serial: Option<String>,
    /// systemd's id of the installation.
    pub machine_id: Option<String>,
}

impl Host {
    /// The machine we run on.
    pub fn read() -> Self {
        let text = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
            (!text.is_empty()).then(|| text.to_owned())
        };
        Self {
            hostname: text("/proc/sys/kernel/hostname"),
            serial: text("/sys/firmware/devicetree/base/serial-number"),
            machine_id: text("/etc/machine-id"),
        }
    }

    /// The host name; `roomcam` where it cannot be had.
    pub fn username(&self) -> Option<Name> {
        self.hostname.as_deref().unwrap_or("roomcam").parse().ok()
    }

    /// An id that is the same after every restart and another one on every device: `roomcam-` and 16
    /// hexadecimal digits. The board's serial number comes first, because cards are cloned together with their
    /// machine id; a device that has neither has no id.
    pub fn user_id(&self) -> Option<Name> {
        let zeros = |serial: &&str| !serial.chars().all(|c| c == '0');
        let source = self.serial.as_deref().filter(zeros).or(self.machine_id.as_deref())?;
        let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SCOPE), source.as_bytes());
        let digits: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("roomcam-{digits}").parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(serial: Option<&str>, machine_id: Option<&str>) -> Host {
        Host { hostname: None, serial: serial.map(Into::into), machine_id: machine_id.map(Into::into) }
    }

    #[test]
    fn user_id_is_stable_and_hides_what_it_is_made_of() {
        let id = host(None, Some("0123456789abcdef0123456789abcdef")).user_id().unwrap();
        assert_eq!(id.as_str(), "roomcam-d8ba6a6f3bd41999");
    }

    #[test]
    fn devices_cloned_with_their_card_still_differ() {
        let clone = Some("0123456789abcdef0123456789abcdef");
        let one = host(Some("10000000a1b2c3d4"), clone).user_id();
        let other = host(Some("10000000a1b2c3d5"), clone).user_id();
        assert_ne!(one, other);
    }

    #[test]
    fn a_blank_serial_number_counts_as_none() {
        let machine_id = Some("0123456789abcdef0123456789abcdef");
        assert_eq!(host(Some("0000000000000000"), machine_id).user_id(), host(None, machine_id).user_id());
        assert_eq!(host(Some("0000000000000000"), None).user_id(), None);
    }
}
