"""Archives as a source: what is in them comes out, whoever wrote them."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest

from archive.tars import layout_files, link, saved_files, tar_of, write
from layout.images import make_image, make_index
from regimport import Digest, NotFound, UsageError, copy, digest, inspect, tags
from regimport.archive.reader import ArchiveReader
from regimport.engine.ends import Source
from regimport.errors import InvalidManifest, RegimportError
from regimport.models.descriptor import Descriptor
from regimport.models.on_disk import ArchiveReference
from regimport.options import CopyOptions, Limits

LAYERS = [tar_of({"etc/one": b"1"}), tar_of({"etc/two": b"2"})]


def reader(path: Path | str, kind: str = "oci-archive") -> ArchiveReader:
    return ArchiveReader(ArchiveReference(kind, str(path)))


def content(source: Source, blob: Descriptor, start: int = 0) -> bytes:
    with source.read_blob(blob, start) as pieces:
        return b"".join(pieces)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write(tmp_path / "x.tar", layout_files(a=make_image("a"), b=make_index(make_image("b"))))


@pytest.fixture
def feed() -> Iterator[Callable[[bytes], None]]:
    """Let something be read from standard input."""
    saved, threads = os.dup(0), list[threading.Thread]()

    def start(raw: bytes) -> None:
        read, end = os.pipe()
        os.dup2(read, 0)
        os.close(read)
        threads.append(threading.Thread(target=_write, args=(end, raw)))
        threads[-1].start()

    yield start
    os.dup2(saved, 0)
    os.close(saved)
    for thread in threads:
        thread.join()


def _write(pipe: int, raw: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb") as file:
        file.write(raw)


def test_an_archive_holds_what_was_put_into_it(archive: Path) -> None:
    source: Source = reader(archive)
    for name, image in (("a", make_image("a")), ("b", make_index(make_image("b")))):
        assert source.head_manifest(name) == image.root.descriptor
        for manifest in image.manifests:
            assert source.get_manifest(manifest.digest).raw == manifest.raw
        for blob, expected in image.descriptors():
            assert source.has_blob(blob)
            assert source.blob_size(blob.digest) == len(expected)
            for start in (0, 3, len(expected)):
                assert content(source, blob, start) == expected[start:]
    assert list(chain(*source.tag_pages())) == ["a", "b"]


@pytest.mark.parametrize(
    ("form", "algorithm"),
    [
        (tarfile.USTAR_FORMAT, "sha256"),
        (tarfile.GNU_FORMAT, "sha256"),
        (tarfile.PAX_FORMAT, "sha256"),
        # Its digests take more than the 100 characters of a plain name.
        (tarfile.GNU_FORMAT, "sha512"),
        (tarfile.PAX_FORMAT, "sha512"),
    ],
)
def test_every_form_of_tar_is_read(tmp_path: Path, form: int, algorithm: str) -> None:
    image = make_image(algorithm=algorithm)
    files = {f"./{name}": raw for name, raw in layout_files(x=image).items()}
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files, form))
    assert reader(path).get_manifest("").digest == image.root.digest
    for blob, expected in image.descriptors():
        assert content(reader(path), blob) == expected


@pytest.mark.parametrize("compress", [False, True])
def test_an_archive_on_standard_input_is_read_whatever_comes_first(
    tmp_path: Path, feed: Callable[[bytes], None], compress: bool
) -> None:
    image = make_image("a")
    raw = tar_of(layout_files(a=image)) + bytes(100_000)
    feed(gzip.compress(raw) if compress else raw)
    report = copy("oci-archive:-", f"oci:{tmp_path}/out:1")
    assert report.root.digest == image.root.digest


def test_an_archive_may_come_through_a_named_pipe(archive: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: pipe.write_bytes(archive.read_bytes()))
    thread.start()
    assert digest(f"oci-archive:{pipe}:a") == make_image("a").root.digest
    thread.join()


def test_a_gzipped_archive_is_read_and_two_members_of_gzip_are_one(tmp_path: Path) -> None:
    raw = tar_of(layout_files(a=make_image("a")))
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(raw[:1000]) + gzip.compress(raw[1000:]) + bytes(512))
    assert digest(f"oci-archive:{path}") == make_image("a").root.digest
    path.write_bytes(gzip.compress(raw)[:-20])
    with pytest.raises(RegimportError, match="ends in the midst"):
        digest(f"oci-archive:{path}")


@pytest.mark.parametrize(
    ("magic", "kind"),
    [
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"(\xb5/\xfd", "zstd"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ],
)
def test_another_compression_is_named_with_what_undoes_it(
    tmp_path: Path, magic: bytes, kind: str
) -> None:
    (tmp_path / "x").write_bytes(magic + bytes(2000))
    with pytest.raises(UsageError, match=f"compressed with {kind}") as caught:
        digest(f"oci-archive:{tmp_path}/x")
    assert "-dc FILE | regimport" in (caught.value.hint or "")


def test_one_of_several_images_is_not_guessed(archive: Path) -> None:
    with pytest.raises(NotFound, match="several images") as caught:
        digest(f"oci-archive:{archive}")
    assert "a, b" in (caught.value.hint or "")
    assert list(tags(f"oci-archive:{archive}")) == ["a", "b"]
    assert digest(f"oci-archive:{archive}:a") == make_image("a").root.digest
    image = make_index(make_image("b")).root.digest
    assert digest(f"oci-archive:{archive}@{image}") == image


@pytest.mark.parametrize(
    ("kind", "files", "hint"),
    [
        ("oci-archive", saved_files(["a:1"], LAYERS), "docker-archive:"),
        ("oci-archive", {"x": b"1"}, ""),
        ("docker-archive", {"x": b"1"}, "Docker before 1.10"),
    ],
)
def test_an_archive_of_another_kind_is_refused_with_what_to_write(
    tmp_path: Path, kind: str, files: dict[str, bytes], hint: str
) -> None:
    path = write(tmp_path / "x.tar", files)
    with pytest.raises(UsageError, match="is not a") as caught:
        digest(f"{kind}:{path}")
    assert hint in (caught.value.hint or "")


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no archive"):
        digest(f"oci-archive:{tmp_path}/nowhere.tar")
    with pytest.raises(UsageError, match="is a folder") as caught:
        digest(f"oci-archive:{tmp_path}")
    assert caught.value.hint == f"for an image layout, write oci:{tmp_path}"
    for text in ("short", "a text of more than one block\n" * 20):
        (tmp_path / "text").write_text(text)
        with pytest.raises(UsageError, match="is not an archive"):
            digest(f"oci-archive:{tmp_path}/text")
    with pytest.raises(UsageError, match="not an OCI image layout") as caught:
        digest(f"oci:{tmp_path}/text")
    assert caught.value.hint == f"for an archive, write oci-archive:{tmp_path}/text"


def test_an_image_of_docker_save_has_its_config_byte_for_byte_and_its_layers_as_they_are(
    tmp_path: Path,
) -> None:
    files = saved_files(["alpine:3", "r.example:5000/a/alpine:3.19"], LAYERS)
    path = write(tmp_path / "x.tar", files)
    source = reader(path, "docker-archive")
    manifest = source.get_manifest("")
    assert manifest.config is not None
    assert content(source, manifest.config) == next(iter(files.values()))
    assert [content(source, layer) for layer in manifest.layers] == LAYERS
    assert [layer.digest for layer in manifest.layers] == [Digest.of(layer) for layer in LAYERS]
    assert {layer.media_type for layer in manifest.layers} == {
        "application/vnd.oci.image.layer.v1.tar"
    }
    for name in ("3", "3.19", "alpine:3", "docker.io/library/alpine:3", manifest.digest):
        assert source.get_manifest(name).raw == manifest.raw
    # It is what any program computes that writes the manifest in the shortest form.
    assert json.dumps(json.loads(manifest.raw), separators=(",", ":")).encode() == manifest.raw
    assert digest(f"docker-archive:{path}:alpine:3") == manifest.digest


def test_compressed_layers_of_a_docker_archive_are_taken_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", saved_files(["a:1"], LAYERS, compress=True))
    report = copy(f"docker-archive:{path}:a:1", f"oci:{tmp_path}/out")
    found = inspect(f"oci:{tmp_path}/out:a:1").root
    assert report.root.digest == found.descriptor.digest
    assert {layer.media_type for layer in found.layers} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }


def test_layers_that_docker_save_wrote_as_links_are_read(tmp_path: Path) -> None:
    files = saved_files(["a:1"], [LAYERS[0], LAYERS[0], LAYERS[0]])
    files[f"{1:064x}/layer.tar"] = link(f"../{0:064x}/layer.tar")
    files[f"{2:064x}/layer.tar"] = link(f"{0:064x}/layer.tar", tarfile.LNKTYPE)
    path = write(tmp_path / "x.tar", files)
    copy(f"docker-archive:{path}", f"oci:{tmp_path}/out:1")
    assert len(inspect(f"oci:{tmp_path}/out:1").root.layers) == 3


def test_a_layer_that_is_not_what_the_config_says_is_not_copied(tmp_path: Path) -> None:
    files = saved_files(["a:1"], LAYERS)
    files[f"{1:064x}/layer.tar"] = LAYERS[0]
    path = write(tmp_path / "x.tar", files)
    with pytest.raises(RegimportError) as caught:
        copy(f"docker-archive:{path}", f"oci:{tmp_path}/out:1")
    assert caught.value.exit_code == 7
    with pytest.raises(NotFound):
        digest(f"oci:{tmp_path}/out:1")


def test_newer_tars_of_docker_save_are_read_by_their_index(tmp_path: Path) -> None:
    files = layout_files(a=make_image("a"), b=make_image("b"))
    index = json.loads(files["index.json"])
    for number, entry in enumerate(index["manifests"]):
        entry["annotations"] = {
            "io.containerd.image.name": f"docker.io/library/image{number}:latest",
            "org.opencontainers.image.ref.name": "latest",
        }
    files |= {"index.json": json.dumps(index).encode(), "manifest.json": b"not even looked at"}
    path = write(tmp_path / "x.tar", files)
    names = [f"docker.io/library/image{number}:latest" for number in range(2)]
    for kind in ("docker-archive", "oci-archive"):
        assert list(tags(f"{kind}:{path}")) == names
        assert digest(f"{kind}:{path}:image1:latest") == make_image("b").root.digest
        with pytest.raises(InvalidManifest, match="two manifests") as caught:
            digest(f"{kind}:{path}:latest")
        assert names[0] in (caught.value.hint or "")


def test_what_docker_save_left_out_is_missed_with_a_way_to_do_without(tmp_path: Path) -> None:
    image = make_index(make_image("a"), make_image("b"))
    files = layout_files(x=image)
    missing = image.manifests[0].digest
    del files[f"blobs/sha256/{missing.encoded}"]
    path = write(tmp_path / "x.tar", files)
    with pytest.raises(NotFound, match=missing) as caught:
        copy(f"docker-archive:{path}", f"oci:{tmp_path}/out:1")
    assert "choose one with `platforms`" in (caught.value.hint or "")


def test_the_limits_are_kept(archive: Path, tmp_path: Path) -> None:
    options = CopyOptions(limits=Limits(max_layer_size=3))
    with pytest.raises(RegimportError) as caught:
        copy(f"oci-archive:{archive}:a", f"oci:{tmp_path}/out:1", options=options)
    assert caught.value.exit_code == 3


def test_a_blob_is_read_in_pieces_and_a_closed_archive_not_at_all(tmp_path: Path) -> None:
    large = bytes(3 * 1024 * 1024 + 5)
    blob = Descriptor("application/octet-stream", Digest.of(large), len(large))
    files = layout_files(a=make_image("a")) | {f"blobs/sha256/{blob.digest.encoded}": large}
    source = reader(write(tmp_path / "x.tar", files))
    with source.read_blob(blob) as pieces:
        sizes = [len(piece) for piece in pieces]
    assert (sum(sizes), max(sizes)) == (len(large), 1024 * 1024)
    source.close()
    with pytest.raises(RegimportError), source.read_blob(blob) as pieces:
        next(pieces)
