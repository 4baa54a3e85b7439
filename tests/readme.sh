#!/bin/bash
# Follows README.md and systemd/OPERATING.md word for word, so that they cannot rot: every command in them, in a Debian
# that has never heard of roomcam, as a user with sudo.
# Usage: tests/readme.sh     (after: make deb ARCH=amd64; it is what make test-readme does)
#
# This machine is no Pi. What is different here, and how it is shown instead:
# - The package is that of amd64, where the page says arm64.
# - No camera: the profile test-pattern stands for it. No GPIO: lamps and buttons are loaded and not driven.
# - The relay is the program's own, started with the page's own words, in the place of wss://meet.example.org.
# - systemd and journald do not run in a chroot: tests/readme/systemctl and journalctl stand in for them, with the unit
#   as it is and with systemd's own journalctl. systemd-analyze verifies the units.
# - `make demo` builds outside of the root, which has no compiler: what is followed is what it prints and serves.
# - Nothing leaves this machine: all of it happens in a network namespace of its own, where only loopback is.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
repository=$(dirname "$here")
pages=("$repository/README.md" "$repository/systemd/OPERATING.md")
target_dir=${CARGO_TARGET_DIR:-$repository/target}
# What a Pi has, or what the reader is told to install, and what the stand-ins need.
FOR_READER="curl, gpiod, openssl, psmisc, sudo"
FOR_STAND_INS="python3, systemd-journal-remote"

say() { printf '\n=== %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    tail -n 5 "${root:-}/run/stand-in/journal" 2>/dev/null >&2 || true
    exit 1
}
pages() { /usr/bin/python3 "$here/readme/pages.py" "$@"; }
in_root() { "$here/packages/enter.sh" "$root" "$@"; }
as_reader() { in_root su - pi -c "$1" </dev/null; } # COMMAND: in a fresh login, as one gets after joining a group

follow_demo() {
    ip link set lo up
    say "See it: $(cat "$work/demo")"
    # The last thing said before it stays is where to watch.
    (cd "$repository" && exec bash -euo pipefail "$work/demo") > "$work/demo.log" 2>&1 &
    url=
    for _ in $(seq 150); do
        url=$(sed -nE 's/^Watch at (http:\S+)$/\1/p' "$work/demo.log")
        [ -z "$url" ] || break
        kill -0 $! 2>/dev/null || break
        sleep 0.2
    done
    [ -n "$url" ] || fail "no address within 30 s: $(tail -n 20 "$work/demo.log")"
    # All of it, which grep -q does not read: curl would fail.
    curl --silent --show-error --fail "$url" | grep '<title>roomcam' > /dev/null || fail "$url does not serve the page"
    echo "$url serves the page"
}

prepare_root() {
    ip link set lo up
    cp "$deb" "$root/root/"
    # The reader says yes to what apt asks; what apt would download is in its cache.
    printf 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n' > "$root/etc/apt/apt.conf.d/90reader"
    echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/90quick"
    in_root apt-get satisfy --quiet "$FOR_READER, $FOR_STAND_INS" >/dev/null 2>&1 || fail "cannot prepare the root"
    in_root useradd --create-home --shell /bin/bash --groups sudo,video,audio pi
    echo 'pi ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/pi"
    # An answer of HTTP that is an error is an error here.
    printf 'fail\nshow-error\nsilent\n' > "$root/home/pi/.curlrc"
    in_root mv "/root/${deb##*/}" /home/pi/
    [ -s "$root/etc/machine-id" ] || tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"
    echo "127.0.0.1 localhost $(hostname)" > "$root/etc/hosts"
    for program in systemctl journalctl; do
        install -m 755 "$here/readme/$program" "$root/usr/local/bin/"
    done
    mkdir -p "$root/run/stand-in" "$root/run/systemd/journal"
    install -m 755 "$here/packages/journal.py" "$root/run/stand-in/"
    # Everybody may write into a journal.
    (umask 0; in_root /run/stand-in/journal.py /run/systemd/journal/socket sleep infinity > "$root/run/stand-in/journal") &
}

configuration_loads() { # FILE: in the root, with url and room if it has none; more of the environment in arguments
    file=$1
    shift
    grep -q '^url = ' "$root$file" || set -- ROOMCAM_MEETING_URL=ws://127.0.0.1:9 ROOMCAM_MEETING_ROOM=test "$@"
    found=$(in_root env "$@" roomcam check --json --config "$file" 2>&1 || true)
    jq_ok='import json,sys; found={f["check"]: f for f in json.load(sys.stdin)}["configuration"]; sys.exit(found["status"] != "ok" and found["detail"])'
    /usr/bin/python3 -c "$jq_ok" <<< "$found" || fail "$file does not load: $found"
}

follow() { # PAGE NUMBER KIND ARGUMENT
    page=$1 block=$work/${1##*/}.d/$2 kind=$3 argument=$4
    say "${page#"$repository"/}, $kind${argument:+ $argument}"
    cat "$block"
    case $kind in
    run)
        sed 's/_arm64\.deb/_amd64.deb/g' "$block" > "$root/home/pi/block"
        as_reader 'exec bash -euo pipefail block' > "$work/output" 2>&1 ||
            fail "${page##*/}: these commands fail: $(cat "$block" "$work/output")"
        tail -n 20 "$work/output"
        ;;
    relay) ;; # It was started first, for the others.
    demo) ;;  # It was followed outside.
    edit)
        pages edit "$root$argument" "$block"
        # What a machine without a meeting, a camera and a microphone needs.
        sed -i 's|^url = .*|url = "ws://127.0.0.1:8080"|; s|^#profile = .*|profile = "test-pattern"|' "$root$argument"
        ;;
    load)
        cp "$block" "$root/tmp/block.toml"
        configuration_loads /tmp/block.toml
        ;;
    override)
        dropin=$root/etc/systemd/system/$argument.d
        mkdir -p "$dropin"
        cp "$block" "$dropin/override.conf"
        in_root systemd-analyze verify --man=no "$argument" 2>&1 | tee "$work/verify"
        [ ! -s "$work/verify" ] || fail "systemd does not like $argument with it"
        mapfile -t variables < <(sed -n 's/^Environment=//p' "$block")
        configuration_loads /etc/roomcam/config.toml "${variables[@]}"
        rm -r "$dropin"
        ;;
    fstab)
        cp "$block" "$root/tmp/fstab"
        in_root findmnt --verify --tab-file /tmp/fstab || fail "findmnt does not like that table"
        ;;
    alerts | names | text) ;; # What they name is looked up at the end.
    esac
}

follow_pages() {
    prepare_root
    say "A relay of your own comes first: the others need one"
    grep -q '^.* relay' "$work/README.md.list" || fail "README.md starts no relay"
    for page in "${pages[@]}"; do
        while read -r number kind argument <&3; do
            follow "$page" "$number" "$kind" "$argument"
            # The program is here from now on.
            if [ -x "$root/usr/bin/roomcam" ] && [ -z "${relay:-}" ]; then
                relay=$(cat "$work/README.md.d/$(sed -n 's/ relay.*//p' "$work/README.md.list")")
                as_reader "$relay" > "$work/relay.log" 2>&1 &
            fi
        done 3< "$work/${page##*/}.list"
    done

    say "What the pages name exists"
    for unit in roomcam.service roomcam@lobby.service; do
        in_root systemd-analyze verify --man=no "$unit" 2>&1 | tee "$work/verify"
        [ ! -s "$work/verify" ] || fail "systemd-analyze does not like $unit"
    done
    [ "$(in_root systemctl --root=/ is-enabled roomcam.service)" = enabled ] || fail "the service is not enabled"
    as_reader 'systemctl status roomcam' | grep -E 'In room lobby, camera on, mic (live|muted)' || fail "the status is another"
    for field in $(grep -ohE '\b(ROOM|DEVICE|EPOCH)=' "${pages[@]}" | tr -d = | sort -u); do
        values=$(in_root journalctl -F "$field" | tr '\n' ' ')
        [ -n "$values" ] || fail "no line of the journal has the field $field"
        echo "$field: $values"
    done
    pages invocations "${pages[@]}" > "$work/invocations"
    while read -r invocation <&3; do
        as_reader "$invocation --help" >/dev/null || fail "roomcam does not know: $invocation"
    done 3< "$work/invocations"
    echo "$(wc -l < "$work/invocations") different command lines of roomcam parse"
    # A device that cannot be opened, so that the metrics have a fault to tell of.
    as_reader 'sudo sed -i "s/^profile = .*/profile = \"usb-webcam\"/" /etc/roomcam/config.toml && sudo systemctl reload roomcam'
    for _ in $(seq 50); do
        as_reader 'curl --unix-socket /run/roomcam/control.sock http://localhost/metrics' > "$work/metrics"
        ! grep -q '^roomcam_last_fault' "$work/metrics" || break
        sleep 0.2
    done
    as_reader 'curl --unix-socket /run/roomcam/control.sock http://localhost/v1/openapi.json' > "$work/openapi"
    pages names "$repository" "$root" "$work/metrics" "$work/openapi" "${pages[@]}" || fail "something that the pages name does not exist"
}

case ${1:-} in
"") ;;
demo | pages)
    part=$1 work=$2 root=$3 deb=$4
    "follow_$([ "$part" = demo ] && echo demo || echo pages)"
    exit
    ;;
*)
    echo "usage: $0" >&2
    exit 2
    ;;
esac

# A network, and processes, of their own; what was started in there ends with it.
isolated=(unshare --net --pid --fork --kill-child --mount-proc)
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
deb=$(ls "$target_dir"/debian/roomcam_*_amd64.deb) || fail "make deb ARCH=amd64 comes first"
work=$(mktemp -d)
root=$work/root
trap '"${as_root[@]}" rm -rf "$work"' EXIT
for page in "${pages[@]}"; do
    mkdir "$work/${page##*/}.d"
    pages blocks "$page" "$work/${page##*/}.d" > "$work/${page##*/}.list"
done
cp "$work/README.md.d/$(sed -n 's/ demo$//p' "$work/README.md.list")" "$work/demo"

user=()
[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
"${isolated[@]}" "${user[@]}" "$0" demo "$work" "$root" "$deb"

cached=$("${as_root[@]}" "$here/packages/root.sh" amd64 "$(dpkg-deb --field "$deb" Depends), $FOR_READER, $FOR_STAND_INS")
"${as_root[@]}" cp -a "$cached" "$root"
"${as_root[@]}" "${isolated[@]}" "$0" pages "$work" "$root" "$deb"
say "The pages hold"
