#!/bin/sh
# Installs the Debian packages for a cross build that are missing; quick when none is.
# Usage: cross/install-deps.sh ARCH
set -eu

here=$(dirname "$(readlink -f "$0")")
. "$here/arch.sh"
select_arch "${1:-}"

missing=
tool() { command -v "$1" >/dev/null || missing="$missing $2"; }

tool mmdebstrap mmdebstrap
tool pkg-config pkg-config
tool "$GNU_TARGET-gcc" "gcc-$GNU_TARGET"
# The libraries come from the sysroot; this is for what the compiler itself links.
[ -e "/usr/$GNU_TARGET/lib/libc.so" ] || missing="$missing libc6-dev-$ARCH-cross"

has_std() { # RUSTC: whether it can compile for the target
    command -v "$1" >/dev/null && [ -d "$("$1" --print target-libdir --target "$RUST_TARGET" 2>/dev/null)" ]
}
# rustup's toolchain gets the target with: rustup target add. Without it, Debian's own does the work.
if ! has_std rustc && ! has_std /usr/bin/rustc; then
    if [ "$ARCH" = armhf ]; then
        # The library's source instead of armhf as a foreign architecture here: at times its index of security updates
        # is broken, and with it every apt-get update.
        tool /usr/bin/cargo cargo-web
        tool /usr/bin/rustc rustc-web
        [ -d "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ] ||
            missing="$missing rust-web-src"
    else
        missing="$missing rustc-web cargo-web libstd-rust-web-dev:$ARCH"
    fi
fi

[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
echo "Installing what a cross build for $ARCH needs (apt-get):$missing" >&2
case $missing in
*:"$ARCH"*) $as_root dpkg --add-architecture "$ARCH" ;;
esac
$as_root apt-get update -q >&2
# shellcheck disable=SC2086 # one word per package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends $missing \
    </dev/null >&2
