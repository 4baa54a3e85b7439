#!/bin/sh
# Prints the directory that has an architecture's headers and libraries; makes it first if it is not there yet.
# Usage: cross/sysroot.sh ARCH
# It is a directory rather than packages of the foreign architecture, because the development packages of
# GStreamer for two architectures exclude each other.
set -eu

here=$(dirname "$(readlink -f "$0")")
. "$here/arch.sh"
select_arch "${1:-}"

packages=libc6-dev,libgcc-12-dev,libgstreamer1.0-dev,libgstreamer-plugins-base1.0-dev
# Another list of packages is another sysroot.
key=$(printf %s "bookworm $packages" | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/roomcam
sysroot=$cache/sysroot-$ARCH-$key

if [ ! -d "$sysroot" ]; then
    echo "Making the sysroot for $ARCH in $sysroot (up to a minute, 450 MB)" >&2
    started=$(date +%s)
    mkdir -p "$cache"
    partial=$(mktemp -d "$sysroot.XXXXXX")
    trap 'rm -rf "$partial"' EXIT
    # Extracting runs nothing of the foreign architecture, so this needs no emulator.
    debian_sources | mmdebstrap --quiet --variant=extract --architectures="$ARCH" --include="$packages" \
        bookworm "$partial" - >&2
    mv -T "$partial" "$sysroot"
    echo "Made in $(($(date +%s) - started)) s" >&2
fi
echo "$sysroot"
