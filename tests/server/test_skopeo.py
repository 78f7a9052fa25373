"""Another tool at the registry, and at the folder that it serves."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from layout.images import assert_whole_layout
from regimport.layout.reader import LayoutReader
from regimport.server.run import serving

pytestmark = pytest.mark.skopeo
EXAMPLE = Path(__file__).parents[2] / "examples" / "hello-world" / "layout"


def skopeo(*arguments: str) -> bytes:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_skopeo_pushes_pulls_reads_and_deletes(tmp_path: Path) -> None:
    folder, out = tmp_path / "registry", tmp_path / "out"
    with serving(folder) as registry:
        image = f"docker://{registry.address}/x:1"
        skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{EXAMPLE}:latest", image)
        skopeo("copy", "--all", "--src-tls-verify=false", image, f"dir:{out}")
        served = skopeo("inspect", "--raw", "--tls-verify=false", image)
        assert skopeo("inspect", "--raw", f"oci:{folder}:x:1") == served
        assert_whole_layout(folder)
        skopeo("delete", "--tls-verify=false", image)
    assert served == LayoutReader(EXAMPLE).get_manifest("latest").raw
    for file in (EXAMPLE / "blobs/sha256").iterdir():
        if (out / file.name).exists():
            assert hashlib.sha256((out / file.name).read_bytes()).hexdigest() == file.name


def test_what_skopeo_writes_into_the_folder_is_served(tmp_path: Path) -> None:
    folder, out = tmp_path / "registry", tmp_path / "out"
    with serving(folder) as registry:
        skopeo("copy", "--all", f"oci:{EXAMPLE}:latest", f"oci:{folder}:library/y:2")
        image = f"docker://{registry.address}/library/y:2"
        skopeo("copy", "--all", "--src-tls-verify=false", image, f"dir:{out}")
        digest = LayoutReader(EXAMPLE).get_manifest("latest").digest
        assert hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest() == digest.encoded
