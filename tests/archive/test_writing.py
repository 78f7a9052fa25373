"""Archives as a target: what is written, when it is there, and what was there before."""

from __future__ import annotations

import gzip
import json
import os
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.tars import layout_files, saved_files, tar_of
from layout.images import (
    Image,
    assert_whole_layout,
    describe,
    make_image,
    make_index,
    make_manifest,
    store,
)
from regimport import (
    ContentMismatch,
    CopyOptions,
    InvalidOptions,
    InvalidReference,
    UsageError,
    copy,
    tags,
    verify,
)
from regimport.archive.writer import Archive
from regimport.engine.ends import Target
from regimport.engine.target import Status
from regimport.errors import RegimportError
from regimport.layout.writer import Layout
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_MANIFEST
from regimport.models.on_disk import ArchiveReference

CONTENT = b"0123456789" * 100
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "x.tar"


@pytest.fixture
def layout(tmp_path: Path, path: Path) -> str:
    """A layout with the images a and b, and an index of both."""
    path.parent.mkdir()
    a, b = make_image("a"), make_image("b")
    for name, image in (("a", a), ("b", b), ("both", make_index(a, b))):
        store(Layout(tmp_path / "layout"), image, name)
    return f"oci:{tmp_path}/layout"


def archive_at(path: Path) -> Archive:
    return Archive(ArchiveReference("oci-archive", str(path)), None, lambda: False)


def fill(archive: Archive, image: Image, name: str) -> None:
    """Put an image in as a copy does, without the commit."""
    for descriptor, content in image.descriptors():
        upload = archive.start_upload(descriptor)
        if upload is not None:
            upload.send(iter([content]))
    for manifest in image.manifests[:-1]:
        archive.put_manifest(manifest, manifest.digest)
    archive.put_manifest(image.root, name)


def unpacked(path: Path, tmp_path: Path) -> Path:
    """The archive, unpacked by Python's own tar, and checked to be a layout of its own."""
    folder = tmp_path / "unpacked"
    with tarfile.open(path) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames()))
        tar.extractall(folder, filter="data")
    assert_whole_layout(folder)
    return folder


def test_an_archive_is_a_target(path: Path) -> None:
    target: Target = archive_at(path)
    assert target.name == f"oci-archive:{path}"


@pytest.mark.parametrize("name", ["a", "both"])
def test_an_image_that_is_copied_into_an_archive_comes_out_the_same(
    layout: str, path: Path, tmp_path: Path, name: str
) -> None:
    report = copy(f"{layout}:{name}", f"oci-archive:{path}", options=CopyOptions(verify=True))
    assert report.targets[0].status is Status.COPIED
    assert report.targets[0].pinned == f"oci-archive:{path}@{report.root.digest}"
    assert [found.name for found in path.parent.iterdir()] == ["x.tar"]
    copy(f"oci-archive:{path}:{name}", f"oci:{tmp_path}/out")
    assert not verify(f"{layout}:{name}", f"oci:{tmp_path}/out").differences
    listed = json.loads((unpacked(path, tmp_path) / "index.json").read_bytes())["manifests"]
    assert [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in listed] == [name]


def test_an_image_that_is_there_is_not_written_again(layout: str, path: Path) -> None:
    copy(f"{layout}:a", f"oci-archive:{path}")
    before = path.stat()
    report = copy(f"{layout}:a", f"oci-archive:{path}")
    assert report.targets[0].status is Status.PRESENT
    assert path.stat() == before


def test_several_images_are_in_one_archive_and_share_their_blobs(
    layout: str, path: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        copy(f"{layout}:{name}", f"oci-archive:{path}:{name}")
    report = copy(f"{layout}:both", f"oci-archive:{path}:1", f"oci-archive:{path}:2")
    assert report.targets[0].tally.blobs_copied == 0
    assert list(tags(f"oci-archive:{path}")) == ["1", "2", "a", "b"]
    for name in ("a", "b"):
        assert not verify(f"{layout}:{name}", f"oci-archive:{path}:{name}").differences
    unpacked(path, tmp_path)


def test_a_tag_moves_and_what_only_the_old_image_needed_is_gone(
    layout: str, path: Path, tmp_path: Path
) -> None:
    copy(f"{layout}:a", f"oci-archive:{path}:latest")
    copy(f"{layout}:b", f"oci-archive:{path}:latest")
    image = make_image("b")
    blobs = {file.name for file in (unpacked(path, tmp_path) / "blobs/sha256").iterdir()}
    assert blobs == {digest.encoded for digest in (*image.blobs, image.root.digest)}


def test_the_mode_of_an_archive_and_a_link_to_it_stay(layout: str, path: Path) -> None:
    copy(f"{layout}:a", f"oci-archive:{path}")
    path.chmod(0o600)
    (path.parent / "link").symlink_to("x.tar")
    copy(f"{layout}:b", f"oci-archive:{path.parent}/link")
    assert (path.parent / "link").is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tags(f"oci-archive:{path}")) == ["a", "b"]


def test_docker_load_finds_the_image_under_its_full_name(
    layout: str, path: Path, tmp_path: Path
) -> None:
    for name in ("r.example:5000/app:1", "app:2"):
        copy(f"{layout}:a", f"oci-archive:{path}:{name}")
    copy(f"{layout}:b", f"oci-archive:{path}:b")
    folder = unpacked(path, tmp_path)
    listed = json.loads((folder / "manifest.json").read_bytes())
    names = ["r.example:5000/app:1", "docker.io/library/app:2"]
    assert [image["RepoTags"] for image in listed] == [names, None]
    for image in listed:
        assert all((folder / file).is_file() for file in (image["Config"], *image["Layers"]))


def test_docker_load_is_given_this_machines_image_of_an_index(path: Path, tmp_path: Path) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    images = [make_image(name) for name in ("other", "ours")]
    children = [
        describe(image.root.raw, OCI_MANIFEST)
        | {"platform": {"os": "linux", "architecture": architecture}}
        for image, architecture in zip(images, ("s390x", machine), strict=True)
    ]
    root = make_manifest(
        {"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}
    )
    below = [manifest for image in images for manifest in image.manifests]
    blobs = images[0].blobs | images[1].blobs
    path.parent.mkdir()
    archive = archive_at(path)
    fill(archive, Image((*below, root), blobs), "app:1")
    archive.commit()
    (listed,) = json.loads((unpacked(path, tmp_path) / "manifest.json").read_bytes())
    wanted = images[1 if machine else 0].root.config
    assert wanted is not None
    assert listed["Config"].endswith(wanted.digest.encoded)


def test_an_artifact_is_none_of_dockers_images(path: Path, tmp_path: Path) -> None:
    image = make_image("chart")
    document = json.loads(image.root.raw)
    document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    path.parent.mkdir()
    archive = archive_at(path)
    fill(archive, Image((make_manifest(document),), image.blobs), "1")
    archive.commit()
    assert not (unpacked(path, tmp_path) / "manifest.json").exists()


def test_nothing_is_at_the_name_before_the_commit_and_nothing_is_left_without_it(
    path: Path,
) -> None:
    path.parent.mkdir()
    archive = archive_at(path)
    fill(archive, make_image(), "1")
    assert not path.exists()
    assert len(list(path.parent.iterdir())) == 1
    archive.close()
    assert list(path.parent.iterdir()) == []


def test_a_copy_that_fails_leaves_the_old_archive_as_it_was(layout: str, path: Path) -> None:
    copy(f"{layout}:a", f"oci-archive:{path}")
    before = path.read_bytes()
    blob = Path(layout[4:], "blobs/sha256", next(reversed(make_image("b").blobs)).encoded)
    blob.write_bytes(blob.read_bytes()[::-1])
    with pytest.raises(ContentMismatch):
        copy(f"{layout}:b", f"oci-archive:{path}")
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["x.tar"]


def test_a_blob_of_a_failed_copy_does_not_count_in_the_next(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    archive = archive_at(path)

    def breaking() -> Iterator[bytes]:
        yield CONTENT[:10]
        raise ConnectionResetError("gone")

    upload = archive.start_upload(BLOB)
    assert upload is not None
    for content in (breaking(), iter([CONTENT + b"!"]), iter([CONTENT[::-1]])):
        with pytest.raises((ConnectionResetError, ContentMismatch)):
            upload.send(content)
        assert not archive.has_blob(BLOB)
    fill(archive, make_image(), "1")
    archive.commit()
    assert not archive.has_blob(BLOB)
    with tarfile.open(path) as tar:
        assert f"blobs/sha256/{BLOB.digest.encoded}" not in tar.getnames()
    fill(archive, make_image("more"), "2")
    archive.commit()
    unpacked(path, tmp_path)


def test_an_archive_whose_old_blobs_are_damaged_is_not_written_anew(
    layout: str, path: Path
) -> None:
    copy(f"{layout}:a", f"oci-archive:{path}")
    damaged = path.read_bytes().replace(b"a: layer 1", b"a: layer 7")
    path.write_bytes(damaged)
    with pytest.raises(ContentMismatch):
        copy(f"{layout}:b", f"oci-archive:{path}")
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("kind", ["docker", "gzip", "text"])
def test_a_file_that_cannot_be_added_to_stays_as_it_is(layout: str, path: Path, kind: str) -> None:
    path.write_bytes(
        {
            "docker": tar_of(saved_files(["a:1"], [tar_of({})])),
            "gzip": gzip.compress(tar_of(layout_files(a=make_image()))),
            "text": b"years of work",
        }[kind]
    )
    before = path.read_bytes()
    with pytest.raises(UsageError):
        copy(f"{layout}:b", f"oci-archive:{path}")
    assert path.read_bytes() == before


def test_what_is_no_place_for_an_archive_is_refused_before_anything(
    layout: str, path: Path
) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        copy(f"{layout}:a", f"oci-archive:{path.parent}")
    os.mkfifo(path)
    with pytest.raises(UsageError, match="no regular file"):
        copy(f"{layout}:a", f"oci-archive:{path}")
    with pytest.raises(InvalidReference, match="docker save") as caught:
        copy(f"{layout}:a", "docker-archive:x.tar")
    assert "oci-archive:x.tar" in (caught.value.hint or "")
    with pytest.raises(RegimportError, match="No such file"):
        copy(f"{layout}:a", f"oci-archive:{path}/../nowhere/x.tar")


def test_an_empty_file_counts_as_none(layout: str, path: Path) -> None:
    path.touch()
    copy(f"{layout}:a", f"oci-archive:{path}")
    assert list(tags(f"oci-archive:{path}")) == ["a"]


def test_a_dry_run_writes_nothing(layout: str, path: Path) -> None:
    copy(f"{layout}:a", f"oci-archive:{path}", options=CopyOptions(dry_run=True))
    assert list(path.parent.iterdir()) == []


def test_writers_of_one_archive_lose_no_image(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    archives = [archive_at(path) for _ in range(8)]
    for number, archive in enumerate(archives):
        fill(archive, make_image(f"image {number % 3}"), f"tag-{number}")
    threads = [threading.Thread(target=archive.commit) for archive in archives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(tags(f"oci-archive:{path}")) == {f"tag-{number}" for number in range(8)}
    assert [found.name for found in path.parent.iterdir()] == ["x.tar"]
    unpacked(path, tmp_path)


def test_threads_write_into_one_archive_at_once(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    archive, contents = archive_at(path), [bytes([number]) * 100_000 for number in range(20)]
    gate = threading.Barrier(len(contents))

    def pieces(content: bytes) -> Iterator[bytes]:
        # Each begins before any of them ends.
        yield content[:50_000]
        gate.wait(20)
        yield content[50_000:]

    def send(content: bytes) -> None:
        blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
        upload = archive.start_upload(blob)
        assert upload is not None
        upload.send(pieces(content))

    threads = [threading.Thread(target=send, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fill(archive, make_image(), "1")
    archive.commit()
    folder = unpacked(path, tmp_path)
    for content in contents:
        assert (folder / "blobs/sha256" / Digest.of(content).encoded).read_bytes() == content


def test_a_digest_of_sha512_has_a_long_name(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    archive, image = archive_at(path), make_image(algorithm="sha512")
    fill(archive, image, "1")
    archive.commit()
    assert archive.get_manifest("1").raw == image.root.raw
    assert not archive.get_manifest(image.root.digest).manifests
    unpacked(path, tmp_path)


def test_what_stands_beside_an_archive_on_standard_output_is_refused(layout: str) -> None:
    with pytest.raises(InvalidOptions, match="read back"):
        copy(f"{layout}:a", "oci-archive:-", options=CopyOptions(verify=True))
