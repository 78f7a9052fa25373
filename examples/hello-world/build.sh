#!/bin/sh
# Builds the example image, or proves that what is committed is what its source gives.
#
#   sh examples/hello-world/build.sh [DIRECTORY]   build a layout there (default: layout)
#   sh examples/hello-world/build.sh --check       build again, compare digests, run every platform
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# platform             compiler                     emulator       further flags
platforms='linux/amd64   x86_64-linux-gnu-gcc         -              -
linux/arm64   aarch64-linux-gnu-gcc        qemu-aarch64   -
linux/arm/v7  arm-linux-gnueabihf-gcc      qemu-arm       -marm
linux/386     i686-linux-gnu-gcc           -              -
linux/riscv64 riscv64-linux-gnu-gcc        qemu-riscv64   -mno-relax
linux/ppc64le powerpc64le-linux-gnu-gcc    qemu-ppc64le   -
linux/s390x   s390x-linux-gnu-gcc          qemu-s390x     -'
packages='gcc gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-i686-linux-gnu
    gcc-riscv64-linux-gnu gcc-powerpc64le-linux-gnu gcc-s390x-linux-gnu qemu-user'

need() {
    command -v "$1" >/dev/null && return
    echo "$1 is missing. On Debian 12 (amd64), all that is needed comes with:" >&2
    echo "    apt-get install" $packages >&2
    exit 1
}

compile() { # platform, compiler, flags
    binary=$work/$(echo "$1" | tr / -)
    # Nothing of the machine may get in: no build ID, no paths, no compiler's name, no notes.
    "$2" -Os -static -nostdlib -nostartfiles -ffreestanding -fno-pie -no-pie \
        -fno-asynchronous-unwind-tables -fno-stack-protector -fno-ident -fcf-protection=none \
        $3 "-DPLATFORM=\"$1\"" -Wall -Wextra -Werror \
        -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 \
        -s -o "$binary" "$here/src/hello.c"
}

build() { # directory
    while read -r platform compiler _ flags; do
        need "$compiler"
        [ "$flags" = - ] && flags=
        compile "$platform" "$compiler" "$flags"
    done <<EOF
$platforms
EOF
    python3 "$here/assemble.py" "$work" "$1" $(echo "$platforms" | awk '{print $1}')
}

run_all() {
    while read -r platform _ emulator _; do
        [ "$emulator" = - ] && emulator= || need "$emulator"
        said=$($emulator "$work/$(echo "$platform" | tr / -)")
        case $said in
        *"built for $platform."*) echo "$platform: $said" ;;
        *) echo "$platform does not run: $said" >&2 && exit 1 ;;
        esac
    done <<EOF
$platforms
EOF
}

if [ "${1-}" != --check ]; then
    build "${1-$here/layout}"
    exit
fi
build "$work/layout"
run_all
if ! diff -r "$work/layout" "$here/layout"; then
    echo "the committed layout is not what its source gives" >&2
    exit 1
fi
echo "the committed layout is what its source gives"
