#!/bin/sh
# Runs a command in a root, with /proc and /dev of this machine, in a mount namespace that ends with it. As root.
# Usage: tests/packages/enter.sh ROOT COMMAND...
# shellcheck disable=SC2016 # for the inner shell
exec unshare --mount --propagation private sh -ec '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot "$@"' sh "$@"
