"""The folder that is served: layouts made elsewhere, other tools meanwhile, restarts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

from layout.images import Image, assert_whole_layout, describe, make_image, make_index, store
from regimport.errors import UsageError
from regimport.layout.reader import LayoutReader
from regimport.layout.writer import Layout
from regimport.models.mediatype import OCI_MANIFEST
from regimport.server.app import create_app
from regimport.server.names import default_repository
from regimport.server.run import serving
from server.client import Client


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_served(client: Client, name: str, image: Image, reference: str | None = None) -> None:
    assert client.get_manifest(name, reference or image.root.digest).body == image.root.raw
    for manifest in image.manifests:
        assert client.get_manifest(name, manifest.digest).body == manifest.raw
    for digest, content in image.blobs.items():
        assert client.get_blob(name, digest).body == content


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hello-world/layout", "hello-world"),
        ("hello-world", "hello-world"),
        ("My Images_", "my-images"),
        ("a__b.c", "a__b.c"),
        ("...", "layout"),
    ],
)
def test_a_layout_without_names_is_served_by_the_name_of_its_folder(
    tmp_path: Path, path: str, name: str
) -> None:
    assert default_repository(tmp_path / path) == name


def test_a_layout_made_elsewhere_is_served_and_not_changed(tmp_path: Path) -> None:
    folder = tmp_path / "hello-world" / "layout"
    image = make_index(make_index(make_image("a")), make_image("b"))
    store(Layout(folder), image, "latest")
    before = snapshot(folder)
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        assert_served(client, "hello-world", image, "latest")
        catalog = client.ask("GET", "/v2/_catalog").json()
        assert catalog == {"repositories": ["hello-world"]}
        assert client.tags("hello-world") == ["latest"]
        assert client.get_manifest("other", image.root.digest).status == 404
    assert snapshot(folder) == before


def test_names_with_a_repository_are_served_under_it(folder: Path) -> None:
    layout, image = Layout(folder), make_image()
    for name in ("library/x:1", "docker.io/library/x:2", "3", "not:a:name", "a+b"):
        store(layout, image, name)
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        assert client.tags("library/x") == ["1"]
        assert client.tags("docker.io/library/x") == ["2"]
        assert client.tags("registry") == ["3"]
        assert_served(client, "docker.io/library/x", image, "2")


def test_the_referrers_of_a_layout_made_elsewhere_are_found(folder: Path) -> None:
    subject = make_image("subject")
    referrer = make_image("r", subject=describe(subject.root.raw, OCI_MANIFEST))
    store(Layout(folder), subject, "x:1")
    store(Layout(folder), referrer, "x:sig")
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        found = client.ask("GET", f"/v2/x/referrers/{subject.root.digest}").json()["manifests"]
        assert [entry["digest"] for entry in found] == [referrer.root.digest]


def test_what_was_deleted_from_a_layout_made_elsewhere_is_not_found_again(folder: Path) -> None:
    child, other = make_image("child"), make_image("other")
    image = make_index(child, other)
    store(Layout(folder), image, "x:1")
    layer = next(iter(other.blobs))
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        assert client.ask("DELETE", f"/v2/x/manifests/{child.root.digest}").status == 202
        assert client.ask("DELETE", f"/v2/x/blobs/{layer}").status == 202
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        assert client.get_manifest("x", child.root.digest).status == 404
        assert client.get_blob("x", layer).status == 404
        assert client.get_manifest("x", other.root.digest).body == other.root.raw
        assert client.get_manifest("x", "1").body == image.root.raw


def test_a_tag_of_a_layout_made_elsewhere_moves(folder: Path) -> None:
    old, new = make_image("old"), make_image("new")
    store(Layout(folder), old, "1")
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        client.push("registry", new, "1")
        assert_served(client, "registry", new, "1")
        assert_served(client, "registry", old)
    assert list(chain.from_iterable(LayoutReader(folder).tag_pages())) == ["registry:1"]


def test_what_another_program_writes_meanwhile_is_served(client: Client, folder: Path) -> None:
    ours, theirs = make_image("ours"), make_image("theirs")
    client.push("x", ours, "1")
    store(Layout(folder), theirs, "x:2")
    assert client.tags("x") == ["1", "2"]
    assert_served(client, "x", theirs, "2")
    assert LayoutReader(folder).get_manifest("x:1").raw == ours.root.raw


def test_programs_and_clients_that_write_at_once_lose_no_tag(
    connect: Callable[[], Client], folder: Path
) -> None:
    clients = [connect() for _ in range(4)]

    def push(number: int) -> None:
        clients[number].push(
            "x", make_image(f"pushed {number}"), *(f"{number}-{n}" for n in "abcd")
        )

    def write(number: int) -> None:
        for letter in "abcd":
            store(Layout(folder), make_image(f"written {number}"), f"x:{number}-{letter}")

    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(push, number) for number in range(4)]
        tasks += [pool.submit(write, number) for number in range(4, 8)]
        for task in tasks:
            task.result()
    assert clients[0].tags("x") == [
        f"{number}-{letter}" for number in range(8) for letter in "abcd"
    ]
    assert_whole_layout(folder)


def test_a_broken_manifest_of_a_layout_does_not_keep_the_rest_from_being_served(
    folder: Path,
) -> None:
    broken, sound = make_image("broken"), make_image("sound")
    store(Layout(folder), broken, "x:broken")
    store(Layout(folder), sound, "x:sound")
    (folder / "blobs/sha256" / broken.root.digest.encoded).write_bytes(b"{}")
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        assert client.get_manifest("x", "broken").status == 404
        assert_served(client, "x", sound, "sound")


def test_all_is_there_after_a_restart_also_an_upload_that_has_begun(folder: Path) -> None:
    image, content = make_index(make_image("a")), b"the blob of an upload" * 1000
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        client.push("x", image, "1")
        location = client.start("x").location
        client.ask("PATCH", location, content[:5000])
    with serving(folder) as registry, closing(Client(registry.address)) as client:
        assert_served(client, "x", image, "1")
        assert client.ask("GET", location).headers["range"] == "0-4999"
        digest = client.push_blob("elsewhere", content)
        assert client.finish(location, digest, content[5000:]).status == 201
        assert client.get_blob("x", digest).body == content


def test_uploads_that_nobody_came_back_to_are_removed(folder: Path) -> None:
    create_app(folder)
    old = folder / "uploads" / ("0" * 32 + "-" + "0" * 16)
    old.parent.mkdir()
    old.touch()
    new = old.with_name("1" * 32 + "-" + "0" * 16)
    new.touch()
    os.utime(old, (1, 1))
    create_app(folder)
    assert list(old.parent.iterdir()) == [new]


def test_a_folder_with_other_files_is_not_served(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="other files"):
        create_app(folder)


def test_an_index_of_another_tool_keeps_what_we_do_not_know(client: Client, folder: Path) -> None:
    path = folder / "index.json"
    path.write_text('{"schemaVersion": 2, "annotations": {"a": "b"}, "manifests": []}')
    client.push("x", make_image(), "1")
    assert json.loads(path.read_text())["annotations"] == {"a": "b"}
