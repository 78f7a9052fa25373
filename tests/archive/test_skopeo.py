"""skopeo as a witness: it writes archives that are read here, and reads those written here."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from archive.tars import tar_of
from layout.images import Image, describe, make_index, make_manifest, store
from regimport import copy, digest, inspect, tags
from regimport.layout.writer import Layout
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_MANIFEST

pytestmark = pytest.mark.skopeo

Skopeo = Callable[..., bytes]


@pytest.fixture
def skopeo(tmp_path: Path) -> Skopeo:
    def run(*arguments: str) -> bytes:
        done = subprocess.run(
            ["skopeo", "--insecure-policy", *arguments],
            capture_output=True,
            env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def real_image(name: str, architecture: str = "amd64") -> Image:
    """An image whose layers are what its config says: gzipped tars with these diff IDs."""
    layers = [tar_of({f"etc/{name}-{number}": name.encode() * 100}) for number in range(2)]
    zipped = [gzip.compress(layer, mtime=0) for layer in layers]
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [f"NAME={name}"]},
            "rootfs": {"type": "layers", "diff_ids": [Digest.of(layer) for layer in layers]},
        }
    ).encode()
    manifest = make_manifest(
        {
            "mediaType": OCI_MANIFEST,
            "config": describe(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [
                describe(layer, "application/vnd.oci.image.layer.v1.tar+gzip") for layer in zipped
            ],
        }
    )
    return Image((manifest,), {Digest.of(content): content for content in (config, *zipped)})


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """A layout with the images a and b, and an index of both."""
    a, b = real_image("a"), real_image("b", "arm64")
    folder = Layout(tmp_path / "layout")
    for name, image in (("a", a), ("b", b), ("both", make_index(a, b))):
        store(folder, image, name)
    return f"oci:{tmp_path}/layout"


def test_an_oci_archive_of_skopeo_is_read(skopeo: Skopeo, layout: str, tmp_path: Path) -> None:
    archive = f"oci-archive:{tmp_path}/x.tar"
    skopeo("copy", "--all", f"{layout}:both", f"{archive}:r.example/app:1")
    assert digest(f"{archive}:r.example/app:1") == digest(f"{layout}:both")
    assert list(tags(archive)) == ["r.example/app:1"]
    copy(archive, f"oci:{tmp_path}/out:2")
    assert skopeo("inspect", "--raw", f"oci:{tmp_path}/out:2") == skopeo(
        "inspect", "--raw", f"{layout}:both"
    )


def test_a_docker_archive_of_skopeo_is_read_and_is_the_same_image_to_it(
    skopeo: Skopeo, layout: str, tmp_path: Path
) -> None:
    archive = f"docker-archive:{tmp_path}/x.tar"
    more = ("--additional-tag", "app:2", "--additional-tag", "r.example:5000/app:3")
    skopeo("copy", *more, f"{layout}:a", f"{archive}:app:1")
    names = ["1", "2", "3"]
    assert list(tags(archive)) == names
    image = digest(f"{archive}:app:2")
    assert {digest(f"{archive}:{name}") for name in names} == {image}
    copy(f"{archive}:r.example:5000/app:3", f"oci:{tmp_path}/out:3")
    ours = json.loads(skopeo("inspect", "--config", f"oci:{tmp_path}/out:3"))
    theirs = json.loads(skopeo("inspect", "--config", f"{archive}:app:1"))
    assert ours["rootfs"] == theirs["rootfs"]
    assert inspect(archive).root.descriptor.digest == image


def test_skopeo_reads_every_image_of_an_archive_written_here(
    skopeo: Skopeo, layout: str, tmp_path: Path
) -> None:
    archive = f"oci-archive:{tmp_path}/x.tar"
    for name in ("a", "b", "both"):
        copy(f"{layout}:{name}", f"{archive}:{name}")
    for name in ("a", "b", "both"):
        raw = skopeo("inspect", "--raw", f"{archive}:{name}")
        assert raw == skopeo("inspect", "--raw", f"{layout}:{name}")
    skopeo("copy", "--all", f"{archive}:both", f"oci:{tmp_path}/out:1")
    assert digest(f"oci:{tmp_path}/out:1") == digest(f"{layout}:both")


def test_skopeo_reads_an_archive_written_here_as_docker_does(
    skopeo: Skopeo, layout: str, tmp_path: Path
) -> None:
    archive = f"{tmp_path}/x.tar"
    copy(f"{layout}:b", f"oci-archive:{archive}:r.example:5000/b:1")
    copy(f"{layout}:both", f"oci-archive:{archive}:a:1")
    listed = json.loads(skopeo("inspect", f"docker-archive:{archive}:r.example:5000/b:1"))
    assert listed["Architecture"] == "arm64"
    config = skopeo("inspect", "--config", f"docker-archive:{archive}:docker.io/library/a:1")
    assert json.loads(config)["config"]["Env"][0].startswith("NAME=")


def test_an_image_may_be_added_to_an_archive_of_skopeo(
    skopeo: Skopeo, layout: str, tmp_path: Path
) -> None:
    archive = f"oci-archive:{tmp_path}/x.tar"
    skopeo("copy", f"{layout}:a", f"{archive}:app:1")
    copy(f"{layout}:b", f"{archive}:app:2")
    for name, image in (("app:1", "a"), ("app:2", "b")):
        assert digest(f"{archive}:{name}") == digest(f"{layout}:{image}")
        skopeo("inspect", "--raw", f"{archive}:{name}")
