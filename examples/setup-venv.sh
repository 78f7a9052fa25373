# Sourced by the scripts that need regimport in .venv: `setup_venv [GROUP...]` installs it there,
# with the embedded registry and the named dependency groups of pyproject.toml.

setup_venv() {
    python=${PYTHON:-python3}
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "regimport needs Python 3.11 or later; name one with PYTHON=/path/to/python3" >&2
        exit 1
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "This Python cannot make virtual environments. On Debian and Ubuntu:" >&2
        echo "    apt-get install python3-venv" >&2
        exit 1
    fi
    stamp=.venv/installed$(printf -- '-%s' "$@")
    wanted=$(cksum <pyproject.toml)
    if [ -x .venv/bin/regimport ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "== installing into .venv"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    groups=$(.venv/bin/python - "$@" <<'PYTHON'
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    groups = tomllib.load(file)["dependency-groups"]
print("\n".join(requirement for name in sys.argv[1:] for requirement in groups[name]))
PYTHON
    )
    printf '%s\n' "$groups" >.venv/requirements.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --editable '.[serve]' --requirement .venv/requirements.txt
    echo "$wanted" >"$stamp"
}
