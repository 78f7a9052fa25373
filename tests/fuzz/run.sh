#!/bin/sh
# Installs what the tests need into .venv, and feeds each parser with texts made to break it, ten
# minutes each; arguments go to it (--help lists them).
set -eu
cd "$(dirname "$0")/../.."
. examples/setup-venv.sh
setup_venv tests lint
PYTHONPATH=tests exec .venv/bin/python -m fuzz "$@"
