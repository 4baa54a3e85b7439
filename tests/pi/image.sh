#!/bin/bash
# Makes what QEMU's raspi3b boots: a directory with a kernel, a device tree, an initramfs, an SD card with a small
# Debian root, and the key to log into it. Prints the directory. Built once, and cached outside the checkout.
# Usage: tests/pi/image.sh
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# Without systemd: an init script is enough to try the program. Nothing of the foreign architecture is configured,
# which would take minutes under emulation; what these packages' scripts would have done is done here.
packages=(
    base-files base-passwd bash busybox-static coreutils dash dropbear-bin grep iproute2 kmod mount procps psmisc
    sed strace util-linux
    alsa-utils gstreamer1.0-alsa gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-tools v4l-utils
    linux-image-arm64
)
boot_modules=(bcm2835 sdhci_iproc ext4 crc32c_generic)
modules=("${boot_modules[@]}" vivid snd_aloop dwc2 cdc_ether rndis_host bcm2835_wdt bcm2835_rng)

say() { echo "$@" >&2; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/roomcam
key=$({ printf '%s\n' "${packages[@]}" "${modules[@]}"; cat "$here"/{image.sh,init,initramfs-init}; } | sha256sum | cut -c 1-12)
image=$cache/pi-$key
if [ -d "$image" ]; then
    echo "$image"
    exit
fi

started=$SECONDS
say "Making the emulated Pi's SD card in $image (2 minutes, 1.5 GB while it is made, 330 MB after)"
mkdir -p "$cache"
work=$(mktemp -d "$image.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=extract --architectures=arm64 \
    --include="$(IFS=,; echo "${packages[*]}")" bookworm "$root" >&2
say "Debian's packages are there after $((SECONDS - started)) s"

version=$(basename "$root"/lib/modules/*)
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

# The root: of the kernel only the modules that are used, no documentation.
mkdir "$work/modules"
files_of "${modules[@]}" | while read -r file; do
    install -D -m 644 "$file" "$work/modules/${file#"$root"}"
done
cp "$root/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$work/modules/lib/modules/$version/"
rm -rf "$root"/boot/* "$root/lib/modules" "$root"/usr/lib/linux-image-* "$root"/usr/share/{doc,man,locale} \
    "$root"/var/{cache/apt,lib/apt/lists}
mkdir -p "$root/lib/modules"
cp -r "$work/modules/lib/modules/$version" "$root/lib/modules/"
depmod --basedir "$root" "$version"

install -m 755 "$here/init" "$root/sbin/init"
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
echo 'guest:x:1000:1000::/tmp:/bin/sh' >> "$root/etc/passwd"
printf '/bin/sh\n/bin/bash\n' > "$root/etc/shells"
printf '127.0.0.1 localhost\n' > "$root/etc/hosts"

ssh-keygen -q -t ed25519 -N '' -C roomcam-test-pi -f "$work/key"
install -d -m 700 "$root/root/.ssh" "$root/etc/dropbear"
install -m 600 "$work/key.pub" "$root/root/.ssh/authorized_keys"

# Programs of the foreign architecture, run by name: no binfmt_misc needed, and so no child processes of them.
install -m 755 "$(command -v qemu-aarch64-static)" "$root/qemu"
in_root() { chroot "$root" /qemu -cpu cortex-a53 "$@"; }
in_root /usr/bin/dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key >&2
# Without a registry the first start of GStreamer takes half a minute on the emulated Pi.
in_root -E HOME=/root -E GST_REGISTRY_FORK=no /usr/bin/gst-inspect-1.0 --version >&2
[ -s "$root/root/.cache/gstreamer-1.0/registry.aarch64.bin" ]
rm "$root/qemu"

# QEMU takes cards of a power of two only.
mkfs.ext4 -q -d "$root" -E root_owner=0:0 "$work/sd.img" 1G
rm -rf "$root" "$work/modules" "$work/initramfs"
mv -T "$work" "$image"
trap - EXIT
say "Made in $((SECONDS - started)) s"
echo "$image"
