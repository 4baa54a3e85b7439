#!/bin/bash
# Makes a Debian 12 root to install a package in, and prints its directory: minbase, with what the package depends on
# ready to be installed without network. Made once, cached outside the checkout; to be copied, not to be changed.
# Usage: tests/packages/root.sh ARCH DEPENDS     (the Depends field of the package)
# For a foreign architecture the dependencies are installed already: under emulation that takes minutes.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../../cross/arch.sh
. "$here/../../cross/arch.sh"
select_arch "$1"
depends=$2

say() { echo "$@" >&2; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/roomcam
key=$({ echo "$ARCH $depends"; cat "$here/root.sh"; } | sha256sum | cut -c 1-12)
root=$cache/root-$ARCH-$key
if [ -d "$root" ]; then
    echo "$root"
    exit
fi

if is_native; then
    say "Making a Debian root for $ARCH in $root (1 minute, 600 MB)"
    get=--download-only
else
    say "Making a Debian root for $ARCH in $root (10 minutes: emulated; 1 GB)"
    get=--quiet
    # The kernel hands programs of that architecture to QEMU.
    misc=/proc/sys/fs/binfmt_misc
    [ -e "$misc/register" ] || mount -t binfmt_misc none "$misc"
    [ -e "$misc/qemu-arm" ] || cat /usr/lib/binfmt.d/qemu-arm.conf > "$misc/register"
fi
started=$SECONDS
mkdir -p "$cache"
partial=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$partial"' EXIT
# Installed by apt itself, alternatives and versions and all, as it would for the package.
export DEPENDS=$depends GET=$get
# shellcheck disable=SC2016 # for the shell that mmdebstrap starts
debian_sources | mmdebstrap --quiet --variant=minbase --architectures="$ARCH" --skip=cleanup/apt \
    --customize-hook='chroot "$1" apt-get satisfy --quiet --yes --no-install-recommends "$GET" "$DEPENDS"' \
    bookworm "$partial" - >&2
mv -T "$partial" "$root"
trap - EXIT
say "Made in $((SECONDS - started)) s: $(du -sh "$root" | cut -f 1)"
echo "$root"
