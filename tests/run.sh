#!/bin/sh
# Installs the requirements of the tests into .venv, and runs lint, types, contracts and all tests.
# Arguments go to pytest. `--fast`, as the first of them, runs the unit tests alone.
set -eu
cd "$(dirname "$0")/.."
. examples/setup-venv.sh
setup_venv tests lint

# Folders and files that need neither another program nor long waits.
unit_tests="tests/auth tests/clouds tests/configuration tests/credentials tests/engine tests/models
    tests/state tests/transport/test_answers.py tests/transport/test_next_page.py
    tests/transport/test_origins.py tests/transport/test_realm.py tests/test_api.py tests/test_errors.py tests/test_project.py
    tests/test_redact.py tests/test_values.py tests/cli/test_groups.py tests/cli/test_quantities.py
    tests/cli/test_settings.py"

# The program is started a thousand times: its modules are compiled once.
unset PYTHONDONTWRITEBYTECODE

step() {
    echo "== $*"
    "$@"
}
bin=.venv/bin
step "$bin/ruff" check --quiet
step "$bin/ruff" format --check --quiet
step "$bin/mypy" --no-error-summary
step "$bin/lint-imports" --no-logo
if [ "${1-}" = --fast ]; then
    shift
    # shellcheck disable=SC2086 # each of them is an argument
    step "$bin/python" -m pytest -q $unit_tests "$@"
    exit
fi
if [ $# -gt 0 ]; then
    step "$bin/python" -m pytest "$@"
else
    # Files of tests side by side, on up to four cores; each process has registries of its own.
    step "$bin/python" -m pytest -q -n auto --maxprocesses 4 --dist loadfile
    # The tests of copying once more, with httpx's own transport.
    step env REGIMPORT_TRANSPORT=httpx "$bin/python" -m pytest -q tests/cli/test_copy.py
fi
