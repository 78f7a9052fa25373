"""The examples: each of them succeeds if the copy does, and fails if the copy fails."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regimport.server.run import serving
from support.client import Client
from support.images import single

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PINNED = "myregistry.example/mirror/alpine@sha256:" + "a" * 64
# A `regimport` that prints the result for each image but those that hold the word `broken`.
STUB = f"""#!/bin/sh
echo "$*" >>"$STUB_LOG"
case "$*" in *$STUB_BROKEN*) exit 6 ;; esac
echo {PINNED}
"""


@pytest.fixture
def stub(tmp_path: Path) -> dict[str, str]:
    """An environment in which `regimport` and `pip` are stubs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("regimport", STUB), ("pip", "#!/bin/sh\n")):
        (folder / name).write_text(script)
        (folder / name).chmod(0o700)
    log = tmp_path / "log"
    log.touch()
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "STUB_LOG": str(log), "STUB_BROKEN": "none"}


def run(
    *command: str, env: dict[str, str], folder: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=env,
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def mirror(stdin: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = str(EXAMPLES / "mirror.sh")
    return run("sh", script, *arguments, env=os.environ | {"PATH": path}, stdin=stdin)


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("broken", ["x", "z"])
def test_mirror_goes_on_after_a_failure_and_fails_at_the_end(
    tmp_path: Path, broken: str, end: str
) -> None:
    with serving(tmp_path / "a") as source, serving(tmp_path / "b") as target:
        there = {"x", "y", "z"} - {broken}
        for name in there:
            Client(source.address).push(name, single(name), "1")
        lines = ["# ours", f"{source.address}/x:1", "", f"  {source.address}/y:1   # why"]
        stdin = "\n".join([*lines, f"{source.address}/z:1"]) + end
        done = mirror(stdin, f"{target.address}/m/")
        assert done.returncode == 1
        assert f"the source has no {source.address}/{broken}:1" in done.stderr
        assert {name for name in "xyz" if Client(target.address).head(f"m/{name}", "1")} == there
        Client(source.address).push(broken, single(broken), "1")
        assert mirror(stdin, f"{target.address}/m/").returncode == 0
        assert Client(target.address).head(f"m/{broken}", "1") == single(broken).root


def test_mirror_refuses_a_line_with_two_images_and_copies_nothing() -> None:
    done = mirror("a.example/x:1 b.example/y:2\nc.example/z:3\n", "127.0.0.1:1/m/")
    assert done.returncode == 2
    assert "standard input:1" in done.stderr


def test_mirror_without_a_target_fails() -> None:
    done = mirror("a.example/x:1")
    assert done.returncode != 0
    assert "the target is missing" in done.stderr


def gitlab_script() -> str:
    """The script of the GitLab job.

    The runner joins the lines of `script` and runs them with `set -eo pipefail`.
    """
    text = (EXAMPLES / "ci" / "gitlab-ci.yml").read_text()
    part = re.search(r"^  script:\n((?:    .*\n)+)", text, re.MULTILINE)
    assert part is not None
    return "\n".join(re.findall(r"^    - (.*)$", part[1], re.MULTILINE))


def github_script() -> str:
    """The step of the GitHub workflow that copies, which GitHub runs with `set -e`."""
    text = (EXAMPLES / "ci" / "github-actions.yml").read_text()
    part = re.search(r"^        run: \|\n((?:          .*\n)+)", text, re.MULTILINE)
    assert part is not None
    return part[1]


@pytest.mark.parametrize(
    ("script", "output", "line"),
    [
        pytest.param(gitlab_script, "import.env", f"IMAGE={PINNED}\n", id="gitlab"),
        pytest.param(github_script, "github.env", f"image={PINNED}\n", id="github"),
    ],
)
def test_a_pipeline_hands_on_the_digest_and_fails_with_the_copy(
    stub: dict[str, str], tmp_path: Path, script: Callable[[], str], output: str, line: str
) -> None:
    env = stub | {"CI_REGISTRY_IMAGE": "gitlab.example/team", "GITHUB_OUTPUT": "github.env"}
    assert "regimport copy" in script()
    done = run("sh", "-e", "-c", script(), env=env, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / output).read_text() == line
    (tmp_path / output).unlink()
    failed = run("sh", "-e", "-c", script(), env=env | {"STUB_BROKEN": "alpine"}, folder=tmp_path)
    assert failed.returncode == 6
    assert not (tmp_path / output).exists()


@pytest.mark.parametrize(("broken", "code"), [("none", 0), ("copy", 6), ("inspect", 6)])
def test_the_quick_start_fails_with_its_commands_and_leaves_no_registry_behind(
    tmp_path: Path, broken: str, code: int
) -> None:
    """In a checkout whose `.venv` has a stub, so that nothing is installed."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    serve = 'if [ "$1" = serve ]; then\n    echo $$ >>"$PIDS"\n'
    serve += "    echo listening on http://127.0.0.1:1\n    exec sleep 50\nfi\n"
    (programs / "regimport").write_text(STUB.replace("echo", f"{serve}echo", 1))
    (programs / "regimport").chmod(0o700)
    checksum = run("sh", "-c", "cksum <pyproject.toml", env=dict(os.environ), folder=tmp_path)
    (tmp_path / ".venv" / "installed-").write_text(checksum.stdout)
    env = os.environ | {
        "PIDS": str(tmp_path / "pids"),
        "STUB_LOG": str(tmp_path / "log"),
        "STUB_BROKEN": broken,
    }
    done = run("sh", str(tmp_path / "examples" / "quickstart.sh"), env=env, folder=tmp_path)
    assert done.returncode == code, done.stderr
    processes = (tmp_path / "pids").read_text().split()
    assert len(processes) == 2
    assert not any(Path(f"/proc/{process}/fd").exists() for process in processes)


def test_the_program_in_python_copies_and_ends_with_the_code_of_an_error(tmp_path: Path) -> None:
    with serving(tmp_path / "a") as source, serving(tmp_path / "b") as target:
        Client(source.address).push("app", single(), "1")
        command = (sys.executable, str(EXAMPLES / "copy_image.py"))
        target_name = f"{target.address}/app"
        done = run(*command, f"{source.address}/app:1", target_name, env=dict(os.environ))
        assert done.returncode == 0, done.stderr
        assert f"{target_name}@sha256:" in done.stdout
        missing = run(*command, f"{source.address}/app:none", target_name, env=dict(os.environ))
        assert missing.returncode == 5
        assert missing.stdout.startswith("failed: ")


def test_the_picture_shows_a_copy_under_way(tmp_path: Path) -> None:
    target = tmp_path / "copy.svg"
    done = run(sys.executable, str(EXAMPLES / "picture.py"), str(target), env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    for svg in (target.read_text(), (EXAMPLES / "copy.svg").read_text()):
        text = html.unescape(re.sub(r"<[^>]*>", "", svg)).replace("\xa0", " ")
        assert re.search(r"\d of 13 blobs +━+╌+", text)
        assert re.search(r"\+\d waiting", text)
        assert "limits: not exceeded" in text
        assert "127.0.0.1" not in text
