"""An image layout as both ends of a copy: what is put in comes out, and how it is listed."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest

from layout.images import Image, assert_whole_layout, make_image, make_index, store
from regimport.engine.ends import Source, Target
from regimport.errors import ContentMismatch, InvalidManifest, NotFound, UsageError
from regimport.layout.index import REF_NAME
from regimport.layout.reader import LayoutReader
from regimport.layout.writer import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def listed(layout: Layout) -> list[tuple[str, str | None]]:
    entries = json.loads(Path(layout.name[4:], "index.json").read_text())["manifests"]
    return [(entry["digest"], entry.get("annotations", {}).get(REF_NAME)) for entry in entries]


def assert_holds(layout: LayoutReader, image: Image) -> None:
    for manifest in image.manifests:
        assert layout.get_manifest(manifest.digest).raw == manifest.raw
    for descriptor, content in image.descriptors():
        assert layout.has_blob(descriptor)
        with layout.read_blob(descriptor) as chunks:
            assert b"".join(chunks) == content


def test_a_blob_is_read_from_any_byte_on(layout: Layout) -> None:
    image = make_image()
    store(layout, image)
    for descriptor, content in image.descriptors():
        for start in (0, 1, len(content) // 2, len(content)):
            with layout.read_blob(descriptor, start) as chunks:
                assert b"".join(chunks) == content[start:]


def test_a_layout_is_a_source_and_a_target(layout: Layout) -> None:
    source: Source = LayoutReader("x")
    target: Target = layout
    assert source.name == "oci:x"
    assert target.name.startswith("oci:")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_image_comes_out_as_it_was_put(layout: Layout, algorithm: str) -> None:
    image = make_image(algorithm=algorithm)
    store(layout, image, "1.0")
    assert_holds(LayoutReader(layout.name[4:]), image)
    assert layout.head_manifest("1.0") == image.root.descriptor
    assert_whole_layout(Path(layout.name[4:]))


def test_an_index_takes_the_untagged_entries_of_its_children_away(layout: Layout) -> None:
    inner = make_index(make_image("a"), make_image("b"))
    outer = make_index(inner, make_image("c"))
    store(layout, outer, "nested")
    assert listed(layout) == [(outer.root.digest, "nested")]
    assert_holds(layout, outer)
    assert_whole_layout(Path(layout.name[4:]))


def test_a_manifest_put_by_digest_is_listed_untagged_and_once(layout: Layout) -> None:
    image = make_image()
    store(layout, image)
    store(layout, image)
    assert listed(layout) == [(image.root.digest, None)]


def test_what_an_index_of_the_layout_names_is_not_listed_for_itself(layout: Layout) -> None:
    child = make_image("child")
    outer = make_index(make_index(child))
    store(layout, outer, "outer")
    store(layout, child)
    assert listed(layout) == [(outer.root.digest, "outer")]


def test_a_tag_moves_and_the_manifest_may_have_several(layout: Layout) -> None:
    old, new = make_image("old"), make_image("new")
    store(layout, old, "latest")
    store(layout, new, "latest")
    store(layout, new, "2")
    assert listed(layout) == [(new.root.digest, "latest"), (new.root.digest, "2")]
    assert list(chain.from_iterable(layout.tag_pages())) == ["2", "latest"]


def test_a_tag_replaces_the_untagged_entry_of_its_manifest(layout: Layout) -> None:
    image = make_image()
    store(layout, image)
    store(layout, image, "now-named")
    assert listed(layout) == [(image.root.digest, "now-named")]


def test_entries_and_members_of_other_tools_stay_as_they_are(layout: Layout) -> None:
    store(layout, make_image("first"), "first")
    path = Path(layout.name[4:], "index.json")
    document = json.loads(path.read_text())
    document["annotations"] = {"made-by": "somebody"}
    document["manifests"][0]["platform"] = {"os": "plan9", "architecture": "mips", "x": [1]}
    path.write_text(json.dumps(document))
    store(layout, make_image("second"), "second")
    after = json.loads(path.read_text())
    assert after["annotations"] == {"made-by": "somebody"}
    assert after["manifests"][0] == document["manifests"][0]
    assert len(after["manifests"]) == 2


def test_an_artifact_is_listed_with_its_type(layout: Layout) -> None:
    store(layout, make_image(artifactType="application/vnd.example"), "sbom")
    (entry,) = json.loads(Path(layout.name[4:], "index.json").read_text())["manifests"]
    assert entry["artifactType"] == "application/vnd.example"


def test_without_a_tag_the_only_entry_is_meant(layout: Layout) -> None:
    image = make_image()
    store(layout, image, "3.1")
    assert layout.get_manifest("").digest == image.root.digest


def test_without_a_tag_latest_is_meant_if_there_is_one(layout: Layout) -> None:
    latest = make_image("latest")
    store(layout, make_image("other"), "other")
    assert layout.head_manifest("") == make_image("other").root.descriptor
    store(layout, latest, "latest")
    assert layout.get_manifest("").digest == latest.root.digest


def test_without_a_tag_one_of_several_is_not_guessed(layout: Layout) -> None:
    store(layout, make_image("a"), "a")
    store(layout, make_image("b"), "b")
    for ask in (layout.head_manifest, layout.get_manifest):
        with pytest.raises(NotFound, match="several images") as caught:
            ask("")
        assert caught.value.hint == "choose one by name or digest; names in it: a, b"


def test_latest_never_means_an_entry_without_a_name(layout: Layout) -> None:
    store(layout, make_image())
    assert layout.head_manifest("latest") is None


def test_one_name_for_two_manifests_is_refused(layout: Layout) -> None:
    store(layout, make_image("a"), "a")
    store(layout, make_image("b"), "b")
    path = Path(layout.name[4:], "index.json")
    path.write_text(path.read_text().replace('name":"b"', 'name":"a"'))
    with pytest.raises(InvalidManifest, match="two manifests"):
        layout.head_manifest("a")


def test_a_source_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no image layout") as caught:
        LayoutReader(tmp_path / "nowhere").head_manifest("latest")
    assert caught.value.hint is not None
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_layout_is_said_to_be_none(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "folder":
        place.mkdir()
        (place / "index.json").write_text("{}")
    else:
        place.write_text("not a folder")
    with pytest.raises(UsageError, match="not an OCI image layout"):
        LayoutReader(place).head_manifest("latest")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"manifests": 3}', "[" * 100_000, "\0"])
def test_an_index_that_cannot_be_read_is_an_error_of_ours(layout: Layout, content: str) -> None:
    store(layout, make_image())
    Path(layout.name[4:], "index.json").write_text(content)
    with pytest.raises(InvalidManifest, match=r"index\.json"):
        layout.head_manifest("x")


def test_a_new_target_is_empty_and_not_made_by_asking(layout: Layout) -> None:
    image = make_image()
    assert layout.head_manifest("latest") is None
    assert layout.head_manifest(image.root.digest) is None
    assert not any(layout.has_blob(descriptor) for descriptor, _ in image.descriptors())
    assert not Path(layout.name[4:]).exists()


def test_a_folder_with_other_files_is_not_made_a_layout(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="other files"):
        store(Layout(folder), make_image())
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_a_manifest_that_was_changed_on_disk_is_refused(layout: Layout) -> None:
    image = make_image()
    store(layout, image, "x")
    path = Path(layout.name[4:], "blobs/sha256", image.root.digest.encoded)
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))
    for reference in ("x", image.root.digest):
        with pytest.raises(ContentMismatch):
            layout.get_manifest(reference)


def test_a_blob_of_the_wrong_size_counts_as_missing_and_is_put_again(layout: Layout) -> None:
    image = make_image()
    store(layout, image, "x")
    descriptor, content = next(image.descriptors())
    path = Path(layout.name[4:], "blobs/sha256", descriptor.digest.encoded)
    path.write_bytes(content[:-1])
    assert not layout.has_blob(descriptor)
    store(layout, image, "x")
    assert_holds(layout, image)
