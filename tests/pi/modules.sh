#!/bin/bash
# Builds the two kernel modules that the emulated Pi needs and Debian's kernel does not have:
#   gpio-sim  the kernel's own simulated GPIO chip, from Debian's kernel source. QEMU's BCM2835 has GPIO outputs
#             only; this one has inputs, so that a button can be pressed.
#   gpiomem   the GPIO registers for who is no root, as on Raspberry Pi OS (modules/gpiomem.c).
# Usage: tests/pi/modules.sh KERNEL-VERSION DIRECTORY     (DIRECTORY: where the modules go)
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
version=$1
destination=$2
series=$(cut -d . -f 1-2 <<< "$version")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# As a foreign architecture of this machine arm64 is only looked up, nothing of it is installed.
dpkg --print-foreign-architectures | grep -qx arm64 || dpkg --add-architecture arm64
apt-get -q update >&2
apt-get -q download "linux-headers-$version:arm64" "linux-headers-${version%-*}-common" "linux-kbuild-$series" \
    "linux-source-$series" >&2
for package in *.deb; do
    dpkg -x "$package" root
done
headers=root/usr/src/linux-headers-$version
sed -i "s|/usr/src/|$work/root/usr/src/|g" "$headers/Makefile"

cp -r "$here/modules" .
mkdir source
tar -xf "root/usr/src/linux-source-$series.tar.xz" -C source --strip-components=1 \
    "linux-source-$series"/{drivers/gpio/gpio-sim.c,drivers/gpio/gpiolib.h,kernel/irq/irq_sim.c}
cp source/drivers/gpio/gpio-sim.c modules/gpio-sim-main.c
cp source/drivers/gpio/gpiolib.h modules/
# A module may not call irq_to_desc(); this is the same by what it may call.
sed 's/irq_to_desc(irqnum)/irq_data_to_desc(irq_get_irq_data(irqnum))/' source/kernel/irq/irq_sim.c \
    > modules/irq_sim.c
make -C "$headers" M="$work/modules" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- modules >&2
install -D -m 644 -t "$destination" modules/*.ko
