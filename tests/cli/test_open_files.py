"""Few open files: what a copy does under `ulimit -n`, and what it says if they are too few."""

from __future__ import annotations

import errno
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from regimport.errors import RegimportError
from regimport.layout.folder import explained
from regimport.server.run import serving
from regimport.transport.socket_errors import explain
from support.client import Client
from support.images import many_platforms


@pytest.mark.parametrize("files", [64, 16])
def test_many_blobs_are_copied_with_few_open_files_and_nothing_fails(
    tmp_path: Path, files: int
) -> None:
    image = many_platforms(platforms=75, size=200)
    with serving(tmp_path / "source") as source, serving(tmp_path / "target") as target:
        Client(source.address).push("app", image, "1")
        names = f"{source.address}/app:1 {target.address}/app"
        command = f"{shlex.quote(sys.executable)} -m regimport copy -j 32 --max-manifests none"
        done = subprocess.run(
            ["/bin/sh", "-c", f"ulimit -n {files}; exec {command} {names}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr
        assert Client(target.address).read_all("app", "1") == image.content()


def test_too_few_open_files_are_called_that_everywhere() -> None:
    error = OSError(errno.EMFILE, os.strerror(errno.EMFILE), "blobs/sha256/x")
    assert "`ulimit -n`" in explain(error)
    with pytest.raises(RegimportError) as caught, explained(Path("image")):
        raise error
    assert "`ulimit -n`" in (caught.value.hint or "")


def test_the_program_names_the_limit_though_nothing_can_be_opened_any_more() -> None:
    script = (
        "import resource, sys\n"
        "import regimport.cli.app as app\n"
        "from regimport import api\n"
        "def exhausted(*_, **__):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "    open('/dev/null')\n"
        "api.digest = exhausted\n"
        "sys.argv = ['regimport', 'digest', 'r.example/app']\n"
        "app.main()\n"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 3
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: too many files are open\n")
    assert "`ulimit -n`" in done.stderr
