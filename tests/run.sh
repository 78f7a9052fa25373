#!/bin/sh
# Installs what the tests need into .venv, and runs all of them; arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
. examples/setup-venv.sh
setup_venv tests lint

step() {
    echo "== $*"
    "$@"
}
bin=.venv/bin
step "$bin/ruff" check --quiet
step "$bin/ruff" format --check --quiet
step "$bin/mypy" --no-error-summary
step "$bin/lint-imports" --no-logo
step "$bin/python" -m pytest "$@"
if [ $# -eq 0 ]; then
    # Once more what copies for real, with httpx's stock transport in the place of ours.
    step env REGIMPORT_TRANSPORT=httpx "$bin/python" -m pytest -q tests/cli/test_copy.py
fi
