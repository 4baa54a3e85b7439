# What each architecture is called, and where its build is. To be sourced.

select_arch() { # ARCH: sets ARCH, RUST_TARGET, GNU_TARGET, TARGET_FLAG and RELEASE, or ends the script
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
    *)
        echo "usage: $0 ARCH, where ARCH is: amd64 arm64" >&2
        exit 2
        ;;
    esac
    RELEASE=${CARGO_TARGET_DIR:-target}/$RUST_TARGET/release
    TARGET_FLAG="--target=$RUST_TARGET"
    if is_native; then
        # As `cargo build --release` does it, so that nothing is built twice.
        RELEASE=${CARGO_TARGET_DIR:-target}/release
        TARGET_FLAG=
    fi
}

is_native() { # whether this machine runs what is built
    [ "$(dpkg --print-architecture)" = "$ARCH" ]
}
