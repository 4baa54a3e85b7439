//! Microphones, from what ALSA's kernel side tells in `/proc/asound`.

use std::path::Path;

use super::{Microphone, is_denied as node_is_denied, numbered, read_line};

/// The cards that record, in the order of their numbers.
pub(super) fn microphones(root: &Path) -> Vec<Microphone> {
    let asound = root.join("proc/asound");
    let Some(table) = read_line(&asound.join("pcm")) else { return Vec::new() };
    let cards = read_line(&asound.join("cards")).unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let (card, device) = capturing(line)?;
            // The id outlives a reboot and another USB port; the number is the order of plugging in.
            let id = read_line(&asound.join(format!("card{card}/id"))).unwrap_or_else(|| card.to_string());
            Some(Microphone {
                device: format!("plughw:CARD={id},DEV={device}"),
                name: card_name(&cards, card).unwrap_or(&id).to_owned(),
            })
        })
        .collect()
}

/// Whether a card's control node cannot be opened for lack of permission.
pub(super) fn is_denied(root: &Path) -> bool {
    let nodes = root.join("dev/snd");
    numbered(&nodes, "controlC")
        .into_iter()
        .any(|card| node_is_denied(&nodes.join(format!("controlC{card}"))))
}

/// Card and device of a line of `/proc/asound/pcm` if it records:
/// `01-00: USB Audio : USB Audio : playback 1 : capture 1`.
fn capturing(line: &str) -> Option<(u32, u32)> {
    let (address, rest) = line.split_once(':')?;
    if !rest.split(':').any(|field| field.trim().starts_with("capture")) {
        return None;
    }
    let (card, device) = address.trim().split_once('-')?;
    Some((card.parse().ok()?, device.parse().ok()?))
}

/// The name in `/proc/asound/cards`: ` 1 [Device         ]: USB-Audio - USB Audio Device`.
fn card_name(cards: &str, card: u32) -> Option<&str> {
    cards.lines().find_map(|line| {
        let (number, rest) = line.trim_start().split_once(' ')?;
        (number.parse() == Ok(card)).then(|| rest.split_once(" - ").map(|(_, name)| name.trim()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cards_that_record_are_microphones() {
        let root = tempfile::tempdir().unwrap();
        let asound = root.path().join("proc/asound");
        std::fs::create_dir_all(asound.join("card2")).unwrap();
        std::fs::write(
            asound.join("pcm"),
            "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n\
             02-00: USB Audio : USB Audio : playback 1 : capture 1\n",
        )
        .unwrap();
        std::fs::write(
            asound.join("cards"),
            " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n\
             \x20                     bcm2835 Headphones\n \
             2 [Device         ]: USB-Audio - USB PnP Sound Device\n\
             \x20                     C-Media at usb-0000:01:00.0-1.3, full speed\n",
        )
        .unwrap();
        std::fs::write(asound.join("card2/id"), "Device\n").unwrap();

        let found = microphones(root.path());

        let expected = Microphone {
            device: "plughw:CARD=Device,DEV=0".to_owned(),
            name: "USB PnP Sound Device".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_machine_without_sound_has_no_microphones() {
        let root = tempfile::tempdir().unwrap();

        assert_eq!(microphones(root.path()), []);
    }
}
