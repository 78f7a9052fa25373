"""What README and the pages of `regimport help` say is true: it runs, and is what the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from regimport import errors, options
from regimport.configuration.document import RegistryDocument
from regimport.configuration.load import load
from regimport.engine.compare import DIFFERENT
from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms
from support.program import Program, program_options

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "src/regimport/help").glob("*.md"))
DOCUMENTS = [README, *PAGES]
OTHER_PROGRAMS = re.compile(r"(?<![-\w/])(az|crane|docker|gcloud|oras|pip|regctl|sh|skopeo) [^`|]*")


def page(topic: str) -> str:
    return (ROOT / f"src/regimport/help/{topic}.md").read_text()


def blocks(language: str) -> list[ParameterSet]:
    """The blocks of code in a language, each named after the document that it is in."""
    return [
        pytest.param(code, id=f"{path.stem}-{number}")
        for path in DOCUMENTS
        for number, code in enumerate(
            re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL), 1
        )
        if "quickstart" not in code
    ]


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The registries that the documents name, and where they are in the test."""
    with serving(tmp_path / "hub") as hub, serving(tmp_path / "mine") as mine:
        Client(hub.address).push("library/hello-world", many_platforms(), "latest")
        yield {"docker.io": hub.address, "myregistry.example": mine.address}


def moved(code: str, places: dict[str, str]) -> str:
    """The documents' words with the test's registries and platforms in them."""
    code = re.sub(r"(?<=[ (])hello-world(?= )", "docker.io/library/hello-world", code)
    for name, ours in (("linux/arm64", "linux/arch0"), ("linux/amd64", "linux/arch1")):
        code = code.replace(name, ours)
    for name, address in places.items():
        code = code.replace(name, address)
    return code.replace("examples/", f"{ROOT}/examples/")


@pytest.mark.parametrize("code", blocks("sh"))
def test_every_command_of_the_documents_runs(
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


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_documents_runs(code: str, places: dict[str, str]) -> None:
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


@pytest.mark.parametrize("text", [README.read_text(), page("exit-codes")], ids=["README", "page"])
def test_the_exit_codes_are_those_of_the_errors(text: str) -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+)(?:, \d+)? \|", text, re.MULTILINE)}
    kinds = [getattr(errors, name) for name in errors.__all__]
    codes = {kind.exit_code for kind in kinds if hasattr(kind, "exit_code")}
    assert listed == codes | {0, DIFFERENT}


def test_the_limits_are_those_of_the_options() -> None:
    assert f"| {options.MAX_MANIFESTS} | {options.MAX_MANIFESTS + 1} |" in page("limits")
    assert f"| {options.MAX_LAYER_SIZE} | {options.MAX_LAYER_SIZE + 1} |" in page("limits")


def test_the_configuration_file_of_the_page_is_good(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", page("configuration"), re.DOTALL)
    (tmp_path / "config.toml").write_text(text)
    found = load(tmp_path / "config.toml").registries
    assert set(found) == {"docker.io", "myregistry.example:5000"}
    known = {name for table in tomllib.loads(text)["registry"].values() for name in table}
    assert known == {field.alias for field in RegistryDocument.model_fields.values()}, (
        "all that there is"
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_the_options_that_a_document_names_are_there(document: Path) -> None:
    """Of other programs, whose options follow their names, nothing is known here."""
    ours = OTHER_PROGRAMS.sub("", document.read_text())
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", ours)) <= program_options() | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_what_a_document_links_to_is_there(document: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", document.read_text()):
        assert (document.parent / link).exists(), link


def test_readme_links_to_every_page_and_is_short() -> None:
    text = README.read_text()
    assert all(f"](src/regimport/help/{path.name})" in text for path in PAGES)
    assert len(text.split()) < 1500


def test_the_tests_that_the_page_on_registries_names_are_there_for_every_product() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./\.\./\.\./([^)]+)\)", page("registries"))
    for name, file in named:
        assert f"def {name}(" in (ROOT / file).read_text(), name
    files = {path.name for path in (ROOT / "tests" / "products").glob("test_*.py")}
    # How registries are entered in general is told of none of them.
    assert {Path(file).name for _, file in named} == files - {"test_getting_in.py"}


@pytest.mark.parametrize("script", ["quickstart.sh", "setup-venv.sh", "mirror.sh"])
def test_the_scripts_are_valid_shell(script: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / "examples" / script)], check=True)
