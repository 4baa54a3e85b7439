#!/bin/sh
# Installs the Debian packages that roomcam needs and that are missing; quick when none is.
# Usage: tests/install-deps.sh build [test] [webkit] [media-servers] [packages] [pi]
set -eu

# Whether a plugin of GStreamer is there. Asks the file system: gst-inspect-1.0 may have to scan all plugins first.
plugin() { [ -e "$(pkg-config --variable=pluginsdir gstreamer-1.0 2>/dev/null)/libgst$1.so" ]; }
tool() { command -v "$1" >/dev/null; }
sbin() { PATH=$PATH:/usr/sbin tool "$1"; }
# Whether a package, when it is installed, would start a service that nobody asked for.
is_service() { case $1 in haproxy | nginx-light | redis-server | coturn) ;; *) false ;; esac }

missing=
need() { # PACKAGE PROBE...: note PACKAGE as missing if PROBE fails
    package=$1
    shift
    "$@" 2>/dev/null || missing="$missing $package"
}

for group in "$@"; do
    case $group in
    build)
        need build-essential tool c++
        need pkg-config tool pkg-config
        need libgstreamer1.0-dev pkg-config --exists 'gstreamer-1.0 >= 1.22'
        need libgstreamer-plugins-base1.0-dev pkg-config --exists gstreamer-app-1.0 gstreamer-video-1.0
        need gstreamer1.0-plugins-base plugin videotestsrc
        need gstreamer1.0-plugins-good plugin vpx
        need gstreamer1.0-alsa plugin alsa
        ;;
    test)
        need gstreamer1.0-tools tool gst-launch-1.0
        need mkvtoolnix tool mkvmerge
        need ffmpeg tool ffprobe
        need chromium tool chromium
        need firefox-esr tool firefox-esr
        need nodejs tool node
        need npm tool npm
        need python3-venv python3 -c 'import ensurepip, venv'
        need haproxy sbin haproxy
        need nginx-light sbin nginx
        need redis-server tool redis-server
        need coturn tool turnserver
        need openssl tool openssl
        need iproute2 tool ip
        need procps tool sysctl
        need nftables tool nft
        # Without a font for it, pictures of the page in Korean show boxes.
        need fonts-nanum test -n "$(fc-list :lang=ko 2>/dev/null)"
        ;;
    webkit)
        need webkit2gtk-driver tool WebKitWebDriver
        # WebKit plays Opus with its parser. roomcam itself needs nothing of this package.
        need gstreamer1.0-plugins-bad plugin opusparse
        need xvfb tool xvfb-run
        need xauth tool xauth
        need dbus tool dbus-run-session
        ;;
    media-servers)
        need janus tool janus
        need iproute2 tool ip
        ;;
    packages)
        need mmdebstrap tool mmdebstrap
        need qemu-user-static tool qemu-arm-static
        need lintian tool lintian
        need binutils tool readelf
        need python3 tool python3
        need curl tool curl
        need iproute2 tool ip
        ;;
    pi)
        need qemu-system-arm tool qemu-system-aarch64
        need qemu-user-static tool qemu-aarch64-static
        need mmdebstrap tool mmdebstrap
        need arch-test tool arch-test
        need kmod tool modprobe
        need cpio tool cpio
        need gcc-aarch64-linux-gnu tool aarch64-linux-gnu-gcc
        need make tool make
        need xz-utils tool xz
        need openssh-client tool ssh
        need python3 tool python3
        ;;
    *)
        echo "usage: $0 build [test] [webkit] [media-servers] [packages] [pi]" >&2
        exit 2
        ;;
    esac
done

[ -n "$missing" ] || exit 0

if ! tool apt-get; then
    echo "roomcam needs what Debian calls:$missing" >&2
    echo "There is no apt-get here to install it with; please install it yourself, then try again." >&2
    exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! tool sudo; then
        echo "roomcam needs these packages; please install them as root, then try again:" >&2
        echo "    apt-get install$missing" >&2
        exit 1
    fi
    as_root="sudo"
fi

# Tests start these programs themselves; as services they would take ports of this machine. Debian asks this file whether
# a package may start its service (policy-rc.d, of the package init-system-helpers).
services=
for package in $missing; do
    if is_service "$package"; then services="$services $package"; fi
done
policy=/usr/sbin/policy-rc.d
if [ -n "$services" ] && [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root install -m 755 /dev/stdin "$policy"
fi

echo "Installing what is missing (apt-get):$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # one word per package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends $missing </dev/null

# Nor at the next start of the machine.
if tool systemctl; then
    for package in $services; do
        $as_root systemctl --quiet disable "${package%-light}" || true
    done
fi
