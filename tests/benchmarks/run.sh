#!/bin/sh
# Installs what the benchmark needs into .venv, and runs it; arguments go to it (--help lists them).
set -eu
cd "$(dirname "$0")/../.."
. examples/setup-venv.sh
setup_venv tests lint
PYTHONPATH=tests exec .venv/bin/python -m benchmarks "$@"
