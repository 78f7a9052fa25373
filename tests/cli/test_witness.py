"""skopeo as a witness that shares nothing with regimport: what it puts in comes out the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.client import Client
from support.images import (
    FORMS,
    FORMS_FOR_SKOPEO,
    Image,
    as_buildx,
    digest_of,
)
from support.program import Program
from support.registries import DockerRegistry

pytestmark = [pytest.mark.docker_registry, pytest.mark.skopeo]


def skopeo(folder: Path, *arguments: str) -> bytes:
    home = folder / "skopeo-home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments],
        capture_output=True,
        env=os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw(folder: Path, name: str) -> bytes:
    return skopeo(folder, "inspect", "--raw", "--tls-verify=false", f"docker://{name}")


@pytest.mark.parametrize("form", FORMS)
def test_the_raw_manifest_that_skopeo_sees_is_the_same_on_both_sides(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    repository: str,
    tmp_path: Path,
    form: str,
) -> None:
    image = FORMS[form]()
    Client(source.address).push(repository, image, "1")
    ends = [f"{registry.address}/{repository}:1" for registry in (source, target)]
    assert program("copy", *ends).code == 0
    assert raw(tmp_path, ends[0]) == raw(tmp_path, ends[1]) == image.raw


@pytest.mark.parametrize("form", FORMS_FOR_SKOPEO)
def test_what_skopeo_puts_in_it_takes_out_of_the_target_the_same(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    repository: str,
    tmp_path: Path,
    form: str,
) -> None:
    image = FORMS[form]()
    folder = tmp_path / "in"
    write_folder(folder, image)
    put = f"docker://{source.address}/{repository}:1"
    whole = ("copy", "--all", "--preserve-digests")
    skopeo(tmp_path, *whole, "--dest-tls-verify=false", f"dir:{folder}", put)
    ends = [f"{registry.address}/{repository}:1" for registry in (source, target)]
    assert program("copy", *ends).code == 0
    out = tmp_path / "out"
    skopeo(tmp_path, *whole, "--src-tls-verify=false", f"docker://{ends[1]}", f"dir:{out}")
    found = {path.name.partition(".")[0]: path.read_bytes() for path in out.iterdir()}
    contents = set(found.values())
    assert all(content in contents for content in image.content().values())


def test_skopeo_takes_every_platform_of_a_new_index_out_of_the_target(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    repository: str,
    tmp_path: Path,
) -> None:
    image = as_buildx()
    Client(source.address).push(repository, image, "1")
    ends = [f"{registry.address}/{repository}:1" for registry in (source, target)]
    done = program("copy", "--platform", "linux/amd64,linux/arm/v7", *ends)
    assert done.code == 0, done
    index = raw(tmp_path, ends[1])
    assert done.out.strip().endswith(digest_of(index))
    out = tmp_path / "out"
    whole = ("copy", "--all", "--preserve-digests", "--src-tls-verify=false")
    skopeo(tmp_path, *whole, f"docker://{ends[1]}", f"dir:{out}")
    assert len(list(out.glob("*.manifest.json"))) == 4
    again = program("copy", "--no-cache", "--platform", "linux/amd64,linux/arm/v7", *ends)
    assert "already there" in again.err


def write_folder(root: Path, image: Image) -> None:
    """Write an image by hand as skopeo's `dir:` has it, whatever its media types are."""
    root.mkdir()
    (root / "version").write_text("Directory Transport Version: 1.1\n")
    (root / "manifest.json").write_bytes(image.raw)
    for digest, (_, manifest) in image.manifests.items():
        (root / f"{digest.partition(':')[2]}.manifest.json").write_bytes(manifest)
    for digest, blob in image.blobs.items():
        (root / digest.partition(":")[2]).write_bytes(blob)


def test_skopeo_reads_an_image_that_was_repaired_and_the_old_one_that_was_kept(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    repository: str,
    tmp_path: Path,
) -> None:
    old, new = as_buildx(f"{repository}-old"), as_buildx(repository)
    ends = [f"{registry.address}/{repository}:1" for registry in (source, target)]
    Client(source.address).push(repository, old, "1")
    assert program("copy", *ends).code == 0
    Client(source.address).push(repository, new, "1")
    moved = program("copy", "--backup", "{tag}-old", *ends)
    assert f"; the old image is at {ends[1]}-old" in moved.err
    (link,) = (target.root / "docker/registry/v2/repositories" / repository).glob(
        f"_manifests/revisions/sha256/{next(iter(new.manifests))[7:]}/link"
    )
    link.unlink()
    repaired = program("copy", "--repair", "--output", "json", *ends)
    (found,) = json.loads(repaired.out)["targets"]
    assert (found["status"], found["examined"], found["tally"]["manifests_copied"]) == (
        "copied",
        True,
        1,
    )
    assert f"{ends[1]}: already whole" in program("copy", "--repair", *ends).err
    for name, image in ((ends[1], new), (f"{ends[1]}-old", old)):
        assert raw(tmp_path, name) == image.raw
        skopeo(
            tmp_path,
            "copy",
            "--all",
            "--src-tls-verify=false",
            f"docker://{name}",
            f"dir:{tmp_path / digest_of(image.raw)[7:]}",
        )
