#!/bin/bash
# Makes what QEMU's raspi3b boots: a directory with a kernel, a device tree, an initramfs, an SD card with a Debian
# root that runs systemd, and the key to log into it. Prints the directory. Made once, and cached outside the
# checkout.
# Usage: tests/pi/image.sh
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
boot_modules=(bcm2835 sdhci_iproc ext4 crc32c_generic)
modules=(
    "${boot_modules[@]}" vivid snd_aloop gpiomem gpio-sim dwc2 cdc_ether rndis_host bcm2835_wdt bcm2835_rng autofs4
)

say() { echo "$@" >&2; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/roomcam
key=$(find "$here"/{debian.sh,image.sh,initramfs-init,modules,modules.sh,root} -type f -print0 | LC_ALL=C sort -z |
    xargs -0 cat | sha256sum | cut -c 1-12)
image=$cache/pi-$key
if [ -d "$image" ]; then
    echo "$image"
    exit
fi
if [ "$(id -u)" -ne 0 ]; then
    say "The emulated Pi's SD card has to be made as root, once: sudo $0"
    exit 1
fi

debian=$("$here/debian.sh")
started=$SECONDS
say "Making the emulated Pi's SD card in $image (1 minute, 3 GB while it is made, 1.2 GB after)"
work=$(mktemp -d "$image.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
cp -a "$debian" "$root"

version=$(basename "$root"/lib/modules/*)
"$here/modules.sh" "$version" "$root/lib/modules/$version/extra"
depmod --basedir "$root" "$version"

# The paths of modules and what they depend on, in the order in which they are to be loaded.
files_of() {
    for module in "$@"; do
        modprobe --dirname "$root" --set-version "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# Kernel, device tree, initramfs.
cp "$root/boot/vmlinuz-$version" "$work/kernel"
cp "$root/usr/lib/linux-image-$version/broadcom/bcm2837-rpi-3-b.dtb" "$work/pi.dtb"
mkdir -p "$work/initramfs"/{bin,dev,proc,modules,mnt}
cp "$root/bin/busybox" "$work/initramfs/bin/"
install -m 755 "$here/initramfs-init" "$work/initramfs/init"
number=10
files_of "${boot_modules[@]}" | while read -r file; do
    cp "$file" "$work/initramfs/modules/$((number++)).ko"
done
(cd "$work/initramfs" && find . | cpio --quiet --create --format=newc | gzip) > "$work/initramfs.gz"

# Of the kernel only the modules that are used.
mkdir "$work/modules"
files_of "${modules[@]}" | while read -r file; do
    install -D -m 644 "$file" "$work/modules/${file#"$root"}"
done
cp "$root/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$work/modules/lib/modules/$version/"
rm -rf "$root"/boot/* "$root/lib/modules" "$root"/usr/lib/linux-image-*
mkdir -p "$root/lib/modules"
cp -r "$work/modules/lib/modules/$version" "$root/lib/modules/"
depmod --basedir "$root" "$version"

# What is ours: network, devices, the shell over SSH. What is not needed must not cost time at every boot.
cp -r --no-preserve=ownership "$here/root/." "$root/"
echo pi > "$root/etc/hostname"
printf '127.0.0.1 localhost pi\n' > "$root/etc/hosts"
echo '/dev/mmcblk0 / ext4 noatime 0 0' > "$root/etc/fstab"
: > "$root/etc/machine-id"
ssh-keygen -q -t ed25519 -N '' -C roomcam-test-pi -f "$work/key"
install -d -m 700 "$root/root/.ssh" "$root/etc/dropbear"
install -m 600 "$work/key.pub" "$root/root/.ssh/authorized_keys"
chroot "$root" dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key >&2
on_card() { chroot "$root" systemctl --quiet "$@"; }
on_card set-default multi-user.target
on_card enable test-network.service test-ssh.service
on_card mask getty.target systemd-logind.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service alsa-restore.service alsa-state.service systemd-pstore.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-tmpfiles-clean.timer systemd-rfkill.socket
# Asking questions before packages are configured takes a Perl, which takes a while here, and there is no one to ask.
rm -f "$root/etc/apt/apt.conf.d/70debconf"
echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/test"
touch "$root/etc/.updated" "$root/var/.updated"

# Without a registry the first start of GStreamer takes half a minute on the emulated Pi.
chroot "$root" env HOME=/root GST_REGISTRY_FORK=no GST_REGISTRY=/var/cache/gstreamer-registry.bin \
    gst-inspect-1.0 --version >&2
[ -s "$root/var/cache/gstreamer-registry.bin" ]

# QEMU takes cards of a power of two only.
mkfs.ext4 -q -d "$root" -E root_owner=0:0 "$work/sd.img" 2G >&2
rm -rf "$root" "$work/modules" "$work/initramfs"
mv -T "$work" "$image"
trap - EXIT
say "Made in $((SECONDS - started)) s"
echo "$image"
