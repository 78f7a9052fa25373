"""Which image of an archive is meant, which platform of it, and what a large layer costs."""

from __future__ import annotations

from pathlib import Path

import pytest

import regimport
from archive.tars import layout_files, tar_of
from layout.images import make_image
from regimport import CopyOptions, Platform
from regimport.server.run import serving
from support.client import Client
from support.images import OCI_CONFIG, Image, as_buildx
from support.inprocess import Here
from support.measured import measured

_MIB = 1024 * 1024


@pytest.mark.parametrize(
    "command", [("inspect", "--raw"), ("digest",), ("copy",)], ids=lambda words: words[0]
)
def test_every_command_that_is_given_no_name_says_the_same(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "x.tar").write_bytes(tar_of(layout_files(a=make_image("a"), b=make_image("b"))))
    target = ["oci:out:1"] if command == ("copy",) else []
    ended = Here(tmp_path)(*command, "oci-archive:x.tar", *target)
    assert ended.code == 5, ended
    assert "oci-archive:x.tar has several images, and none was chosen" in ended.err
    assert "choose one by name or digest; names in it: a, b" in ended.err
    assert not (tmp_path / "out" / "blobs").exists()


@pytest.mark.parametrize(
    "platforms", [("linux/amd64",), ("linux/amd64", "linux/arm64")], ids=["one", "two"]
)
def test_platforms_of_an_archive_are_those_of_the_registry_it_came_from(
    tmp_path: Path, platforms: tuple[str, ...]
) -> None:
    image, archive = as_buildx(), f"oci-archive:{tmp_path / 'x.tar'}:1"
    options = CopyOptions(platforms=tuple(Platform.parse(text) for text in platforms))
    with serving(tmp_path / "registry") as registry:
        Client(registry.address).push("app", image, "1")
        place = f"{registry.address}/app:1"
        regimport.copy(place, archive)
        wanted = regimport.copy(place, f"oci:{tmp_path / 'a'}:1", options=options).root.digest
    found = regimport.copy(archive, f"oci:{tmp_path / 'b'}:1", options=options)
    assert found.root.digest == wanted != image.root
    assert regimport.digest(archive, options=options) == wanted


def test_a_large_layer_goes_through_archives_in_little_memory(tmp_path: Path) -> None:
    """More than the program may take is sent; it was measured with 1 GiB, too."""
    image = Image()
    layer = image.blob(bytes(128 * _MIB))
    image.manifest(image.blob(b"{}", OCI_CONFIG), [layer])
    with serving(tmp_path / "registry") as registry:
        Client(registry.address).push("app", image, "1")
        image.blobs.clear()
        place = f"{registry.address}/app:1"
        wrote = measured(tmp_path, "copy", place, f"oci-archive:{tmp_path / 'x.tar'}:1")
        read = measured(
            tmp_path, "copy", f"oci-archive:{tmp_path / 'x.tar'}:1", f"{registry.address}/again:1"
        )
    assert (wrote.code, read.code) == (0, 0), (wrote, read)
    assert max(wrote.mebibytes, read.mebibytes) < 100, (wrote.mebibytes, read.mebibytes)
