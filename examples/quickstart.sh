#!/bin/sh
# Installs regimport into .venv, starts two small registries on this machine, and copies the
# example image, seven platforms and an attestation, from one to the other.
set -eu
cd "$(dirname "$0")/.."
. examples/setup-venv.sh
setup_venv

work=$(mktemp -d)
servers=
finish() {
    for server in $servers; do
        kill "$server" 2>/dev/null || true
    done
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Starts a registry over a folder, and sets $address.
start_registry() { # folder
    mkfifo "$1.said"
    .venv/bin/regimport serve "$1" --port 0 >"$1.said" &
    servers="$servers $!"
    read -r line <"$1.said"
    address=${line#listening on http://}
}

run() {
    echo
    echo "\$ $*"
    "$@"
}

PATH=$PWD/.venv/bin:$PATH
cp -R examples/hello-world/layout "$work/hello-world"
start_registry "$work/hello-world"
source=$address
start_registry "$work/target"
target=$address
echo "two registries are running: $source has the example image, $target is empty"

run regimport copy "$source/hello-world:latest" "$target/hello-world"
run regimport copy "$source/hello-world:latest" "$target/hello-world"
run regimport inspect "$target/hello-world:latest"
