# What each architecture is called, and where its build is. To be sourced.

select_arch() { # ARCH: sets ARCH, RUST_TARGET, GNU_TARGET, TARGET_FLAG, BUILD_DIR and RELEASE, or ends the script
    ARCH=$1
    case $ARCH in
    amd64)
        RUST_TARGET=x86_64-unknown-linux-gnu
        GNU_TARGET=x86_64-linux-gnu
        ;;
    arm64)
        RUST_TARGET=aarch64-unknown-linux-gnu
        GNU_TARGET=aarch64-linux-gnu
        ;;
    armhf)
        # Debian's armhf is ARMv7: a Pi 2 and later, not a Pi 1 nor the first Zero.
        RUST_TARGET=armv7-unknown-linux-gnueabihf
        GNU_TARGET=arm-linux-gnueabihf
        ;;
    *)
        echo "usage: $0 ARCH, where ARCH is: amd64 arm64 armhf" >&2
        exit 2
        ;;
    esac
    # Apart from builds for this machine: cargo has them wait for each other in one directory, and they share nothing.
    BUILD_DIR=${CARGO_TARGET_DIR:-target}/cross
    RELEASE=$BUILD_DIR/$RUST_TARGET/release
    TARGET_FLAG="--target=$RUST_TARGET"
    if is_native; then
        # As `cargo build --release` does it, so that nothing is built twice.
        BUILD_DIR=${CARGO_TARGET_DIR:-target}
        RELEASE=$BUILD_DIR/release
        TARGET_FLAG=
    fi
}

is_native() { # whether this machine runs what is built
    [ "$(dpkg --print-architecture)" = "$ARCH" ]
}

# The sources of apt for a root of that architecture, from this machine's mirrors. armhf goes without security updates:
# its index is at times out of step with itself, and then nothing can be installed from any.
debian_sources() {
    suites="bookworm bookworm-updates bookworm-security"
    [ "$ARCH" != armhf ] || suites="bookworm bookworm-updates"
    for suite in $suites; do
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
        [ -z "$mirror" ] || echo "deb $mirror $suite main"
    done
}
