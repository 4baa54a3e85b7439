//! GPIO chips, from sysfs: reading needs no permission on the chip itself.

use std::path::{Path, PathBuf};

use super::{GpioChip, numbered, read_line};

/// The chips that have a character device.
pub(super) fn chips(root: &Path) -> Vec<GpioChip> {
    numbered(&root.join("dev"), "gpiochip")
        .into_iter()
        .map(|number| GpioChip { device: format!("/dev/gpiochip{number}"), label: label(root, number) })
        .collect()
}

/// The chip's label from the old GPIO class, which numbers chips in its own way: the two are one chip if they
/// hang on the same device. Without it the name of that device (`fe200000.gpio`) has to do.
fn label(root: &Path, number: u32) -> String {
    let chip = root.join(format!("sys/bus/gpio/devices/gpiochip{number}"));
    let Some(parent) = parent_device(&chip, 1) else { return "unknown".to_owned() };
    let class = root.join("sys/class/gpio");
    numbered(&class, "gpiochip")
        .into_iter()
        .map(|base| class.join(format!("gpiochip{base}")))
        .find(|legacy| parent_device(legacy, 2).as_ref() == Some(&parent))
        .and_then(|legacy| read_line(&legacy.join("label")))
        .or_else(|| Some(parent.file_name()?.to_str()?.to_owned()))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The real path of a sysfs link, `levels` directories up.
fn parent_device(link: &Path, levels: usize) -> Option<PathBuf> {
    let real = link.canonicalize().ok()?;
    real.ancestors().nth(levels).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_chip_is_named_by_its_label_or_else_by_its_device() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let soc = root.join("sys/devices/platform/soc");
        for made in ["fe200000.gpio/gpiochip0", "fe200000.gpio/gpio/gpiochip512", "expander/gpiochip1"] {
            std::fs::create_dir_all(soc.join(made)).unwrap();
        }
        for made in ["dev", "sys/bus/gpio/devices", "sys/class/gpio"] {
            std::fs::create_dir_all(root.join(made)).unwrap();
        }
        std::fs::write(soc.join("fe200000.gpio/gpio/gpiochip512/label"), "pinctrl-bcm2711\n").unwrap();
        let bus = root.join("sys/bus/gpio/devices");
        symlink(soc.join("fe200000.gpio/gpiochip0"), bus.join("gpiochip0")).unwrap();
        symlink(soc.join("expander/gpiochip1"), bus.join("gpiochip1")).unwrap();
        let class = root.join("sys/class/gpio");
        symlink(soc.join("fe200000.gpio/gpio/gpiochip512"), class.join("gpiochip512")).unwrap();
        for node in ["gpiochip0", "gpiochip1", "gpiochip2"] {
            std::fs::write(root.join("dev").join(node), "").unwrap();
        }

        let found: Vec<_> = chips(root).into_iter().map(|chip| (chip.device, chip.label)).collect();

        let expected = [
            ("/dev/gpiochip0", "pinctrl-bcm2711"),
            ("/dev/gpiochip1", "expander"),
            ("/dev/gpiochip2", "unknown"),
        ];
        assert_eq!(found, expected.map(|(device, label)| (device.to_owned(), label.to_owned())));
    }
}
