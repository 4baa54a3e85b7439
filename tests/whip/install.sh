#!/bin/sh
# Unpacks Debian's simple-whip-server into tests/whip/server. It cannot be installed: it conflicts with the nodejs of NodeSource.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
(cd "$work" && apt-get download -q simple-whip-server && dpkg -x simple-whip-server_*.deb .)
rm -rf server
cp -r "$work/usr/share/simple-whip-server" server
# A link that leads to nowhere here.
rm -f server/src/config.js
cp "$work/etc/simple-whip-server/config.js" server/src/config.js
