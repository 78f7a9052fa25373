#!/bin/sh
# Builds the example image, or proves that what is committed is what its source gives.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

usage() {
    cat <<'EOF'
usage: sh examples/hello-world/build.sh [DIRECTORY | --check | --run]

  DIRECTORY   write the layout there; without one, into a new temporary directory
  --check     build again, run every platform, compare with the committed layout
  --run       build again, and run every platform under QEMU
EOF
}

# platform             compiler                     emulator       further flags
platforms='linux/amd64   x86_64-linux-gnu-gcc         qemu-x86_64    -
linux/arm64   aarch64-linux-gnu-gcc        qemu-aarch64   -
linux/arm/v7  arm-linux-gnueabihf-gcc      qemu-arm       -marm
linux/386     i686-linux-gnu-gcc           qemu-i386      -
linux/riscv64 riscv64-linux-gnu-gcc        qemu-riscv64   -mno-relax
linux/ppc64le powerpc64le-linux-gnu-gcc    qemu-ppc64le   -
linux/s390x   s390x-linux-gnu-gcc          qemu-s390x     -'
packages='gcc gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-i686-linux-gnu
    gcc-riscv64-linux-gnu gcc-powerpc64le-linux-gnu gcc-s390x-linux-gnu qemu-user python3'
# The compiler that the committed layout was built with; another may choose other instructions.
gcc_version=12.2.0

need() {
    command -v "$1" >/dev/null && return
    echo "$1 is missing. On Debian 12 (amd64), all that is needed comes with:" >&2
    # shellcheck disable=SC2086  # the names are words, on one line
    echo "    apt-get install" $packages >&2
    exit 1
}

compile() { # platform, compiler, flags
    # Nothing of the machine may get in: no build ID, no paths, no compiler's name, no notes.
    # shellcheck disable=SC2086  # flags are words
    "$2" -Os -static -nostdlib -nostartfiles -ffreestanding -fno-pie -no-pie \
        -fno-asynchronous-unwind-tables -fno-stack-protector -fno-ident -fcf-protection=none \
        $3 "-DPLATFORM=\"$1\"" -Wall -Wextra -Werror \
        -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 \
        -s -o "$work/$(echo "$1" | tr / -)" "$here/src/hello.c"
}

build() { # directory
    need python3
    while read -r platform compiler _ flags; do
        need "$compiler"
        [ "$flags" != - ] || flags=
        compile "$platform" "$compiler" "$flags"
    done <<EOF
$platforms
EOF
    # shellcheck disable=SC2046  # one argument for each platform
    python3 "$here/assemble.py" "$work" "$1" $(echo "$platforms" | awk '{print $1}')
}

# Emulates every platform, the machine's own too: what runs is then the same on every machine.
run_all() {
    while read -r platform _ emulator _; do
        need "$emulator"
        said=$("$emulator" "$work/$(echo "$platform" | tr / -)") || said="$said (exit status $?)"
        if [ "$said" != "Hello from regimport's example image, built for $platform." ]; then
            echo "$platform does not run as it should: $said" >&2
            exit 1
        fi
        echo "$platform: $said"
    done <<EOF
$platforms
EOF
}

compare() {
    if diff -r "$work/layout" "$here/layout"; then
        echo "the committed layout is what its source gives"
        return
    fi
    echo "the committed layout is not what its source gives" >&2
    while read -r _ compiler _; do
        version=$("$compiler" -dumpfullversion)
        [ "$version" = "$gcc_version" ] ||
            echo "that may be $compiler's doing: it is $version, and was $gcc_version then" >&2
    done <<EOF
$platforms
EOF
    exit 1
}

[ $# -le 1 ] || { usage >&2 && exit 2; }
case ${1-} in
-h | --help) usage && exit ;;
--check | --run | '') ;;
-*) usage >&2 && exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1-} in
--check)
    build "$work/layout"
    run_all
    compare
    ;;
--run)
    build "$work/layout"
    run_all
    ;;
*)
    target=${1:-$(mktemp -d)}
    build "$target"
    echo "written to $target"
    ;;
esac
