#!/bin/sh
# Builds the release binary for a Pi's processor on a Debian 12 x86-64 machine, with Debian's cross compiler.
# Usage: cross/build.sh ARCH     (Debian's name of it: arm64 or armhf; amd64 is built without crossing)
# The libraries to link against are in a sysroot, built once by cross/sysroot.sh and cached outside the checkout.
set -eu

here=$(dirname "$(readlink -f "$0")")
. "$here/arch.sh"
select_arch "${1:-}"
if is_native; then
    cd "$here/.."
    cargo build ${CI:+--locked} --release
    echo "$RELEASE/roomcam"
    exit
fi

"$here/install-deps.sh" "$ARCH"
sysroot=$("$here/sysroot.sh" "$ARCH")

# Any toolchain will do that has the target's standard library. Debian's is the one that was just installed;
# its cargo runs whatever rustc comes first in PATH. For armhf it has the source of the library, to be built with the
# rest; a stable compiler has to be allowed to do that.
has_std() { [ -d "$(rustc --print target-libdir --target "$RUST_TARGET" 2>/dev/null)" ]; }
build_std=
if ! has_std; then
    PATH=/usr/bin:$PATH
    export PATH
    unset RUSTUP_TOOLCHAIN
    if ! has_std; then
        build_std=-Zbuild-std=std,panic_abort
        export RUSTC_BOOTSTRAP=1
    fi
fi

# cargo's variables have the target in capitals, those of the crate cc have it in small letters.
upper=$(printf %s "$RUST_TARGET" | tr a-z- A-Z_)
lower=$(printf %s "$RUST_TARGET" | tr - _)
export "CARGO_TARGET_${upper}_LINKER=$GNU_TARGET-gcc"
export "CARGO_TARGET_${upper}_RUSTFLAGS=-C link-arg=--sysroot=$sysroot"
export "CC_$lower=$GNU_TARGET-gcc" "CFLAGS_$lower=--sysroot=$sysroot"
export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR="$sysroot" PKG_CONFIG_PATH= \
    PKG_CONFIG_LIBDIR="$sysroot/usr/lib/$GNU_TARGET/pkgconfig:$sysroot/usr/share/pkgconfig"

echo "Building roomcam for $ARCH with $(rustc --version) (3 to 8 minutes the first time)" >&2
started=$(date +%s)
cd "$here/.."
# shellcheck disable=SC2086 # no flag, or one
cargo build ${CI:+--locked} --release --target-dir "$BUILD_DIR" "$TARGET_FLAG" $build_std
binary=$RELEASE/roomcam
echo "Built in $(($(date +%s) - started)) s: $(du -h "$binary" | cut -f 1)" >&2
echo "$binary"
