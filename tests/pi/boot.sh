#!/bin/bash
# Boots the emulated Pi and waits until it takes commands: ssh -F DIR/ssh_config pi COMMAND
# Usage: tests/pi/boot.sh DIR     (a directory for what belongs to this run: process id, console, monitor)
# The SD card is left as it is; what the Pi writes is gone with it. From within the Pi, 10.0.2.2 is this machine.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
run=$(mkdir -p "$1" && cd "$1" && pwd)
"$here/../install-deps.sh" pi >&2
image=$("$here/image.sh")

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)

started=$SECONDS
echo "Booting the emulated Pi (about 40 s)" >&2
qemu-system-aarch64 -M raspi3b -m 1G -display none -daemonize -pidfile "$run/pid" \
    -kernel "$image/kernel" -dtb "$image/pi.dtb" -initrd "$image/initramfs.gz" \
    -append "console=ttyS1,115200 iomem=relaxed quiet panic=-1" \
    -serial null -serial "file:$run/console.log" -monitor "unix:$run/monitor.sock,server,nowait" \
    -drive "if=sd,format=raw,file=$image/sd.img,snapshot=on" \
    -device usb-net,netdev=net -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$port-:22"

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
    ConnectTimeout 20
    ControlMaster auto
    ControlPath $run/ssh-%C
    ControlPersist 60
CONFIG

until grep -q 'is up' "$run/console.log"; do
    if ! kill -0 "$(cat "$run/pid")" 2>/dev/null || ((SECONDS - started > 300)); then
        echo "The emulated Pi did not come up; its console:" >&2
        tail -n 20 "$run/console.log" >&2
        exit 1
    fi
    sleep 0.5
done
ssh -F "$run/ssh_config" pi "date -s @$(date +%s)" >/dev/null
echo "Up after $((SECONDS - started)) s: ssh -F $run/ssh_config pi" >&2
