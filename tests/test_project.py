"""The files around the code name what there is: versions of Python, programs, folders of tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_ci_runs_on_every_version_of_python_that_the_project_names() -> None:
    prefix = "Programming Language :: Python :: "
    named = [
        name.removeprefix(prefix)
        for name in PROJECT["project"]["classifiers"]
        if name.startswith(f"{prefix}3.")
    ]
    matrix = re.search(r"python: \[(.*)\]", WORKFLOW)
    assert matrix is not None
    assert re.findall(r"[0-9.]+", matrix[1]) == named


def test_ci_pins_every_action_to_a_commit_and_may_only_read() -> None:
    uses = re.findall(r"uses: (\S+)", WORKFLOW)
    assert uses
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in uses)
    assert re.findall(r"^permissions:\n((?:  .*\n)+)", WORKFLOW, re.MULTILINE) == [
        "  contents: read\n"
    ]


@pytest.mark.parametrize("form", ["bug.yml", "feature.yml"])
def test_the_issue_forms_ask_for_the_output_at_the_highest_verbosity(form: str) -> None:
    assert "regimport -vv" in (ROOT / ".github" / "ISSUE_TEMPLATE" / form).read_text()


def test_the_hooks_before_a_commit_run_programs_of_the_lint_group() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    programs = set(re.findall(r"entry: \.venv/bin/(\S+)", text))
    assert programs == {"ruff", "mypy", "lint-imports"}
    assert text.count("language: system") == text.count("- id: ")
    script = (ROOT / "tests" / "run.sh").read_text()
    assert all(f'"$bin/{program}"' in script for program in programs)


def test_what_the_fast_run_names_is_there() -> None:
    script = (ROOT / "tests" / "run.sh").read_text()
    part = re.search(r'^unit_tests="([^"]*)"', script, re.MULTILINE)
    assert part is not None
    assert all((ROOT / name).exists() for name in part[1].split())


@pytest.mark.parametrize(
    "page",
    ["tests/README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"],
)
def test_the_links_of_a_page_lead_to_files(page: str) -> None:
    path = ROOT / page
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
        assert (path.parent / link).exists(), link


def test_the_page_on_the_tests_names_every_folder() -> None:
    page = (ROOT / "tests" / "README.md").read_text()
    for path in (ROOT / "tests").iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert f"`{path.name}/`" in page, path.name


def test_the_script_that_ci_names_can_be_executed() -> None:
    (script,) = re.findall(r"- run: (\S+)", WORKFLOW)
    assert os.access(ROOT / script, os.X_OK)


def test_the_audit_looks_at_the_oldest_version_of_each_dependency() -> None:
    listed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit", "--print"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[>=<]", each)[0] for each in wanted}
    # httpx is there twice, the second time for an extra of its own.
    assert {line.partition("==")[0] for line in listed} == names
    assert "azure-identity==1.16.1" in listed
    assert "h11==0.16.0" in listed
