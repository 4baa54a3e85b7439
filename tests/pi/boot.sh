#!/bin/bash
# Boots the emulated Pi and waits until it takes commands: ssh -F DIR/ssh_config pi COMMAND
# Usage: tests/pi/boot.sh DIR     (a directory for what belongs to this run: process id, console, monitor)
# The SD card is left as it is; what the Pi writes is gone with it. From within the Pi, 10.0.2.2 is this machine.
# It runs until it is powered off, or the process in DIR/pid is ended.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
run=$(mkdir -p "$1" && cd "$1" && pwd)
"$here/../install-deps.sh" pi >&2
image=$("$here/image.sh")

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)

say() { echo "$@" >&2; }
started=$SECONDS
on_pi=(ssh -F "$run/ssh_config")
cat > "$run/ssh_config" <<CONFIG
Host pi
    HostName 127.0.0.1
    Port $port
    User root
    IdentityFile $image/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ConnectTimeout 40
    ControlPath $run/ssh
CONFIG

start() {
    : > "$run/console.log"
    qemu-system-aarch64 -M raspi3b -m 1G -display none -no-reboot -daemonize -pidfile "$run/pid" \
        -kernel "$image/kernel" -dtb "$image/pi.dtb" -initrd "$image/initramfs.gz" \
        -append "console=ttyS1,115200 quiet panic=-1 net.ifnames=0 systemd.show_status=no" \
        -serial null -serial "file:$run/console.log" -monitor "unix:$run/monitor.sock,server,nowait" \
        -drive "if=sd,format=raw,file=$image/sd.img,snapshot=on" \
        -device usb-net,netdev=net -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$port-:22"
}

comes_up() {
    local from=$SECONDS
    until grep -q 'is up' "$run/console.log"; do
        kill -0 "$(cat "$run/pid")" 2>/dev/null && ((SECONDS - from < 300)) || return 1
        sleep 0.5
    done
    # One connection for all commands: on this Pi it takes seconds to make one.
    "${on_pi[@]}" -fNM pi >/dev/null 2>&1
}

say "Booting the emulated Pi (about a minute)"
for attempt in 1 2 3; do
    start
    comes_up && break
    say "The emulated Pi did not come up, or not its network; its console:"
    tail -n 5 "$run/console.log" >&2
    kill "$(cat "$run/pid")" 2>/dev/null || :
    # On a busy machine the emulated USB gets stuck at times, and the network is on it.
    ((attempt < 3)) || exit 1
    say "Trying once more"
    sleep 2
done
# It has no clock of its own. What systemd still starts would cost the tests time, and is soon done.
"${on_pi[@]}" pi "date --set=@$(date +%s) >/dev/null; systemctl is-system-running --wait >/dev/null || :"
say "Up after $((SECONDS - started)) s: ssh -F $run/ssh_config pi"
