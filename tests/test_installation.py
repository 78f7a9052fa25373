"""Installing: the systems, what the extras hold, and that no name is used that is not released."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from regimport.installation import install_command

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WINDOWS = """
import os, select, sys
sys.platform = "win32"
sys.modules |= dict.fromkeys(("fcntl", "termios", "resource"))
del select.poll, os.killpg, os.getuid
"""
MESSAGE = "regimport runs on Linux and macOS; on Windows, use it in WSL"


def on_windows(script: str) -> subprocess.CompletedProcess[str]:
    """Run a program where Python has no more than it has on Windows."""
    return subprocess.run(
        [sys.executable, "-c", WINDOWS + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--version"], ["copy", "a", "oci:b"], []])
def test_the_program_says_on_windows_where_it_runs(arguments: list[str]) -> None:
    ended = on_windows(f"""
from regimport.cli.app import main
sys.argv[1:] = {arguments}
main()
""")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: {MESSAGE}\n"


def test_the_library_says_on_windows_where_it_runs() -> None:
    ended = on_windows("""
import regimport
print(regimport.__version__)
regimport.copy
""")
    assert ended.stdout
    assert ended.stderr.endswith(f"ImportError: {MESSAGE}\n")


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_what_a_hint_installs_is_what_the_extra_holds(extra: str) -> None:
    packages = PROJECT["optional-dependencies"][extra]
    assert install_command(extra) == " ".join(["pip install", *(f"'{name}'" for name in packages)])


def test_nothing_is_installed_by_a_name_that_is_not_released() -> None:
    """Until `[project.urls]` has an address: a hint or an example must work before that, too."""
    assert "urls" not in PROJECT or PROJECT["urls"] == {}
    texts = [
        path
        for folder in ("src", "examples", ".github")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".md", ".py", ".sh", ".yml"}
    ]
    for path in [ROOT / "README.md", *texts]:
        assert not re.search(r"(pip|pipx|uv tool) install '?regimport", path.read_text()), path


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_ci_examples_install_what_a_variable_names_with_a_pinned_commit(name: str) -> None:
    text = (ROOT / "examples" / "ci" / name).read_text()
    assert re.findall(r"pipx? install .*", text) == [
        f'{"pipx" if "github" in name else "pip"} install "$REGIMPORT_PACKAGE"'
    ]
    assert "git+https://HOST/PATH@COMMIT" in text
