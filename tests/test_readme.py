"""What README says is true: its commands run, its Python runs, its tables are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from regimport import errors, options
from regimport.configuration.document import RegistryDocument
from regimport.configuration.load import load
from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms
from support.program import Program

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
SHELL = [code for language, code in BLOCKS if language == "sh" and "quickstart" not in code]
PYTHON = [code for language, code in BLOCKS if language == "python"]


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The registries that README names, and where they are in the test."""
    with serving(tmp_path / "hub") as hub, serving(tmp_path / "mine") as mine:
        Client(hub.address).push("library/hello-world", many_platforms(), "latest")
        yield {"docker.io": hub.address, "myregistry.example": mine.address}


def moved(code: str, places: dict[str, str]) -> str:
    """README's words with the test's registries and platforms in them."""
    code = re.sub(r"(?<=[ (])hello-world(?= )", "docker.io/library/hello-world", code)
    for name, ours in (("linux/arm64", "linux/arch0"), ("linux/amd64", "linux/arch1")):
        code = code.replace(name, ours)
    for name, address in places.items():
        code = code.replace(name, address)
    return code.replace("examples/", f"{ROOT}/examples/")


@pytest.mark.parametrize("code", SHELL)
def test_every_command_of_readme_runs(
    code: str, places: dict[str, str], program: Program, tmp_path: Path
) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        ["sh", "-eu", "-c", moved(code, places)],
        cwd=work,
        env=os.environ | {"PATH": path, "PASSWORD": "secret"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_readme_runs(code: str, places: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", moved(code, places)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(places["myregistry.example"])


def test_the_quick_start_runs(tmp_path: Path) -> None:
    """As README has it; what is installed already stays."""
    done = subprocess.run(
        ["sh", str(ROOT / "examples" / "quickstart.sh")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "already there" in done.stderr
    assert "linux/s390x" in done.stdout


def test_the_exit_codes_of_readme_are_those_of_the_errors() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+)(?:, \d+)? \|", README, re.MULTILINE)}
    kinds = [getattr(errors, name) for name in errors.__all__]
    codes = {kind.exit_code for kind in kinds if hasattr(kind, "exit_code")}
    assert listed == codes | {0}


def test_the_limits_of_readme_are_those_of_the_options() -> None:
    assert f"| {options.MAX_MANIFESTS} | {options.MAX_MANIFESTS + 1} |" in README
    assert f"| {options.MAX_LAYER_SIZE} | {options.MAX_LAYER_SIZE + 1} |" in README


def test_the_configuration_file_of_readme_is_good(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "config.toml").write_text(text)
    found = load(tmp_path / "config.toml").registries
    assert set(found) == {"docker.io", "myregistry.example:5000"}
    known = {name for table in tomllib.loads(text)["registry"].values() for name in table}
    assert known == {field.alias for field in RegistryDocument.model_fields.values()}, (
        "all that there is"
    )


def test_the_options_of_readme_are_those_of_copy() -> None:
    """What its part on connections names is an option of the program."""
    part = README.partition("## Connections")[2].partition("\n## ")[0]
    program = (ROOT / "src/regimport/cli").glob("*.py")
    code = "\n".join(path.read_text() for path in program)
    for option in set(re.findall(r"--([a-z-]+)", part)):
        assert f'"--{option}"' in code or f"{option.replace('-', '_')}: " in code, option


def test_what_readme_links_to_is_there() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_tests_that_readme_names_are_there_for_every_product() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", README)
    for name, file in named:
        assert f"def {name}(" in (ROOT / file).read_text(), name
    files = {path.name for path in (ROOT / "tests" / "products").glob("test_*.py")}
    # How registries are entered in general is told of none of them.
    assert {Path(file).name for _, file in named} == files - {"test_getting_in.py"}


@pytest.mark.parametrize("script", ["quickstart.sh", "setup-venv.sh", "mirror.sh"])
def test_the_scripts_are_valid_shell(script: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / "examples" / script)], check=True)
