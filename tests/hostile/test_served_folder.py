"""A folder made by somebody else, full of links, pipes and foreign files, is served."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from layout.images import make_image, store
from regimport.errors import RegimportError
from regimport.layout.writer import Layout
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_MANIFEST
from regimport.server.app import create_app
from regimport.server.run import serving
from server.client import Client

SECRET = b"application/x-the-first-line-of-a-secret-file"
CONTENT = b"a layer"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A layout with an image `x:1`, without the registry's own folders."""
    folder = tmp_path / "served"
    store(Layout(folder), make_image(), "x:1")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not served, with a file that has not changed for years."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(SECRET)
    os.utime(outside / "file", (1, 1))
    return outside


@contextmanager
def served(folder: Path) -> Iterator[Client]:
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        client.connection.timeout = 10  # a request that blocks on a pipe never ends
        yield client


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def session_of(repository: str) -> str:
    return "0" * 32 + "-" + hashlib.sha256(repository.encode()).hexdigest()[:16]


def listed(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_uploads_that_is_a_link_is_not_swept(folder: Path, outside: Path) -> None:
    name = session_of("x")
    (outside / name).touch()
    os.utime(outside / name, (1, 1))
    link(folder / "uploads", outside)
    with pytest.raises(RegimportError, match="uploads"), serving(folder):
        pass
    assert listed(outside) == {"file": SECRET, name: b""}


def test_the_sweep_removes_nothing_but_old_sessions(folder: Path, outside: Path) -> None:
    uploads = folder / "uploads"
    uploads.mkdir()
    link(uploads / session_of("linked"), outside / "file")
    os.mkfifo(uploads / session_of("pipe"))
    (uploads / session_of("folder")).mkdir()
    for name in ("notes.txt", session_of("old")):
        (uploads / name).touch()
    for path in uploads.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)
    before = {path.name for path in uploads.iterdir()}
    create_app(folder)
    assert before - {path.name for path in uploads.iterdir()} == {session_of("old")}
    assert listed(outside) == {"file": SECRET}


@pytest.mark.parametrize("make", [link, lambda path, target: path.hardlink_to(target)])
def test_an_upload_that_is_a_link_is_not_written_to(
    folder: Path, outside: Path, make: object
) -> None:
    assert callable(make)
    (folder / "uploads").mkdir()
    make(folder / "uploads" / session_of("x"), outside / "file")
    os.utime(outside / "file")
    with served(folder) as client:
        path = f"/v2/x/blobs/uploads/{session_of('x')}"
        assert client.ask("PATCH", path, b"more").status in {404, 500}
        assert client.finish(path, DIGEST, CONTENT).status in {404, 500}
    assert listed(outside) == {"file": SECRET}


@pytest.mark.parametrize("kind", ["_blobs", "_blobs/sha256", f"_blobs/sha256/{DIGEST.encoded}"])
def test_a_blob_is_not_stored_through_a_link(folder: Path, outside: Path, kind: str) -> None:
    is_file = kind.endswith(DIGEST.encoded)
    link(folder / "repositories/x" / kind, outside / "file" if is_file else outside)
    with served(folder) as client:
        answer = client.finish(client.start("x").location, DIGEST, CONTENT)
        assert answer.status == 500
        assert client.get_blob("y", DIGEST).status == 404
    assert listed(outside) == {"file": SECRET}


@pytest.mark.parametrize("top", ["repositories", "repositories/x", "repositories/x/_manifests"])
def test_links_in_place_of_folders_that_are_needed_end_the_start(
    folder: Path, outside: Path, top: str
) -> None:
    link(folder / top, outside)
    with pytest.raises(RegimportError, match="Not a directory"), serving(folder):
        pass
    assert listed(outside) == {"file": SECRET}


def test_a_manifest_is_not_stored_in_a_file_outside_nor_is_its_line_shown(
    folder: Path, outside: Path
) -> None:
    image = make_image("new")
    path = folder / "repositories/y/_manifests/sha256" / image.root.digest.encoded
    link(path, outside / "file")
    with served(folder) as client:
        store(Layout(folder), image)
        assert SECRET.decode() not in str(client.get_manifest("y", image.root.digest))
        for digest, content in image.blobs.items():
            client.push_blob("y", content, digest.algorithm)
        client.put("y", image.root, "1")
    assert listed(outside) == {"file": SECRET}


@pytest.mark.parametrize("content", [b"", b"text/html\r\nX: y", b"a/b\n", b"\xff/x", b"a/" * 40000])
def test_foreign_content_of_a_link_is_no_media_type(folder: Path, content: bytes) -> None:
    image = make_image()
    path = folder / "repositories/y/_manifests/sha256" / image.root.digest.encoded
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with served(folder) as client:
        assert client.get_manifest("y", image.root.digest).status == 404
        assert client.get_manifest("x", "1").headers["content-type"] == OCI_MANIFEST


def test_named_pipes_do_not_make_the_registry_wait(folder: Path) -> None:
    image = make_image("piped")
    hexes = [digest.encoded for digest in (*image.blobs, image.root.digest)]
    for name in hexes:
        os.mkfifo(folder / "blobs/sha256" / name)
    store_links = folder / "repositories/y"
    (store_links / "_manifests/sha256").mkdir(parents=True)
    os.mkfifo(store_links / "_manifests/sha256" / hexes[-1])
    (store_links / "_blobs").mkdir()
    os.mkfifo(store_links / "_blobs/sha256")
    with served(folder) as client:
        for name in ("x", "y"):
            assert client.get_manifest(name, image.root.digest).status in {404, 500}
            assert client.get_blob(name, next(iter(image.blobs))).status in {404, 500}
        assert client.ask("GET", f"/v2/y/referrers/{image.root.digest}").status == 200
        assert client.ask("GET", "/v2/_catalog").status == 200
        assert client.get_manifest("x", "1").status == 200


def test_links_and_foreign_names_are_no_repositories_and_no_referrers(
    folder: Path, outside: Path
) -> None:
    (outside / "_blobs").mkdir()
    link(folder / "repositories/linked", outside)
    link(folder / "repositories/z/_blobs", outside)
    (folder / "repositories/UPPER/_blobs").mkdir(parents=True)
    subject = make_image().root.digest
    referrers = folder / "repositories/x/_referrers" / subject.replace(":", "/")
    referrers.mkdir(parents=True)
    (referrers / "not-a-digest").touch()
    with served(folder) as client:
        assert client.ask("GET", "/v2/_catalog").json() == {"repositories": ["x"]}
        assert client.ask("GET", f"/v2/x/referrers/{subject}").json()["manifests"] == []


def test_a_lock_or_an_index_that_is_a_pipe_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    for name in ("oci-layout", "index.json"):
        folder = tmp_path / name
        store(Layout(folder), make_image(), "x:1")
        with served(folder) as client:
            (folder / name).unlink()
            os.mkfifo(folder / name)
            image = make_image()
            assert client.put("x", image.root, "2").status == 500


@pytest.mark.parametrize("member", ["artifactType", "mediaType"])
def test_a_long_type_is_refused_and_the_layout_stays_readable(folder: Path, member: str) -> None:
    with served(folder) as client:
        for text, status in (
            ("application/" + "x" * 127, 201),
            ("application/" + "x" * 128, 400),
            ("application/" + "x" * 4_000_000, 400),
            ("application/vnd.x; a=b", 400),
            ("no type", 400),
        ):
            image = make_image(**{member: text})
            assert client.ask("PUT", "/v2/x/manifests/2", image.root.raw).status == status
    assert (folder / "index.json").stat().st_size < 2000
    assert Layout(folder).find_tag("x:1") is not None


def test_an_index_is_not_written_larger_than_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = (folder / "index.json").stat().st_size + 400
    monkeypatch.setattr("regimport.layout.index.MAX_INDEX_BYTES", limit)
    with served(folder) as client:
        statuses = [client.put("x", make_image().root, f"t{n}").status for n in range(5)]
        assert (statuses[0], statuses[-1]) == (201, 413)
        assert client.get_manifest("x", "1").status == 200
    with pytest.raises(RegimportError, match="larger than"):
        Layout(folder).put_manifest(make_image().root, "n" * 400)
    assert (folder / "index.json").stat().st_size <= limit
