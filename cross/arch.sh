# What each architecture is called. To be sourced.

select_arch() { # ARCH: sets ARCH, RUST_TARGET and GNU_TARGET, or ends the script
    ARCH=$1
    case $ARCH in
    arm64)
        RUST_TARGET=aarch64-unknown-linux-gnu
        GNU_TARGET=aarch64-linux-gnu
        ;;
    *)
        echo "usage: $0 ARCH, where ARCH is: arm64" >&2
        exit 2
        ;;
    esac
}
