"""Archives on standard input and output, by the command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archive.tars import layout_files, saved_files, tar_of
from layout.images import make_image, store
from regimport import digest
from regimport.layout.writer import Layout

REGIMPORT = [sys.executable, "-m", "regimport"]


def run(
    *arguments: str, data: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*REGIMPORT, *arguments],
        input=data,
        capture_output=True,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )


@pytest.fixture
def layout(tmp_path: Path) -> str:
    store(Layout(tmp_path / "layout"), make_image("a"), "a")
    return f"oci:{tmp_path}/layout:a"


def test_an_archive_goes_through_a_pipe_and_the_result_to_standard_error(
    layout: str, tmp_path: Path
) -> None:
    (tmp_path / "spool").mkdir()
    wrote = run("copy", "-o", "json", "-q", layout, "oci-archive:-", TMPDIR=str(tmp_path / "spool"))
    assert wrote.returncode == 0, wrote.stderr
    root = make_image("a").root.digest
    assert json.loads(wrote.stderr)["targets"][0]["pinned"] == f"oci-archive:-@{root}"
    read = run("copy", "oci-archive:-", f"oci:{tmp_path}/out", data=wrote.stdout)
    assert read.returncode == 0, read.stderr
    assert digest(f"oci:{tmp_path}/out") == root
    assert list((tmp_path / "spool").iterdir()) == []


def test_every_command_reads_standard_input(tmp_path: Path) -> None:
    data = tar_of(saved_files(["app:1"], [tar_of({"etc/one": b"1"})]))
    assert run("tags", "docker-archive:-", data=data).stdout == b"1\n"
    found = run("digest", "docker-archive:-:app:1", data=data).stdout.strip().decode()
    shown = run("inspect", "docker-archive:-", data=data).stdout.decode()
    assert f"docker-archive:-@{found}" in shown
    assert "linux/amd64" in shown
    (tmp_path / "x.tar").write_bytes(data)
    compared = run(
        "verify", "docker-archive:-:app:1", f"docker-archive:{tmp_path}/x.tar", data=data
    )
    assert (compared.returncode, compared.stdout.decode().strip()) == (
        0,
        f"docker-archive:{tmp_path}/x.tar@{found}",
    )


def test_inspect_lists_the_images_of_an_archive_where_none_is_chosen(tmp_path: Path) -> None:
    images = {name: make_image(name) for name in ("a", "longer")}
    data, digests = tar_of(layout_files(**images)), [image.root.digest for image in images.values()]
    shown = run("inspect", "oci-archive:-", data=data)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.decode().split() == ["a", digests[0], "longer", digests[1]]
    document = json.loads(run("inspect", "-o", "json", "oci-archive:-", data=data).stdout)
    assert [image["digest"] for image in document["images"]] == digests
    assert run("digest", "oci-archive:-", data=data).returncode == 5


def test_a_failed_copy_writes_nothing_to_standard_output(tmp_path: Path) -> None:
    data = tar_of(saved_files(["app:1"], [tar_of({"etc/one": b"1"})]))[:-12_000]
    failed = run("copy", "docker-archive:-", "oci-archive:-:1", data=data)
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert b"the archive is damaged" in failed.stderr


def test_a_reader_that_goes_away_is_an_error_of_one_block(layout: str) -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [*REGIMPORT, "copy", layout, "oci-archive:-"],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert ended.returncode == 1
    assert b"oci-archive:- cannot be used: Broken pipe" in ended.stderr
    assert b"Traceback" not in ended.stderr
