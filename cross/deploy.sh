#!/bin/bash
# Builds the package for a Pi, installs it there, and shows the journal until the service is ready.
# Usage: cross/deploy.sh USER@HOST [--dry-run]     (--dry-run prints what would be done, and changes nothing)
# SSH options, such as a port or a key, belong into ~/.ssh/config. USER needs sudo, or is root.
set -euo pipefail

usage() {
    sed -nE 's/^# (Usage:.*)/\1/p' "$0" >&2
    exit 2
}

dry_run=
pi=
for argument in "$@"; do
    case $argument in
    --dry-run) dry_run=1 ;;
    -*) usage ;;
    *) [ -z "$pi" ] || usage; pi=$argument ;;
    esac
done
[ -n "$pi" ] || usage
here=$(dirname "$(readlink -f "$0")")

do_it() { # COMMAND...: runs it, or prints it
    if [ -n "$dry_run" ]; then
        printf '%q ' "$@"
        echo
    else
        "$@"
    fi
}

# Asking changes nothing, so it is done in any case.
arch=$(ssh "$pi" dpkg --print-architecture)
echo "$pi is $arch" >&2
if [ -n "$dry_run" ]; then
    do_it "$here/package.sh" "$arch"
    package="roomcam_VERSION_$arch.deb"
else
    package=$("$here/package.sh" "$arch")
fi

name=${package##*/}
do_it scp "$package" "$pi:/tmp/$name"
# The version may be the one that is installed; and a configuration that was edited is kept without a question.
install='as_root=; [ "$(id -u)" -eq 0 ] || as_root=sudo
set -e
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --reinstall -o Dpkg::Options::=--force-confold "/tmp/NAME"
rm "/tmp/NAME"'
# The journal runs beside the start, which returns when the service is ready, or failed.
start='as_root=; [ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root journalctl --unit=roomcam --follow --lines=0 &
$as_root systemctl restart roomcam; status=$?
sleep 1; kill $!
[ $status -eq 0 ] && echo "roomcam is ready" || echo "roomcam is not ready: see above; its configuration is /etc/roomcam/config.toml" >&2
exit $status'
do_it ssh "$pi" "${install//NAME/$name}"
do_it ssh "$pi" "$start"
