#!/bin/bash
# Builds the Debian package for an architecture and prints its path.
# Usage: cross/package.sh ARCH     (Debian's name of it: amd64, arm64 or armhf)
# For amd64 on an amd64 machine nothing is crossed; the others are built by cross/build.sh.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=cross/arch.sh
. "$here/arch.sh"
select_arch "${1:-}"
cd "$here/.."
target_dir=${CARGO_TARGET_DIR:-target}
locked=${CI:+--locked}
CARGO_DEB=3.8.0

# Where the Makefile has such tools too.
export PATH=$(realpath -m "$target_dir")/tools/bin:$PATH
CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$target_dir/tools" cargo-deb \
    --version "$CARGO_DEB" >&2
"$here/build.sh" "$ARCH" >/dev/null

# Man pages, completions and changelog, written by a program of this machine: the other may not run here.
pages=$RELEASE/pages
rm -rf "$pages"
# shellcheck disable=SC2086 # no flag, or one
cargo run $locked --quiet --example pages -- "$pages"
gzip -9n "$pages"/man/*
version=$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml | head -n 1)
gzip -9n > "$pages/changelog.Debian.gz" <<CHANGELOG
roomcam ($version-1) stable; urgency=medium

  * See /usr/share/doc/roomcam/NEWS.md.gz for what changed.

 -- the roomcam authors <roomcam@example.org>  $(date -R -u -d "@$(git log -1 --format=%ct 2>/dev/null || date +%s)")
CHANGELOG

package=$target_dir/debian/roomcam_$version-1_$ARCH.deb
# One of an earlier version would be taken for this one.
rm -f "$target_dir"/debian/roomcam_*_"$ARCH".deb
# shellcheck disable=SC2086 # no flag, or one
CARGO_TARGET_DIR=$BUILD_DIR cargo deb --no-build --no-strip $TARGET_FLAG --output "$package" >&2

# The libraries that the program needs are declared by hand in Cargo.toml: with a sysroot nobody can look them up.
depends=$(dpkg-deb --field "$package" Depends)
objdump=$(command -v "$GNU_TARGET-objdump" || echo objdump)
for library in $("$objdump" --private-headers "$RELEASE/roomcam" | awk '$1 == "NEEDED" { print $2 }'); do
    case $library in
    libc.so.* | libm.so.* | ld-linux*) needed=libc6 ;;
    libgcc_s.so.1) needed=libgcc-s1 ;;
    libglib-2.0.so.0 | libgobject-2.0.so.0 | libgio-2.0.so.0) needed=libglib2.0-0 ;;
    libgstreamer-1.0.so.0 | libgstbase-1.0.so.0) needed=libgstreamer1.0-0 ;;
    libgstapp-1.0.so.0 | libgstvideo-1.0.so.0) needed=libgstreamer-plugins-base1.0-0 ;;
    *) needed="the package of $library (not known to $0)" ;;
    esac
    if [[ " $depends" != *" $needed "* ]]; then
        echo "$package needs $library, but does not depend on $needed: $depends" >&2
        exit 1
    fi
done
# A newer C library than the one named would be missed only when it runs.
declared=$(sed -nE 's/.*libc6 \(>= ([0-9.]+)\).*/\1/p' <<< "$depends")
used=$("$objdump" --dynamic-syms "$RELEASE/roomcam" | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
if dpkg --compare-versions "${used#GLIBC_}" gt "$declared"; then
    echo "$package needs glibc ${used#GLIBC_}, but depends on $declared only" >&2
    exit 1
fi
echo "$package"
