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
