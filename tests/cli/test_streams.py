"""Standard streams that are closed, full, or cannot show every character."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from regimport import __version__

LAYOUT = Path(__file__).parents[2] / "examples" / "hello-world" / "layout"


def run(folder: Path, command: str, streams: str, **environment: str) -> tuple[int, str, str]:
    """Run a command with a shell's redirections; return its code and what it wrote."""
    script = f"{shlex.quote(sys.executable)} -m regimport {command} {streams}"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


COMMANDS = ("--version", "--help", "copy --help", "schema report", f"tags oci:{LAYOUT}")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        (">&-", "standard output is closed"),
        ("<&- >&-", "standard output is closed"),
        (">/dev/full", "the disk is full"),
    ],
)
def test_a_result_that_cannot_be_written_ends_with_code_1(
    tmp_path: Path, command: str, streams: str, reason: str
) -> None:
    code, _, errors = run(tmp_path, command, streams)
    assert code == 1
    assert errors == f"error: the output could not be written: {reason}\n"


@pytest.mark.parametrize("streams", ["2>&-", "<&-", "<&- 2>&-", "2>/dev/full"])
def test_a_copy_does_not_need_standard_error_or_input(tmp_path: Path, streams: str) -> None:
    copy = f"copy -v oci:{LAYOUT}:latest oci:copied"
    code, out, _ = run(tmp_path, copy, streams)
    assert code == 0
    assert out.startswith("oci:copied@sha256:")
    assert len(out.splitlines()) == 1
    for path in (LAYOUT / "blobs" / "sha256").iterdir():
        assert (tmp_path / "copied/blobs/sha256" / path.name).read_bytes() == path.read_bytes()


def test_a_copy_whose_result_cannot_be_written_is_done_and_ends_with_code_1(tmp_path: Path) -> None:
    for number, streams in enumerate((">&-", "<&- >&- 2>&-", ">/dev/full")):
        target = f"copied-{number}"
        assert run(tmp_path, f"copy oci:{LAYOUT}:latest oci:{target}", streams)[0] == 1
        for path in (LAYOUT / "blobs" / "sha256").iterdir():
            copied = tmp_path / target / "blobs/sha256" / path.name
            assert copied.read_bytes() == path.read_bytes()


def test_an_error_keeps_its_code_where_nobody_can_read_it(tmp_path: Path) -> None:
    for streams in ("2>&-", "2>/dev/full", ">&- 2>&-", "<&- 2>&-"):
        assert run(tmp_path, "digest ::", streams)[:2] == (2, "")


def test_a_password_from_a_closed_standard_input_is_missing(tmp_path: Path) -> None:
    code, _, errors = run(tmp_path, "login -u ci --password-stdin r.example", "<&-")
    assert code == 2
    assert "standard input" in errors


ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"LANG": "C", "LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
@pytest.mark.parametrize("command", ["--help", "copy --help", "auth --help", "serve --help"])
def test_help_is_shown_in_every_encoding(
    tmp_path: Path, environment: dict[str, str], command: str
) -> None:
    code, out, _ = run(tmp_path, command, "", **environment)
    assert code == 0
    assert "Example: regimport" in out


@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
def test_a_path_in_another_encoding_is_copied_to_and_shown(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    code, out, errors = run(tmp_path, f"copy -v oci:{LAYOUT}:latest 'oci:über'", "", **environment)
    assert code == 0, errors
    assert out.startswith("oci:")
    assert run(tmp_path, "digest 'r.example/ü…'", "", **environment)[0] == 2


def test_the_version_is_printed_to_a_closed_error_stream_all_the_same(tmp_path: Path) -> None:
    assert run(tmp_path, "--version", "2>&-") == (0, f"regimport {__version__}\n", "")
