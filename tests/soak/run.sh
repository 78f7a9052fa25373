#!/bin/sh
# Installs what the tests need into .venv, and copies 200 images through registries that fail at
# random; arguments go to it (--help lists them).
set -eu
cd "$(dirname "$0")/../.."
. examples/setup-venv.sh
setup_venv tests lint
PYTHONPATH=tests exec .venv/bin/python -m soak "$@"
