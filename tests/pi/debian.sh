#!/bin/bash
# Makes the directory with the emulated Pi's Debian: configured, so that it runs systemd and apt, and with everything
# in it that the package of roomcam depends on, because the Pi has no mirror to get it from. Prints the directory.
# Made once, and cached outside the checkout.
# Usage: tests/pi/debian.sh
set -euo pipefail

packages=(
    systemd-sysv udev libnss-systemd kmod iproute2 procps dropbear-bin busybox-static ca-certificates
    alsa-utils v4l-utils gpiod
    gstreamer1.0-alsa gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-tools
)

say() { echo "$@" >&2; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/roomcam
key=$(printf '%s\n' bookworm "${packages[@]}" | sha256sum | cut -c 1-12)
root=$cache/pi-debian-$key
if [ -d "$root" ]; then
    echo "$root"
    exit
fi

started=$SECONDS
say "Making the emulated Pi's Debian in $root (5 to 8 minutes, 1.1 GB)"
# This machine's kernel hands arm64 programs to QEMU's user-mode emulation. Where systemd runs it has seen to that.
misc=/proc/sys/fs/binfmt_misc
[ -e "$misc/register" ] || mount -t binfmt_misc none "$misc"
[ -e "$misc/qemu-aarch64" ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf > "$misc/register"

mkdir -p "$cache"
work=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The kernel is only unpacked: configured, it would make an initramfs of its own, which takes minutes here.
# shellcheck disable=SC2016 # for the hook's shell
mmdebstrap --quiet --variant=minbase --architectures=arm64 --include="$(IFS=,; echo "${packages[*]}")" \
    --dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/man/*' \
    --dpkgopt=path-exclude='/usr/share/locale/*' \
    --customize-hook='cd "$1" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
        kernel=$(apt-cache depends linux-image-arm64 | sed -n "s/.*Depends: \(linux-image-[0-9]\)/\1/p") &&
        apt-get -q download "$kernel" &&
        dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x --keep-directory-symlink && rm linux-image-*.deb' \
    bookworm "$work/root" >&2
mv -T "$work/root" "$root"
rmdir "$work"
trap - EXIT
say "Made in $((SECONDS - started)) s"
echo "$root"
